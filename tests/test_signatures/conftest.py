"""A small PKI made anew for every run, and the two oracles: xmlsec and signxml."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import SignatureConfiguration, XMLVerifier

from security.signature_key import SigningKey
from security.trust import AnchoredTrust, PinnedTrust

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Cơ quan thử nghiệm"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


@dataclass
class Authority:
    certificate: x509.Certificate
    key: Any


@dataclass
class Pki:
    """Keys are made once for a session; certificates are cheap."""

    root: Authority
    keys: dict[str, Any] = field(default_factory=dict)
    name = staticmethod(name)

    def authority(self, common: str, issuer: Authority | None = None, **options: Any) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return Authority(
            self.certificate(common, key.public_key(), issuer or Authority(None, key), ca=True, **options), key
        )  # type: ignore[arg-type]

    def certificate(
        self,
        common: str,
        public: Any,
        issuer: Authority | None = None,
        *,
        ca: bool = False,
        before: datetime = NOW - 30 * DAY,
        after: datetime = NOW + 30 * DAY,
        sign: bool = True,
        usage: bool = True,
        issues: bool | None = None,
        path_length: int | None = None,
        critical: x509.ExtensionType | None = None,
        algorithm: hashes.HashAlgorithm | None = None,
    ) -> x509.Certificate:
        issuer = issuer or self.root
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(common))
            .issuer_name(issuer.certificate.subject if issuer.certificate else name(common))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(before)
            .not_valid_after(after)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if usage:
            builder = builder.add_extension(
                x509.KeyUsage(
                    digital_signature=sign,
                    content_commitment=False,
                    key_encipherment=not sign,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=ca if issues is None else issues,
                    crl_sign=ca,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        if critical is not None:
            builder = builder.add_extension(critical, critical=True)
        return builder.sign(issuer.key, algorithm or hashes.SHA256())

    def signer(self, kind: str = "p256", common: str = "CSDL thử", **options: Any) -> SigningKey:
        pss = kind == "pss"
        private = self.keys["rsa" if pss else kind]
        return SigningKey.of(private, self.certificate(common, private.public_key(), **options), pss=pss)

    def crl(
        self,
        revoked: list[x509.Certificate],
        issuer: Authority | None = None,
        *,
        until: datetime = NOW + DAY,
        since: datetime = NOW - 10 * DAY,
    ) -> Any:
        issuer = issuer or self.root
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(since)
            .next_update(until)
        )
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(NOW - DAY)
                .build()
            )
        return builder.sign(issuer.key, hashes.SHA256())

    def pinned(self, *keys: SigningKey, **options: Any) -> PinnedTrust:
        return PinnedTrust([key.certificate for key in keys], **options)

    def anchored(self, common: str | None = "CSDL thử", **options: Any) -> AnchoredTrust:
        return AnchoredTrust([self.root.certificate], subject=None if common is None else name(common), **options)


def private_pem(key: SigningKey) -> bytes:
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="session")
def pki() -> Pki:
    key = ec.generate_private_key(ec.SECP256R1())
    made = Pki(Authority(None, key))  # type: ignore[arg-type]
    made.root = Authority(made.certificate("CA thử", key.public_key(), Authority(None, key), ca=True), key)  # type: ignore[arg-type]
    made.keys = {
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
        "rsa-1024": rsa.generate_private_key(65537, 1024),
        "p521": ec.generate_private_key(ec.SECP521R1()),
    }
    return made


@pytest.fixture(params=["p256", "p384", "rsa", "pss"])
def key(pki: Pki, request: pytest.FixtureRequest) -> SigningKey:
    return pki.signer(request.param)


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def xmlsec_accepts() -> Callable[[bytes, SigningKey], None]:
    """Raises unless xmlsec verifies the one signature of the document with the key's certificate."""

    def accepts(document: bytes, key: SigningKey) -> None:
        root = etree.fromstring(document)
        wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
        for element in root.iter(etree.Element):
            if element.get(f"{{{wsu}}}Id"):
                xmlsec.tree.add_ids(element, ["Id"])
        node = next(root.iter("{http://www.w3.org/2000/09/xmldsig#}Signature"))
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(
            key.certificate.public_bytes(Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem
        )
        context.verify(node)

    return accepts


@pytest.fixture(scope="session")
def signxml_accepts() -> Callable[[bytes, SigningKey], list[Any]]:
    """What signxml says was signed; raises if it does not accept the signature."""

    def accepts(document: bytes, key: SigningKey) -> list[Any]:
        count = len(list(etree.fromstring(document).iter(f"{{{DS}}}Reference")))
        results = XMLVerifier().verify(
            document,
            x509_cert=key.certificate,
            expect_config=SignatureConfiguration(require_x509=False, location=".//", expect_references=count),
        )
        return results if isinstance(results, list) else [results]

    return accepts


WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"


@pytest.fixture(scope="session")
def resign() -> Callable[..., bytes]:
    """Puts a message that a test has changed under a new, genuine signature: what is refused then is its form."""

    def again(document: bytes, key: SigningKey, *, digests: bool = True) -> bytes:
        root = etree.fromstring(document)
        info = next(root.iter(f"{{{DS}}}SignedInfo"))
        for reference in info.iter(f"{{{DS}}}Reference") if digests else ():
            identifier = (reference.get("URI") or "#")[1:]
            targets = [element for element in root.iter(etree.Element) if element.get(f"{{{WSU}}}Id") == identifier]
            method = reference.find(f"{{{DS}}}DigestMethod").get("Algorithm")
            digest = hashlib.new("sha1" if method.endswith("sha1") else "md5" if "md5" in method else "sha256")
            if targets:
                digest.update(
                    etree.tostring(targets[0], method="c14n", exclusive=True, with_tail=False, with_comments=False)
                )
            reference.find(f"{{{DS}}}DigestValue").text = base64.b64encode(digest.digest()).decode()
        octets = etree.tostring(info, method="c14n", exclusive=True, with_comments=False)
        root.find(f".//{{{DS}}}SignatureValue").text = base64.b64encode(key.sign(octets)).decode()
        return etree.tostring(root)

    return again
