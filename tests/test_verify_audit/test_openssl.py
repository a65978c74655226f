"""What the tool leaves to OpenSSL, OpenSSL does with the very commands that the tool prints."""

import re
import subprocess
import zipfile
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp

from security.audit.packing import Package
from tests.test_verify_audit.made import LEAF, NOW, ROOT, ROOT_KEY, certificate, run

TSA = """[tsa]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
"""


@pytest.fixture(scope="module")
def unpacked(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a real chain, list, OCSP answer and time-stamp; unpacked, with what has to be trusted beside it."""
    folder = tmp_path_factory.mktemp("unpacked")
    ca_key, ca, leaf, tsa_key = ROOT_KEY, ROOT, LEAF, generate_private_key(SECP256R1())
    purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
    tsa = certificate("tsa", tsa_key, "root", ca_key, purpose)
    for name in ("ROOT.pem", "CA.pem", "TSA.pem"):
        (folder / name).write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "tsa.pem").write_bytes(tsa.public_bytes(Encoding.PEM))
    plain = tsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tsa.key").write_bytes(plain)
    (folder / "tsa.cnf").write_text(TSA)
    (folder / "serial").write_text("01\n")
    with zipfile.ZipFile(made / "bundle.zip") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    text = content["checkpoint.txt"].split(b"\n\n")[0] + b"\n"
    query = ["openssl", "ts", "-query", "-digest", sha256(text).hexdigest(), "-sha256", "-cert", "-out", "query"]
    reply = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query", "-out", "reply"]
    for command in (query, reply):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    listed = x509.CertificateRevocationListBuilder(ca.subject, NOW - timedelta(hours=1), NOW + timedelta(days=1))
    status = ocsp.OCSPResponseBuilder().add_response(
        leaf, ca, SHA256(), ocsp.OCSPCertStatus.GOOD, NOW - timedelta(hours=1), NOW + timedelta(days=1), None, None
    )
    answer = status.responder_id(ocsp.OCSPResponderEncoding.NAME, ca).sign(ca_key, SHA256())
    with (folder / "real.zip").open("wb") as out, Package(out) as package:
        for name in ("entry.json", "proof.json", "checkpoint.txt", "openings.json"):
            package.add(name, content[name])
        package.add("certificates.pem", leaf.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM))
        package.add("revocation/list.der", listed.sign(ca_key, SHA256()).public_bytes(Encoding.DER))
        package.add("revocation/answer.der", answer.public_bytes(Encoding.DER))
        package.add("timestamp.tsr", (folder / "reply").read_bytes())
        package.finish({"format": "lgsp-audit-bundle/1", "index": 1})
    with zipfile.ZipFile(folder / "real.zip") as archive:
        archive.extractall(folder)
    (folder / "keys.txt").write_bytes((made / "keys.txt").read_bytes())
    return folder


@pytest.fixture(scope="module")
def commands(unpacked: Path) -> list[str]:
    done = run("real.zip", "--lang", "en", folder=unpacked)
    assert done.returncode == 0, done.stdout
    return re.findall(r"is NOT checked here; after unpacking: (.+)", done.stdout)


GOOD = {
    "openssl verify": "certificates.pem: OK",
    "openssl crl -inform DER -in revocation/list.der": "verify OK",
    "openssl ocsp -respin revocation/answer.der": "Response verify OK",
    "openssl ts -verify": "Verification: OK",
}


@pytest.mark.parametrize("what", GOOD)
def test_the_printed_command_does_it(unpacked: Path, commands: list[str], what: str) -> None:
    (command,) = (each for each in commands if what in each)
    done = subprocess.run(command.split(), cwd=unpacked, capture_output=True, text=True, timeout=60)
    assert GOOD[what] in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_time_stamp_of_something_else_is_not_taken_along(unpacked: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(unpacked / "real.zip") as archive:
        content = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    text = content["checkpoint.txt"].split(b"\n\n")[0] + b"\n"
    content["timestamp.tsr"] = content["timestamp.tsr"].replace(sha256(text).digest(), bytes(32))
    with (tmp_path / "other.zip").open("wb") as out, Package(out) as package:
        for name, raw in content.items():
            package.add(name, raw)
        package.finish({"format": "lgsp-audit-bundle/1", "index": 1})
    (tmp_path / "keys.txt").write_bytes((unpacked / "keys.txt").read_bytes())
    done = run("other.zip", "--lang", "en", folder=tmp_path)
    assert done.returncode == 1
    assert "the parts of the file CONTRADICT each other" in done.stdout
