"""Signers that were believed, and the verdicts on them that are kept."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography import x509

from security.signature import Assurance
from security.signature_algorithms import Check, PublicKey, checks, encode
from security.trust_presented import Presented

_CACHED = 1024


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate that may be believed and the time in which that holds.

    `subject` is its subject as RFC 4514 text, `fingerprint` its SHA-256 in hexadecimal, `checks` what a signature made
    with its key is checked by, by algorithm name, `assurance` how far it was
    vouched for.
    """

    certificate: x509.Certificate
    subject: str
    fingerprint: str
    checks: Mapping[str, Check]
    not_before: datetime
    not_after: datetime
    assurance: Assurance

    @classmethod
    def of(
        cls,
        certificate: x509.Certificate,
        mark: bytes,
        key: PublicKey,
        since: datetime,
        until: datetime,
        assurance: Assurance,
    ) -> Self:
        """The signer with this certificate, whose SHA-256 is `mark`."""
        return cls(certificate, certificate.subject.rfc4514_string(), mark.hex(), checks(key), since, until, assurance)


class Verdicts:
    """Accepted signers by their certificates, in DER and in base64; bounded, the oldest go first.

    The base64 text is kept so that no message but the first pays for decoding it. Refusals are not kept: whoever sends
    many bad certificates must not push the good ones out. A verdict that was under way when all were forgotten is not
    kept either; `epoch` tells.
    """

    def __init__(self) -> None:
        self._signers: OrderedDict[Presented, Signer] = OrderedDict()
        self._lock = threading.Lock()
        self.epoch = 0

    def get(self, presented: Presented, at: datetime) -> Signer | None:
        """The signer that was believed and still is at `at` (UTC)."""
        signer = self._signers.get(presented)
        if signer is None or not signer.not_before <= at <= signer.not_after:
            return None
        return signer

    def put(self, der: bytes, signer: Signer, epoch: int) -> None:
        """Keep a verdict that was begun in this epoch."""
        with self._lock:
            if epoch != self.epoch:
                return
            # The text is our own and not the message's: white space could make many of that, each of any length.
            self._signers[der] = self._signers[encode(der).decode()] = signer
            while len(self._signers) > _CACHED:
                self._signers.popitem(last=False)

    def forget(self) -> None:
        """Forget all of them."""
        with self._lock:
            self.epoch += 1
            self._signers.clear()
