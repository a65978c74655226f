"""What an attacker can make: keys, certificates under any name, and forged messages that show these."""

import base64
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from security.signature_key import SigningKey
from tests.test_attacks.attack import Genuine, Source, change, signed_anew

DAY = timedelta(days=1)


@cache
def own_key(kind: str) -> Any:
    """The attacker's private key of a kind: rsa, rsa-1024, p256, p521, secp256k1."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[4:] or 2048))
    curves: dict[str, ec.EllipticCurve] = {
        "p256": ec.SECP256R1(),
        "p521": ec.SECP521R1(),
        "secp256k1": ec.SECP256K1(),
        "p224": ec.SECP224R1(),
    }
    return ec.generate_private_key(curves[kind])


def same_kind(source: Source) -> Any:
    """The attacker's key of the kind that the source has."""
    return own_key("rsa" if isinstance(source.key.private, rsa.RSAPrivateKey) else "p256")


def certificate(
    source: Source,
    private: Any,
    *,
    subject: x509.Name | None = None,
    issuer: x509.Name | None = None,
    issuer_key: Any = None,
    before: timedelta = -2 * DAY,
    after: timedelta = 30 * DAY,
    authority: bool = False,
    usage: tuple[str, ...] | None = ("digital_signature",),
    further: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    identifier: bytes | None = None,
) -> x509.Certificate:
    """A certificate like the source's, of its authority, except for what is said otherwise."""
    genuine = source.key.certificate
    public = private.public_key()
    ski = (
        x509.SubjectKeyIdentifier.from_public_key(public)
        if identifier is None
        else x509.SubjectKeyIdentifier(identifier)
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(genuine.subject if subject is None else subject)
        .issuer_name(source.authority.subject if issuer is None else issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(source.now + before)
        .not_valid_after(source.now + after)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(ski, critical=False)
    )
    if usage is not None:
        builder = builder.add_extension(_usage(usage), critical=True)
    for extension, critical in further:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(source.authority_key if issuer_key is None else issuer_key, hashes.SHA256())


def _usage(names: tuple[str, ...]) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in names for name in every})


def signer(private: Any) -> Callable[[bytes], bytes]:
    """What signs octets with any key, in the form of XML signatures."""
    if isinstance(private, rsa.RSAPrivateKey):
        return partial(private.sign, padding=padding.PKCS1v15(), algorithm=hashes.SHA256())
    size = (private.key_size + 7) // 8

    def sign(octets: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(octets, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(size) + s.to_bytes(size)

    return sign


def showing(message: Genuine, der: bytes, private: Any) -> bytes:
    """A forged message that shows this certificate and is signed by this key."""
    source = message.source
    octets = change(message.by(source.key), source.key.token, base64.b64encode(der))
    if isinstance(private, rsa.RSAPrivateKey) != isinstance(source.key.private, rsa.RSAPrivateKey):
        ours = source.key.algorithm.uri.encode()
        octets = change(octets, ours, _OTHER[isinstance(private, rsa.RSAPrivateKey)])
    return signed_anew(octets, source.key, signer(private))


_OTHER = {
    True: b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    False: b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
}


def own_signing_key(source: Source) -> SigningKey:
    """The attacker's key under a certificate that it made itself in the source's name."""
    private = same_kind(source)
    genuine = source.key.certificate
    made = certificate(source, private, issuer=genuine.subject, issuer_key=private)
    return SigningKey.of(private, made)


def der_of(made: x509.Certificate) -> bytes:
    """The certificate as it is sent."""
    return made.public_bytes(Encoding.DER)
