"""One empty token for each test, and certificates for what is put on it."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from config.pkcs11_uri import Pkcs11Uri
from security.pkcs11_key import load_token_key
from security.signature_key import Signer
from tests.services import SoftHsm

KEYS: dict[str, Any] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
}
NUMBERS = itertools.count(1)


def certificate(private: Any, days: int) -> x509.Certificate:
    """A certificate for a key, signed by itself, good for so many days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "LGSP thử")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now).not_valid_after(now + timedelta(days=days)).sign(private, hashes.SHA256())


@dataclass(frozen=True)
class Token:
    """A token of SoftHSM and a folder for the files around it."""

    hsm: SoftHsm
    label: str
    folder: Path

    def holds(self, kind: str, label: str = "key", identifier: str = "01") -> Path:
        """Put a key on the token; return the PEM file of its certificate."""
        path = self.folder / f"{label}-{identifier}.key"
        path.write_bytes(KEYS[kind].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.hsm.import_key(self.label, path, label, identifier)
        path.unlink()
        return self.certified(kind)

    def certified(self, kind: str) -> Path:
        """The PEM file of a certificate for a key."""
        path = self.folder / f"{kind}.pem"
        path.write_bytes(certificate(KEYS[kind], 90).public_bytes(Encoding.PEM))
        return path

    def holds_certificate(self, kind: str, identifier: str = "01", label: str = "certificate", days: int = 90) -> None:
        """Put a certificate for a key on the token."""
        path = self.folder / f"{kind}-{next(NUMBERS)}.der"
        path.write_bytes(certificate(KEYS[kind], days).public_bytes(Encoding.DER))
        self.hsm.tool(self.label, "--write-object", str(path), "--type", "cert", "--id", identifier, "--label", label)

    def uri(self, label: str = "key", more: str = "") -> Pkcs11Uri:
        """The address of a key; `more` is appended to the query."""
        return Pkcs11Uri.parse(self.hsm.uri(self.label, label) + more)

    def load(self, certificate: Path | None, **options: Any) -> Signer:
        """The signer as the gateway loads it."""
        return load_token_key(self.uri(options.pop("label", "key")), certificate, SoftHsm.PIN, **options)


@pytest.fixture
def token(softhsm: SoftHsm, tmp_path: Path) -> Token:
    label = f"lgsp-{next(NUMBERS)}"
    softhsm.token(label)
    return Token(softhsm, label, tmp_path)
