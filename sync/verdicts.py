"""What an answer of the portal, or none, means for the events that were sent (kết quả gửi). Pure rules.

What speaks of the destination (it cannot be reached, wants fewer calls, takes no log-in) never makes a dead letter: the
destination is left alone for a while. What speaks of one event makes one at once where sending it again cannot help,
and after `attempts` tries otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from adapters.portal_rules import UNKNOWN
from adapters.transport import maybe_applied
from schemas.errors import GatewayError, UpstreamRefused

Ending = Literal["delivered", "again", "dead", "other-way", "singly"]
"""`again` later; `other-way`: at once, a creation as an update or the reverse; `singly`: at once, each by itself, those
first looked for that may be there."""

NOT_OFFERED: Final = "not-offered"
_MAY_PASS: Final = frozenset({"failed", UNKNOWN, "no-such-dossier", "already-exists", "not-told", "no-code"})
"""Reasons of the portal that may be others the next time."""
_IN_DOUBT: Final = frozenset({UNKNOWN, "already-exists", "not-told", "no-code"})
"""Reasons after which the portal may hold the event all the same."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one event. `outcome` is that of its attempt; `code` and `reason` say why it was not taken.

    `of_destination` tells that it says nothing about the event; `retry_after` is in seconds, as the source asks for it.
    """

    ending: Ending
    outcome: Literal["ok", "refused", "failed", "unknown"]
    code: str | None = None
    reason: str | None = None
    of_destination: bool = False
    retry_after: float | None = None


TAKEN: Final = Verdict("delivered", "ok")
FOUND: Final = Verdict("delivered", "ok", reason="found-at-the-portal")


def answered(data: Mapping[str, Any], sent: int, *, registers: bool) -> list[Verdict]:
    """Judge an answer to `sent` elements, in their order."""
    elements = data.get("elements") or []
    if len(elements) == sent:
        return [_told(each["outcome"], each["reason"], registers=registers) for each in elements]
    verdict = _told(data["outcome"], data["reason"], registers=registers)
    if sent > 1 and verdict.ending != "delivered" and not verdict.of_destination:
        # Which of them it speaks of, and whether the others were applied, nobody knows.
        verdict = replace(verdict, ending="singly", outcome="unknown")
    return [verdict] * sent


def _told(outcome: str, reason: str, *, registers: bool) -> Verdict:
    if outcome == "applied":
        return TAKEN
    if outcome in ("busy", "session"):
        return Verdict("again", "failed", "upstream-unavailable", reason, of_destination=True)
    if registers and outcome in ("exists", "missing"):
        return Verdict("other-way", "refused", "upstream-refused", reason)
    ending: Ending = "again" if reason in _MAY_PASS else "dead"
    return Verdict(ending, "unknown" if reason in _IN_DOUBT else "refused", "upstream-refused", reason)


def unanswered(error: GatewayError, sent: int) -> list[Verdict]:
    """Judge what came instead of an answer to `sent` elements."""
    if isinstance(error, UpstreamRefused) and error.reason == NOT_OFFERED and error.unsent:
        verdict = Verdict("singly" if sent > 1 else "dead", "refused", error.code, NOT_OFFERED)
    else:
        doubt: Literal["unknown", "failed"] = "unknown" if maybe_applied(error) else "failed"
        verdict = Verdict("again", doubt, error.code, error.reason, of_destination=True, retry_after=error.retry_after)
    return [verdict] * sent


def bounded(verdict: Verdict, tries: int, most: int) -> Verdict:
    """End as a dead letter what was refused as often as it may be, counted anew when somebody has it sent again."""
    spent = verdict.ending in ("again", "other-way") and not verdict.of_destination and tries % most == 0
    return replace(verdict, ending="dead") if spent else verdict


def pause(failures: int, first: float, longest: float, asked: float | None = None) -> float:
    """How many seconds to wait after so many failures in a row: doubled each time, half of it by chance.

    Never less than the other side asked for (Retry-After).
    """
    whole = min(longest, first * 2.0 ** min(max(failures, 1) - 1, 30))
    return max(whole * random.uniform(0.5, 1.0), asked or 0.0)  # noqa: S311 - no secret
