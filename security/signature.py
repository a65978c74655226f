"""What a verified signature is, and what is asked of one: the types that every signature profile shares.

Decoders take `Trusted` elements only, and only this room makes them, so that unsigned data cannot reach a decoder.
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, NamedTuple, NewType, Protocol

from cryptography import x509

from security.xml import MESSAGE, Element, Limits

Reason = Literal[
    "altered",
    "not-covered",
    "untrusted",
    "expired",
    "revoked",
    "stale",
    "replayed",
    "not-answer-to-request",
    "malformed",
]
SoapVersion = Literal["1.1", "1.2"]

Trusted = NewType("Trusted", Element)
"""An element whose every byte was covered by a verified signature, in a tree from which the rest was taken out."""


utc_now: Callable[[], datetime] = partial(datetime.now, UTC)
"""The present instant in UTC."""


class Rejected(Exception):
    """A signature that does not hold. `reason` is of the published list; `detail` is English, without any content."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


class Assurance(NamedTuple):
    """How far a signer's certificate was vouched for when it was believed.

    `domain`: name of the trust domain, None where trust was given without one. `revocation`: whether it was known not
    to be revoked; `indeterminate` where nobody said so and that was accepted, None where it was not asked.
    """

    domain: str | None = None
    revocation: Literal["good", "indeterminate"] | None = None


class Verified(NamedTuple):
    """What a verified document proves.

    `element`: the only child of the signed Body, or the signed root of an enveloped signature without its Signature.
    `headers`: the signed SOAP header blocks. `signer`: whose certificate, `subject`: its subject as RFC 4514 text,
    `fingerprint`: its SHA-256 in hexadecimal. `signed_at`: UTC, from the signed Timestamp (or `issuedAt`).
    `signature_digest`: SHA-256 of the canonical SignedInfo, the key of the replay memory (an ECDSA value is malleable,
    so the signature value is none). `signature_value`: in base64, what an answer must confirm.
    `fresh_until`: from then on the message is refused as stale, so that a replay memory may forget it.
    `algorithm`: the URI of the signature algorithm.
    `confirms`: signature values, in base64, that signed `wsse11:SignatureConfirmation` elements repeat.
    `assurance`: how far the signer was vouched for.
    """

    element: Trusted
    headers: tuple[Trusted, ...]
    signer: x509.Certificate
    subject: str
    fingerprint: str
    signed_at: datetime
    signature_digest: bytes
    signature_value: str
    fresh_until: datetime
    algorithm: str
    confirms: tuple[str, ...] = ()
    assurance: Assurance = Assurance()


class Replays(Protocol):
    """A memory of signatures already accepted."""

    def remember(self, digest: bytes, until: datetime) -> bool:
        """True if `digest` was not known; it is kept at least until `until`."""


class RecentSignatures:
    """Replay memory of one process, of at most `capacity` signatures (about 130 bytes each).

    When it is full of signatures that are still fresh it takes no new one rather than forget an old one: forgetting
    would let whoever floods it replay what he likes. Signatures are listed by the minute in which they expire, so that
    forgetting costs one step a minute.
    """

    def __init__(self, capacity: int = 400_000, clock: Callable[[], datetime] = utc_now) -> None:
        self._capacity = capacity
        self._clock = clock
        self._seen: set[bytes] = set()
        self._by_minute: defaultdict[float, list[bytes]] = defaultdict(list)
        self._minute = 0.0
        self._lock = threading.Lock()

    def remember(self, digest: bytes, until: datetime) -> bool:
        """True if `digest` (SHA-256 of a SignedInfo) is new and there was room; `until` is UTC."""
        minute = self._clock().timestamp() // 60
        seen = self._seen
        with self._lock:
            if minute != self._minute:
                self._forget(minute)
            if digest in seen or len(seen) >= self._capacity:
                return False
            seen.add(digest)
            self._by_minute[until.timestamp() // 60].append(digest)
            return True

    def _forget(self, now: float) -> None:
        self._minute = now
        for minute in [minute for minute in self._by_minute if minute < now]:
            self._seen.difference_update(self._by_minute.pop(minute))


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """What one endpoint or client must send.

    `soap`: accepted envelope versions. `skew`: tolerated difference of clocks. `max_age`: how old a message may be
    whatever its own Expires says. `signed_headers`: Clark names (`{namespace}local`) of header blocks that must be
    present and signed. `signed_namespaces`: header blocks of these must be signed where they are present. `replays`:
    memory of accepted signatures, None where the caller keeps a shared one itself.
    `inclusive_c14n`: whether an enveloped signature may use inclusive C14N 1.0 or 1.1 (Java, .NET and Santuario do).
    """

    soap: frozenset[SoapVersion] = frozenset({"1.1", "1.2"})
    skew: timedelta = timedelta(seconds=60)
    max_age: timedelta = timedelta(minutes=5)
    signed_headers: frozenset[str] = frozenset()
    signed_namespaces: frozenset[str] = frozenset()
    replays: Replays | None = None
    inclusive_c14n: bool = False
    limits: Limits = field(default=MESSAGE)
