"""Sockets, TLS and the application behind them, inside the running event loop: `async with running(settings, app)`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from config.settings import ConfigurationError, Server, Settings, Tls
from routes.connections import HEAD_SECONDS, Listener
from routes.context import ADMIN, RELOAD
from routes.handshake import Handshake

log = structlog.get_logger()

BACKLOG = 1024
TLS_HANDSHAKE_SECONDS = 10.0
# What is still being answered when the time to drain is over gets this long to take its cancellation.
CUT_SECONDS = 1.0

Address = tuple[str, int]


def bind(listen: str) -> socket.socket:
    """Bind `host:port` or `[host]:port`, port 0 for a free one, without listening; raises ConfigurationError."""
    host, _, port = listen.rpartition(":")
    try:
        if not 0 <= int(port) <= 65_535:
            raise ValueError
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, ValueError):
        raise ConfigurationError(f"cannot understand the address {listen!r}; write host:port") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        raise ConfigurationError(f"cannot listen on {listen}: {error.strerror}; is it in use?") from None
    return made


@dataclass(frozen=True, slots=True)
class Sockets:
    """The bound sockets of one gateway; workers share them."""

    http: socket.socket
    tls: socket.socket | None = None
    admin: socket.socket | None = None

    def addresses(self) -> dict[str, Address]:
        """Return host and port by role: `http`, `tls`, `admin`."""
        named = {"http": self.http, "tls": self.tls, "admin": self.admin}
        return {role: one.getsockname()[:2] for role, one in named.items() if one is not None}

    def close(self) -> None:
        """Close all; other processes keep theirs."""
        for one in (self.http, self.tls, self.admin):
            if one is not None:
                one.close()


def bind_all(server: Server) -> Sockets:
    """Bind every address that the configuration names; raises ConfigurationError."""
    bound: list[socket.socket] = []

    def take(listen: str | None) -> socket.socket | None:
        if listen is None:
            return None
        bound.append(bind(listen))
        return bound[-1]

    http = bind(server.listen)
    bound.append(http)
    try:
        return Sockets(http, take(server.tls.listen if server.tls else None), take(server.admin_listen))
    except ConfigurationError:
        for one in bound:
            one.close()
        raise


def tls_context(tls: Tls, pinned: Sequence[Path] = ()) -> ssl.SSLContext:
    """Return the context for direct TLS; with `client_ca` a client certificate is asked for, but Bearer works without.

    `pinned` are files of client certificates that are taken whoever issued them, mostly their holders themselves.
    Raises ConfigurationError naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslobject_class = Handshake
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:
        raise ConfigurationError(
            f"server.tls: {tls.certificate} and {tls.key} cannot be used ({error.strerror or error.args[-1]}); "
            "they have to be a PEM certificate and its key"
        ) from None
    trusted = [("server.tls.client_ca", tls.client_ca)] if tls.client_ca is not None else []
    trusted += [("xroad.servers", path) for path in pinned]
    for setting, path in trusted:
        try:
            context.load_verify_locations(path)
        except OSError as error:
            raise ConfigurationError(f"{setting}: {path} cannot be used ({error.strerror or error.args[-1]})") from None
    if pinned:
        # Without its issuer a certificate would end no chain.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if trusted:
        context.verify_mode = ssl.CERT_OPTIONAL
        # A resumed session would carry a client certificate past the CAs that were configured since.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context


class _Runner(web.AppRunner):
    """aiohttp's life cycle of an application, with our listener in place of its own."""

    def __init__(self, app: web.Application, head_seconds: float) -> None:
        super().__init__(app, shutdown_timeout=CUT_SECONDS)
        self._head_seconds = head_seconds
        self._listener: Listener | None = None

    @property
    def listener(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("the application is not set up")
        return self._listener

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        self._listener = Listener(self.app, made, self._head_seconds)
        return self._listener


class Serving:
    """An application that is answering; `addresses` has host and port by role (`http`, `tls`, `admin`)."""

    def __init__(self, settings: Settings, app: web.Application, sockets: Sockets, head_seconds: float) -> None:
        self._server = settings.server
        self._pinned = settings.xroad.servers
        self._app = app
        self._sockets = sockets
        self._main = _Runner(app, head_seconds)
        self._admin = _Runner(app[ADMIN], head_seconds) if sockets.admin is not None else None
        self._plain: list[asyncio.Server] = []
        self._tls: asyncio.Server | None = None
        self.addresses = sockets.addresses()
        self.hurry = asyncio.Event()

    async def start(self) -> None:
        """Set the application up, then listen; raises ConfigurationError for unusable TLS files."""
        context = tls_context(self._server.tls, self._pinned) if self._server.tls else None
        await self._main.setup()
        if self._admin is not None and self._sockets.admin is not None:
            await self._admin.setup()
            self._plain.append(await self._listen(self._admin, self._sockets.admin, None))
        if context is not None and self._sockets.tls is not None:
            self._tls = await self._listen(self._main, self._sockets.tls, context)
        self._plain.append(await self._listen(self._main, self._sockets.http, None))

    @staticmethod
    async def _listen(runner: _Runner, sock: socket.socket, context: ssl.SSLContext | None) -> asyncio.Server:
        # The event loop closes the socket it is given; the original stays for the next listener and other workers.
        return await asyncio.get_running_loop().create_server(
            runner.listener,
            sock=sock.dup(),
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if context else None,
        )

    async def reload(self) -> None:
        """Take new TLS files for new connections, then call the application's own reload; failures keep the old."""
        try:
            if self._server.tls is not None and self._sockets.tls is not None and self._tls is not None:
                context = await asyncio.to_thread(tls_context, self._server.tls, self._pinned)
                old, self._tls = self._tls, await self._listen(self._main, self._sockets.tls, context)
                old.close()
            if (reload := self._app.get(RELOAD)) is not None:
                await reload()
        except ConfigurationError as error:
            log.error("reload-failed", hint=str(error))
        except Exception as error:
            log.error("reload-failed", exc_info=error)
        else:
            log.info("reloaded")

    async def close(self) -> None:
        """Stop accepting, let requests in flight end within `server.grace` (at once after `hurry`), clean up."""
        for server in (*self._plain, *([self._tls] if self._tls else [])):
            server.close()
        # The kernel goes on accepting until the last copy of a listening socket is closed.
        self._sockets.close()
        if self._main.server is not None and not await self._main.listener.drain(self._server.grace, self.hurry):
            log.warning("cut-off", hint="requests were still in flight when server.grace was over")
        await self._main.cleanup()
        if self._admin is not None:
            await self._admin.cleanup()


@asynccontextmanager
async def running(
    settings: Settings, app: web.Application, sockets: Sockets | None = None, *, head_seconds: float = HEAD_SECONDS
) -> AsyncIterator[Serving]:
    """Serve `app` in this event loop until the block ends; binds the configured addresses unless given `sockets`.

    The sockets are closed at the end either way.
    """
    serving = Serving(settings, app, sockets or bind_all(settings.server), head_seconds)
    try:
        await serving.start()
        yield serving
    finally:
        await serving.close()
