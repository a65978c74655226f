"""Verifying what is remembered of the gateway's processes (các lần chạy): each row of `RUNS` repeats its run's entries.

The next start and the next configuration are told by comparing with these rows: who changes one hides that the run
before did not end, or which setting changed. A row and the entry that it follows from are written in one commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from config.effective import digest
from security.audit.findings import Findings
from security.audit.reading_rows import as_json, rows_of
from security.audit.runs import RUNS, is_place_of, settings_of

# The kinds of entries that tell of runs.
RUN_KINDS: Final = ("start", "stop", "configuration")


@dataclass(slots=True)
class _Told:
    """What entries say of a run that a row names: numbers of entries are -1 where none was seen.

    `kept` is the last that wrote the row, `digest` that of the settings in it; `over` the last that says that the run
    has stopped, `followed` that another one began in its place.
    """

    host: str = ""
    process: str = ""
    kept: int = -1
    digest: str | None = None
    over: int = -1
    followed: int = -1


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    run: str
    ended: bool
    settings: Mapping[str, str]


class RunsCheck:
    """Reads the rows, then the entries of `RUN_KINDS` in their order, and compares them in the end.

    Of entries it keeps what concerns a row, and the newest of each host and kind of process.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._rows: list[_Row] = []
        self._told: dict[str, _Told] = {}
        self._unreadable: list[object] = []
        self._newest: dict[tuple[str, str], tuple[int, str]] = {}

    def read(self, connection: Connection) -> None:
        """Read the rows, which has to come first."""
        query = select(RUNS.c.place, RUNS.c.run, RUNS.c.ended, RUNS.c.settings).order_by(RUNS.c.place)
        for place, run, ended, kept in rows_of(connection, query):
            settings = settings_of(kept)
            self._told[str(run)] = _Told()
            if type(place) is not str or type(run) is not str or ended not in (0, 1) or settings is None:
                self._unreadable.append(place)
                continue
            self._rows.append(_Row(place, run, bool(ended), settings))

    def look(self, index: int, body: bytes) -> None:
        """Take what an entry of these kinds says; what is none of a run says nothing."""
        try:
            entry = as_json(body)
            kind, details = entry["kind"], entry["details"]
            run, host, process = details["run"], details["host"], details["process"]
        except (ValueError, KeyError, TypeError):
            return
        if not type(run) is type(host) is type(process) is str:
            return
        keeps = kind == "start" or (kind == "configuration" and "refused" not in details)
        if keeps:
            self._newest[host, process] = index, run
        if kind == "start" and (before := self._told.get(_before(details))) is not None:
            before.followed = index
        if (told := self._told.get(run)) is None:
            return
        told.host, told.process = host, process
        if keeps:
            told.kept, told.digest = index, details.get("digest")
        elif kind == "stop":
            told.over = index

    def end(self, archived: int) -> None:
        """Compare; of what lies among the first `archived` entries nothing was seen."""
        size, add = self._findings.entries, self._findings.add
        for place in self._unreadable:
            add(size, size, f"what is remembered of the last run at {place} cannot be read")
        for row in self._rows:
            told = self._told[row.run]
            about = told.kept if told.kept >= 0 else size
            for what in self._wrong(row, told, archived):
                add(about, about, f"of the last run at {row.place} {what}")
        runs = [row.run for row in self._rows]
        if len(set(runs)) < len(runs):
            add(size, size, "one run is remembered at two places")
        for index, run in self._newest.values():
            if run not in self._told:
                add(index, index, f"nothing is remembered of the run {run}, though none began after it in its place")

    def _wrong(self, row: _Row, told: _Told, archived: int) -> list[str]:
        if told.kept < 0 and not archived:
            return ["no entry tells that it began"]
        if not told.process:
            return []
        found = []
        if not is_place_of(row.place, told.host, told.process, row.settings):
            found.append("another place is remembered than its entries tell")
        if told.digest is not None and told.digest != digest(row.settings):
            found.append("other settings are remembered than its last configuration")
        if max(told.kept, told.over) >= 0 and row.ended != (told.over > told.kept):
            found.append("its end is remembered and not recorded" if row.ended else "its end is not remembered")
        if told.followed > told.kept:
            found.append("more is remembered than of the run after it")
        return found


def _before(details: Mapping[str, Any]) -> str:
    """The run that a start found in its place."""
    previous = details.get("previous")
    return str(previous.get("run")) if isinstance(previous, dict) else ""
