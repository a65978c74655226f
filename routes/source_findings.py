"""What `lgsp doctor` finds out about one source: name, port, TLS, whether it answers, and what time it is there.

The source is asked for `HEAD /` over a connection made as those of exchanges are: no question, no log-in, nobody's
data. Every step has its own limit, so that one that never answers holds nothing up.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from shlex import quote

from cryptography import x509

from adapters.http_connections import reached
from adapters.transport import client_tls
from config.settings import ConfigurationError, Endpoint
from routes.clock_findings import Clock
from routes.expiry import WARN_DAYS
from routes.findings import Finding, ok, problem, warning
from routes.knocking import Streams, knocking
from routes.source import Source
from routes.tls_findings import not_believed, presented, refused

# A source that is slow with answers may be given minutes by its settings; `HEAD /` is no such answer.
PATIENCE_S = 10.0
_SOON = timedelta(days=WARN_DAYS[0])


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found, and the clocks of others that it saw."""

    findings: list[Finding]
    clocks: tuple[Clock, ...] = ()


class _Stopped(Exception):
    """The look ends here, with one finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


async def look(name: str, endpoint: Endpoint) -> Looked:
    """Connect to a source as exchanges do and ask it for anything at all."""
    source = Source.of(name, endpoint)
    if source is None:
        return Looked([problem(f"endpoints.{name}", f"{endpoint.url} is no address", "run `lgsp check`", "no-address")])
    try:
        tls = client_tls(name, endpoint)
    except ConfigurationError as failure:
        return Looked([problem(source.subject, str(failure), "run `lgsp check`", "tls-files")])
    return await _verified(source, tls)


async def _verified(source: Source, tls: ssl.SSLContext | None) -> Looked:
    began = time.monotonic()
    # What was seen in the handshake is worth knowing whatever comes after it.
    seen: list[Finding] = []
    try:
        async with _connected(source, tls) as (reader, writer):
            took = (time.monotonic() - began) * 1000
            text = f"{source.where} connected in {took:.0f} ms{' with TLS' if tls else ''}"
            if tls is not None:
                seen = _ends_soon(source, presented(writer.get_extra_info("ssl_object")))
            clocks = await _clocks(source, reader, writer)
            return Looked([ok(source.subject, text, "connected"), *seen], clocks)
    except _Stopped as stopped:
        return Looked([stopped.finding, *seen])
    except ssl.SSLCertVerificationError as failure:
        return await _unverified(source, failure)
    except OSError as failure:
        return Looked([refused(source, await _told(source, tls, failure)), *seen])


async def _told(source: Source, tls: ssl.SSLContext | None, failure: OSError) -> OSError:
    """Return what the source says to somebody who only listens, where its connection broke without a reason.

    Under TLS 1.3 its alert about our certificate comes after the handshake; a question that crosses it gets a reset in
    its place.
    """
    if isinstance(failure, ssl.SSLError) and failure.reason and not isinstance(failure, ssl.SSLEOFError):
        return failure
    try:
        async with _connected(source, tls) as (reader, _writer), asyncio.timeout(_read_patience(source)):
            await reader.read(1)
    except ssl.SSLError as told:
        return told
    except (_Stopped, OSError):
        pass
    return failure


async def _unverified(source: Source, failure: ssl.SSLCertVerificationError) -> Looked:
    """Look at the certificate that is refused; the time over there is worth knowing where it is one of the reasons."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    chain: list[x509.Certificate] = []
    clocks: tuple[Clock, ...] = ()
    try:
        async with _connected(source, context) as (reader, writer):
            chain = presented(writer.get_extra_info("ssl_object"))
            clocks = await _clocks(source, reader, writer)
    except (_Stopped, OSError):
        # It is no longer there, or wants our certificate first: what was found before says enough.
        pass
    return Looked([not_believed(source, failure, chain)], clocks)


@asynccontextmanager
async def _connected(source: Source, tls: ssl.SSLContext | None) -> AsyncIterator[Streams]:
    """Open a connection for the block; _Stopped where the network is in the way, OSError where TLS is."""
    patience = min(source.endpoint.timeout.connect, PATIENCE_S)
    opened = await _socket(source, patience)
    async with AsyncExitStack() as stack:
        try:
            streams = await stack.enter_async_context(knocking(opened, patience, tls, source.host))
        except TimeoutError:
            text = f"{source.where} takes connections, but does not answer the TLS handshake within {patience:g} s"
            step = f"ask the source; is this a port for TLS? See `openssl s_client -connect {source.where}`"
            raise _Stopped(problem(source.subject, text, step, "tls-no-answer")) from None
        yield streams


async def _socket(source: Source, patience: float) -> socket.socket:
    try:
        async with asyncio.timeout(patience):
            return await reached(source.host, source.port)
    except TimeoutError:
        text = f"no connection to {source.where} within {patience:g} s"
        step = f"ask the network: is {source.where} open from this machine? Try `{_attempt(source)}`"
        raise _Stopped(problem(source.subject, text, step, "connect-timeout")) from None
    except socket.gaierror as failure:
        text = f"{source.host} has no address: {failure.strerror}"
        step = f"correct {source.subject}.url or the name service; try `getent hosts {source.host}`"
        raise _Stopped(problem(source.subject, text, step, "name-unknown")) from None
    except OSError as failure:
        text = f"no connection to {source.where}: {failure.strerror or failure}"
        step = f"ask the source whether it is down; try `{_attempt(source)}`"
        raise _Stopped(problem(source.subject, text, step, "connect-refused")) from None


def _read_patience(source: Source) -> float:
    return min(source.endpoint.timeout.read, PATIENCE_S)


def _attempt(source: Source) -> str:
    # With what is surely there: no netcat, telnet or curl comes with Python.
    code = f"import socket; print(socket.create_connection(({json.dumps(source.host)}, {source.port}), 5))"
    return f"python3 -c {quote(code)}"


def _ends_soon(source: Source, chain: list[x509.Certificate]) -> list[Finding]:
    ends = min((one.not_valid_after_utc for one in chain), default=None)
    if ends is None or ends - datetime.now(UTC) > _SOON:
        return []
    text = f"the TLS certificate of {source.where} ends {ends:%Y-%m-%d}"
    return [warning(source.subject, text, "remind who runs the source", "tls-expires-soon")]


async def _clocks(source: Source, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[Clock, ...]:
    """Ask for anything at all, for the sake of the Date in the answer, if it has one; _Stopped without an answer."""
    request = f"HEAD / HTTP/1.1\r\nHost: {source.where}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_read_patience(source)):
            asked = datetime.now(UTC)
            writer.write(request.encode("ascii", "replace"))
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            answered = datetime.now(UTC)
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as failure:
        if source.secure and isinstance(failure, ssl.SSLError | ConnectionError):
            raise
        text = "it takes connections, but answers nothing"
        step = "ask the source: its service, or something on the way, does not speak HTTP here"
        raise _Stopped(problem(source.subject, text, step, "no-answer")) from None
    dates = [line[5:].strip() for line in head.decode("latin-1").split("\r\n") if line[:5].lower() == "date:"]
    try:
        said = parsedate_to_datetime(dates[0])
    except (IndexError, ValueError):
        return ()
    said = said.replace(tzinfo=said.tzinfo or UTC)
    # The header has whole seconds.
    return (Clock.between(source.subject, said, asked, answered, timedelta(seconds=1)),)
