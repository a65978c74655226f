"""What the log tells of the answers of the last day: whose were refused and why, and what time they were signed at.

Only endpoint, time, outcome and the time of the signature are looked at, never whom an exchange was about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from routes.clock_findings import Clock
from routes.findings import Finding, problem, warning
from security.audit.entries import instant
from security.audit.tables import ENTRIES

_PERIOD = timedelta(days=1)
_MOST = 500
_REFUSED = "upstream-signature-rejected"
_STEPS = {
    "stale": "compare the clocks (`timedatectl` here); where ours is right, tell the source that the time in its "
    "answers is off, or that they wait too long somewhere",
    "untrusted": "see what is said about {subject}.signer and trust domains; where nothing is wrong there, ask the "
    "source which certificate it signs with now, and put it into {subject}.signer or {subject}.pinned",
    "expired": "ask the source to sign with its renewed certificate; where it does, see what is said about authorities",
    "revoked": "ask the source for its new certificate; until it has one its answers prove nothing",
    "altered": "find out what changes messages on the way (a proxy, a filter); ask the source to verify one of them",
    "replayed": "find out what repeats answers on the way (a proxy with a cache), or tell the source",
    "not-answer-to-request": "find out what mixes answers up on the way (a proxy with a cache), or tell the source",
    "not-covered": "ask the source what it signs and since when; `lgsp signature verify FILE --trust PEM` explains one",
    "malformed": "ask the source what it changed; `lgsp signature verify FILE --trust PEM` explains a message",
}
# Many sources write whole seconds.
_GRAIN = timedelta(seconds=1)


def recent(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Read the entries of the newest exchanges of the last day, the newest first."""
    query = (
        select(ENTRIES.c.body)
        .where(ENTRIES.c.kind == "exchange", ENTRIES.c.at >= instant(now - _PERIOD))
        .order_by(ENTRIES.c.idx.desc())
        .limit(_MOST)
    )
    return [json.loads(body) for body in connection.execute(query).scalars()]


@dataclass(slots=True)
class _Refusals:
    """How often answers of one endpoint were refused for one reason; `healed`: one was believed after the last."""

    newest: str
    healed: bool
    times: int = 0


def refusals(entries: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield what signed answers were refused for: a problem while the last one was, a warning afterwards."""
    believed: set[str] = set()
    seen: dict[tuple[str, str], _Refusals] = {}
    for entry in entries:
        endpoint, outcome = entry.get("endpoint"), entry["outcome"]
        if endpoint is None:
            continue
        if outcome["code"] == _REFUSED:
            key = endpoint, str(outcome.get("reason"))
            seen.setdefault(key, _Refusals(entry["at"], endpoint in believed)).times += 1
        elif "signer" in entry.get("details", {}):
            believed.add(endpoint)
    for (endpoint, reason), found in seen.items():
        subject = f"endpoints.{endpoint}"
        often = "1 answer was" if found.times == 1 else f"{found.times} answers were"
        after = ", since then others were believed" if found.healed else ""
        text = f"{often} refused as {reason} within a day, the last {found.newest[:16].replace('T', ' ')} UTC{after}"
        step = _STEPS.get(reason, "see docs/security.md, section 3").format(subject=subject)
        yield (warning if found.healed else problem)(subject, text, step, f"answers-{reason}")


def signed_clocks(entries: Sequence[dict[str, Any]]) -> Iterator[Clock]:
    """Yield the clock of each endpoint as its newest believed answer tells it."""
    known: set[str] = set()
    for entry in entries:
        endpoint, signed_at = entry.get("endpoint"), entry.get("details", {}).get("signed_at")
        if endpoint is None or signed_at is None or endpoint in known:
            continue
        known.add(endpoint)
        asked_at = datetime.fromisoformat(entry["at"])
        answered_at = asked_at + timedelta(milliseconds=entry["duration_ms"])
        signed = datetime.fromisoformat(signed_at)
        yield Clock.between(f"endpoints.{endpoint} (signed answer)", signed, asked_at, answered_at, _GRAIN)
