"""`lgsp pki inspect`: what it says about files, good and bad, and that it never says a secret."""

from __future__ import annotations

import base64
import json
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from commands import app
from sandbox.pki import Pki
from sandbox.specimens import SPECIMENS, Specimen, Specimens
from security.issuing import PROFILES, Wanted, signed
from security.signature import utc_now
from tests.test_pki.conftest import Office, inspected, openssl, problems

SIGNER = ("--common-name", "Trục LGSP", "--agency", "H26.12")


@pytest.fixture(scope="session")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> Specimens:
    return Specimens(Pki(tmp_path_factory.mktemp("specimens") / "pki").store)


def test_a_certificate_is_explained(office: Office) -> None:
    told = office.did("issue", "gw", "--kind", "tls-server", "--host", "gw.example", *SIGNER)
    (found,) = inspected(told["certificate"], "--trust", office.directory / "chain.pem")
    facts = found["facts"]
    assert found["kind"] == "certificate"
    assert facts["subject"] == told["subject"]
    assert facts["serial"] == told["serial"]
    assert facts["agency"] == "H26.12"
    assert facts["issued_by"] == facts["issuer"] == "CN=Issuing CA,O=Sở TT&TT,C=VN"
    assert facts["hosts"] == ["gw.example"]
    assert facts["usages"] == ["digital_signature"]
    assert facts["extended_usages"] == ["serverAuth"]
    assert facts["crl"] == ["http://pki.example/x/issuing.crl"]
    assert facts["ca_issuers"] == ["http://pki.example/x/issuing.cer"]
    assert facts["ocsp"] == ["http://pki.example/ocsp"]
    assert facts["key"] == "ECDSA P-256"
    assert (facts["authority"], facts["sandbox"]) == (False, False)
    fingerprint = openssl("x509", "-in", told["certificate"], "-noout", "-fingerprint", "-sha256").strip()
    assert facts["fingerprint"].removeprefix("sha256:") == fingerprint.partition("=")[2].replace(":", "").lower()


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda one: one.name)
def test_every_specimen_is_told_from_a_good_one(specimens: Specimens, specimen: Specimen) -> None:
    pair, trust = specimens.pair(specimen), specimens.trust("public")
    listed = specimens._store.authority("public-ca", "").revocation_list(
        utc_now(), utc_now() + timedelta(days=20_000), utc_now()
    )
    path = trust.with_name("now.crl")
    path.write_bytes(listed.public_bytes(Encoding.DER))
    files = (pair.certificate, pair.key, path, "--trust", trust)
    weakly = specimen.name in ("wrong-usage", "authority-as-signer", "another-member")
    found = inspected(*files, code=0 if specimen.reason is None or weakly else 1)
    facts = found[0]["facts"]
    # Who is expected somewhere is not asked here: another member may sign.
    assert facts["may_sign"] is (specimen.reason is None or specimen.name == "another-member")
    assert bool(facts["why_not"]) is not facts["may_sign"]
    assert found[1]["facts"]["belongs_to"] == [facts["subject"]]
    assert found[2]["facts"]["signed_by"] == "CN=LGSP SANDBOX Public CA,O=LGSP SANDBOX,C=VN"
    assert found[2]["facts"]["revoked_here"] == ([facts["serial"]] if specimen.name == "revoked" else [])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("expired", "has expired"),
        ("not-yet-valid", "not valid yet"),
        ("rsa-1024", "RSA key of 1024 bits"),
        ("look-alike-authority", "but with another key"),
        ("issued-by-leaf", "no authority in --trust leads to it"),
        ("missing-intermediate", "get the certificate of CN=LGSP SANDBOX Public CA 2"),
        ("other-domain", "or trust another domain"),
    ],
)
def test_the_next_step_is_named(specimens: Specimens, name: str, told: str) -> None:
    (specimen,) = (one for one in SPECIMENS if one.name == name)
    assert told in problems(
        inspected(specimens.pair(specimen).certificate, "--trust", specimens.trust("public"), code=1)
    )


def test_an_intermediate_that_is_only_among_the_files_is_pointed_out(specimens: Specimens) -> None:
    (specimen,) = (one for one in SPECIMENS if one.name == "missing-intermediate")
    path, trust = specimens.pair(specimen).certificate, specimens.trust("public")
    found = inspected(path, path.with_name("public-ca-2.pem"), "--trust", trust, code=1)
    assert "only by an authority in these files" in problems(found[:1])
    assert not found[1]["findings"]
    assert not problems(inspected(path, "--trust", trust, "--trust", path.with_name("public-ca-2.pem")))


def test_keys_are_named_and_never_shown(office: Office, tmp_path: Path) -> None:
    told = office.did("issue", "tax", *SIGNER)
    path = Path(told["key"])
    private = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    secret = private.private_numbers().private_value
    forms = {
        "pkcs8.pem": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "sec1.pem": private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "pkcs8.der": private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "locked.pem": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "sec1-locked.pem": private.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")
        ),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
        key, certificate = inspected(tmp_path / name, told["certificate"])
        text = repr(key)
        assert key["facts"]["encrypted"] is ("locked" in name)
        assert key["facts"].get("belongs_to", [told["subject"]]) == [told["subject"]]
        assert key["facts"].get("public_key", certificate["facts"]["public_key"]) == certificate["facts"]["public_key"]
        assert "PRIVATE" not in text
        for form in (f"{secret:x}", str(secret), base64.b64encode(secret.to_bytes(32, "big")).decode()[:40]):
            assert form not in text
    path.chmod(0o640)
    assert "chmod 600" in problems(inspected(path, code=1))


