"""What taking dossier statuses costs: lines of a stream as they come, durable events as they are answered.

Everything between the bytes of a line and those of its answer is the product's own, on SQLite on the disk of the
checkout: strict JSON, the model, digests, sealing, the rules of order, one commit for each group with the evidence of
each event. What HTTP costs for so few requests is left out.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.sync import Sync
from routes.strict_json import parse_json
from schemas.dossiers.models import DossierLine, stream_line
from schemas.dossiers.vocabularies import VOCABULARIES
from schemas.exchange import Caller, Credential
from security.audit.checkpoint import Signer
from security.audit.log import AuditLog
from security.audit.sealing import Sealer
from security.audit.vault import Vault
from sync.database import open_storage, upgrade
from sync.intake import GROUP, Intake, Taken
from sync.sealing import DossierSealer
from sync.under_way import UnderWay

LEAST: Final = 2_500
"""Durable events per CPU-second that are asked for."""

_EACH: Final = 5
_CALLER: Final = Caller("province", "H26", Credential("secret", "1"), {}, frozenset({"dossiers"}))
_MASTERS: Final = {b"bench-01": b"m" * 32}


def measured(events: int) -> dict[str, Any]:
    """Return events per CPU-second and per second, new ones and the same sent again; in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(_measured, events).result()


def judged(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figure that has a target."""
    value = found["new"]["per_cpu_second"]
    return {"intake_per_cpu_second": {"value": value, "at_least": LEAST, "met": value >= LEAST}}


def table(found: dict[str, Any]) -> str:
    """Return the figures as text."""
    new, again = found["new"], found["again"]
    return (
        f"intake of {found['events']} statuses over {found['dossiers']} dossiers, {GROUP} in a commit: "
        f"{new['per_cpu_second']} durable events per CPU-second, {new['per_second']} per second; "
        f"sent again: {again['per_cpu_second']} per CPU-second"
    )


def lines(events: int) -> tuple[list[bytes], list[bytes]]:
    """Return the lines that register dossiers, and those of their statuses."""
    codes = [f"000.00.00.H26-260105-{number:06}" for number in range(max(1, events // _EACH))]
    dossier = {
        "procedure": "1.005129",
        "channel": "online",
        "owner_name": "Nguyễn Văn An",
        "owner_kind": "citizen",
        "owner_identities": [{"number": "001090123456"}],
        "received_at": "2026-01-05T08:00:00+07:00",
    }
    status = {"status": "4", "at": "2026-01-05T09:00:00+07:00", "unit": "Phòng Tư pháp", "note": "Đang thẩm định"}
    registered = [_line({"code": code, "key": f"d-{code}", "dossier": dossier}) for code in codes]
    pushed = [
        _line({"code": code, "key": f"{place}-{code}", "sequence": place, **status})
        for place in range(1, _EACH + 1)
        for code in codes
    ]
    return registered, pushed


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _measured(events: int) -> dict[str, Any]:
    state = Path(".lgsp")
    state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="intake-", dir=state) as directory:
        return uvloop.run(_run(Path(directory).resolve(), events))


async def _run(directory: Path, events: int) -> dict[str, Any]:
    url = f"sqlite:///{directory}/lgsp.sqlite"
    await upgrade(url)
    storage = await open_storage(url)
    signer = Signer("lgsp.example/bench", Ed25519PrivateKey.generate())
    log = await AuditLog.open(storage, signer, Sealer(Vault(directory / "vault"), _MASTERS))
    own = DossierSealer(Sealer(Vault(directory / "vault"), _MASTERS))
    intake = Intake(log, storage, own, Sync(), VOCABULARIES, UnderWay(directory / "under-way.lock"))
    try:
        registered, pushed = lines(events)
        await _pushed(intake, registered, replayed=False)
        new = await _pushed(intake, pushed, replayed=False)
        again = await _pushed(intake, pushed, replayed=True)
    finally:
        intake.close()
        await log.close()
        await storage.close()
    return {"events": len(pushed), "dossiers": len(registered), "new": new, "again": again}


async def _pushed(intake: Intake, sent: Sequence[bytes], *, replayed: bool) -> dict[str, float]:
    used, begun = time.process_time(), time.perf_counter()
    for first in range(0, len(sent), GROUP):
        await _group(intake, sent[first : first + GROUP], replayed=replayed)
        # As between the pieces of a stream.
        await asyncio.sleep(0)
    used, passed = time.process_time() - used, time.perf_counter() - begun
    return {"per_cpu_second": round(len(sent) / used), "per_second": round(len(sent) / passed)}


async def _group(intake: Intake, sent: Sequence[bytes], *, replayed: bool) -> None:
    pushes = []
    for text in sent:
        said = stream_line(parse_json(text))
        body = said.dossier if isinstance(said, DossierLine) else said
        pushes.append(intake.prepare(_CALLER, said.code, said.key, body))
    for result in await intake.take(_CALLER, "bench", pushes):
        if not isinstance(result, Taken) or result.replayed is not replayed or result.result != "accepted":
            raise ValueError(f"a status was not taken as it should be: {result}")
        result.receipt.as_text()
