"""`GET /v1/statistics`: figures of a year up to a day, for the caller's own agency (số liệu lũy kế từ đầu năm)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from aiohttp import web

from routes.context import REQUEST_ID
from routes.direct import Whole
from routes.dossiers.asking import asked, pusher, wants_full
from routes.dossiers.reconciling import seen
from routes.dossiers.viewing import Looks
from routes.dossiers.views import shown_time
from schemas.codes.agencies import check_procedure_code
from schemas.errors import EvidenceUnavailable, Flaw, Invalid, Text
from schemas.exchange import Caller
from storage.errors import StorageError
from sync.figures import VIETNAM, begins
from sync.statistics import Count, Counts, Statistics, statistics

Key = tuple[str, int, date, str | None]
_KEPT: Final = 10.0
"""How many times as long as they took to count, figures are given again: so at most a tenth of the time is spent."""
_MOST: Final = 256
_YEAR: Final = re.compile(r"20[0-9]{2}")
_YEAR_SHAPE: Final = Text("phải là một năm, không ở tương lai", "must be a year, and none that has not come yet")
_UNTIL: Final = Text("phải là một ngày của năm đó, không ở tương lai", "must be a day of that year that has come")
_PROCEDURE: Final = Text("không phải mã thủ tục hành chính", "is no code of a procedure")


@dataclass(slots=True)
class _Kept:
    until: float
    told: dict[str, Any]


@dataclass(slots=True)
class Counting:
    """What the route works with; what was counted lately, and that one count runs at a time in each process."""

    looks: Looks
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    kept: dict[Key, _Kept] = field(default_factory=dict)


def get_statistics(looks: Looks) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make the route."""
    counting = Counting(looks)

    async def get(request: web.Request) -> web.Response:
        caller, full = pusher(request), wants_full(request)
        key = _key(caller, asked(request, ("year", "until", "procedure")))
        async with counting.turn:
            told = await _counted(counting, key)
        receipt = await looks.log.record(seen(caller, "statistics", request[REQUEST_ID], told))
        proof = await looks.prove(receipt) if full else None
        answer = {**told, "receipt": receipt.as_json(proof)}
        return Whole(json.dumps(answer, ensure_ascii=False).encode(), {"Content-Type": "application/json"})

    return get


def _key(caller: Caller, query: dict[str, str]) -> Key:
    """Return what is asked for; raises Invalid."""
    today = datetime.now(VIETNAM).date()
    said = query.get("year", str(today.year))
    if not _YEAR.fullmatch(said) or int(said) > today.year:
        raise Invalid(flaws=[Flaw("", _YEAR_SHAPE, parameter="year")])
    year = int(said)
    last = min(today, date(year, 12, 31))
    try:
        until = date.fromisoformat(query.get("until", last.isoformat()))
    except ValueError:
        until = date.max
    if until.year != year or until > last or len(query.get("until", "-" * 10)) != 10:
        raise Invalid(flaws=[Flaw("", _UNTIL, parameter="until")])
    procedure = query.get("procedure")
    try:
        return caller.agency, year, until, None if procedure is None else check_procedure_code(procedure)
    except ValueError:
        raise Invalid(flaws=[Flaw("", _PROCEDURE, parameter="procedure")]) from None


async def _counted(counting: Counting, key: Key) -> dict[str, Any]:
    agency, year, until, procedure = key
    before = counting.kept.get(key)
    began = time.monotonic()
    if before is not None and began < before.until:
        return before.told
    now = time.time_ns() // 1_000_000
    start, end = begins(date(year, 1, 1)), min(begins(until + timedelta(days=1)), now)
    try:
        found = await counting.looks.storage.read(
            partial(statistics, agency=agency, start=start, end=end, procedure=procedure)
        )
    except StorageError as failure:
        raise EvidenceUnavailable(retry_after=2) from failure
    told = {
        "agency": agency,
        "year": year,
        "until": until.isoformat(),
        "procedure": procedure,
        "counted_at": shown_time(now),
        **_shown(found),
    }
    over = time.monotonic()
    if len(counting.kept) >= _MOST:
        counting.kept.clear()
    counting.kept[key] = _Kept(over + _KEPT * (over - began), told)
    return told


def _shown(found: Statistics) -> dict[str, Any]:
    return {
        **_of(found.counts),
        # Nobody tells the gateway how content people are.
        "satisfaction": None,
        "statuses": found.statuses,
        "deliveries": found.deliveries,
        "procedures": [{"procedure": name, **_of(counts)} for name, counts in sorted(found.procedures.items())],
    }


def _of(counts: Counts) -> dict[str, Any]:
    return {"online": _count(counts.online), "total": _count(counts.total)}


def _count(count: Count) -> dict[str, Any]:
    return {**asdict(count), "on_time_rate": count.on_time_rate}
