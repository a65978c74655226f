"""Who may read what of the log, and the entry that every reading leaves before anything is shown.

Auditors read everything, other callers the entries about their own requests: those of others are for them as if they
were not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from aiohttp import web

from routes.context import CALLER, REQUEST_ID
from routes.direct import Whole
from routes.guests import Guests
from schemas.errors import EvidenceUnavailable, NotFound, Refused, Text
from schemas.exchange import Caller
from schemas.ids import new_id
from security.audit.canonical import JSON
from security.audit.entries import Evidence, Outcome, Subject
from security.audit.log import AuditLog
from security.audit.reading import AuditReader, NoEntry, Recorded
from security.audit.trail import named
from security.keys import KeyRing
from storage.engine import Storage
from storage.errors import StorageError

T = TypeVar("T")
Route = Callable[[web.Request], Awaitable[web.StreamResponse]]

AUDIT: Final = "audit"
OPENING: Final = "audit-values"
READING: Final = "Lgsp-Reading"
"""The header that names the entry which records this reading."""

NEEDED: Final = Text("là bắt buộc", "is required")
_SEEN: Final = Outcome("ok", 200)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_NO_RIGHT: Final = Text("Bên gọi không có quyền này đối với nhật ký", "The caller has no such right on the audit log")


@dataclass(frozen=True, slots=True)
class Room:
    """What these routes work with; `guests` limits those that need no authentication."""

    storage: Storage
    reader: AuditReader
    log: AuditLog
    keys: KeyRing
    guests: Guests
    max_body: int


def reads_all(caller: Caller) -> bool:
    """Tell whether a caller may read the entries of all."""
    return AUDIT in caller.rights


def require(request: web.Request, right: str) -> Caller:
    """Return the caller; raises Refused where it does not have the right."""
    caller = request[CALLER]
    if right not in caller.rights:
        raise Refused(_NO_RIGHT, reason="no-right")
    return caller


def index_of(request: web.Request) -> int:
    """Return the number of the entry that the path names; raises NotFound for what is no number of one."""
    said = request.match_info["index"]
    if _INDEX.fullmatch(said) is None:
        raise NotFound
    return int(said)


async def visible(room: Room, caller: Caller, index: int) -> Recorded:
    """Return an entry that the caller may read, or what is known here of one that was archived.

    Raises NotFound for all others as for those that do not exist.
    """
    try:
        found = await guarded(room.reader.find(index))
    except NoEntry:
        raise NotFound from None
    if not reads_all(caller):
        asked_by = found.entry.get("caller")
        if not isinstance(asked_by, dict) or asked_by["client"] != caller.client_id:
            raise NotFound
    return found


async def whole(room: Room, caller: Caller, index: int) -> Recorded:
    """Return an entry as `visible` does; one that was archived is NotFound too, and the reason says where it is."""
    found = await visible(room, caller, index)
    if found.part is not None:
        raise elsewhere(found.part.file, damaged=found.part.damaged)
    return found


def elsewhere(file: str, *, damaged: bool) -> NotFound:
    """Return what is raised for entries that lie in an archive which is not at hand, or `damaged`."""
    state = Text("bị hỏng", "is damaged") if damaged else Text("không có ở đây", "is not at hand")
    return NotFound(
        Text(
            f"Bản ghi đã được lưu trữ trong tệp {file}, tệp này {state.vi}; bằng chứng vẫn có tại .../proof",
            f"The entry was archived in the file {file}, which {state.en}; its proof is still here",
        ),
        reason="archived",
    )


async def recorded(
    room: Room,
    request: web.Request,
    operation: str,
    entries: Sequence[int],
    filters: Mapping[str, JSON] | None = None,
    subjects: Sequence[Subject] = (),
    **details: JSON,
) -> dict[str, str]:
    """Leave the entry of a reading; return the header that names it. Raises EvidenceUnavailable.

    `filters` and `details` stand there in plain text, `subjects` only as commitments.
    """
    receipt = await room.log.record(
        Evidence(
            id=new_id(),
            kind="reading",
            at=datetime.now(UTC),
            caller=named(request[CALLER]),
            database=AUDIT,
            operation=operation,
            request_id=request[REQUEST_ID],
            outcome=_SEEN,
            subjects=list(dict.fromkeys(subjects)),
            details={
                "action": f"audit-{operation}",
                "entries": list(entries),
                **({"filters": dict(filters)} if filters else {}),
                **details,
            },
        )
    )
    return {READING: str(receipt.index)}


async def guarded(work: Awaitable[T]) -> T:
    """Wait for what reads the database; raises EvidenceUnavailable when that does not answer."""
    try:
        return await work
    except StorageError as failure:
        raise EvidenceUnavailable(retry_after=2) from failure


def answer(told: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer in JSON."""
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return Whole(body, {"Content-Type": "application/json", **(headers or {})})
