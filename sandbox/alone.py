"""`lgsp sandbox`: the simulated registries and portal by themselves, for whoever tries another client on them."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import pki_site
from sandbox.portal.site import NAME as PORTAL
from sandbox.run import REGISTRIES, Running, read_faults, start
from sandbox.world.world import World


@dataclass(frozen=True, slots=True)
class Alone:
    """What `lgsp sandbox` was told; `port` is that of the first endpoint, 0 picks free ones."""

    state: Path
    host: str
    port: int
    seed: int
    people: int
    faults: Sequence[str]
    as_json: bool


async def alone(options: Alone) -> None:
    """Run until interrupted; raises FaultRefused, LedgerTaken, OSError for a port that is taken."""
    faults = read_faults(options.faults)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    state = options.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    world = World(options.seed, options.people)
    running = await start(world, state, host=options.host, ports=_ports(options), faults=faults, portal=True)
    try:
        described = _described(running, state)
        text = json.dumps(described, ensure_ascii=False) if options.as_json else _welcome(described)
        print(text, flush=True)  # noqa: T201 - the command's output
        await stop.wait()
    finally:
        await running.close()


def _ports(options: Alone) -> dict[str, int]:
    """Give each database a port, in the order of the dump, then authorities and portal; further hosts get free ones."""
    if options.port == 0:
        return {}
    names = [*(registry.name for registry in REGISTRIES), pki_site.NAME, PORTAL]
    return {name: options.port + place for place, name in enumerate(names)}


def _described(running: Running, state: Path) -> dict[str, Any]:
    return {
        "registries": dict(running.urls),
        "contracts": dict(running.contracts),
        "trust": str(running.pki.registries_ca),
        "pki": running.pki_url,
        "portal": running.portal,
        # A client needs the accounts, which are secrets: the file says them, the screen does not.
        "accounts": str(state / "accounts.json"),
    }


def _welcome(described: dict[str, Any]) -> str:
    lines = ["LGSP SANDBOX registries"]
    lines += [f"  {name:<28} {url}" for name, url in described["registries"].items()]
    lines += ["their contracts"]
    lines += [f"  {name:<28} {url}" for name, url in described["contracts"].items()]
    lines += [
        f"accounts at them   {described['accounts']}",
        f"authority          {described['trust']}",
        f"its lists, OCSP    {described['pki']}",
        f"national portal    {described['portal']}",
        "",
        'A fault at run time: curl -X PUT -d \'{"fault": "down"}\' REGISTRY/_faults. Ctrl-C ends it.',
    ]
    return "\n".join(lines)
