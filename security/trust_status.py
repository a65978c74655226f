"""What is known in one trust domain about certificates having been revoked, and what silence means there.

Nothing here asks anybody: verification runs on the event loop. Where something is not known that could be asked, the
verdict is `Unsettled`; `adapters.revocation` asks, tells the answer here, and the message is verified again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from security.signature import Rejected, utc_now
from security.trust_materials import COLLECTED
from security.trust_ocsp import Answer, Unusable, judged
from security.trust_revocation import RevocationLists, Standing, spki

_MOST_ASKED = 256
"""Certificates of signers that are kept known ahead; only those of expected signers come so far."""
_MOST_ADDRESSES = 4
"""Addresses of each kind that are taken from one certificate."""
_ASKED_AGAIN = 30.0
"""Seconds after which whoever was silent is asked again."""


@dataclass(frozen=True, slots=True)
class StatusPolicy:
    """Who is asked about certificates, and what counts where nobody answers.

    `list_urls`, `ocsp_url`: configured addresses. `from_certificates`: whether the addresses in certificates whose path
    is already validated are asked too. `when_silent`: `accept` believes them all the same and says `indeterminate`.
    """

    list_urls: tuple[str, ...] = ()
    ocsp_url: str = ""
    from_certificates: bool = True
    when_silent: Literal["refuse", "accept"] = "refuse"


class Source(NamedTuple):
    """One address that can be asked."""

    kind: Literal["ocsp", "crl"]
    url: str


class Subject(NamedTuple):
    """A certificate whose path was validated, and its issuer on that path."""

    certificate: x509.Certificate
    issuer: x509.Certificate

    @property
    def mark(self) -> tuple[bytes, int]:
        """The issuer's key and the serial number: what tells certificates apart (RFC 5280 section 4.1.2.2)."""
        return spki(self.issuer), self.certificate.serial_number


class Unknown(Rejected):
    """It is not known now whether a certificate was revoked, which is `untrusted`; the asking goes on.

    `retry_after` is when another verdict may be there, in seconds.
    """

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__("untrusted", detail)
        self.retry_after = retry_after


class Unsettled(Unknown):
    """It is not known whether these certificates were revoked, but somebody can be asked.

    Whoever cannot ask treats it as what it is too: `untrusted`.
    """

    def __init__(self, register: "StatusRegister", subjects: Sequence[Subject]) -> None:
        super().__init__("it is not known yet whether the certificate was revoked", 1.0)
        self.register = register
        self.subjects = tuple(subjects)


