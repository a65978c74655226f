"""What the portal knows and in which order it came to know it: dossiers, their progress, numbers given out.

The ledger of applied events is what tests of delivery are judged by. One line is appended to a file for each change and
is on the disk before any answer that speaks of it, so that what was told outlives a kill at any moment. The lines are
packed, which protects nothing: whoever searches a state directory for what the gateway let slip shall not find what the
portal was rightly told.

How the portal knows that it is told the same event again [ours]: the text of a progress record (NoiDungXuLy) may end
with a mark, `[#3]`, `[#3/ID]` or `[#/ID]`: the sender's sequence and an id of its own (`[A-Za-z0-9._-]`, at most 40).
The same id, or without one the same sequence and status, is the same event of a dossier, whatever the time says.
Without a mark it is the same status, time, officer and text.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import re
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

FILE: Final = "portal.ledger"
_MARK: Final = re.compile(r"\[#([0-9]{1,9})?(?:/([A-Za-z0-9._-]{1,40}))?\]$")


class LedgerTaken(OSError):
    """Another portal writes this ledger; the text names the file."""


@dataclass(slots=True)
class Entry:
    """One event that was applied; `sequence` is the sender's where it came along, else the count within the dossier.

    `applied_at` (RFC 3339, UTC) is the first time, `times_applied` counts all.
    """

    dossier: str
    sequence: int
    status: str
    applied_at: str
    times_applied: int = 1


@dataclass(slots=True)
class Dossier:
    """A dossier as last told (`body`), its present status, and every progress record in order of application."""

    code: str
    identity: str
    created_at: str
    body: Mapping[str, Any]
    status: str
    updates: int = 0
    progress: list[Mapping[str, Any]] = field(default_factory=list)
    events: int = 0


class Ledger:
    """The portal's memory; with a path it is also a file, without one nothing outlives the process.

    `filed` is what people filed at the portal, as it came, in the order in which they did.

    Changes are seen at once by whoever asks next: `settled` returns when they are on the disk, and no answer may be
    given before.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.dossiers: dict[str, Dossier] = {}
        self._entries: dict[tuple[str, ...], Entry] = {}
        self.filed: list[Any] = []
        self._numbers: dict[str, int] = {}
        self._pending: list[bytes] = []
        self._told = self._safe = 0
        self._writing: asyncio.Task[None] | None = None
        self._file = None if path is None else _opened(path)
        self._length = 0
        if self._file is not None:
            self._recall(self._file)

    def register(self, code: str, body: Mapping[str, Any], status: str) -> Dossier:
        """Create a dossier, or replace what is known of it; its progress stays."""
        identity = self.dossiers[code].identity if code in self.dossiers else str(uuid.uuid4())
        return self._keep({"dossier": code, "id": identity, "body": body, "status": status, "at": _now()})

    def advance(self, code: str, record: Mapping[str, Any], status: str) -> Dossier:
        """Apply a progress record to a dossier that exists; applied twice it stands there twice."""
        return self._keep({"progress": code, "body": record, "status": status, "at": _now()})

    def file(self, element: Any) -> None:
        """Take what somebody filed at the portal itself, as the list of filed dossiers is to show it."""
        self._note({"filed": element})
        self.filed.append(element)

    def lose(self, code: str, step: int | None = None) -> None:
        """Forget a dossier with all that was applied to it, or one record of its progress, counted from 1.

        What a record said of the status stays. Raises LookupError.
        """
        if code not in self.dossiers or (step is not None and not 1 <= step <= len(self.dossiers[code].progress)):
            raise LookupError(code)
        self._note({"lost": code, "step": step})
        self._lost(code, step)

    def restate(self, code: str, status: str) -> None:
        """Give a dossier another status without a record of it; raises LookupError."""
        held = self.dossiers[code]
        self._note({"restated": code, "status": status})
        held.status = status

    def next_number(self, series: str) -> int:
        """Return the next number of a series, from 1, never the same twice."""
        number = self._numbers.get(series, 0) + 1
        self._note({"series": series, "number": number})
        self._numbers[series] = number
        return number

    def entries(self) -> Iterator[Entry]:
        """Yield the applied events in the order in which they were first applied."""
        yield from self._entries.values()

    async def settled(self) -> None:
        """Return when every change so far is on the disk; raises OSError, after which it may be tried again."""
        told = self._told
        while self._file is not None and self._safe < told:
            # One that has ended is seen here before its callbacks run: waiting for it again would never yield.
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write())
            await asyncio.shield(self._writing)

    async def close(self) -> None:
        """Write what is left and give the file free."""
        await self.settled()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _keep(self, change: dict[str, Any]) -> Dossier:
        self._note(change)
        return self._apply(change)

    def _note(self, change: dict[str, Any]) -> None:
        if self._file is not None:
            self._pending.append(_packed(change))
            self._told += 1

    def _apply(self, change: Mapping[str, Any]) -> Dossier:
        at, body, status = change["at"], change["body"], change["status"]
        if "dossier" in change:
            code = change["dossier"]
            held = self.dossiers.get(code)
            if held is None:
                held = self.dossiers[code] = Dossier(code, change["id"], at, body, status)
            else:
                held.body, held.status, held.updates = body, status, held.updates + 1
            return held
        held = self.dossiers[change["progress"]]
        held.status = status
        held.progress.append(body)
        key, sequence = _recognised(held.code, body, status)
        entry = self._entries.get(key)
        if entry is None:
            held.events += 1
            self._entries[key] = Entry(held.code, held.events if sequence is None else sequence, status, at)
        else:
            entry.times_applied += 1
        return held

    def _lost(self, code: str, step: int | None) -> None:
        held = self.dossiers[code]
        gone = list(held.progress) if step is None else [held.progress.pop(step - 1)]
        for record in gone:
            key, _ = _recognised(code, record, str(record["TrangThai"]))
            entry = self._entries[key]
            entry.times_applied -= 1
            if not entry.times_applied:
                del self._entries[key]
        if step is None:
            del self.dossiers[code]

    def _recall(self, descriptor: int) -> None:
        """Read the file; what a kill left half written at its end was never told to anybody and goes."""
        with os.fdopen(os.dup(descriptor), "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                change = json.loads(zlib.decompress(base64.b64decode(line)))
                if "series" in change:
                    self._numbers[change["series"]] = change["number"]
                elif "filed" in change:
                    self.filed.append(change["filed"])
                elif "lost" in change:
                    self._lost(change["lost"], change["step"])
                elif "restated" in change:
                    self.dossiers[change["restated"]].status = change["status"]
                else:
                    self._apply(change)
                self._length += len(line)
        os.ftruncate(descriptor, self._length)

    async def _write(self) -> None:
        lines = len(self._pending)
        chunk = b"".join(self._pending)
        await asyncio.to_thread(self._append, chunk)
        del self._pending[:lines]
        self._length += len(chunk)
        self._safe += lines

    def _append(self, chunk: bytes) -> None:
        if self._file is None:
            raise OSError("the ledger is closed")
        # Over whatever an attempt that failed has left behind.
        place = self._length
        view = memoryview(chunk)
        while view:
            written = os.pwrite(self._file, view, place)
            place, view = place + written, view[written:]
        os.fdatasync(self._file)


def _packed(change: Mapping[str, Any]) -> bytes:
    text = json.dumps(change, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 1)) + b"\n"


def _opened(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LedgerTaken(f"a portal is running on {path}: end it, or name another directory with --state") from None
    return descriptor


def _recognised(code: str, record: Mapping[str, Any], status: str) -> tuple[tuple[str, ...], int | None]:
    text = record.get("NoiDungXuLy") or ""
    mark = _MARK.search(text)
    sequence = int(mark[1]) if mark and mark[1] else None
    if mark and mark[2]:
        return (code, mark[2]), sequence
    if sequence is not None:
        return (code, str(sequence), status), sequence
    return (code, status, str(record.get("ThoiDiemXuLy")), str(record.get("NguoiXuLy")), text), None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
