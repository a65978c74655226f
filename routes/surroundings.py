"""Is the world right: what `lgsp doctor` finds out by asking it (khám môi trường).

Endpoints are asked for `HEAD /` over the connection that exchanges would use: no question, no log-in, nobody's data.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection

from adapters.tables import open_storage
from config.settings import Endpoint, Settings
from routes.expiry import WARN_DAYS, Expiry, advice, certificate_expiries, earliest, key_expiries
from routes.findings import Finding, ok, problem, warning
from security.client_store import load_all
from security.keys import KeyRing, KeysUnusable
from storage.commands import status
from storage.engine import directory_of
from storage.errors import StorageError

# Signed messages name their time; sources refuse those that are further off than a few minutes, some sooner.
CLOCK_WARN = timedelta(seconds=5)
CLOCK_WRONG = timedelta(seconds=60)
_SOON = timedelta(days=WARN_DAYS[0])
# A revocation list is renewed daily or weekly; a month of warning would never be quiet.
_LIST_SOON = timedelta(days=1)


async def surroundings(settings: Settings) -> list[Finding]:
    """Look at endpoints, clock, certificates, storage and Redis, all at once."""
    looks = [_endpoint(name, endpoint) for name, endpoint in settings.endpoints.items()]
    looks += [_storage(settings), _redis(settings)]
    found = [finding for part in await asyncio.gather(*looks) for finding in part]
    # Every source agrees with a right clock: said once.
    found = list(dict.fromkeys(found))
    return [*found, *_ends(settings, datetime.now(UTC)), *_space(settings)]


async def _endpoint(name: str, endpoint: Endpoint) -> list[Finding]:
    subject = f"endpoints.{name}"
    parts = urlsplit(endpoint.url)
    if not parts.hostname:
        return [problem(subject, f"{endpoint.url} is no address", "run `lgsp check`")]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    where = f"{parts.hostname}:{port}"
    began = time.monotonic()
    try:
        context = _context(endpoint) if parts.scheme == "https" else None
        async with asyncio.timeout(endpoint.timeout.connect):
            reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    except TimeoutError:
        step = f"ask the network: is {where} open from this machine? Try `nc -vz {parts.hostname} {port}`"
        return [problem(subject, f"no connection to {where} within {endpoint.timeout.connect:g} s", step)]
    except ssl.SSLCertVerificationError as failure:
        step = f"set {subject}.tls_ca to the CA that issued it; see `openssl s_client -connect {where}`"
        return [problem(subject, f"the certificate of {where} is refused: {failure.verify_message}", step)]
    except ssl.SSLError as failure:
        step = f"see `openssl s_client -connect {where}`; does the source ask for tls_certificate?"
        return [problem(subject, f"no TLS with {where}: {failure.reason or failure}", step)]
    except socket.gaierror as failure:
        step = f"correct {subject}.url or the name service; try `getent hosts {parts.hostname}`"
        return [problem(subject, f"{parts.hostname} has no address: {failure.strerror}", step)]
    except OSError as failure:
        step = f"ask the source whether it is down; try `nc -vz {parts.hostname} {port}`"
        return [problem(subject, f"no connection to {where}: {failure.strerror or failure}", step)]
    try:
        took = (time.monotonic() - began) * 1000
        found = [ok(subject, f"{where} connected in {took:.0f} ms{' with TLS' if context else ''}")]
        found += _peer(subject, where, writer.get_extra_info("peercert"))
        return found + await _spoken(subject, endpoint, parts, reader, writer)
    finally:
        writer.close()


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.tls_ca)
    if endpoint.tls_certificate is not None:
        context.load_cert_chain(endpoint.tls_certificate, endpoint.tls_key)
    return context


def _peer(subject: str, where: str, certificate: Any) -> list[Finding]:
    if not certificate or "notAfter" not in certificate:
        return []
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    if ends - datetime.now(UTC) > _SOON:
        return []
    return [warning(subject, f"the TLS certificate of {where} ends {ends:%Y-%m-%d}", "remind who runs the source")]


async def _spoken(
    subject: str, endpoint: Endpoint, parts: SplitResult, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> list[Finding]:
    """Ask for anything at all, for the sake of the Date in the answer."""
    request = f"HEAD / HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(endpoint.timeout.read):
            asked = datetime.now(UTC)
            writer.write(request.encode("ascii", "replace"))
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            answered = datetime.now(UTC)
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        step = "ask the source: its service, or something on the way, does not speak HTTP here"
        return [problem(subject, "it takes connections, but answers nothing", step)]
    dates = [line[5:].strip() for line in head.decode("latin-1").split("\r\n") if line[:5].lower() == "date:"]
    try:
        said = parsedate_to_datetime(dates[0])
    except (IndexError, ValueError):
        return []
    said = said.replace(tzinfo=said.tzinfo or UTC)
    # The header has whole seconds.
    off = max(asked - said - timedelta(seconds=1), said - answered, timedelta(0))
    if off < CLOCK_WARN:
        return [ok("clock", "agrees with those of the sources")]
    text = f"differs from that of {subject} by {off.total_seconds():.0f} s"
    step = "run `timedatectl` (or `chronyc tracking`); where ours is right, tell the source"
    return [problem("clock", text, step) if off >= CLOCK_WRONG else warning("clock", text, step)]


async def _storage(settings: Settings) -> list[Finding]:
    found = await status(settings.storage.url)
    if found.refusal is not None:
        step = "run `lgsp storage upgrade`" if "lgsp storage upgrade" in found.refusal else "run `lgsp storage status`"
        return [problem("storage", found.refusal, step)]
    try:
        storage = await open_storage(settings.storage.url)
        try:
            await storage.write(_nothing)
            clients = await storage.read(load_all)
        finally:
            await storage.close()
    except StorageError as failure:
        return [problem("storage", f"cannot be written: {failure}", "check permissions, space and who holds the lock")]
    now = datetime.now(UTC)
    shown = [ok("storage", f"{found.url} can be written, {found.size or 0} bytes")]
    for client in clients:
        if client.revoked_at is not None:
            continue
        for item in client.credentials:
            # Secrets end by rotation, as planned; nobody plans for a certificate to end.
            if item.kind == "secret" or item.revoked_at is not None or item.not_after is None:
                continue
            if item.not_after - now < _SOON:
                text = f"credential {item.id} {'ended' if item.not_after <= now else 'ends'} {item.not_after:%Y-%m-%d}"
                step = f"ask for a new one, then `lgsp clients register {client.client_id} ...`"
                shown.append(warning(f"client {client.client_id}", text, step))
    return shown


def _nothing(_connection: Connection) -> None:
    """The lock, the beginning and the commit are the test."""


async def _redis(settings: Settings) -> list[Finding]:
    url = settings.redis.url.get_secret_value()
    if not url:
        return []
    try:
        client = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=None)
        try:
            await client.ping()
        finally:
            await client.aclose()
    except (RedisError, OSError, TimeoutError, ValueError) as failure:
        text = f"does not answer ({type(failure).__name__}); limits count on each node alone until it does"
        return [problem("redis", text, "start it, or correct redis.url")]
    return [ok("redis", "answers")]


def _ends(settings: Settings, now: datetime) -> Iterator[Finding]:
    expiries = list(certificate_expiries(settings))
    try:
        expiries += key_expiries(KeyRing(settings.keys.directory))
    except KeysUnusable as failure:
        yield problem("keys.directory", str(failure), "run `lgsp check`")
    quiet = True
    for expiry in expiries:
        left = expiry.left(now)
        if left <= timedelta(0):
            quiet = False
            # A key beyond its planned age still works.
            say = warning if expiry.kind == "key" else problem
            yield say(expiry.name, f"the {_kind(expiry)} ended {expiry.ends:%Y-%m-%d}", advice(expiry))
        elif left < (_LIST_SOON if expiry.kind == "revocation-list" else _SOON):
            quiet = False
            yield warning(expiry.name, f"the {_kind(expiry)} ends {expiry.ends:%Y-%m-%d}", advice(expiry))
    first = earliest(expiries)
    if quiet and first is not None:
        yield ok("expiry", f"the first to end is {first.name}, {first.ends:%Y-%m-%d}")


def _kind(expiry: Expiry) -> str:
    return expiry.kind.replace("-", " ")


def _space(settings: Settings) -> Iterator[Finding]:
    directories = {"vault": settings.keys.vault, "storage": directory_of(settings.storage.url)}
    for subject, directory in directories.items():
        if directory is None:
            continue
        if not directory.is_dir():
            yield problem(f"disk of {subject}", f"{directory} does not exist", "correct the path or make it")
            continue
        yield _free(subject, directory, settings.storage.reserve)


def _free(subject: str, directory: Path, reserve: int) -> Finding:
    if not os.access(directory, os.W_OK):
        step = f"run this as the gateway's user, or `chown` {directory}"
        return problem(f"disk of {subject}", f"{directory} cannot be written", step)
    free = shutil.disk_usage(directory).free
    if free < reserve:
        return warning(f"disk of {subject}", f"{free} bytes free, storage.reserve is {reserve}", "make room there")
    return ok(f"disk of {subject}", f"{free // (1 << 20)} MiB free")
