"""Is the world right: what `lgsp doctor` finds out by asking it (khám môi trường).

Everything is looked at at once, and each look has its time. Sources, clocks, certificates of signers, our own TLS face
and what has ended stand in modules of their own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.settings import Settings
from routes.archive_findings import archives
from routes.caller_findings import accepted, vouched
from routes.clock_findings import clock_findings
from routes.evidence_findings import recent, refusals, refusals_of_callers, signed_clocks
from routes.expiry import client_expiries
from routes.expiry_findings import configured_ends, ends
from routes.face_findings import face
from routes.findings import Finding, ok, problem, warning
from routes.platform_findings import platform_look
from routes.signer_findings import signers
from routes.source_findings import PATIENCE_S, Looked, look
from routes.token_findings import token_look, with_tokens
from routes.witness_findings import witnesses
from routes.xroad_findings import waiting
from security.audit.archived import parts
from security.client_store import load_all
from storage.commands import status
from storage.engine import Storage, directory_of
from storage.errors import StorageError
from storage.room import ROOM, take_room
from sync.database import open_storage

# Four steps of a source (name and port, TLS, the same unverified, an answer), each PATIENCE_S at most.
_LONGEST_S = 6 * PATIENCE_S


async def surroundings(settings: Settings) -> list[Finding]:
    """Look at endpoints, clock, certificates, storage and Redis, all at once."""
    looks = [_within(f"endpoints.{name}", look(name, endpoint)) for name, endpoint in settings.endpoints.items()]
    looks += [
        _within(f"endpoints.{name}.lgsp", _only(platform_look(name, endpoint)))
        for name, endpoint in settings.endpoints.items()
        if endpoint.lgsp is not None
    ]
    looks += [_within(f"{name}.key", _only(token_look(name, section))) for name, section in with_tokens(settings)]
    looks += [
        _within("trust", _only(signers(settings))),
        _within("server.tls", _only(face(settings))),
        _within("storage", _storage(settings)),
        _within("redis", _redis(settings)),
    ]
    looked = await asyncio.gather(*looks)
    found = [finding for each in looked for finding in each.findings]
    found += clock_findings([clock for each in looked for clock in each.clocks])
    return [*found, *configured_ends(settings, datetime.now(UTC)), *_space(settings)]


async def _within(subject: str, looking: Awaitable[Looked]) -> Looked:
    """Bound a look as a whole, whatever it waits for."""
    try:
        async with asyncio.timeout(_LONGEST_S):
            return await looking
    except TimeoutError:
        text = f"the look at it was not finished after {_LONGEST_S:g} s"
        return Looked([problem(subject, text, "ask the network, then run `lgsp doctor` again", "look-timeout")])
    except Exception as failure:  # noqa: BLE001 - a look that breaks is a finding; the others are worth seeing
        text = f"the look at it broke ({type(failure).__name__})"
        return Looked([problem(subject, text, "report this; the other findings hold", "look-broken")])


async def _only(looking: Awaitable[list[Finding]]) -> Looked:
    return Looked(await looking)


async def _storage(settings: Settings) -> Looked:
    found = await status(settings.storage.url, vault=settings.keys.vault)
    if found.refusal is not None:
        step = "run `lgsp storage upgrade`" if "lgsp storage upgrade" in found.refusal else "run `lgsp storage status`"
        if "--new-log" in found.refusal:
            step = "put it back from a backup (`lgsp storage restore FILE`), or mend storage.url"
        return Looked([problem("storage", found.refusal, step, "storage-refused")])
    try:
        storage = await open_storage(settings.storage.url)
        try:
            await storage.probe()
            seen = await _stored(storage, settings)
        finally:
            await storage.close()
    except StorageError as failure:
        step = "check permissions, space and who holds the lock"
        return Looked([problem("storage", f"cannot be written: {failure}", step, "storage-unwritable")])
    writable = ok("storage", f"{found.url} can be written, {found.size or 0} bytes", "storage-writable")
    return Looked([writable, *seen.findings], seen.clocks)


async def _stored(storage: Storage, settings: Settings) -> Looked:
    """Look at what the database knows of clients and of the answers of the last day."""
    now = datetime.now(UTC)
    entries = await storage.read(lambda connection: recent(connection, now))
    clients = await storage.read(load_all)
    held = await storage.read(parts)
    found = [
        *ends(await storage.read(lambda connection: client_expiries(connection, now)), now),
        *accepted(clients, settings),
        *waiting(clients, settings),
        *await asyncio.to_thread(lambda: list(vouched(clients, settings))),
        *refusals(entries),
        *refusals_of_callers(entries),
        *await witnesses(settings, storage),
        *await asyncio.to_thread(lambda: list(archives(settings.audit.archives, held))),
    ]
    return Looked(found, tuple(signed_clocks(entries)))


async def _redis(settings: Settings) -> Looked:
    url = settings.redis.url.get_secret_value()
    if not url:
        return Looked([])
    try:
        client = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=None)
        try:
            await client.ping()
        finally:
            await client.aclose()
    except (RedisError, OSError, TimeoutError, ValueError) as failure:
        text = (
            f"does not answer ({type(failure).__name__}): until it does, limits count on each node alone, and requests "
            "that callers sign get 503"
        )
        return Looked([problem("redis", text, "start it, or correct redis.url", "redis-silent")])
    return Looked([ok("redis", "answers", "redis-answers")])


def _space(settings: Settings) -> Iterator[Finding]:
    directories = {"vault": settings.keys.vault, "storage": directory_of(settings.storage.url)}
    for subject, directory in directories.items():
        if directory is None:
            continue
        if not directory.is_dir():
            text = f"{directory} does not exist"
            yield problem(f"disk of {subject}", text, "correct the path or make it", "no-directory")
            continue
        yield _free(subject, directory, settings.storage.reserve)


def _free(subject: str, directory: Path, reserve: int) -> Finding:
    if not os.access(directory, os.W_OK):
        step = f"run this as the gateway's user, or `chown` {directory}"
        return problem(f"disk of {subject}", f"{directory} cannot be written", step, "disk-unwritable")
    try:
        take_room(directory)
    except OSError as failure:
        text = f"{directory} does not take {ROOM} bytes more: {failure.strerror}"
        return problem(f"disk of {subject}", text, "make room there: no evidence can be written", "disk-full")
    free = shutil.disk_usage(directory).free
    if free < reserve:
        text = f"{free} bytes free, storage.reserve is {reserve}"
        return warning(f"disk of {subject}", text, "make room there", "disk-scarce")
    return ok(f"disk of {subject}", f"{free // (1 << 20)} MiB free", "disk-free")
