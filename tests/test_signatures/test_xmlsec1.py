"""What we sign is accepted by Debian's `xmlsec1` too: an older build of the library, called as people call it."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from security.soap_plain import SOAP
from security.soap_signer import WSSE, WSSE11
from security.soap_signing import sign_soap, sign_soap_parts, text_header
from security.xml_signature import sign_enveloped
from tests.test_signatures.conftest import NOW, WSU

PAYLOAD = '<q:Hoi xmlns:q="urn:hoi"><q:HoTen>Nguyễn Thị Hằng</q:HoTen></q:Hoi>'.encode()
# Version 1.2 of the library, which Debian 12 has, knows no RSA-PSS.
KINDS = ["p256", "p384", "rsa"]


def verdict(folder: Path, document: bytes, key) -> int:
    """The exit code of `xmlsec1 --verify` with nothing but the signer's public key."""
    (folder / "message.xml").write_bytes(document)
    public = key.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(public)
    named = [*(f"{soap}:Body" for soap in SOAP.values()), "urn:h:H", f"{WSU}:Timestamp",
             f"{WSSE11}:SignatureConfirmation", f"{WSSE}:BinarySecurityToken"]  # fmt: skip
    ids = [word for name in named for word in ("--id-attr:Id", name)]
    command = ["xmlsec1", "--verify", "--pubkey-pem", folder / "public.pem", *ids, folder / "message.xml"]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_we_sign_is_accepted(pki, tmp_path, kind, version):
    key = pki.signer(kind)
    headers = [text_header("urn:h", "H", "ễ & <")]
    for confirms in (None, "QUJD"):
        signed = sign_soap_parts(PAYLOAD, key, version=version, headers=headers, confirms=confirms, now=NOW).envelope
        assert verdict(tmp_path, signed, key) == 0
        assert verdict(tmp_path, signed.replace("Hằng".encode(), b"Hang"), key) == 1
    plain = f'<e:Envelope xmlns:e="{SOAP[version]}"><e:Body>\n{PAYLOAD.decode()}</e:Body></e:Envelope>'.encode()
    assert verdict(tmp_path, sign_soap(plain, key, now=NOW).envelope, key) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_documents_that_we_sign_are_accepted(pki, tmp_path, kind):
    key = pki.signer(kind)
    signed = sign_enveloped(PAYLOAD, key)
    assert verdict(tmp_path, signed, key) == 0
    assert verdict(tmp_path, signed.replace("Hằng".encode(), b"Hang"), key) == 1
    assert verdict(tmp_path, signed, pki.signer("p384" if kind == "p256" else "p256")) == 1
