"""Which signatures of callers were used, where one machine is the whole deployment (chống gửi lại trên một máy).

The memory is the mapped table of `SharedSignatures`: it outlives its processes, however they die, and costs no commit.
What it does not outlive is the machine's own end. Beside it stands since when, and since which start of the machine, it
is whole: what was signed before then is not taken, and nothing signed later can have been used before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from security.audit.entries import instant
from security.audit.tables import ENTRIES
from security.files import write_whole
from security.request_signatures import NotRemembered, longest_life
from security.shared_signatures import BUCKETS_OF_A_WORKER, Contended, SharedSignatures, remembered
from security.signature import SignaturePolicy, utc_now

SIGNATURES: Final = "signatures.bin"
"""The file's name, beside the vault."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# A caller's clock may run ahead of ours by so many seconds and its signature still be taken (SignaturePolicy.skew).
_AHEAD: Final = 60.0


def boot_id() -> str:
    """Return what names this start of the machine (random(4))."""
    return _BOOT.read_text(encoding="ascii").strip()


class MachineSignatures:
    """Remembers first uses for all processes of this machine that open the same file with as many `buckets`.

    `begun` tells whether requests may have been answered lately: then a memory that is missing altogether is a lost one
    and not a new one. Raises OSError when the files cannot be made.
    """

    def __init__(
        self,
        path: Path,
        buckets: int = BUCKETS_OF_A_WORKER,
        *,
        begun: bool = False,
        clock: Callable[[], float] = time.time,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._clock = clock
        self._whole_from = _whole_from(path, buckets, boot(), clock(), begun=begun)
        self._table = SharedSignatures(path, buckets, clock, strict=True)

    def close(self) -> None:
        """Give the file back."""
        self._table.close()

    async def first_use(
        self, client_id: str, token_id: str, expires_at: int, now: int, signed_at: datetime | None = None
    ) -> bool:
        """Tell whether this is the first use of a `token_id` by a client, and remember it until `expires_at`.

        Raises NotRemembered for what was signed before the memory was whole, and where a process that was stopped
        holds its part of the table.
        """
        if signed_at is not None and signed_at.timestamp() < self._whole_from:
            raise NotRemembered(max(1.0, self._whole_from - self._clock()))
        digest = sha256(f"{client_id}\0{token_id}".encode("utf-8", "surrogatepass")).digest()
        try:
            return self._table.remember(digest, datetime.fromtimestamp(expires_at, UTC))
        except Contended:
            raise NotRemembered(1.0) from None


def answered_lately(connection: Connection) -> bool:
    """Tell whether the log holds an answer so young that the request for it could be sent once more."""
    since = instant(utc_now() - longest_life(SignaturePolicy()))
    found = select(ENTRIES.c.idx).where(ENTRIES.c.at >= since, ENTRIES.c.kind == "exchange").limit(1)
    return connection.execute(found).first() is not None


def used_on_this_machine(path: Path, now: float) -> list[tuple[bytes, int]]:
    """Return what the memory at `path` holds that still counts: digests as `UsedSignatures` has them, and their ends.

    For whoever moves a deployment to where many machines share a memory. Raises OSError for a file that cannot be read.
    """
    return [(mark, int(ends) + 1) for mark, ends in remembered(path) if ends > now] if path.exists() else []


def _whole_from(path: Path, buckets: int, boot: str, now: float, *, begun: bool) -> float:
    """Return from when on (POSIX seconds) what is signed is in the memory, if it was used; note it beside the table.

    A deployment without table and note, and without anything answered lately, is a new one: nothing can have been used.
    """
    note = path.with_suffix(".since")
    held, table = _read(note), path.exists()
    if held is None and not table and not note.exists() and not begun:
        whole_from = 0.0
    elif held is not None and table and held.get("boot") == boot and held.get("buckets") == buckets:
        return float(held["whole_from"])
    else:
        whole_from = now + _AHEAD
    write_whole(note, json.dumps({"boot": boot, "buckets": buckets, "whole_from": whole_from}).encode(), 0o600)
    return whole_from


def _read(note: Path) -> dict[str, str | int | float] | None:
    try:
        held = json.loads(note.read_bytes())
        float(held["whole_from"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return held if isinstance(held, dict) else None
