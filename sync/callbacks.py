"""Call-backs in the database: told in the commit of what they tell, claimed, ended (gọi lại hệ thống của cơ quan).

Every function works inside one transaction; those that write are called under the write lock of the storage. One
process at a time calls a receiver. Times are POSIX milliseconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, or_, select, text, update

from config.inbox import CallbackEvent, Webhook
from schemas.inbox import plain_agency
from security.audit.canonical import JSON, canonical
from security.client_store import CLIENTS
from storage.bulk import insert_rows, upsert_rows
from sync.callback_tables import CALLBACK_RECEIVERS, CALLBACKS, WAITING
from sync.liveness import is_gone

_NAMES: Final = tuple(column.name for column in CALLBACKS.columns)
_RECEIVER_NAMES: Final = tuple(column.name for column in CALLBACK_RECEIVERS.columns)
_FORGOTTEN: Final = 1_000
"""Rows that are deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that receivers of an agency are told: `data` are codes, ids and counts, nothing about persons."""

    type: CallbackEvent
    agency: str
    data: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Callback:
    """One row that is to be sent; `id` is the webhook-id, `data` JSON text."""

    id: str
    client_id: str
    type: str
    data: str
    created_at: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """How sending ended: `outcome` is the HTTP status or a word, `due_at` when to try again; `gone` that it said so."""

    callback: Callback
    outcome: str
    ok: bool
    gone: bool = False
    due_at: int = 0
    expired: bool = False


def tell(connection: Connection, events: Iterable[Told], now: int) -> None:
    """Write a call-back for each receiver of each event, in the transaction of what happened.

    An agency's receivers hear of it and of the units below it. `events` are not looked at where nobody is called back.
    """
    receivers = [
        (name, frozenset(said.split()), plain_agency(agency)) for name, said, agency in connection.execute(_SUBSCRIBED)
    ]
    rows: list[tuple[object, ...]] = []
    for event in events if receivers else ():
        agency, data = plain_agency(event.agency), ""
        for client_id, wanted, own in receivers:
            if event.type in wanted and (agency == own or agency.startswith(f"{own}.")):
                data = data or canonical(dict(event.data)).decode()
                rows.append(
                    (f"msg_{uuid.uuid4().hex}", client_id, event.type, data, now, "waiting", now, 0, None, None)
                )
    insert_rows(connection, CALLBACKS, _NAMES, rows)


def configure(connection: Connection, webhooks: Mapping[str, Webhook], events: Sequence[str]) -> None:
    """Take over who is called back; `events` are all there are. What waits for one that is gone waits on."""
    known = {row.client_id: row for row in connection.execute(select(CALLBACK_RECEIVERS))}
    rows: list[tuple[object, ...]] = []
    for client_id in known.keys() | webhooks.keys():
        row, wanted = known.get(client_id), webhooks.get(client_id)
        kept: dict[str, Any] = dict(row._mapping) if row is not None else {"failures": 0, "due_at": 0}  # noqa: SLF001
        said = " ".join(wanted.events or events) if wanted is not None else kept.get("events", "")
        changed = {**kept, "client_id": client_id, "active": int(wanted is not None), "events": said}
        if changed != kept:
            rows.append(tuple(changed.get(name) for name in _RECEIVER_NAMES))
    upsert_rows(connection, CALLBACK_RECEIVERS, _RECEIVER_NAMES, rows)


def next_due(connection: Connection, client_id: str) -> int | None:
    """When something has to be sent to a receiver; None while there is nothing, or nothing may be."""
    first = select(func.min(CALLBACKS.c.due_at)).where(text(WAITING), CALLBACKS.c.client_id == client_id)
    due: int | None = connection.execute(first).scalar()
    row = connection.execute(_RECEIVER, {"the_client": client_id}).first()
    if due is None or row is None or not row.active or row.disabled_at is not None:
        return None
    return max(due, int(row.due_at))


def claim(
    connection: Connection, client_id: str, owner: str, now: int, until: int, limit: int
) -> tuple[list[Callback], int]:
    """Take a receiver and up to `limit` call-backs that are due, those that are due longest first.

    After a failure only one is taken. The second value is how many failures in a row there were.
    """
    row = connection.execute(_RECEIVER, {"the_client": client_id}).first()
    if row is None or not row.active or row.disabled_at is not None or row.due_at > now:
        return [], 0
    held = row.lease_owner is not None and row.lease_owner != owner and (row.lease_until or 0) > now
    if held and not is_gone(row.lease_owner):
        return [], 0
    query = (
        select(*(CALLBACKS.c[name] for name in Callback.__dataclass_fields__))
        .where(text(WAITING), CALLBACKS.c.client_id == client_id, CALLBACKS.c.due_at <= now)
        .order_by(CALLBACKS.c.due_at, CALLBACKS.c.id)
        .limit(1 if row.failures else limit)
    )
    found = [Callback(*each) for each in connection.execute(query)]
    if found:
        connection.execute(_receiver(client_id).values(lease_owner=owner, lease_until=until))
    return found, row.failures


def end(connection: Connection, client_id: str, owner: str, sent: Sequence[Sent], now: int, resting: int) -> None:
    """Keep how sending ended and give the receiver free; one that took nothing is left alone until `resting`."""
    connection.execute(
        _ENDED,
        [
            {
                "the_id": each.callback.id,
                "the_state": "delivered" if each.ok else "expired" if each.expired else "waiting",
                "the_due": each.due_at,
                "the_attempts": each.callback.attempts + 1,
                "the_time": now,
                "the_outcome": each.outcome[:40],
            }
            for each in sent
        ],
    )
    row = connection.execute(_RECEIVER, {"the_client": client_id}).one()
    changes: dict[str, Any] = {"failures": row.failures + 1, "due_at": resting}
    if any(each.ok for each in sent):
        changes = {"failures": 0, "due_at": 0, "delivered_at": now}
    if any(each.gone for each in sent):
        changes |= {"disabled_at": now, "disabled_why": "gone", "failures": 0, "due_at": 0}
    if row.lease_owner == owner:
        changes |= {"lease_owner": None, "lease_until": None}
    connection.execute(_receiver(client_id).values(**changes))


def release(connection: Connection, owner: str) -> None:
    """Give free what a process holds."""
    connection.execute(
        update(CALLBACK_RECEIVERS)
        .where(CALLBACK_RECEIVERS.c.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
    )


def switch(connection: Connection, client_id: str, now: int, *, on: bool) -> bool:
    """Enable or disable a receiver, as the operator; tell whether there is one of this name.

    What waits for one that is enabled is due at once.
    """
    why = None if on else "operator"
    values = {"disabled_at": None if on else now, "disabled_why": why, "failures": 0, "due_at": 0}
    if not connection.execute(_receiver(client_id).values(**values)).rowcount:
        return False
    if on:
        connection.execute(
            update(CALLBACKS).where(CALLBACKS.c.client_id == client_id, text(WAITING)).values(due_at=now)
        )
    return True


def expire(connection: Connection, client_id: str, before: int) -> int:
    """Give up what has waited for a receiver since before a time; tell how many."""
    late = (
        select(CALLBACKS.c.id)
        .where(CALLBACKS.c.client_id == client_id, text(WAITING), CALLBACKS.c.created_at < before)
        .limit(_FORGOTTEN)
    )
    given_up = update(CALLBACKS).where(CALLBACKS.c.id.in_(late))
    return connection.execute(
        given_up.values(state="expired", tried_at=func.coalesce(CALLBACKS.c.tried_at, before))
    ).rowcount


def forget(connection: Connection, before: int) -> int:
    """Delete call-backs that ended before a time, so many that nobody waits; tell how many."""
    over = or_(CALLBACKS.c.state == "delivered", CALLBACKS.c.state == "expired")
    oldest = select(CALLBACKS.c.id).where(over, CALLBACKS.c.tried_at < before).limit(_FORGOTTEN)
    return connection.execute(delete(CALLBACKS).where(CALLBACKS.c.id.in_(oldest))).rowcount


@dataclass(frozen=True, slots=True)
class Receiver:
    """How a receiver is."""

    client_id: str
    state: str
    since: int | None
    failures: int
    next_try: int | None
    delivered_at: int | None
    waiting: int
    oldest: int | None
    expired: int
    last_outcome: str | None


def receivers(connection: Connection, now: int) -> list[Receiver]:
    """Read how every receiver is."""
    return [_described(connection, row, now) for row in connection.execute(select(CALLBACK_RECEIVERS)).all()]


def _described(connection: Connection, row: Any, now: int) -> Receiver:
    own = CALLBACKS.c.client_id == row.client_id
    waiting, oldest = connection.execute(
        select(func.count(), func.min(CALLBACKS.c.created_at)).where(text(WAITING), own)
    ).one()
    expired = connection.execute(select(func.count()).where(own, CALLBACKS.c.state == "expired")).scalar() or 0
    last = select(CALLBACKS.c.outcome).where(own, CALLBACKS.c.tried_at.is_not(None))
    outcome = connection.execute(last.order_by(CALLBACKS.c.tried_at.desc()).limit(1)).scalar()
    state = "up" if not row.failures else "down"
    if row.disabled_at is not None:
        state = f"disabled: {row.disabled_why}"
    if not row.active:
        state = "not configured"
    due = row.due_at if row.failures and row.due_at > now else None
    return Receiver(
        row.client_id, state, row.disabled_at, row.failures, due, row.delivered_at, waiting, oldest, expired, outcome
    )


def _receiver(client_id: str) -> Any:
    return update(CALLBACK_RECEIVERS).where(CALLBACK_RECEIVERS.c.client_id == client_id)


_SUBSCRIBED = (
    select(CALLBACK_RECEIVERS.c.client_id, CALLBACK_RECEIVERS.c.events, CLIENTS.c.agency)
    .select_from(CALLBACK_RECEIVERS.join(CLIENTS, CLIENTS.c.client_id == CALLBACK_RECEIVERS.c.client_id))
    .where(CALLBACK_RECEIVERS.c.active == 1, CLIENTS.c.revoked_at.is_(None))
)
_RECEIVER = select(CALLBACK_RECEIVERS).where(CALLBACK_RECEIVERS.c.client_id == bindparam("the_client"))
_ENDED = (
    update(CALLBACKS)
    .where(CALLBACKS.c.id == bindparam("the_id"), text(WAITING))
    .values(
        state=bindparam("the_state"),
        due_at=bindparam("the_due"),
        attempts=bindparam("the_attempts"),
        tried_at=bindparam("the_time"),
        outcome=bindparam("the_outcome"),
    )
)
