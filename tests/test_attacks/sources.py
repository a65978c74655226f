"""The sources whose messages are forged: keys and certificates made anew for every run, at a fixed time."""

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from security.signature import SignaturePolicy, SoapVersion
from security.signature_key import SigningKey
from security.soap_signing import sign_soap_parts
from security.trust import AnchoredTrust
from security.trust_revocation import RevocationLists
from security.xml_signature import sign_enveloped
from tests.test_attacks.attack import Source
from tests.test_attacks.forging import DAY, certificate
from tests.test_attacks.messages import Document, Envelope

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ASKED = base64.b64encode(bytes(range(1, 65))).decode()
REQUEST = "question-1"
_ANSWER = '<q:Answer xmlns:q="urn:q"><q:Name>genuine</q:Name><q:Owner>Nguyễn Văn A &amp; vợ</q:Owner></q:Answer>'
_DOCUMENT = (
    f'<d:Answer xmlns:d="urn:d" issuedAt="{NOW:%Y-%m-%dT%H:%M:%SZ}" requestId="{REQUEST}">'
    "<d:Name>genuine</d:Name></d:Answer>"
)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Cơ quan thử nghiệm"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


@cache
def _authority() -> tuple[x509.Certificate, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("CA")
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    unused = dict.fromkeys((*every, "encipher_only", "decipher_only"), False)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - 900 * DAY).not_valid_after(NOW + 900 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **unused), critical=True)
    return builder.sign(key, hashes.SHA256()), key


@cache
def source(kind: str) -> Source:
    """Who signs with a key of this kind: `rsa` or `p256`."""
    anchor, anchor_key = _authority()
    private: Any = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    usual = x509.CertificateBuilder().subject_name(_name("CSDL thử")).issuer_name(anchor.subject)
    usual = usual.public_key(private.public_key()).serial_number(x509.random_serial_number())
    usual = usual.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    # Only its subject is looked at, for the certificates below to have the same.
    model = SigningKey.of(private, usual.sign(anchor_key, hashes.SHA256()))
    bare = Source(model, anchor, anchor_key, NOW, b"Name")
    genuine, revoked = (SigningKey.of(private, certificate(bare, private)) for _ in range(2))
    return Source(genuine, anchor, anchor_key, NOW, b"Name", revoked)


@cache
def trust(kind: str) -> AnchoredTrust:
    """What is known of that source: its authority, its name, and who was revoked."""
    known = source(kind)
    assert known.revoked is not None
    lists = RevocationLists([revocation_list(kind)], [known.authority])
    return AnchoredTrust([known.authority], subject=known.key.certificate.subject, revocation=lists)


@cache
def revocation_list(kind: str) -> x509.CertificateRevocationList:
    """The list of the authority, with the revoked certificate of that source."""
    known = source(kind)
    assert known.revoked is not None
    entry = x509.RevokedCertificateBuilder().serial_number(known.revoked.certificate.serial_number)
    builder = x509.CertificateRevocationListBuilder().issuer_name(known.authority.subject)
    builder = builder.last_update(NOW - DAY).next_update(NOW + 7 * DAY)
    builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
    return builder.sign(known.authority_key, hashes.SHA256())


@cache
def envelope(kind: str, version: SoapVersion) -> Envelope:
    """A genuine answer to the question whose signature value is `ASKED`."""
    signed = sign_soap_parts(_ANSWER.encode(), source(kind).key, version=version, confirms=ASKED, now=NOW)
    return Envelope(signed.envelope, source(kind))


@cache
def document(kind: str) -> Document:
    """A genuine answer to the question `REQUEST`."""
    return Document(sign_enveloped(_DOCUMENT.encode(), source(kind).key), source(kind))


POLICY = SignaturePolicy(skew=timedelta(seconds=60))
