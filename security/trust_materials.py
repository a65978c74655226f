"""What signers were believed by: certificates of their paths, revocation lists, OCSP answers, as evidence for later.

Whoever gives a verdict hands in what it rests on, once for each new piece; `security.audit.materials` keeps it in the
database. All of it is public: certificates and words of authorities, nothing about what was signed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from security.trust_ocsp import Answer
    from security.trust_revocation import HeldList

Kind = Literal["certificate", "crl", "ocsp"]

_MOST_WAITING: Final = 256
_MOST_KNOWN: Final = 4096


@dataclass(frozen=True, slots=True)
class Material:
    """One piece. `name` is the subject of a certificate, else the issuer it is of; `serial` what an answer is about.

    It counts from `since` to `until` (UTC). `octets` gives the DER form, which for a long list takes a while.
    """

    kind: Kind
    name: x509.Name
    serial: int | None
    since: datetime
    until: datetime
    octets: Callable[[], bytes]


def certificate_material(certificate: x509.Certificate) -> Material:
    """A certificate, from the beginning of its validity to its end."""
    return Material(
        "certificate",
        certificate.subject,
        None,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        lambda: certificate.public_bytes(Encoding.DER),
    )


def list_material(crl: x509.CertificateRevocationList) -> Material:
    """A revocation list, until the next is due; raises ValueError where it does not say when that is."""
    since, until = crl.last_update_utc, crl.next_update_utc
    if until is None:
        raise ValueError("the revocation list does not say when the next one comes")
    return Material("crl", crl.issuer, None, since, until, lambda: crl.public_bytes(Encoding.DER))


def answer_material(issuer: x509.Certificate, answer: Answer) -> Material:
    """An OCSP answer, as long as it may be believed."""
    return Material("ocsp", issuer.subject, answer.serial, answer.this_update, answer.until, lambda: answer.octets)


class Collected:
    """What a process has used and not kept yet, from any thread. Bounded: beyond that, later verdicts bring it."""

    def __init__(self) -> None:
        self._known: set[object] = set()
        self._waiting: list[Material] = []
        self._lock = threading.Lock()

    def path(self, path: Iterable[x509.Certificate]) -> None:
        """Hand in the certificates of a path, or a pinned one."""
        for each in path:
            self._add(each.fingerprint(hashes.SHA256()), partial(certificate_material, each))

    def revocation_list(self, held: HeldList) -> None:
        """Hand in a list that a verdict rests on."""
        self._add((held.key, held.this_update), partial(list_material, held.crl))

    def answer(self, issuer: x509.Certificate, answer: Answer) -> None:
        """Hand in an OCSP answer that a verdict rests on, behind the certificate of the authority that it is of.

        How long it counts may be as long as that certificate is valid: nobody could see it without.
        """
        self.path([issuer])
        self._add((answer.octets,), partial(answer_material, issuer, answer))

    def take(self) -> list[Material]:
        """Return what waits, to be kept now."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        return waiting

    def put_back(self, materials: Iterable[Material]) -> None:
        """Have what could not be kept wait again."""
        with self._lock:
            self._waiting = [*materials, *self._waiting][:_MOST_WAITING]

    def _add(self, key: object, make: Callable[[], Material]) -> None:
        if key in self._known:
            return
        material = make()
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING:
                return
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known.add(key)
            self._waiting.append(material)


COLLECTED: Final = Collected()
"""What this process has collected."""
