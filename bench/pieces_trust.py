"""What it costs to believe a signer: a verdict that is kept, with and without revocation, and one made anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from bench.pieces_clock import Clock
from security.signature import SignaturePolicy
from security.signature_key import SigningKey
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts
from security.trust import AnchoredTrust
from security.trust_domain import TrustDomain
from security.trust_ocsp import judged
from security.trust_signer import ExpectedSigner
from security.trust_status import StatusPolicy, StatusRegister

_LONG_LIST = 100_000
_DAY = timedelta(days=1)


class _Office:
    """An authority of its own, made anew, and a signer that it issued a certificate to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._issued("CN=Root", self.key, ca=True)
        private = ec.generate_private_key(ec.SECP256R1())
        self.signer = SigningKey.of(private, self._issued("CN=Signer", private, ca=False))

    def _issued(self, name: str, private: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        said = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
        )
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, decipher_only=False, **said)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name.from_rfc4514_string(name))
            .issuer_name(x509.Name.from_rfc4514_string("CN=Root"))
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - _DAY)
            .not_valid_after(self.now + _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def listing(self, entries: int) -> x509.CertificateRevocationList:
        """A revocation list with so many others on it."""
        builder = x509.CertificateRevocationListBuilder(
            self.root.subject,
            self.now,
            self.now + _DAY,
            revoked_certificates=[
                x509.RevokedCertificateBuilder().serial_number(number).revocation_date(self.now).build()
                for number in range(1, entries + 1)
            ],
        )
        return builder.sign(self.key, hashes.SHA256())

    def answer(self) -> bytes:
        """An OCSP answer about the signer."""
        builder = ocsp.OCSPResponseBuilder().add_response(
            self.signer.certificate,
            self.root,
            hashes.SHA1(),
            ocsp.OCSPCertStatus.GOOD,
            self.now,
            self.now + _DAY,
            None,
            None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.root)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def trust(self, register: StatusRegister | None) -> AnchoredTrust:
        """Trust in the signer, with or without what is known about revocation."""
        domain = TrustDomain.of("bench", [self.root], [], register)
        return AnchoredTrust.within(domain, ExpectedSigner((self.signer.certificate.subject,)))


def trust_pieces(clock: Clock) -> dict[str, float]:
    """A kept verdict and a whole message with one, then what is paid once for a certificate, a list, an answer."""
    office = _Office()
    register = StatusRegister([office.root], StatusPolicy())
    register.take_list(office.listing(_LONG_LIST))
    answer = office.answer()
    register.take_answer(answer)
    trusts = {"without revocation": office.trust(None), "with revocation": office.trust(register)}
    policy = SignaturePolicy(soap=frozenset({"1.2"}))
    message = sign_soap_parts(b"<a>" + b"x" * 1_000 + b"</a>", office.signer, version="1.2").envelope
    token = office.signer.token.decode()
    found = clock.together(
        {f"kept verdict, {name}": partial(trust.accept, token, office.now) for name, trust in trusts.items()}
    ) | clock.together(
        {f"message, {name}": partial(verify_soap, message, policy, trust) for name, trust in trusts.items()}
    )

    def anew(trust: AnchoredTrust) -> None:
        trust.forget()
        trust.accept(token, office.now)

    for name, trust in trusts.items():
        found[f"new verdict, {name}"] = clock.one(partial(anew, trust))
    found["OCSP answer"] = clock.one(partial(judged, answer, office.root, office.now))
    return found
