"""Who holds a lease, and whether that process still lives (tiến trình giữ quyền gửi).

A name says on which boot of which machine, in which process namespace, which process of which start: whoever stands
there too can tell at once that it is gone, and need not wait for its leases to run out. Linux only, as the vault.
"""

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from schemas.ids import new_id

_START: Final = 19
"""Place of the start time among the fields of /proc/PID/stat behind the name of the program (proc(5), field 22)."""


def owner() -> str:
    """A name for one worker of this process, at most 64 characters; two workers of a process have two."""
    pid = os.getpid()
    return f"{_place()}:{pid}:{_started(pid)}:{new_id()[-8:]}"


def is_gone(name: str) -> bool:
    """Tell whether the process of this name is known to have ended; False for what stands elsewhere."""
    place, _, rest = name.partition(":")
    pid, _, rest = rest.partition(":")
    started, _, _ = rest.partition(":")
    return place == _place() and pid.isdecimal() and _started(int(pid)) != started


@cache
def _place() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return sha256(f"{boot} {Path('/proc/self/ns/pid').readlink()}".encode()).hexdigest()[:16]


def _started(pid: int) -> str:
    """When a process started, in ticks since the boot; empty where there is none or only what is left of one."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = told.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[_START]
