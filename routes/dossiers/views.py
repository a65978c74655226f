"""How dossiers and deliveries are shown: JSON members, times in UTC (mốc thời gian, các lần gửi)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from routes.dossiers.deadlines import deadlines
from security.audit.entries import instant
from sync.reading import Attempt, StoredVersion, Whole, shown_state
from sync.repair import MENDED, fingerprint
from sync.rows import Event


def shown_time(milliseconds: int | None) -> str | None:
    """A time of the tables as RFC 3339 in UTC."""
    return None if milliseconds is None else instant(datetime.fromtimestamp(milliseconds / 1000, UTC))


def delivery(event: Event, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """One delivery: codes, times and states, nothing of what is sealed."""
    return {
        "id": event.event_id,
        "code": event.code,
        "kind": event.kind,
        "version": event.version,
        "sequence": event.sequence,
        "vocabulary": event.vocabulary,
        "source_status": event.source_status,
        "status": event.national,
        "at": shown_time(event.at),
        "client": event.client_id,
        "state": shown_state(event),
        "step": event.state,
        "reason": event.reason,
        "fingerprint": fingerprint(event) if event.state in MENDED else None,
        "flags": event.flags.split(),
        "destination": event.destination,
        "accepted_at": shown_time(event.accepted_at),
        "due_at": shown_time(event.due_at),
        "delivered_at": shown_time(event.delivered_at),
        "receipt_index": event.position,
        "attempts": [_attempt(attempt) for attempt in attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": shown_time(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "code": attempt.code,
        "reason": attempt.reason,
    }


def full(found: Whole, bodies: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Everything about a dossier; `bodies` by the id of their event, absent where they were destroyed."""
    dossier = found.dossier
    deliveries = [
        delivery(event, found.attempts.get(event.position, ())) | {"event": bodies.get(event.event_id)}
        for event in found.events
    ]
    return {
        "code": dossier.code,
        "procedure": dossier.procedure,
        "agency": dossier.agency,
        "client": dossier.client_id,
        "standing": dossier.standing,
        "version": dossier.version,
        "status": dossier.status,
        "delivered_status": dossier.delivered_status,
        "registered_at": shown_time(found.versions[0].accepted_at),
        "changed_at": shown_time(dossier.changed_at),
        "deadlines": deadlines(found, bodies, now),
        "versions": [_version(version, bodies) for version in found.versions],
        "deliveries": deliveries,
        "timeline": _timeline(found),
        "from_others": [
            {
                "agency": other.agency,
                "client": other.client_id,
                "deliveries": other.deliveries,
                "delivered": other.delivered,
                "last_at": shown_time(other.last_at),
            }
            for other in found.others
        ],
    }


def _version(version: StoredVersion, bodies: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": version.version,
        "at": shown_time(version.accepted_at),
        "client": version.client_id,
        "deliver": bool(version.deliver),
        "receipt_index": version.position,
        "dossier": bodies.get(version.event_id),
    }


def _timeline(found: Whole) -> list[dict[str, Any]]:
    """What happened to the dossier, in the order of time; what happened at once stays in its own order."""
    steps: list[tuple[int, dict[str, Any]]] = []
    for version in found.versions:
        about = {"version": version.version, "client": version.client_id}
        what = "adopted" if not version.deliver else "registered" if version.version == 1 else "amended"
        steps.append((version.accepted_at, {"what": what, **about}))
    for event in found.events:
        about = {"delivery": event.event_id, "status": event.national}
        steps.append((event.accepted_at, {"what": "received", **about}))
        tried = found.attempts.get(event.position, ())
        if event.state not in ("waiting", "quarantined", "late") or tried:
            steps.append((event.accepted_at, {"what": "validated", **about}))
            # When it was let go is not kept: at the latest when it was first sent.
            queued = tried[0].started_at if tried else event.due_at or event.accepted_at
            steps.append((queued, {"what": "queued", **about}))
        steps += [(attempt.started_at, {"what": "attempt", **about, **_attempt(attempt)}) for attempt in tried]
        if event.delivered_at is not None:
            steps.append((event.delivered_at, {"what": "delivered", **about}))
        elif event.state not in ("delivered", "queued"):
            last = max([event.accepted_at, *(attempt.started_at for attempt in tried)])
            steps.append((last, {"what": event.state, **about, "reason": event.reason}))
    return [{"at": shown_time(at), **step} for at, step in sorted(steps, key=lambda each: each[0])]