def test_a_key_without_its_certificate_is_pointed_out(office: Office) -> None:
    tax, land = office.did("issue", "tax", *SIGNER), office.did("issue", "land", *SIGNER)
    assert "none of the certificates given" in problems(inspected(tax["key"], land["certificate"], code=1))
    inspected(tax["key"], tax["certificate"], land["certificate"])


def test_lists_are_judged_by_time_and_signer(office: Office) -> None:
    path, trust = office.directory / "publish" / "issuing.crl", office.directory / "chain.pem"
    (found,) = inspected(path, "--trust", trust)
    assert found["facts"]["signed_by"] == "CN=Issuing CA,O=Sở TT&TT,C=VN"
    assert found["facts"]["number"] == 1
    assert "out of date" in problems(inspected(path, "--trust", trust, "--at", "2099-01-01T00:00:00Z", code=1))
    assert "compare the clocks" in problems(inspected(path, "--trust", trust, "--at", "2000-01-01T00:00:00Z", code=1))
    assert "none of the authorities" in problems(inspected(path, "--trust", office.directory / "root.pem", code=1))


def test_bundles_in_every_form_are_taken_apart(office: Office, tmp_path: Path) -> None:
    chain = office.directory / "chain.pem"
    for form, name in (("PEM", "a.p7b"), ("DER", "b.p7b")):
        openssl("crl2pkcs7", "-nocrl", "-certfile", chain, "-outform", form, "-out", tmp_path / name)
    bare = tmp_path / "bare.txt"
    bare.write_text(base64.encodebytes((office.directory / "publish" / "root.cer").read_bytes()).decode())
    for path, wanted in ((chain, 2), (tmp_path / "a.p7b", 2), (tmp_path / "b.p7b", 2), (bare, 1)):
        found = inspected(path)
        assert len(found) == wanted
        assert all(one["facts"]["authority"] for one in found)


def test_a_chain_out_of_order_is_pointed_out(office: Office, tmp_path: Path) -> None:
    told = office.did("issue", "gw", "--kind", "tls-server", "--host", "gw.example", *SIGNER)
    paths = (Path(told["certificate"]), office.directory / "issuing.pem", office.directory / "root.pem")
    path = tmp_path / "chain.pem"
    for order, wrong in (("012", []), ("01", []), ("021", [0, 1]), ("02", [0]), ("12", []), ("210", [])):
        path.write_bytes(b"".join(paths[int(place)].read_bytes() for place in order))
        found = inspected(path, code=1 if wrong else 0)
        assert [place for place, one in enumerate(found) if "sends its own first" in problems([one])] == wrong
    inspected(told["chain"])


def test_standard_input_is_a_file_as_well(office: Office) -> None:
    told = office.did("issue", "tax", *SIGNER)
    both = Path(told["certificate"]).read_bytes() + Path(told["key"]).read_bytes()
    result = CliRunner().invoke(app, ["pki", "inspect", "-", "--json"], input=both)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [one["kind"] for one in found] == ["certificate", "private-key"]
    assert "mode" not in found[1]["facts"]


def test_what_cannot_be_read_is_said_with_the_next_step(tmp_path: Path) -> None:
    path = tmp_path / "x.p12"
    path.write_bytes(b"\x30\x82\x01\x00 nothing of use")
    failed = CliRunner().invoke(app, ["pki", "inspect", str(path)])
    assert (failed.exit_code, "openssl pkcs12" in failed.stderr) == (1, True)
    absent = CliRunner().invoke(app, ["pki", "inspect", str(tmp_path / "absent")])
    assert (absent.exit_code, "absent" in absent.stderr) == (2, True)
    late = CliRunner().invoke(app, ["pki", "inspect", str(path.with_name("y")), "--at", "tomorrow"])
    assert late.exit_code == 2
    broken = tmp_path / "broken.pem"
    broken.write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        "-----BEGIN DH PARAMETERS-----\n\n-----END DH PARAMETERS-----\n"
    )
    told = problems(inspected(broken, code=1))
    assert "sent again" in told
    assert "leave it out" in told


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_version_that_does_not_exist_is_a_broken_file(office: Office, tmp_path: Path, encoding: Encoding) -> None:
    certificate = x509.load_pem_x509_certificates((office.directory / "chain.pem").read_bytes())[0]
    odd = certificate.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x74", 1)
    path = tmp_path / "odd"
    path.write_bytes(odd if encoding is Encoding.DER else ssl.DER_cert_to_PEM_cert(odd).encode())
    failed = CliRunner().invoke(app, ["pki", "inspect", str(path)])
    assert failed.exit_code == 1
    assert failed.exception is None or isinstance(failed.exception, SystemExit)


def test_numbers_of_persons_are_masked(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, "CCCD:001090123456"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Nguyễn Văn A 001090123456"),
        ]
    )
    now = utc_now()
    wanted = Wanted(
        subject=subject, key=key.public_key(), profile=PROFILES["signing"], begin=now, end=now + timedelta(days=20_000)
    )
    path = tmp_path / "person.pem"
    path.write_bytes(signed(wanted, subject, key).public_bytes(Encoding.PEM))
    (found,) = inspected(path)
    assert "001090123456" not in repr(found)
    assert "[masked]" in found["facts"]["subject"]
