"""What one worker process works with, opened in order and closed in the opposite one; what every exchange passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from adapters import destinations as declared_destinations
from adapters.bindings import Codec
from adapters.breakers import Breakers, SqlBreakerStore
from adapters.carriage import login_for, scheme_of
from adapters.dispatch import compile_codecs, dispatch, served
from adapters.endpoint_trust import trusts_in_callers
from adapters.login import Link
from adapters.resilience import retried
from adapters.revocation import RevocationKeeper
from adapters.trust_domains import TrustDomains
from adapters.witnesses import office
from config import tracing
from config.settings import ConfigurationError, Endpoint, Settings
from routes import frame
from routes.authorities import addressed_to
from routes.dossiers.desk import Desk, desk
from routes.loopback import listens_on_loopback_only, sandbox_clients
from schemas.exchange import Database, Handler, Stage, compose
from security.answer_signing import AnswerSigner, answer_key
from security.assertions import Assertions, UsedAssertions
from security.audit import materials, redaction
from security.audit.anonymous import BulkCounter
from security.audit.assembly import log_signer, open_log, open_sealer
from security.audit.log import AuditLog
from security.audit.reading import AuditReader
from security.audit.trail import AuditTrail
from security.identity import Identity
from security.keys import KeyRing
from security.limits import Limiter, LocalLimiter, limited
from security.machine_signatures import SIGNATURES, MachineSignatures, answered_lately
from security.policy import authorised
from security.registry import ClientRegistry
from security.request_signatures import (
    CountOnce,
    RequestSignatures,
    Used,
    counted_once,
    counting_once,
    longest_life,
)
from security.security_servers import SecurityServers, load_servers
from security.shared_signatures import BUCKETS_OF_A_WORKER, SharedSignatures
from security.signature import Replays, SignaturePolicy
from security.soap_callers import SoapCallers
from security.tokens import Tokens
from security.used_signatures import UsedSignatures
from storage.engine import Storage
from storage.errors import StorageError
from storage.sqlite import SqliteStorage
from sync.database import open_storage
from sync.liveness import owner
from sync.witnessing import Witnessing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Gateway:
    """What one worker works with; everything is closed when the context of `assembled` ends."""

    settings: Settings
    databases: tuple[Database, ...]
    destinations: tuple[Database, ...]
    codecs: dict[tuple[str, str], Codec]
    storage: Storage
    keys: KeyRing
    log: AuditLog
    trail: AuditTrail
    reader: AuditReader
    identity: Identity
    assertions: Assertions
    breakers: Breakers
    replays: Replays
    revocation: RevocationKeeper
    signatures: RequestSignatures
    soap_callers: SoapCallers
    answer_signer: AnswerSigner
    servers: SecurityServers
    links: Mapping[str, Link]
    handler: Handler
    once: CountOnce
    limiter: Limiter
    dossiers: Desk
    witnesses: tuple[Witnessing, ...]

    async def reload(self) -> None:
        """Take over what was changed meanwhile: keys, certificates, revocation lists, clients, grants.

        Raises ConfigurationError, KeysUnusable, StorageError; what was in force before then stays.
        """
        # In a thread: contracts are read, and a token that holds a key may take its time.
        domains = await asyncio.to_thread(TrustDomains.load, self.settings.trust)
        await self.revocation.prepare(domains)
        endpoints = self.settings.endpoints
        reached = (*self.databases, *self.destinations)
        codecs = await asyncio.to_thread(compile_codecs, reached, endpoints, self.replays, domains)
        trusts = trusts_in_callers(self.settings.callers.domains, domains)
        ours = await asyncio.to_thread(answer_key, self.settings.signing)
        servers = load_servers(self.settings.xroad)
        self.revocation.take(domains)
        self.codecs.update(codecs)
        self.signatures.believe(trusts)
        self.soap_callers.believe(trusts)
        self.answer_signer.take(ours)
        self.servers.take(servers)
        for link in self.links.values():
            link.reload()
        self.keys.reload()
        self.log.sign_with(log_signer(self.keys, self.settings.keys.origin))
        self.log.seal_with(open_sealer(self.keys, self.settings.keys.vault))
        self.dossiers.seal_with(open_sealer(self.keys, self.settings.keys.vault))
        self.reader.open_with(open_sealer(self.keys, self.settings.keys.vault))
        for witness in self.witnesses:
            witness.wake()
        self.identity.tokens.forget()
        await self.identity.registry.refresh()


def stages(trail: AuditTrail, limiter: Limiter, once: Stage, retrying: Stage) -> tuple[Stage, ...]:
    """Return what every exchange passes, outermost first. It is code: nobody can configure the audit away."""
    return (trail.audited, authorised, limited(limiter), once, retrying)


@asynccontextmanager
async def assembled(settings: Settings, databases: tuple[Database, ...]) -> AsyncIterator[Gateway]:
    """Open everything a worker needs; raises ConfigurationError, StorageError, KeysUnusable, EvidenceUnavailable."""
    endpoints = settings.endpoints
    declared = declared_destinations(endpoints)
    destinations = served(declared, endpoints, databases)
    databases = served(databases, endpoints, declared)
    reached = (*databases, *destinations)
    async with AsyncExitStack() as opened:
        # First in, last out: a collector that hangs delays no evidence.
        await opened.enter_async_context(tracing.exporting(settings.telemetry))
        replays = SharedSignatures(
            settings.keys.vault.parent / "replays.bin", BUCKETS_OF_A_WORKER * settings.server.workers
        )
        opened.callback(replays.close)
        revocation = await _revocation(settings, opened)
        codecs = dict(compile_codecs(reached, endpoints, replays, revocation.domains))
        storage = await open_storage(settings.storage.url, vault=settings.keys.vault)
        opened.push_async_callback(storage.close)
        _in_background(opened, materials.keeping(storage))
        keys = KeyRing(settings.keys.directory)
        log = await open_log(storage, keys, settings.keys.origin, settings.keys.vault)
        opened.push_async_callback(log.close)
        # What was recorded as redacted before a crash must not stay readable after it.
        await redaction.finish(storage, open_sealer(keys, settings.keys.vault))
        share = max(2, settings.audit.anonymous_entries_per_minute // settings.server.workers)
        bulk = BulkCounter(log, entries_per_minute=share)
        bulk.start()
        opened.push_async_callback(bulk.close)
        if not listens_on_loopback_only(settings) and (found := await sandbox_clients(storage)):
            raise ConfigurationError(
                f"refused outside loopback: {'; '.join(found)}: revoke them (`lgsp clients revoke`)"
            )
        registry = ClientRegistry(storage)
        await registry.refresh()
        _in_background(opened, registry.follow(lost=_clients_not_read))
        trusts = trusts_in_callers(settings.callers.domains, revocation.domains)
        signatures = RequestSignatures(registry, trusts=trusts, addressed=addressed_to(settings.server))
        soap_callers = SoapCallers(registry, trusts=trusts)
        answer_signer = AnswerSigner(answer_key(settings.signing))
        servers = SecurityServers(load_servers(settings.xroad))
        issuer = settings.tokens.issuer or frame.public_url(settings.server)
        identity = Identity(registry, Tokens(keys, issuer, settings.tokens.lifetime))
        audiences = frozenset({issuer, f"{frame.public_url(settings.server)}/oauth2/token"})
        links = {name: _link(reached, name, endpoint) for name, endpoint in endpoints.items()}
        for link in links.values():
            opened.push_async_callback(link.close)
        breakers = Breakers(endpoints, SqlBreakerStore(storage))
        opened.push_async_callback(breakers.close)
        trail = AuditTrail(log, bulk)
        remembered = await _signatures(settings, opened, storage)
        limiter = _limiter(settings, opened)
        sealer = open_sealer(keys, settings.keys.vault)
        dossiers = await opened.enter_async_context(desk(settings, storage, log, sealer))
        passed = stages(trail, limiter, counted_once(remembered), retried(breakers, endpoints))
        handler = compose(passed, dispatch(codecs, links, revocation.settle))
        assertions = Assertions(registry, UsedAssertions(storage), audiences)
        reader = AuditReader(storage, open_sealer(keys, settings.keys.vault), settings.audit.archives)
        yield Gateway(
            settings,
            databases,
            destinations,
            codecs,
            storage,
            keys,
            log,
            trail,
            reader,
            identity,
            assertions,
            breakers,
            replays,
            revocation,
            signatures,
            soap_callers,
            answer_signer,
            servers,
            links,
            handler,
            counting_once(remembered),
            limiter,
            dossiers,
            tuple(
                Witnessing(name, witness, office(name, witness), storage, log, owner())
                for name, witness in settings.witness.items()
            ),
        )


def _link(databases: tuple[Database, ...], name: str, endpoint: Endpoint) -> Link:
    scheme, address = login_for(name, endpoint, scheme_of(databases, name))
    return Link(name, endpoint, scheme, login_url=address)


async def _revocation(settings: Settings, opened: AsyncExitStack) -> RevocationKeeper:
    keeper = RevocationKeeper(await asyncio.to_thread(TrustDomains.load, settings.trust), settings.revocation)
    await keeper.begin()
    opened.push_async_callback(keeper.close)
    _in_background(opened, keeper.follow())
    return keeper


def _limiter(settings: Settings, opened: AsyncExitStack) -> Limiter:
    local = LocalLimiter(settings.keys.vault.parent / "limits.bin")
    opened.callback(local.close)
    url = settings.redis.url.get_secret_value()
    if not url:
        return local
    # A quarter of a second of imports that a deployment without Redis need not wait for.
    from security.redis_limits import RedisLimiter

    shared = RedisLimiter.at(url, local)
    opened.push_async_callback(shared.close)
    return shared


async def _signatures(settings: Settings, opened: AsyncExitStack, storage: Storage) -> Used:
    """Return the memory of signed requests: of the machine where it is the whole deployment, else one of all nodes."""
    url = settings.redis.url.get_secret_value()
    if not url and isinstance(storage, SqliteStorage):
        buckets = BUCKETS_OF_A_WORKER * settings.server.workers
        begun = await storage.read(answered_lately)
        memory = MachineSignatures(settings.keys.vault.parent / SIGNATURES, buckets, begun=begun)
        opened.callback(memory.close)
        return memory
    if not url:
        return UsedSignatures(storage)
    from security.redis_signatures import RedisSignatures

    shared = RedisSignatures.at(url, storage, longest_life(SignaturePolicy()))
    opened.push_async_callback(shared.close)
    _in_background(opened, shared.follow())
    return shared


def _clients_not_read(failure: StorageError) -> None:
    log.warning("clients-not-read", hint=str(failure))


def _in_background(opened: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.wait([task])

    opened.push_async_callback(stop)
