"""What the log tells of the last day's signatures: whose were refused and why, and what time answers were signed at.

Only endpoint, client, time, outcome and the time of the signature are looked at, never whom an exchange was about.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
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
_OF_CALLER = "signature-rejected"
_STEPS_OF_CALLERS = {
    "stale": "tell the caller to compare its clock; where that is right, ours is wrong (`timedatectl`)",
    "untrusted": "see `lgsp clients show {client}`, and register what it signs with: `lgsp clients register {client} "
    "--signing-certificate FILE`; see also what is said about callers.domains",
    "expired": "ask the caller for its renewed certificate, then `lgsp clients register {client} --signing-certificate "
    "FILE`",
    "revoked": "ask the caller for a new certificate, then `lgsp clients register {client} --signing-certificate FILE`",
    "altered": "tell the caller; where a proxy stands between, it must leave Host, path, query and body as they are",
    "replayed": "tell the caller to draw a new nonce for every request, also when it asks again",
    "not-covered": "tell the caller what has to be signed (section 6 of docs/callers.md) and for which address: the "
    "one in server.public_url",
    "malformed": "tell the caller what has to be signed: section 6 of docs/callers.md",
}
_KINDS = ("exchange", "refusal", "unreadable")
# Many sources write whole seconds.
_GRAIN = timedelta(seconds=1)


def recent(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Read the newest entries about exchanges and refusals of the last day, the newest first."""
    query = (
        select(ENTRIES.c.body)
        .where(ENTRIES.c.kind.in_(_KINDS), ENTRIES.c.at >= instant(now - _PERIOD))
        .order_by(ENTRIES.c.idx.desc())
        .limit(_MOST)
    )
    return [json.loads(body) for body in connection.execute(query).scalars()]


@dataclass(slots=True)
class _Refusals:
    """How often signatures of one party were refused for one reason; `healed`: one was believed after the last."""

    newest: str
    healed: bool
    times: int = 0

    def told(self) -> str:
        """How often and when, in words."""
        after = "; since then others were believed" if self.healed else ""
        return f"{self.times} within a day, the last {self.newest[:16].replace('T', ' ')} UTC{after}"


def refusals(entries: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield why answers of sources were refused: a problem while the last one was, a warning afterwards."""
    for (endpoint, reason), found in _counted(entries, _REFUSED, "signer", lambda entry: entry.get("endpoint")):
        subject = f"endpoints.{endpoint}"
        step = _STEPS.get(reason, "see docs/security.md, section 3").format(subject=subject)
        say = warning if found.healed else problem
        yield say(subject, f"answers were refused as {reason}: {found.told()}", step, f"answers-{reason}")


def refusals_of_callers(entries: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield why requests were refused that their callers signed: always a warning, since it is theirs to mend."""
    counted = _counted(entries, _OF_CALLER, "caller_signer", lambda entry: entry.get("caller", {}).get("client"))
    for (client, reason), found in counted:
        step = _STEPS_OF_CALLERS.get(reason, "see section 6 of docs/callers.md").format(client=client)
        text = f"requests that it signed were refused as {reason}: {found.told()}"
        yield warning(f"client {client}", text, step, f"requests-{reason}")


def _counted(
    entries: Sequence[dict[str, Any]], code: str, proof: str, party: Callable[[dict[str, Any]], str | None]
) -> Iterable[tuple[tuple[str, str], _Refusals]]:
    """Count refusals with this code by party and reason; `proof` is what `details` have where one was believed."""
    believed: set[str] = set()
    seen: dict[tuple[str, str], _Refusals] = {}
    for entry in entries:
        who, outcome = party(entry), entry["outcome"]
        if who is None:
            continue
        if outcome["code"] == code:
            key = who, str(outcome.get("reason"))
            seen.setdefault(key, _Refusals(entry["at"], who in believed)).times += 1
        elif proof in entry.get("details", {}):
            believed.add(who)
    return seen.items()


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
