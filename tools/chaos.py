"""Chaos (`make chaos`): sources push, the portal misbehaves, everything is killed; then the ledger is judged.

Everything is done over HTTP and by SIGKILL, against `lgsp serve` and `lgsp worker` as operators start them. At the end
the portal's ledger must be the accepted events: none lost, none applied twice, those of each dossier in order; every
source must have been told the same each time, and the audit log must hold. Kills come at random moments, right when
something was committed (SQLite), and while the portal has done its work and holds its answer back.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from config.settings import load
from sandbox.deployment import deploy
from sandbox.pki import Pki
from tools.chaos_judgement import Found, audit_holds, judge
from tools.chaos_processes import Courier, Gateway, Portal, configuration
from tools.chaos_run import Plan, Run
from tools.chaos_sources import Sources


async def chaos(plan: Plan, state: Path) -> Found:
    """Do it all in an empty directory and say what was found."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        portal = Portal(state)
        portal.start()
        stack.callback(portal.stop)
        http = await stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=15)))
        await _answers(http, f"{portal.url}/_faults")
        text = configuration(portal, plan.storage, plan.redis, gap_wait=600.0)
        names = [f"node{number}" for number in range(plan.nodes)]
        gateways = [Gateway(state, name, text, plan.processes, delivers=not plan.workers) for name in names]
        couriers = [
            Courier(state, f"worker{number}-{place}", gateway)
            for number, gateway in enumerate(gateways)
            for place in range(plan.workers)
        ]
        clients = await deploy(load(gateways[0].config), state, Pki(state / "pki"))
        for process in (*gateways, *couriers):
            process.start()
            stack.callback(process.stop)
        dice = random.Random(plan.seed)  # noqa: S311 - no secret
        sources = Sources(gateways, clients["province"]["client_secret"], http, random.Random(plan.seed + 2))  # noqa: S311
        run = Run(plan, state, http, portal, gateways, couriers, sources, dice)
        found = run.found
        keeping = asyncio.create_task(run.keep_house())
        changing = asyncio.create_task(run.change_weather()) if not plan.outage else None
        try:
            await run.pushed()
            pushed = time.monotonic() - began
            if changing is not None:
                changing.cancel()
            await run.calm()
            await run.drained()
        finally:
            keeping.cancel()
            if changing is not None:
                changing.cancel()
        found.seconds = pushed, time.monotonic() - began
        await judge(http, portal, sources, plan.dossiers, run.kills, found)
    if not await audit_holds(gateways[0]):
        found.flaws.append("the audit log does not hold")
    return found


async def _answers(http: ClientSession, address: str) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(ClientError, OSError):
                async with http.get(address):
                    return
            await asyncio.sleep(0.05)


def _shown(plan: Plan, found: Found) -> str:
    lines = [
        f"{found.accepted} statuses of {plan.dossiers} dossiers accepted, {found.delivered} in the ledger",
        f"{found.seconds[0]:.0f} s until all was pushed and every kill done, {found.seconds[1]:.0f} s until delivered",
        f"{found.answers_lost} answers lost after what they answered for was accepted",
        *(f"{times:3} times answered {what}" for what, times in sorted(found.refused.items())),
        *(f"{times:3} times {what}" for what, times in sorted(found.done.items())),
        f"{found.before_answer} of the kills hit between a commit and its answer",
        f"{found.in_doubt} hit intents without an outcome ({found.attempts_in_doubt} attempts)",
        f"{found.after_portal} hit between the portal's commit and ours ({found.attempts_after_portal} attempts)",
    ]
    for pid, sizes in found.memory.items():
        first, *_, last = sizes[len(sizes) // 10 :] + sizes[-1:]
        lines.append(f"process {pid}: {first} KiB at first, {max(sizes)} at most, {last} at last")
    return "\n".join(lines + [f"FLAW {flaw}" for flaw in found.flaws])


def main() -> int:
    """Run it as the command line says; return 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="make chaos")
    for each in fields(Plan):
        if each.name != "meddle":
            default = None if each.name == "seed" else each.default
            parser.add_argument(f"--{each.name}", type=type(each.default), default=default)
    parser.add_argument("--postgres", action="store_true", help="three nodes on a server and a Redis started for it")
    given = vars(parser.parse_args())
    if given["seed"] is None:
        given["seed"] = secrets.randbelow(1_000_000)
    print(f"seed {given['seed']}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lgsp-chaos-") as directory:
        run = _with_servers if given.pop("postgres") else _done
        plan, found = run(given, Path(directory))
    print(_shown(plan, found))
    return 1 if found.flaws else 0


def _done(given: dict[str, Any], state: Path) -> tuple[Plan, Found]:
    plan = Plan(**given)
    return plan, asyncio.run(chaos(plan, state))


def _with_servers(given: dict[str, Any], state: Path) -> tuple[Plan, Found]:
    # What only this needs may be missing where the rest runs.
    from tests.services import Postgres, Redis

    postgres, redis = Postgres(), Redis()
    try:
        several = {"nodes": 3, "workers": 1, "storage": postgres.fresh(), "redis": redis.url}
        return _done({**given, **several, "meddle": disturbances(redis)}, state)
    finally:
        redis.close()
        postgres.close()


def disturbances(redis: Any) -> tuple[Callable[[], None], ...]:
    """Return what may happen to a Redis: it is emptied, or killed and started again."""

    def restarted() -> None:
        redis.kill()
        redis.start()

    return redis.flush, restarted


if __name__ == "__main__":
    sys.exit(main())
