"""What evidence costs: durable entries, proofs from a long log, verification of all of it with and without the vault.

Entries, sealing, commits, proofs and verification are the product's own, on SQLite on the disk of the checkout. The log
is of traffic as `bench.growth_entries` makes it, every fourth entry an answered look-up with its sealed opening, with a
checkpoint for each 256 entries; `answered` says what the same costs where every entry is a look-up.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.growth import Appender, widen
from bench.growth_entries import Span, drafted, look_up
from security.audit.checkpoint import Signer
from security.audit.entries import Caller, Evidence
from security.audit.log import BATCH, AuditLog
from security.audit.reading import AuditReader
from security.audit.sealing import Sealer
from security.audit.vault import Vault
from security.audit.verification import verify
from sync.database import open_storage, upgrade

LEAST_ENTRIES: Final = 10_000
LEAST_VERIFIED: Final = 100_000
LEAST_OPENED: Final = 20_000
MOST_PROOF_MS: Final = 1.0
MOST_GROWTH: Final = 1.2
"""Durable entries, verified rows and opened entries per CPU-second; CPU of a proof; memory at ten times the entries."""

_PROOFS: Final = 2_000
_MASTERS: Final = {b"bench-01": b"m" * 32}
_KEY: Final = bytes(range(32))
# As long as messages with a signature are.
_REQUEST: Final = b"<Envelope>" * 350
_ANSWER: Final = b"<Envelope>" * 400
_CALLER: Final = Caller("bench", "H26", "secret:secret-1")


def measured(durable: int, entries: int) -> dict[str, Any]:
    """Write `durable` entries as exchanges do; verify them, a log of `entries`, and one of a tenth of that."""
    state = Path(".lgsp")
    state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="evidence-", dir=state) as directory:
        place = Path(directory).resolve()
        for name in ("answered", "log"):
            (place / name).mkdir()
        found: dict[str, Any] = {"durable": _alone(_written, place / "answered", durable)}
        found["answered"] = _alone(_verified, place / "answered", False)
        _alone(_grown, place / "log", entries // 10)
        found["tenth"] = _alone(_verified, place / "log", False)
        _alone(_grown, place / "log", entries)
        found["whole"] = _alone(_verified, place / "log", False)
        found["values"] = _alone(_verified, place / "answered", True)
        found["proof"] = _alone(_proven, place / "log", _PROOFS)
    return found


def judged(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures that have a target."""
    whole, tenth = found["whole"], found["tenth"]
    least = {
        "evidence_per_cpu_second": (found["durable"]["per_cpu_second"], LEAST_ENTRIES),
        "verify_per_cpu_second": (whole["per_cpu_second"], LEAST_VERIFIED),
        "values_per_cpu_second": (found["values"]["per_cpu_second"], LEAST_OPENED),
    }
    most = {
        "proof_cpu_ms": (found["proof"]["cpu_ms"], MOST_PROOF_MS),
        "verify_memory_growth": (round(whole["resident_mb"] / tenth["resident_mb"], 2), MOST_GROWTH),
    }
    return {
        **{name: {"value": value, "at_least": least, "met": value >= least} for name, (value, least) in least.items()},
        **{name: {"value": value, "at_most": most, "met": value <= most} for name, (value, most) in most.items()},
    }


def table(found: dict[str, Any]) -> str:
    """Return the figures as text."""
    durable, proof = found["durable"], found["proof"]
    lines = [f"look-ups, {BATCH} in a commit: {durable['per_cpu_second']} durable per CPU-second"]
    for name, what in (
        ("tenth", "verify"),
        ("whole", "verify"),
        ("answered", "verify, every entry a look-up"),
        ("values", "verify --values, every entry a look-up"),
    ):
        held = found[name]
        speed = f"{held['entries']} entries, {held['per_cpu_second']} per CPU-second, {held['per_second']} per second"
        lines.append(f"{what}: {speed}, at most {held['resident_mb']} MB")
    lines.append(f"inclusion proof among {proof['entries']} entries: {proof['cpu_ms']} ms of CPU")
    return "\n".join(lines)


