"""Facts about certificates and their kin in plain values: names masked as in the logs, nothing in them unseen.

Certificates of persons carry the numbers of their identity cards (UID) in their subjects.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID

from config.logging import masked
from security.names import visible, written

E = TypeVar("E", bound=x509.ExtensionType)
# The other two bits of keyUsage mean nothing without key_agreement.
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def extension(holder: Any, kind: type[E]) -> E | None:
    """Return an extension of a certificate, request or list, None where it has none; raises ValueError."""
    try:
        value: E = holder.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    return value


def name_of(name: x509.Name) -> str:
    """Return a name as RFC 4514 text."""
    return masked(written(name))


def text_of(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    """Return the first attribute of this kind in a name."""
    return next((masked(visible(str(attribute.value))) for attribute in name.get_attributes_for_oid(oid)), None)


def usages(certificate: x509.Certificate) -> Mapping[str, Any]:
    """Return what a certificate may be used for, and under which policies; None where it does not say."""
    usage, extended = extension(certificate, x509.KeyUsage), extension(certificate, x509.ExtendedKeyUsage)
    policies = extension(certificate, x509.CertificatePolicies)
    return {
        "usages": None if usage is None else [name for name in _USAGES if getattr(usage, name)],
        "extended_usages": None if extended is None else [_oid(one) for one in extended],
        "policies": [] if policies is None else [one.policy_identifier.dotted_string for one in policies],
    }


def _oid(oid: x509.ObjectIdentifier) -> str:
    # The library knows names for the usual ones only.
    name = getattr(oid, "_name", "Unknown OID")
    return oid.dotted_string if name == "Unknown OID" else str(name)


def places(certificate: x509.Certificate) -> Mapping[str, list[str]]:
    """Return host names, and where certificate and revocation can be asked about."""
    access, points = (
        extension(certificate, x509.AuthorityInformationAccess) or (),
        extension(certificate, x509.CRLDistributionPoints) or (),
    )
    methods = (("ocsp", AuthorityInformationAccessOID.OCSP), ("ca_issuers", AuthorityInformationAccessOID.CA_ISSUERS))
    return {
        "hosts": hosts(certificate),
        **{
            name: [visible(str(one.access_location.value)) for one in access if one.access_method == oid]
            for name, oid in methods
        },
        "crl": [visible(str(name.value)) for point in points for name in point.full_name or ()],
    }


def hosts(holder: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    """Return the DNS names and addresses that it is, or shall be, made for."""
    names = extension(holder, x509.SubjectAlternativeName) or ()
    return [masked(visible(str(name.value))) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]


def key_kind(key: object) -> str:
    """Return kind and size of a public key."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    return type(key).__name__.removeprefix("_").removesuffix("PublicKey")


def public_mark(key: Any) -> str:
    """Return the SHA-256 of a public key (SubjectPublicKeyInfo), by which the halves of a pair find each other."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{sha256(der).hexdigest()}"
