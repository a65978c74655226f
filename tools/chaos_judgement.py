"""What a chaos run is judged by: the portal's ledger, what sources see of their deliveries, the audit log."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import ClientSession

from tools.chaos_processes import ROOT, Gateway, Portal
from tools.chaos_sources import STATUSES, Sources, code_of


@dataclass(slots=True)
class Found:
    """What was found out at the end; `flaws` is empty where all is as promised.

    `accepted` and `delivered` count statuses, not registrations. Of the kills, `before_answer` hit a source whose push
    had been accepted and not answered, `in_doubt` an intent without an outcome, `after_portal` one that the portal had
    applied. `seconds` are those of pushing and of all.
    """

    accepted: int = 0
    delivered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    answers_lost: int = 0
    before_answer: int = 0
    in_doubt: int = 0
    after_portal: int = 0
    attempts_in_doubt: int = 0
    attempts_after_portal: int = 0
    seconds: tuple[float, float] = (0.0, 0.0)
    memory: dict[str, list[int]] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)


async def judge(
    http: ClientSession, portal: Portal, sources: Sources, dossiers: int, kills: Sequence[float], found: Found
) -> None:
    """Compare everything; `kills` are the times (POSIX seconds) at which something was killed."""
    told = sources.told
    found.flaws += told.flaws
    found.accepted = sum(not key.endswith("/0") for key in told.accepted)
    found.refused, found.answers_lost = told.refused, len(told.lost)
    found.before_answer = len({_last_before(at, kills) for at in told.lost} - {None})
    _ledger(await _lines(http, f"{portal.url}/_ledger"), dossiers, found)
    _deliveries(await _listed(sources), sources, dossiers, kills, found)


async def audit_holds(gateway: Gateway) -> bool:
    """Tell whether `lgsp audit verify` finds nothing."""
    command = [sys.executable, "-m", "gateway", "audit", "verify", "--config", str(gateway.config)]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, check=False)
    return done.returncode == 0


def _ledger(lines: Sequence[dict[str, Any]], dossiers: int, found: Found) -> None:
    seen: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        found.delivered += 1
        seen[line["dossier"]].append(line["status"])
        if line["times_applied"] != 1:
            found.flaws.append(f"{line['dossier']} {line['sequence']}: applied {line['times_applied']} times")
    for number in range(1, dossiers + 1):
        code = code_of(number)
        if (statuses := seen.pop(code, [])) != list(STATUSES):
            found.flaws.append(f"{code}: {statuses} at the portal")
    found.flaws += [f"{code}: nobody pushed that" for code in seen]


def _deliveries(
    listed: Sequence[dict[str, Any]], sources: Sources, dossiers: int, kills: Sequence[float], found: Found
) -> None:
    """Hold what the agency sees to what its sources were told; read there what the kills hit."""
    indexes = {one["id"]: one["receipt_index"] for one in listed}
    if indexes != dict(sources.told.accepted.values()):
        found.flaws.append("the deliveries listed are not those that were accepted")
    if len(listed) != dossiers * (len(STATUSES) + 1):
        found.flaws.append(f"{len(listed)} deliveries of {dossiers} dossiers")
    found.flaws += [f"{one['code']}: {one['kind']} {one['step']}" for one in listed if one["state"] != "delivered"]
    hit: dict[bool, set[float | None]] = {True: set(), False: set()}
    for one in listed:
        for attempt in one["attempts"]:
            if attempt["outcome"] == "unknown":
                found.flaws.append(f"{one['code']}: an attempt that nobody asked about")
            if attempt["code"] != "interrupted":
                continue
            at = datetime.fromisoformat(attempt["at"]).timestamp()
            applied = attempt["reason"] == "found-at-the-portal"
            hit[applied].add(next((kill for kill in kills if kill >= at), None))
            found.attempts_in_doubt += 1
            found.attempts_after_portal += applied
    found.in_doubt = len((hit[True] | hit[False]) - {None})
    found.after_portal = len(hit[True] - {None})


async def _listed(sources: Sources) -> list[dict[str, Any]]:
    """Everything that the agency handed in, as the gateway lists it."""
    listed: list[dict[str, Any]] = []
    after = ""
    while True:
        status, page, _ = await sources.ask("GET", f"/v1/deliveries?limit=100{after}")
        if status != 200:
            await asyncio.sleep(0.1)
            continue
        listed += page["items"]
        if page["next"] is None:
            return listed
        after = f"&after={page['next']}"


async def _lines(http: ClientSession, address: str) -> list[dict[str, Any]]:
    async with http.get(address) as answer:
        answer.raise_for_status()
        return [json.loads(line) for line in (await answer.text()).splitlines()]


def _last_before(at: float, kills: Sequence[float]) -> float | None:
    return max((kill for kill in kills if kill <= at), default=None)
