"""`lgsp demo`: sandbox registries and gateway in one go, on SQLite, everything kept in one state directory.

The registries and the portal run in this process, the gateway in processes of its own: whoever kills those finds the
portal and its ledger as they were, and the gateway back after a moment.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters import DATABASES
from config.settings import Settings, load
from routes.listening import bind
from routes.witness import serving
from sandbox import pki_site
from sandbox.carried import kept
from sandbox.configuration import configuration
from sandbox.deployment import demo_clients, deploy
from sandbox.dossier_samples import dossier_samples
from sandbox.gateway_process import DemoFailed, GatewayProcess
from sandbox.portal.site import NAME as PORTAL
from sandbox.ports import Ports
from sandbox.run import REGISTRIES, Running, read_faults, start
from sandbox.tour import tour
from sandbox.truth import cases, samples
from sandbox.world.world import World
from security.audit.checkpoint import VerifierKey
from security.audit.cosignature import Cosigner
from security.audit.known_logs import KnownLogs, of_gateway
from security.audit.witness import Witness, own_key
from security.files import write_whole

_WITNESS = "localhost/lgsp-demo-witness"
# How often rotated keys of the log are looked for.
_LOOK_S = 1.0
# What the samples ask for: the codes of the demo's clients.
_HEADERS = {
    "Lgsp-Purpose": "dossier-processing",
    "Lgsp-Dossier": "000.00.00.H26-260105-0001",
    "Lgsp-Officer": "demo.officer",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What `lgsp demo` was told; `port` 0 picks free ports."""

    state: Path
    host: str
    port: int
    seed: int
    people: int
    workers: int
    faults: Sequence[str]