def _alone(work: Any, *arguments: Any) -> Any:
    """Run it in a process of its own: memory and CPU are then its own too."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(_run, work, *arguments).result()


def _run(work: Any, *arguments: Any) -> Any:
    return uvloop.run(work(*arguments))


def _signer() -> Signer:
    return Signer("lgsp.example/bench", Ed25519PrivateKey.from_private_bytes(_KEY))


def _sealer(place: Path) -> Sealer:
    return Sealer(Vault(place / "vault"), _MASTERS)


def _url(place: Path) -> str:
    return f"sqlite:///{place}/lgsp.sqlite"


async def _written(place: Path, entries: int) -> dict[str, Any]:
    """Record look-ups as exchanges do, a commit's worth at a time."""
    await upgrade(_url(place))
    storage = await open_storage(_url(place))
    log = await AuditLog.open(storage, _signer(), _sealer(place))
    try:
        # Without the first commit, which makes the key of the period.
        await log.record(look_up(0, datetime.now(UTC), _CALLER))
        used = time.process_time()
        for first in range(0, entries, BATCH):
            now = datetime.now(UTC)
            await asyncio.gather(*(log.record(_exchange(first + each, now)) for each in range(BATCH)))
        used = time.process_time() - used
    finally:
        await log.close()
        await storage.close()
    many = -(-entries // BATCH) * BATCH
    return {"entries": many, "per_cpu_second": round(many / used)}


def _exchange(number: int, at: datetime) -> Evidence:
    return replace(look_up(number, at, _CALLER), request_messages=[_REQUEST], answer_messages=[_ANSWER])


async def _grown(place: Path, entries: int) -> None:
    """Write further entries until there are so many."""
    await upgrade(_url(place))
    storage = await open_storage(_url(place))
    gc.disable()
    try:
        await storage.write(widen)
        appender, reader = Appender(storage, _signer(), _sealer(place)), AuditReader(storage)
        begin = await reader.size()
        while begin < entries:
            span = Span(begin, min(BATCH, entries - begin), datetime(2026, 1, 1, tzinfo=UTC).timestamp(), 30.0)
            await appender.append([(draft, ()) for draft in drafted(span, (_CALLER,))])
            begin += span.entries
    finally:
        gc.enable()
        await storage.close()


async def _verified(place: Path, values: bool) -> dict[str, Any]:
    storage = await open_storage(_url(place))
    try:
        used, passed = time.process_time(), time.perf_counter()
        found = await verify(storage, [_signer().verifier], _sealer(place) if values else None)
        used, passed = time.process_time() - used, time.perf_counter() - passed
    finally:
        await storage.close()
    if not found.valid:
        raise ValueError(f"the log does not hold: {found.found[:3]}")
    return {
        "entries": found.entries,
        "checkpoints": found.checkpoints,
        "opened": found.opened,
        "per_cpu_second": round(found.entries / used),
        "per_second": round(found.entries / passed),
        "resident_mb": round(_most_resident_kib() / 1024, 1),
    }


def _most_resident_kib() -> int:
    """The most that this process had; `getrusage` would begin with what the process had that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


async def _proven(place: Path, proofs: int) -> dict[str, Any]:
    storage = await open_storage(_url(place))
    reader, dice = AuditReader(storage), random.Random(1)
    try:
        size = await reader.size()
        asked: Sequence[int] = [dice.randrange(size) for _ in range(proofs)]
        await reader.prove(0)
        used = time.process_time()
        for index in asked:
            await reader.prove(index)
        used = time.process_time() - used
    finally:
        await storage.close()
    return {"entries": size, "proofs": proofs, "cpu_ms": round(1000 * used / proofs, 3)}
