"""Certificate signing requests (yêu cầu cấp chứng thư, PKCS#10, RFC 2986): what the holder of a key asks for."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from security.signature_algorithms import PublicKey, weakness


class RequestRefused(Exception):
    """A request that no certificate is made for; the text says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: a proven key of a kind that may sign here, texts of the subject, host names."""

    key: PublicKey
    common_name: str | None
    organization: str | None
    agency: str | None
    hosts: tuple[str, ...]


def load_request(raw: bytes) -> x509.CertificateSigningRequest:
    """Read a request in PEM or DER form; raises ValueError."""
    try:
        return x509.load_pem_x509_csr(raw) if raw.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_csr(raw)
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


def read_request(raw: bytes) -> Request:
    """Read a request whose sender proves to hold the key; raises RequestRefused. Its other extensions do not count."""
    try:
        request = load_request(raw)
        key = request.public_key()
        proven = request.is_signature_valid
        hosts = _hosts(request)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise RequestRefused(
            f"no certificate signing request (PKCS#10, PEM or DER) that can be read: {error}"
        ) from None
    if not proven:
        raise RequestRefused("the signature of the request does not fit its key: have it made again")
    reason = weakness(key)
    if reason is not None:
        raise RequestRefused(f"the request holds {reason}: use RSA from 2048 bits, ECDSA P-256 or P-384")
    return Request(
        key,  # type: ignore[arg-type]  # weakness() admits these two types only
        _text(request.subject, NameOID.COMMON_NAME),
        _text(request.subject, NameOID.ORGANIZATION_NAME),
        _text(request.subject, NameOID.ORGANIZATION_IDENTIFIER),
        hosts,
    )


def _text(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    return next((str(attribute.value) for attribute in name.get_attributes_for_oid(oid)), None)


def _hosts(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress))
