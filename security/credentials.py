"""Making credentials to register: secrets, certificates, public keys (thông tin xác thực).

What is stored proves nothing by itself: a salted digest, a certificate's digest or subject, a public key.
"""

from __future__ import annotations

import base64
import json
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from schemas.exchange import CredentialKind
from schemas.xroad import client_identifier
from security.assertions import public_key
from security.clients import StoredCredential, pinned_id, secret_material, xroad_id
from security.http_signature import RequestSigner


def secret_credential(secret: str, at: datetime) -> StoredCredential:
    """A secret as made by `security.clients.new_secret`."""
    return StoredCredential("secret", f"secret-{secrets.token_hex(4)}", secret_material(secret), at)


def certificate_credential(certificate: Certificate, at: datetime, *, signs: bool = False) -> StoredCredential:
    """A pinned certificate: for mTLS, or with `signs` for who signs messages. It ends when the certificate does.

    The certificate itself is kept where it signs, since a signed request only names it. Raises ValueError for one whose
    key is not accepted for signatures or has another keyUsage.
    """
    der = certificate.public_bytes(Encoding.DER)
    digest = sha256(der).hexdigest()
    kind: CredentialKind = "signature" if signs else "mtls"
    material = {"sha256": digest}
    if signs:
        RequestSigner.of(certificate)
        material["certificate"] = base64.b64encode(der).decode()
    return StoredCredential(kind, pinned_id(kind, digest), material, at, certificate.not_valid_after_utc)


def subject_credential(subject: str, issuer: Certificate, at: datetime) -> StoredCredential:
    """Any mTLS certificate with this subject (RFC 4514 text) that this very CA issued: outlives its renewals."""
    der = issuer.public_bytes(Encoding.DER)
    name = sha256(subject.encode() + der).hexdigest()[:16]
    return StoredCredential(
        "mtls", f"subject-{name}", {"subject": subject, "issuer": base64.b64encode(der).decode()}, at
    )


def xroad_credential(client: str, at: datetime) -> StoredCredential:
    """An X-Road client, `INSTANCE/CLASS/MEMBER[/SUBSYSTEM]`, which counts where a configured security server names it.

    It proves nothing by itself. Raises ValueError for what is no such identifier, or has letters that X-Road gives no
    code (PR-MESS 4.0, section 2.7).
    """
    found = client_identifier(client.split("/"))
    if not found.isascii():
        raise ValueError("an X-Road identifier has printable ASCII only: write it as the security server shows it")
    return StoredCredential("xroad", xroad_id(found), {}, at)


def key_credential(jwk: dict[str, Any], at: datetime, not_after: datetime | None = None) -> StoredCredential:
    """A public key (JWK) for `private_key_jwt`; its id is its RFC 7638 thumbprint. Raises ValueError."""
    key, _ = public_key(json.dumps(jwk, sort_keys=True))
    kept = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e", "kid") if name in jwk}
    return StoredCredential("private-key-jwt", f"jwk-{key.thumbprint()}", {"jwk": kept}, at, not_after)
