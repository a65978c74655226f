"""What is sent next of a dossier, and when it has to be looked at again: for whoever delivers (người gửi)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection

from schemas.dossiers.ordering import FIRST
from storage.bulk import ROWS, driver_of, fetch_plain
from sync.queue import Queues
from sync.rows import EVENT_COLUMNS, Event
from sync.tables import OPEN


def foremost(queues: Queues, codes: Sequence[str]) -> dict[str, list[Event]]:
    """Read the first of what of these dossiers is not at its end, in the order in which it goes; for each source one.

    A dead letter is among it. How many stand behind them adds nothing to what it costs.
    """
    pairs = [
        (code, client_id)
        for code in codes
        for client_id in dict.fromkeys((queues.dossiers[code].client_id, *queues.tracks.get(code, ())))
        if client_id is not None
    ]
    found: dict[str, list[Event]] = {}
    for row in _first_of(queues.connection, pairs):
        event = Event(*row)
        found.setdefault(event.code, []).append(event)
    return {code: in_order(events) for code, events in found.items()}


def _first_of(connection: Connection, pairs: Sequence[tuple[str, str]]) -> list[Sequence[Any]]:
    if not pairs:
        return []
    if connection.dialect.name == "sqlite":
        driver = driver_of(connection)
        found: list[Sequence[Any]] = []
        for first in range(0, len(pairs), ROWS):
            some = pairs[first : first + ROWS]
            found += fetch_plain(driver, _first_sqlite(len(some)), [value for pair in some for value in pair])
        return found
    codes, clients = zip(*pairs, strict=True)
    return list(connection.exec_driver_sql(_FIRST_POSTGRESQL, (list(codes), list(clients))).all())


_LISTED: Final = ", ".join(f'e."{column.name}"' for column in EVENT_COLUMNS)
# A portal that offers no way to amend a dossier still takes its statuses.
_UNTELLABLE: Final = "state = 'dead' AND kind = 'registration' AND version > 1 AND coalesce(reason, '') = 'not-offered'"
_FIRST: Final = (
    f"WHERE {OPEN} AND e.code = {{code}} AND e.client_id = {{client}} AND NOT ({_UNTELLABLE})"
    " ORDER BY ordinal, behind, position LIMIT 1"
)
_FIRST_POSTGRESQL: Final = (
    f"SELECT {_LISTED} FROM unnest($1::text[], $2::text[]) AS w(code, client_id) CROSS JOIN LATERAL"  # noqa: S608
    f" (SELECT * FROM dossier_events AS e {_FIRST.format(code='w.code', client='w.client_id')}) AS e"
)


@cache
def _first_sqlite(pairs: int) -> str:
    # The inner question is answered by the index alone.
    place = f"SELECT position FROM dossier_events AS e {_FIRST.format(code='w.column1', client='w.column2')}"  # noqa: S608 - names of ours
    wanted = f"(VALUES {', '.join(['(?, ?)'] * pairs)}) AS w"
    return f"SELECT {_LISTED} FROM {wanted} CROSS JOIN dossier_events AS e ON e.position = ({place})"  # noqa: S608


def in_order(events: Sequence[Event]) -> list[Event]:
    """Put the events of one dossier into the order in which they go.

    The registration goes first. Each source's events go by their places; which source is next is decided by which of
    their next events was accepted first.
    """
    waiting: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda each: each.place, reverse=True):
        waiting.setdefault(event.client_id, []).append(event)
    ordered: list[Event] = []
    while waiting:
        source = min(waiting, key=lambda each: (waiting[each][-1].place != FIRST, waiting[each][-1].position))
        ordered.append(waiting[source].pop())
        if not waiting[source]:
            del waiting[source]
    return ordered


def due(queues: Queues, code: str, left: Sequence[Event]) -> int | None:
    """When a dossier has to be looked at next, nobody delivering it; `left` are its released events. POSIX ms."""
    ripe, head = queues.ripe_at(code), left[0].due_at if left else None
    return ripe if head is None else head if ripe is None else min(ripe, head)


def settle(queues: Queues, code: str, left: Sequence[Event]) -> None:
    """Say when a dossier has to be looked at next, as `due`.

    To be called when all else of the transaction is done, before `queues.save`.
    """
    dossier = queues.dossiers[code]
    dossier.lease_owner = dossier.lease_until = None
    dossier.next_due = due(queues, code, left)
    queues.touch(code)
