"""A small PKI of the tests' own: authorities, what they issue, their lists and OCSP answers."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

# An hour ahead: what is signed here says that it was made at the real time, which must not lie ahead of this one
# however long after the modules were read a test runs.
NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN
GOOD = ocsp.OCSPCertStatus.GOOD
REVOKED = ocsp.OCSPCertStatus.REVOKED


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def named(common: str, **more: str) -> x509.Name:
    parts = {NameOID.COUNTRY_NAME: "VN", NameOID.ORGANIZATION_NAME: "Cơ quan thử", NameOID.COMMON_NAME: common}
    parts |= {getattr(NameOID, oid.upper()): value for oid, value in more.items()}
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])


def usage(*said: str) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in said for name in names})


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def der(thing: Any) -> bytes:
    return thing.public_bytes(Encoding.DER)


@dataclass
class Holder:
    """Somebody with a certificate and its private key; an authority where it may issue."""

    certificate: x509.Certificate
    key: Any
    serial: int = field(default=1, repr=False)

    @classmethod
    def root(cls, common: str = "CA gốc", *, key: Any = None, **options: Any) -> Self:
        key = key or new_key()
        made = certificate(named(common), key.public_key(), named(common), key, ca=True, **options)
        return cls(made, key)

    def authority(self, common: str = "CA cấp", *, key: Any = None, **options: Any) -> "Holder":
        return self.issue(common, key=key, **{"ca": True, **options})

    def issue(self, common: str = "CSDL thử", *, key: Any = None, subject: x509.Name | None = None, **options: Any):
        key = key or new_key()
        made = certificate(subject or named(common), key.public_key(), self.certificate.subject, self.key, **options)
        return Holder(made, key)

    def responder(self, *, nocheck: bool = True, purposes: Any = (ExtendedKeyUsageOID.OCSP_SIGNING,), **options: Any):
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if purposes:
            extensions.append((x509.ExtendedKeyUsage(purposes), False))
        if nocheck:
            extensions.append((x509.OCSPNoCheck(), False))
        return self.issue("OCSP", more=extensions, **options)

    def crl(
        self,
        *revoked: "Holder | x509.Certificate",
        since: datetime = NOW - HOUR,
        until: datetime | None = NOW + DAY,
        at: datetime = NOW - 2 * HOUR,
        more: Any = (),
        entry: Any = (),
        algorithm: Any = None,
    ) -> x509.CertificateRevocationList:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject).last_update(since)
        builder = builder.next_update(until or NOW + DAY)
        for one in revoked:
            held = one.certificate if isinstance(one, Holder) else one
            item = x509.RevokedCertificateBuilder().serial_number(held.serial_number).revocation_date(at)
            for extension, critical in entry:
                item = item.add_extension(extension, critical)
            builder = builder.add_revoked_certificate(item.build())
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, algorithm or hashes.SHA256())

    def answer(
        self,
        about: "Holder",
        status: Any = GOOD,
        *,
        responder: "Holder | None" = None,
        since: datetime = NOW - HOUR,
        until: datetime | None = NOW + HOUR,
        revoked_at: datetime | None = None,
        reason: Any = None,
        nonce: bytes | None = None,
        issuer: "Holder | None" = None,
        algorithm: Any = None,
        named_by: Any = None,
        encoding: Any = ocsp.OCSPResponderEncoding.HASH,
        certificates: Any = None,
        more: Any = (),
    ) -> bytes:
        """The OCSP answer about a certificate of this authority, in DER form."""
        signer = responder or self
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=about.certificate,
            issuer=(issuer or self).certificate,
            algorithm=named_by or hashes.SHA1(),
            cert_status=status,
            this_update=since,
            next_update=until,
            revocation_time=(revoked_at or NOW - 2 * HOUR) if status is REVOKED else None,
            revocation_reason=reason,
        )
        builder = builder.responder_id(encoding, signer.certificate)
        if certificates is None and responder is not None:
            certificates = [responder.certificate]
        if certificates:
            builder = builder.certificates(certificates)
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        return der(builder.sign(signer.key, algorithm or hashes.SHA256()))


def certificate(
    subject: x509.Name,
    public: Any,
    issuer: x509.Name,
    key: Any,
    *,
    ca: bool = False,
    before: datetime = NOW - 30 * DAY,
    after: datetime = NOW + 30 * DAY,
    length: int | None = None,
    said: x509.KeyUsage | None = None,
    constrained: bool = True,
    more: Any = (),
    ocsp_url: str = "",
    crl_urls: Any = (),
    algorithm: Any = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(before)
        .not_valid_after(after)
    )
    if constrained:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=length), critical=True)
    default = usage("key_cert_sign", "crl_sign", "digital_signature") if ca else usage("digital_signature")
    builder = builder.add_extension(said or default, critical=True)
    if ocsp_url:
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url))
        builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
    if crl_urls:
        points = [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in crl_urls]
        builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, algorithm or hashes.SHA256())
