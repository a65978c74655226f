"""Trust domains (miền tin cậy): CAs that vouch for signers together, apart from those of every other domain.

In Vietnam there are two: the public CAs under the national root, and the Government's special-purpose CA (CA chuyên
dùng Chính phủ). A certificate of the one must never pass where the other is meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from cryptography import x509

from security.trust_path import Authorities, fingerprint
from security.trust_revocation import Revocation, spki
from security.trust_status import StatusRegister


class DomainsMixed(ValueError):
    """Two trust domains share an authority; the text names both and the certificate."""


@dataclass(frozen=True, slots=True, eq=False)
class TrustDomain:
    """The authorities of one domain and what is known about revocation there.

    `register` is None where the domain's policy is to believe without asking.
    """

    name: str
    anchors: tuple[x509.Certificate, ...]
    authorities: Authorities
    register: StatusRegister | None

    @classmethod
    def of(
        cls,
        name: str,
        anchors: Sequence[x509.Certificate],
        intermediates: Iterable[x509.Certificate],
        register: StatusRegister | None,
    ) -> "TrustDomain":
        """The domain of these certificates; ValueError names one that cannot be an authority."""
        given = (*anchors, *intermediates)
        authorities = Authorities(anchors, given)
        usable = set(map(fingerprint, authorities.certificates))
        for certificate in given:
            if fingerprint(certificate) not in usable:
                subject = certificate.subject.rfc4514_string()
                raise ValueError(
                    f"{subject} cannot vouch for anybody here: an authority has basic constraints and key usage for it,"
                    " a strong key, no name constraints and no critical extension that is not understood"
                )
        return cls(name, tuple(anchors), authorities, register)

    @property
    def revocation(self) -> Revocation | None:
        """What says whether a certificate of this domain was revoked."""
        return self.register


def check_apart(domains: Mapping[str, TrustDomain]) -> None:
    """Raise DomainsMixed where two domains hold the same authority.

    Keys are compared and not certificates: a root that one domain certified crosswise for the other is the same root.
    """
    keys = {
        name: {spki(certificate): certificate for certificate in domain.authorities.certificates}
        for name, domain in domains.items()
    }
    for (one, held), (other, also) in combinations(keys.items(), 2):
        for key in held.keys() & also.keys():
            subject = held[key].subject.rfc4514_string()
            raise DomainsMixed(f"[trust.{one}] and [trust.{other}] both hold {subject}: an authority is of one domain")
