"""Which signer is expected at one place, beyond that somebody vouches for it (người ký được chờ đợi)."""

from dataclasses import dataclass
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from security.signature import Rejected
from security.signature_algorithms import MIN_RSA_BITS, PublicKey
from security.trust_path import Path, key_usage
from security.trust_presented import plain_name

AGENCY_ATTRIBUTES = (NameOID.ORGANIZATION_IDENTIFIER, NameOID.USER_ID, NameOID.SERIAL_NUMBER)
"""Where a subject may hold the code of its agency: bare, or behind the name of the list and a colon (`MST:0100...`)."""
_ANY_POLICY = "2.5.29.32.0"

_untrusted = partial(Rejected, "untrusted")


@dataclass(frozen=True, slots=True)
class ExpectedSigner:
    """What the certificate of the signer must say; what is empty is not asked for.

    `subjects`: one of these names, whole. `agency`: code of the agency (mã định danh cơ quan) in the subject.
    `content_commitment`: key usage nonRepudiation as well. `rsa_bits`: the shortest RSA key. `policies`: one of these
    certificate policies (dotted), along the whole path.
    """

    subjects: tuple[x509.Name, ...] = ()
    agency: str = ""
    content_commitment: bool = False
    rsa_bits: int = MIN_RSA_BITS
    policies: frozenset[str] = frozenset()

    def check(self, certificate: x509.Certificate, key: PublicKey) -> None:
        """Raise Rejected("untrusted") for another certificate than the expected one."""
        if self.subjects and plain_name(certificate.subject) not in map(plain_name, self.subjects):
            raise _untrusted("the certificate belongs to another signer than the expected one")
        if self.agency and not self._is_of_agency(certificate.subject):
            raise _untrusted("the certificate is not that of the expected agency")
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < self.rsa_bits:
            raise _untrusted(f"the certificate holds an RSA key of {key.key_size} bits, expected are {self.rsa_bits}")
        if self.content_commitment:
            # What is expected must be said: silence admits every use, and commits to none.
            usage = key_usage(certificate)
            if usage is None or not usage.content_commitment:
                raise _untrusted("the certificate is not made for commitments (nonRepudiation)")

    def check_path(self, path: Path) -> None:
        """Raise Rejected("untrusted") where no expected policy holds along the path (RFC 5280 section 6.1, in short).

        Mapped policies are not followed. The anchor is trusted by decision, whatever its policies.
        """
        if not self.policies:
            return
        left = set(self.policies)
        for certificate in path[:-1]:
            stated = _policies(certificate)
            # Only authorities may say that they issue under any.
            if certificate is path[0] or _ANY_POLICY not in stated:
                left &= stated
        if not left:
            raise _untrusted("the certificate was not issued under an expected policy")

    def _is_of_agency(self, subject: x509.Name) -> bool:
        values = [attribute.value for oid in AGENCY_ATTRIBUTES for attribute in subject.get_attributes_for_oid(oid)]
        return any(isinstance(value, str) and value.rpartition(":")[2] == self.agency for value in values)


def _policies(certificate: x509.Certificate) -> set[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except x509.ExtensionNotFound:
        return set()
    if any(extension.oid == ExtensionOID.POLICY_MAPPINGS for extension in certificate.extensions):
        return set()
    return {policy.policy_identifier.dotted_string for policy in found}
