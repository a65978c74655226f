"""Clients that sign their SOAP messages, and the gateway's view of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.settings import Signing
from schemas.errors import SignatureRejected
from security.administration import Change, add
from security.clients import Client
from security.credentials import certificate_credential
from security.registry import ClientRegistry
from security.signature import SoapVersion
from security.signature_key import SigningKey
from security.soap_callers import GATEWAY, SignedCall, SoapCallers
from security.soap_signing import sign_soap_parts, text_header
from tests.test_request_signatures.callers import make_certificate

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PAYLOAD = b'<q:Person xmlns:q="urn:lgsp:population:1"><q:personalId>001190000001</q:personalId></q:Person>'
HEADERS = {"Purpose": "dossier-processing", "Dossier": "000.00.01.G22-261123-0001", "Officer": "nguyen.van.a"}


class Holder(NamedTuple):
    """A key with its certificate."""

    key: SigningKey

    @classmethod
    def of(cls, private: Any, common: str, *, since: datetime = NOW - timedelta(days=1), days: int = 30) -> "Holder":
        return cls(SigningKey.of(private, make_certificate(private, common, since, since + timedelta(days=days))))

    @property
    def certificate(self) -> x509.Certificate:
        return self.key.certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signed(
    by: Holder,
    *,
    version: SoapVersion = "1.1",
    headers: Mapping[str, str] = HEADERS,
    payload: bytes = PAYLOAD,
    **options: Any,
) -> bytes:
    """A message as our own template writes it, the header elements signed."""
    parts = [text_header(GATEWAY, name, text) for name, text in headers.items()]
    return sign_soap_parts(payload, by.key, version=version, headers=parts, **({"now": NOW} | options)).envelope


@dataclass
class Office:
    """The registered clients, as one process knows them."""

    registry: ClientRegistry
    commit: Callable[[Change], Awaitable[Client]]
    callers: SoapCallers
    now: datetime = NOW

    def verify(self, document: bytes, version: SoapVersion = "1.1") -> SignedCall:
        return self.callers.verify(document, version, self.now)

    def refused(self, document: bytes, version: SoapVersion = "1.1") -> SignatureRejected:
        with pytest.raises(SignatureRejected) as error:
            self.verify(document, version)
        assert error.value.detail.vi != error.value.detail.en
        return error.value


async def client(office: Office, name: str, *signers: Holder) -> Client:
    """A client whose certificates are registered for signing."""
    credentials = [certificate_credential(one.certificate, NOW, signs=True) for one in signers]
    return await office.commit(add(name, name="A ministry", agency="G12", credentials=credentials, by="test", at=NOW))


def files(holder: Holder, folder: Path) -> Signing:
    """The section of a configuration that signs with this key."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    key.write_text(holder.key_pem)
    key.chmod(0o600)
    certificate.write_text(holder.pem)
    return Signing(key=key, certificate=certificate)
