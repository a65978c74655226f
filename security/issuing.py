"""Making X.509 certificates (chứng thư số): what each kind says about its use, and the signing of it.

Pure: no files, no index, and no judgement of keys or subjects, since the sandbox makes wrong certificates here as well.
Certificates follow RFC 5280: the usages of a kind are in keyUsage and extendedKeyUsage, where to ask about revocation
(thu hồi) in authorityInfoAccess and cRLDistributionPoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from security.names import attribute_of
from security.signature_algorithms import PrivateKey

Kind = Literal["signing", "tls-server", "tls-client", "ocsp-responder"]
KeyKind = Literal["ec", "ec-384", "rsa"]
RSA_BITS: Final = 3072
"""Of keys for years: 2048 bits are accepted everywhere, and advised by nobody beyond 2030."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a certificate may be used for: names of keyUsage bits (RFC 5280, 4.2.1.3) and an extended usage."""

    usages: frozenset[str]
    extended: x509.ObjectIdentifier | None = None
    path_length: int | None = None
    authority: bool = False


PROFILES: Final[Mapping[Kind, Profile]] = {
    # Signing for an agency is a commitment as well (nonRepudiation); some sources ask for that bit.
    "signing": Profile(frozenset({"digital_signature", "content_commitment"})),
    "tls-server": Profile(frozenset({"digital_signature"}), ExtendedKeyUsageOID.SERVER_AUTH),
    "tls-client": Profile(frozenset({"digital_signature"}), ExtendedKeyUsageOID.CLIENT_AUTH),
    "ocsp-responder": Profile(frozenset({"digital_signature"}), ExtendedKeyUsageOID.OCSP_SIGNING),
}


def authority_profile(path_length: int) -> Profile:
    """Return the profile of an authority with at most `path_length` further ones below it."""
    return Profile(frozenset({"key_cert_sign", "crl_sign"}), path_length=path_length, authority=True)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where others ask about a certificate: its issuer's list (CDP), its responder and its issuer (AIA); URLs."""

    crl: str | None = None
    ocsp: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a certificate shall say; `hosts` are DNS names and IP addresses, `policies` dotted OIDs."""

    subject: x509.Name
    key: CertificatePublicKeyTypes
    profile: Profile
    begin: datetime
    end: datetime
    hosts: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    addresses: Addresses = field(default_factory=Addresses)


def subject_name(common_name: str, organization: str, agency: str | None = None) -> x509.Name:
    """Return a subject; the agency code (mã cơ quan, QĐ 20/2020/QĐ-TTg) stands in organizationIdentifier (2.5.4.97)."""
    parts = [(NameOID.COUNTRY_NAME, "VN"), (NameOID.ORGANIZATION_NAME, organization)]
    if agency is not None:
        parts.append((NameOID.ORGANIZATION_IDENTIFIER, agency))
    parts.append((NameOID.COMMON_NAME, common_name))
    return x509.Name([attribute_of(oid, text) for oid, text in parts])


def generated(kind: KeyKind, rsa_bits: int = RSA_BITS) -> PrivateKey:
    """Make a private key: P-256, P-384 or RSA."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    return ec.generate_private_key(ec.SECP384R1() if kind == "ec-384" else ec.SECP256R1())


def hash_for(key: PrivateKey) -> SHA256 | SHA384:
    """Return the hash that is as strong as the key."""
    return SHA384() if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256 else SHA256()


def signed(wanted: Wanted, issuer: x509.Name, issuer_key: PrivateKey) -> x509.Certificate:
    """Return the certificate, signed by the issuer's key; raises ValueError for what X.509 cannot say."""
    profile = wanted.profile
    builder = x509.CertificateBuilder().subject_name(wanted.subject).issuer_name(issuer).public_key(wanted.key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(wanted.begin).not_valid_after(wanted.end)
    constraints = x509.BasicConstraints(ca=profile.authority, path_length=profile.path_length)
    builder = builder.add_extension(constraints, critical=True)
    builder = builder.add_extension(_key_usage(profile.usages), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(wanted.key), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if profile.extended is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([profile.extended]), critical=False)
    if profile.extended == ExtendedKeyUsageOID.OCSP_SIGNING:
        # Nobody can ask a responder about itself (RFC 6960, 4.2.2.2.1): its certificate lives a short time instead.
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    for extension in _said(wanted):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hash_for(issuer_key))


def _said(wanted: Wanted) -> list[x509.ExtensionType]:
    found: list[x509.ExtensionType] = []
    if wanted.hosts:
        found.append(x509.SubjectAlternativeName([_general_name(host) for host in wanted.hosts]))
    if wanted.policies:
        policies = [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in wanted.policies]
        found.append(x509.CertificatePolicies(policies))
    where = wanted.addresses
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.OCSP, where.ocsp),
            (AuthorityInformationAccessOID.CA_ISSUERS, where.issuer),
        )
        if url is not None
    ]
    if access:
        found.append(x509.AuthorityInformationAccess(access))
    if where.crl is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(where.crl)], None, None, None)
        found.append(x509.CRLDistributionPoints([point]))
    return found


def _key_usage(usages: frozenset[str]) -> x509.KeyUsage:
    bits = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{bit: bit in usages for bit in bits})


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