class StatusRegister:
    """Revocation lists and OCSP answers of one trust domain, all signed by its authorities, and silences.

    `name` is that of the domain. `on_change` functions are called when something comes in that may change a verdict.
    """

    def __init__(
        self,
        authorities: Sequence[x509.Certificate],
        policy: StatusPolicy,
        *,
        name: str = "",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = name
        self.policy = policy
        self.lists = RevocationLists((), authorities)
        self.on_change: list[Callable[[], None]] = []
        self._authorities = tuple(authorities)
        self._clock = clock
        self._answers: dict[tuple[bytes, int], Answer] = {}
        self._silent_until: dict[tuple[bytes, int], datetime] = {}
        self._asked: OrderedDict[tuple[bytes, int], Subject] = OrderedDict()
        self._keeping = threading.Lock()

    def standing(self, certificate: x509.Certificate, issuer: x509.Certificate | None, at: datetime) -> Standing:
        """How the certificate stands by lists and answers together: one current word suffices, a bad one decides.

        Rejected("revoked"); Unsettled where nothing is current and somebody can be asked; Unknown for silence where the
        policy refuses it; Rejected("untrusted") for a responder that does not know the certificate, and for silence
        where nobody can be asked.
        """
        if issuer is None:
            return self.lists.standing(certificate, None, at)
        subject = Subject(certificate, issuer)
        mark = subject.mark
        self._keep(mark, subject)
        until = self._good_until(subject, mark, at)
        if until is not None:
            self._collect(subject, mark)
            return Standing("good", until)
        silent_until = self._silent_until.get(mark)
        if any(self.sources(subject)) and (silent_until is None or silent_until <= at):
            raise Unsettled(self, [subject])
        if self.policy.when_silent == "accept":
            # Without anybody to ask it stays so until a list comes, which ends the verdict by itself.
            return Standing("indeterminate", silent_until or certificate.not_valid_after_utc)
        silence = "nobody says whether the certificate was revoked: no current list, no OCSP answer"
        if silent_until is None:
            raise Rejected("untrusted", silence)
        raise Unknown(silence, _ASKED_AGAIN)

    def _collect(self, subject: Subject, mark: tuple[bytes, int]) -> None:
        """Hand in what is held about a certificate that was believed."""
        if (answer := self._answers.get(mark)) is not None:
            COLLECTED.answer(subject.issuer, answer)
        if (held := self.lists.of(subject.certificate, subject.issuer)) is not None:
            COLLECTED.revocation_list(held)

    def _keep(self, mark: tuple[bytes, int], subject: Subject) -> None:
        # Large messages are verified in threads.
        with self._keeping:
            self._asked[mark] = subject
            self._asked.move_to_end(mark)
            if len(self._asked) > _MOST_ASKED:
                self._asked.popitem(last=False)

    def known(self, subject: Subject, at: datetime) -> bool:
        """Whether there is a current word, good or bad, about a certificate."""
        try:
            return self._good_until(subject, subject.mark, at) is not None
        except Rejected:
            return True

    def sources(self, subject: Subject) -> Iterator[Source]:
        """Who can be asked about a certificate, in the order in which it is done; configuration first."""
        policy = self.policy
        if policy.ocsp_url:
            yield Source("ocsp", policy.ocsp_url)
        elif policy.from_certificates:
            yield from (Source("ocsp", url) for url in _responders(subject.certificate))
        yield from (Source("crl", url) for url in policy.list_urls)
        if policy.from_certificates and not policy.list_urls:
            yield from (Source("crl", url) for url in _distribution_points(subject.certificate))

    def asked_about(self) -> list[Subject]:
        """The certificates that verdicts depended on, to be kept known."""
        return list(self._asked.values())

    def expect(self, subject: Subject) -> None:
        """Keep a certificate known before the first message that it signed."""
        self._keep(subject.mark, subject)

    def inherit(self, other: "StatusRegister") -> None:
        """Go on where another register of the same domain was: what it kept known, and whose silence is known."""
        keys = set(map(spki, self._authorities))
        for mark, subject in other._asked.items():  # noqa: SLF001 - of the same class
            if mark[0] in keys:
                self._asked[mark] = subject
        self._silent_until.update(other._silent_until)  # noqa: SLF001 - of the same class

    def take_list(self, crl: x509.CertificateRevocationList, octets: bytes = b"") -> None:
        """Hold a list if it is newer than that of its issuer; raises ValueError for one that cannot be used.

        `octets` as in RevocationLists.
        """
        if self.lists.take(crl, octets):
            self._changed()

    def take_answer(self, body: bytes, subject: Subject | None = None, *, nonce: bytes | None = None) -> Answer:
        """Hold what an OCSP response proves, if it is newer, and return it; raises Unusable.

        `subject`: what was asked about; None for a response that was kept, which may be about any of our certificates.
        """
        if subject is not None:
            answer = self._judged(body, subject.issuer, nonce)
            if answer.serial != subject.certificate.serial_number:
                raise Unusable("the answer is about another certificate")
            self._hold(subject.issuer, answer)
            return answer
        for issuer in self._authorities:
            try:
                answer = self._judged(body, issuer, None)
            except Unusable:
                continue
            self._hold(issuer, answer)
            return answer
        raise Unusable("the answer is about none of our authorities' certificates, or proves nothing now")

    def silent(self, subject: Subject, until: datetime) -> None:
        """Take note that nobody answered about a certificate; verdicts do without until then (UTC)."""
        self._silent_until[subject.mark] = until

    def _judged(self, body: bytes, issuer: x509.Certificate, nonce: bytes | None) -> Answer:
        return judged(body, issuer, self._clock(), nonce=nonce, listed=self._stands_on_list(issuer))

    def _hold(self, issuer: x509.Certificate, answer: Answer) -> None:
        mark = (spki(issuer), answer.serial)
        known = self._answers.get(mark)
        if known is None or known.this_update < answer.this_update:
            self._answers[mark] = answer
            self._changed()

    def _stands_on_list(self, issuer: x509.Certificate) -> Callable[[x509.Certificate], bool | None]:
        def stands(certificate: x509.Certificate) -> bool | None:
            held = self.lists.of(certificate, issuer)
            if held is None or not held.current(self._clock()):
                return None
            return held.revoked_at(certificate) is not None

        return stands

    def _good_until(self, subject: Subject, mark: tuple[bytes, int], at: datetime) -> datetime | None:
        """Until when it is known that the certificate is not revoked, None if it is not known; Rejected if it is."""
        ends = []
        answer = self._answers.get(mark)
        if answer is not None:
            if answer.status == "unknown" and answer.until >= at:
                raise Rejected("untrusted", "the issuer's responder does not know the certificate")
            if answer.status == "revoked" and (not answer.on_hold or answer.until >= at):
                if answer.revoked_at is None or answer.revoked_at <= at:
                    raise Rejected("revoked", "the certificate has been revoked by its issuer")
                ends.append(min(answer.until, answer.revoked_at))
            if answer.status == "good":
                ends.append(answer.until)
        held = self.lists.of(subject.certificate, subject.issuer)
        if held is not None:
            revoked_at = held.revoked_at(subject.certificate)
            if revoked_at is not None and revoked_at <= at:
                raise Rejected("revoked", "the certificate has been revoked by its issuer")
            if held.current(at):
                ends.append(held.next_update if revoked_at is None else min(held.next_update, revoked_at))
        return max((end for end in ends if end >= at), default=None)

    def _changed(self) -> None:
        for tell in self.on_change:
            tell()


def _responders(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return _addresses(one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)


def _distribution_points(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    # A point for some reasons, or of another issuer, is a partial list, which is not supported.
    whole = [point for point in points if point.reasons is None and point.crl_issuer is None]
    return _addresses(name for point in whole for name in point.full_name or ())


def _addresses(names: Iterator[x509.GeneralName]) -> list[str]:
    found = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [url for url in found if url.startswith(("http://", "https://"))][:_MOST_ADDRESSES]
