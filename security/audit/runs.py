"""Starts, stops and configurations of the gateway's processes, as the log tells them (khởi động, dừng, cấu hình).

A group of processes (`lgsp serve`, `lgsp worker`) leaves one entry when it starts, before it answers anybody, and one
when it has stopped. The row of `RUNS` remembers the last run of each place, so that a start says whether the run before
it ended: after a crash or a power failure it did not.
"""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, String, Table, Text, insert, select, update

from config.effective import changed, digest
from schemas.ids import new_id
from security.audit.canonical import JSON
from security.audit.entries import Evidence, Kind, Outcome
from security.audit.log import AuditLog
from security.audit.reading_rows import as_json
from storage.engine import Storage
from storage.metadata import METADATA

_LONGEST: Final = 96
# `settings` holds the digests of `config.effective`, without which nobody could say which of them changed.
RUNS = Table(
    "audit_runs",
    METADATA,
    Column("place", String(_LONGEST), primary_key=True),
    Column("run", String(36), nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("settings", Text, nullable=False),
)

_MACHINE: Final = Path("/etc/machine-id")
# The setting that `address` comes from in `lgsp serve`; a worker has none.
_LISTENS: Final = "server.listen"
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


@dataclass(frozen=True, slots=True)
class Run:
    """One group of processes: `process` is `serve` or `worker`, `address` tells two of a host apart, `by` who began it.

    `host` is `host_id()`.
    """

    id: str
    process: str
    host: str
    address: str
    by: str

    @property
    def place(self) -> str:
        """Where the run after it is looked for."""
        return f"{self.host} {self.process} {self.address}"[:_LONGEST]

    def said(self) -> dict[str, JSON]:
        """What each of its entries says of it."""
        return {"process": self.process, "run": self.id, "host": self.host, "by": self.by}


def host_id() -> str:
    """Return sixteen letters that are the same for this host at every start and tell nobody its name or address."""
    try:
        machine = _MACHINE.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        machine = ""
    return sha256(f"lgsp host\0{machine}\0{socket.gethostname()}".encode()).hexdigest()[:16].translate(_LETTERS)


def a_run(process: str, address: str, by: str) -> Run:
    """Return a new run on this host."""
    return Run(new_id(), process, host_id(), address, by)


async def begin(
    storage: Storage, log: AuditLog, run: Run, settings: Mapping[str, str], about: Mapping[str, JSON]
) -> None:
    """Record that a run starts, and its configuration (`config.effective`), in one commit.

    `about` is said of the start: version, number of processes, keys in use. Raises EvidenceUnavailable.
    """
    before = await storage.read(lambda connection: _last(connection, run.place))
    previous: JSON = None if before is None else {"run": before.run, "ended": before.ended}
    started = _evidence("start", run, {**about, "previous": previous})
    loaded = _configuration(run, "start", None if before is None else json.loads(before.settings), settings)

    def write(connection: Connection, _first: int, taken: Sequence[int]) -> Sequence[Exception | None]:
        _remember(connection, run, settings)
        return [None] * len(taken)

    for result in await log.record_together([started, loaded], write):
        if isinstance(result, BaseException):
            raise result


async def reload(
    storage: Storage, log: AuditLog, run: Run, settings: Mapping[str, str], about: Mapping[str, JSON]
) -> None:
    """Record that a run takes changed files and keys (`lgsp reload`); to be called before it does.

    Raises EvidenceUnavailable.
    """
    before = await storage.read(lambda connection: _last(connection, run.place))
    known = None if before is None else json.loads(before.settings)

    def write(connection: Connection, _index: int) -> None:
        _remember(connection, run, settings)

    await log.record(_configuration(run, "reload", known, settings, about), writes=(write,))


async def refuse(log: AuditLog, run: Run, reason: str) -> None:
    """Record that what was to be taken at a reload could not be: what was in force before stays so."""
    event = _evidence("configuration", run, {"at": "reload", "refused": reason})
    event.outcome = Outcome("refused", 500)
    await log.record(event)


async def end(log: AuditLog, run: Run, *, failed: bool) -> None:
    """Record that a run has ended, all its processes with it. Raises EvidenceUnavailable."""

    def write(connection: Connection, _index: int) -> None:
        connection.execute(update(RUNS).where(RUNS.c.place == run.place, RUNS.c.run == run.id).values(ended=True))

    await log.record(_evidence("stop", run, {"failed": failed}), writes=(write,))


def settings_of(kept: object) -> dict[str, str] | None:
    """Read the settings of a row; None for what was never written there."""
    try:
        settings = as_json(kept.encode()) if type(kept) is str else None
    except ValueError:
        return None
    if not isinstance(settings, dict) or not all(type(each) is str for each in settings.values()):
        return None
    return settings if _written(settings) == kept else None


def is_place_of(place: str, host: str, process: str, settings: Mapping[str, str]) -> bool:
    """Whether a run of this host and process has this place; who serves has the address that its settings name."""
    begin = f"{host} {process} "
    address = place.removeprefix(begin)
    if not place.startswith(begin) or process == "worker":
        return place == begin
    if _LISTENS not in settings or len(place) == _LONGEST:
        return True
    # As `config.effective` tells a setting, without its end.
    told = b64encode(sha256(json.dumps(address, ensure_ascii=False).encode()).digest()).decode()
    return told.startswith(settings[_LISTENS])


def _configuration(
    run: Run,
    at: str,
    before: Mapping[str, str] | None,
    after: Mapping[str, str],
    about: Mapping[str, JSON] | None = None,
) -> Evidence:
    names: JSON = None if before is None else [*changed(before, after)]
    told: dict[str, JSON] = {"at": at, "digest": digest(after), "settings": len(after), "changed": names}
    return _evidence("configuration", run, {**told, **(about or {})})


def _evidence(kind: Kind, run: Run, details: Mapping[str, JSON]) -> Evidence:
    return Evidence(new_id(), kind, datetime.now(UTC), details={**run.said(), **details})


def _last(connection: Connection, place: str) -> Any:
    return connection.execute(select(RUNS).where(RUNS.c.place == place)).first()


def _remember(connection: Connection, run: Run, settings: Mapping[str, str]) -> None:
    row = {"run": run.id, "ended": False, "settings": _written(settings)}
    if connection.execute(update(RUNS).where(RUNS.c.place == run.place).values(row)).rowcount == 0:
        connection.execute(insert(RUNS).values(place=run.place, **row))


def _written(settings: Mapping[str, str]) -> str:
    return json.dumps(dict(sorted(settings.items())))
