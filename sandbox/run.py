"""Starts the simulated registries and the portal inside the current event loop, each endpoint on its own socket."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from sandbox import civil_status, enterprise, land, pki_site, population, social_insurance, tax
from sandbox.pki import Pki
from sandbox.portal.filed import PROVINCE, file, made
from sandbox.portal.ledger import FILE, Ledger
from sandbox.portal.site import NAME as PORTAL
from sandbox.portal.site import PORTAL_FAULTS
from sandbox.portal.site import site as portal_site
from sandbox.registry import PKI_FAULTS, Account, Context, Fault, FaultRefused, Faults, Registry, read_fault
from sandbox.world.world import World

REGISTRIES: tuple[Registry, ...] = (
    population.REGISTRY,
    enterprise.REGISTRY,
    social_insurance.REGISTRY,
    land.REGISTRY,
    tax.REGISTRY,
    civil_status.REGISTRY,
)
"""Every registry of the sandbox, in the order of the dump."""


@dataclass(frozen=True, slots=True)
class Running:
    """Registries at work.

    `urls` by endpoint name (`http://host:port`, no path); `contracts` where each database publishes its WSDL or OpenAPI
    document; `accounts` what the gateway proves itself with at each endpoint; `params` the constants of its profile.
    `pki_url` is where lists of revoked certificates and the OCSP responder are, `portal` the national portal's address,
    None where it was not asked for; its account and faults stand beside the others as `portal`.
    """

    world: World
    pki: Pki
    pki_url: str
    portal: str | None
    urls: Mapping[str, str]
    contracts: Mapping[str, str]
    accounts: Mapping[str, Account]
    params: Mapping[str, Mapping[str, str]]
    faults: Mapping[str, Faults]
    _stack: AsyncExitStack = field(repr=False)

    async def close(self) -> None:
        """Stop listening and drop what is under way."""
        await self._stack.aclose()


def read_faults(texts: Sequence[str], registries: Sequence[Registry] = REGISTRIES) -> dict[str, Fault]:
    """Read `DB:KIND` as the command line has them; raises FaultRefused naming what is possible."""
    signs = {registry.name: registry.signs for registry in registries} | {pki_site.NAME: False, PORTAL: False}
    own = {pki_site.NAME: PKI_FAULTS, PORTAL: PORTAL_FAULTS}
    found: dict[str, Fault] = {}
    for text in texts:
        database, colon, kind = text.partition(":")
        if not colon or database not in signs:
            raise FaultRefused(f"{text}: write DB:KIND, where DB is one of {', '.join(signs)}")
        more = own.get(database, ())
        found[database] = read_fault(kind, signs=signs[database], more=more, several=database == PORTAL)
    return found


async def start(
    world: World,
    state: Path,
    *,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    faults: Mapping[str, Fault] | None = None,
    registries: Sequence[Registry] = REGISTRIES,
    portal: bool = False,
    filed: int = 0,
) -> Running:
    """Start `registries`, their keys and accounts kept in `state`; an endpoint not in `ports` gets a free port.

    With `portal` the national portal too, whose ledger in `state` goes on where it was; where nobody has filed anything
    there yet `filed` people do, with the demo's province. Raises OSError when a port is taken, LedgerTaken when another
    portal writes that ledger.
    """
    pki = Pki(state / "pki")
    vault = _Accounts(state / "accounts.json")
    signing = tuple(registry.name for registry in registries if registry.signs)
    urls: dict[str, str] = {}
    present: dict[str, Faults] = {}
    async with AsyncExitStack() as stack:
        world.names.begin()
        stack.callback(world.names.close)
        of_pki = Faults(signs=False, more=PKI_FAULTS)
        of_pki.current = (faults or {}).get(pki_site.NAME)
        published = pki_site.site(Context(world, pki, of_pki, vault.get))
        pki_url = await _listen(stack, published, host, (ports or {}).get(pki_site.NAME, 0))
        # Certificates say where that is, so it is known before any of them is used.
        pki.publish_at(pki_url)
        pki.revocations(signing)
        for registry in registries:
            present[registry.name] = Faults(signs=registry.signs)
            present[registry.name].current = (faults or {}).get(registry.name)
            context = Context(world, pki, present[registry.name], vault.get)
            for endpoint, app in registry.build(context).items():
                urls[endpoint] = await _listen(stack, app, host, (ports or {}).get(endpoint, 0))
        portal_url = None
        accounts = {endpoint: vault.get(endpoint) for endpoint in urls}
        if portal:
            present[PORTAL] = Faults(signs=False, more=PORTAL_FAULTS, several=True)
            present[PORTAL].current = (faults or {}).get(PORTAL)
            ledger = Ledger(state / FILE)
            stack.push_async_callback(ledger.close)
            if filed and not ledger.filed:
                file(ledger, made(world, ledger, filed, PROVINCE))
            national = portal_site(Context(world, pki, present[PORTAL], vault.get), ledger)
            portal_url = await _listen(stack, national, host, (ports or {}).get(PORTAL, 0))
            accounts[PORTAL] = vault.get(PORTAL)
        return Running(
            world=world,
            pki=pki,
            pki_url=pki_url,
            portal=portal_url,
            urls=urls,
            contracts={registry.name: urls[registry.name] + registry.contract for registry in registries},
            accounts=accounts,
            params={registry.name: registry.params for registry in registries},
            faults=present,
            _stack=stack.pop_all(),
        )


async def _listen(stack: AsyncExitStack, app: web.Application, host: str, port: int) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, logger=_LOGGER)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = runner.addresses[0][1]
    return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line of the server's log is one: callers that give up and faults that hang up are none."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionError))


_LOGGER = logging.getLogger("lgsp.sandbox")
_LOGGER.addFilter(_is_news)


class _Accounts:
    """The gateway's accounts at the registries, kept over restarts in a file that nobody else may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def get(self, endpoint: str) -> Account:
        """Return the account at `endpoint`, made when there is none."""
        if endpoint not in self._held:
            self._held[endpoint] = secrets.token_urlsafe(24)
            fresh = self._path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump(self._held, file)
            fresh.replace(self._path)
        return Account(f"lgsp-{endpoint}", self._held[endpoint])