class Demo:
    """A demo that answers: the content of `demo.json`, the gateway's process, and what runs in this one."""

    def __init__(self, described: dict[str, Any], gateway: GatewayProcess, running: Running, place: Path) -> None:
        self.described = described
        self.gateway = gateway
        self.running = running
        self._place = place

    def describe(self) -> None:
        """Write `demo.json`, all at once."""
        self.described["pids"]["gateway"] = self.gateway.pid
        fresh = self._place.with_suffix(".new")
        fresh.write_text(json.dumps(self.described, ensure_ascii=False, indent=1), encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(self._place)


async def started(options: Options, stack: AsyncExitStack) -> Demo:
    """Start everything and write `demo.json` once it answers; `stack` ends it. Raises DemoFailed, FaultRefused."""
    faults = read_faults(options.faults)
    state = options.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    described_at = state / "demo.json"
    described_at.unlink(missing_ok=True)
    stack.callback(described_at.unlink, missing_ok=True)
    ports = Ports(state / "ports.json", options.host)
    if options.port:
        await ports.wait_for(options.port)
    world = World(options.seed, options.people)
    running = await start(world, state, host=options.host, ports=ports.known(), faults=faults, portal=True, filed=3)
    stack.push_async_callback(running.close)
    addresses = {**running.urls, pki_site.NAME: running.pki_url, PORTAL: str(running.portal)}
    ports.keep({endpoint: int(url.rpartition(":")[2]) for endpoint, url in addresses.items()})
    cosigner = own_key(state / "witness", None, _WITNESS)
    settings = _configure(options, state, ports, running, cosigner)
    clients = await deploy(settings, state, running.pki)
    logs = KnownLogs([of_gateway(settings.keys.directory, settings.keys.origin)])
    telling = asyncio.create_task(_tell_keys(logs, state / "log.vkey"))
    stack.callback(telling.cancel)
    await _witness(settings, state, cosigner, logs, stack)
    gateway = GatewayProcess(state, settings.server.listen)
    await gateway.start()
    stack.push_async_callback(gateway.stop)
    # Half a second of work, done while the gateway is starting.
    described = _described(options, state, settings, running, clients)
    await gateway.answers()
    demo = Demo(described, gateway, running, described_at)
    demo.describe()
    return demo


def _configure(options: Options, state: Path, ports: Ports, running: Running, cosigner: Cosigner) -> Settings:
    host = f"[{options.host}]" if ":" in options.host else options.host
    port = ports.get("gateway", options.port)
    tls_port = ports.get("gateway-tls", 8443 if options.port == 8080 else 0)
    addresses = {
        "listen": f"{host}:{port}",
        "tls_listen": f"{host}:{tls_port}",
        "tls_host": options.host,
        "public_url": f"http://{host}:{port}",
        "witness": f"{host}:{ports.get('witness')}",
        "witness_key": cosigner.verifier.encode(),
    }
    path = state / "gateway.toml"
    told = kept(path, configuration(running, addresses, options.workers))
    if told is not None:
        print(told, file=sys.stderr)  # noqa: T201 - to whoever runs the command
    return load(path)


async def _witness(settings: Settings, state: Path, cosigner: Cosigner, logs: KnownLogs, stack: AsyncExitStack) -> None:
    """Let the demo's witness answer until after the gateway has ended."""
    section = settings.witness.get("demo")
    if section is None:  # by whoever changed the configuration
        return
    witness = Witness(cosigner, state / "witness" / "witness.sqlite", logs)
    stack.callback(witness.close)
    await stack.enter_async_context(serving(witness, bind(section.url.removeprefix("http://"))))


async def _tell_keys(logs: KnownLogs, place: Path) -> None:
    """Write out the keys of the log, and again after a rotation: with old and new ones every receipt verifies."""
    told: list[VerifierKey] = []
    while True:
        if (keys := list(logs)) != told:
            told = keys
            write_whole(place, "".join(f"{key.encode()}\n" for key in keys).encode(), 0o644)
        await asyncio.sleep(_LOOK_S)


def _described(
    options: Options,
    state: Path,
    settings: Settings,
    running: Running,
    clients: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Return what a program needs to know about this demo (contract, section 1)."""
    operations = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]
    tls, witness = settings.server.tls, settings.witness.get("demo")
    questions = samples(running.world, REGISTRIES, operations)
    wsdls = {database.name for database in DATABASES if database.wsdl}
    pki = running.pki
    return {
        "gateway": settings.server.public_url,
        "gateway_tls": f"https://{tls.listen}" if tls else None,
        "console": None,
        "portal": running.portal,
        "registries": {
            name: {"url": running.urls[name], "wsdl": contract if name in wsdls else None}
            for name, contract in running.contracts.items()
        },
        "clients": {client.client_id: dict(clients[client.client_id]) for client in demo_clients()},
        "console_users": None,
        "samples": {name: {"headers": _HEADERS, **sample} for name, sample in questions.items()}
        | dossier_samples(questions["population/person"]),
        "cases": cases(running.world, REGISTRIES),
        "trust": {
            "registries": str(pki.registries_ca),
            "clients": str(pki.clients_ca),
            "gateway": str(pki.gateway_ca),
        },
        "pki": running.pki_url,
        "xroad": {
            "certificate": str(pki.security_server().certificate),
            "key": str(pki.security_server().key),
            "clients": {client.xroad: client.client_id for client in demo_clients() if client.xroad},
        },
        "log_key": str(state / "log.vkey"),
        "witness": {"name": "demo", "url": witness.url, "key": witness.key} if witness else None,
        "config": str(state / "gateway.toml"),
        "database": str(state / "lgsp.sqlite"),
        "seed": options.seed,
        "people": options.people,
        "pids": {"demo": os.getpid()},
    }


def welcome(described: Mapping[str, Any]) -> str:
    """Return what the demo prints: where things are, and three calls that work when pasted."""
    base = described["gateway"]
    ministry = described["clients"]["ministry"]
    sample = described["samples"]["population/person"]
    headers = " ".join(f"-H '{name}: {value}'" for name, value in sample["headers"].items())
    body = json.dumps(sample["body"], ensure_ascii=False)
    return f"""\
LGSP SANDBOX gateway   {base}   (TLS and mTLS: {described["gateway_tls"]})
for programs           {described["config"].replace("gateway.toml", "demo.json")}
configuration          {described["config"]}

1. a token
   TOKEN=$(curl -s -u '{ministry["client_id"]}:{ministry["client_secret"]}' \\
     -d grant_type=client_credentials {base}/oauth2/token | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')
2. a citizen
   curl -s -H "Authorization: Bearer $TOKEN" {headers} \\
     -H 'Content-Type: application/json' -d '{body}' {base}/v1/population/person
3. what you may ask
   curl -s -H "Authorization: Bearer $TOKEN" {base}/v1/me

Ctrl-C ends it; started again on the same state it goes on where it was."""


async def demo(options: Options, *, check: bool = False) -> int:
    """Run until interrupted, or with `check` as long as the tour takes; return the exit code."""
    if check:
        async with AsyncExitStack() as stack:
            return await tour((await started(options, stack)).described)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        running = await started(options, stack)
        print(welcome(running.described), flush=True)  # noqa: T201 - the command's output
        told = asyncio.create_task(stop.wait())
        while not told.done():
            ended = asyncio.create_task(running.gateway.wait())
            await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                ended.cancel()
            elif ended.result() >= 0:
                raise DemoFailed("the gateway stopped by itself: see gateway.log in the state directory")
            else:
                print(f"the gateway was killed (signal {-ended.result()}), it is started again", flush=True)  # noqa: T201
                again = asyncio.create_task(running.gateway.again())
                await asyncio.wait((again, told), return_when=asyncio.FIRST_COMPLETED)
                if told.done():
                    again.cancel()
                    break
                again.result()
                running.describe()
    return 0
