"""A whole gateway on real sockets in a thread of its own, and a caller that writes its own bytes."""

import asyncio
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters import DATABASES
from config.settings import load
from routes.application import application
from routes.assembly import Gateway, assembled
from routes.listening import running
from sandbox.configuration import configuration
from sandbox.deployment import deploy
from sandbox.run import Running, start
from sandbox.world.world import World
from schemas.exchange import Database
from security.audit.assembly import open_sealer
from security.audit.reading import AuditReader, Filter
from tests.test_openapi.deployment import in_one_minute
from tests.test_soap_face.messages import ENVELOPES, MEDIA

T = TypeVar("T")
PUBLIC = "https://gateway.example"
SEED, PEOPLE = 7, 1_300


ENDPOINT = """
[endpoints.{name}]
url = "http://127.0.0.1:{port}"
username = "lgsp"
secret = "s"
params = {{ unit = "H26" }}
"""


@dataclass(frozen=True)
class Reply:
    """One HTTP answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection; what is sent is sent as it is."""

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(address, timeout=60)
        self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname="127.0.0.1")
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def write(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def read(self) -> Reply:
        """The next answer; EOFError where the connection ended before there was one."""
        first = self._file.readline()
        if not first:
            raise EOFError
        headers = {}
        while (line := self._file.readline().rstrip(b"\r\n")) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return Reply(int(first.split()[1]), headers, self._file.read(int(headers.get("content-length", "0"))))

    def continues(self) -> bool:
        """Tell whether the next that comes is the word to go on (100)."""
        return self._file.readline().startswith(b"HTTP/1.1 100 ") and self._file.readline() == b"\r\n"

    def ended(self) -> bool:
        """Tell whether the other side closed after what was read."""
        return self._file.read(1) == b""

    def ask(self, octets: bytes) -> Reply:
        self.write(octets)
        return self.read()


def request(path: str, body: bytes, headers: Mapping[str, str] | list[tuple[str, str]], method: str = "POST") -> bytes:
    """An HTTP request with the length of its body, unless the headers say something about that."""
    lines = list(headers.items()) if isinstance(headers, Mapping) else headers
    said = {name.lower() for name, _ in lines}
    if not said & {"content-length", "transfer-encoding"}:
        lines = [*lines, ("Content-Length", str(len(body)))]
    head = [f"{method} {path} HTTP/1.1", "Host: gateway.example", *(f"{name}: {value}" for name, value in lines)]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Gate:
    """A deployment held open in a thread; `source` is the registry of the databases in `more`."""

    gateway: Gateway
    registries: Running
    clients: dict[str, dict[str, str]]
    addresses: Mapping[str, tuple[str, int]]

    def __init__(
        self,
        state: Path,
        adjust: Callable[[str], str] = lambda text: text,
        more: tuple[Database, ...] = (),
        source: web.Application | None = None,
    ) -> None:
        self.state = state
        self._adjust, self._more, self._source = adjust, more, source
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._hold(ready),), daemon=True)
        self._thread.start()
        ready.result(150)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _hold(self, ready: "Future[None]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as opened:
            try:
                self.registries = await start(World(SEED, PEOPLE), self.state)
                opened.push_async_callback(self.registries.close)
                addresses = {"listen": "127.0.0.1:0", "tls_listen": "127.0.0.1:0", "tls_host": "127.0.0.1"}
                text = configuration(self.registries, {**addresses, "public_url": PUBLIC}, 1)
                for database in self._more:
                    server = await opened.enter_async_context(TestServer(self._source, skip_url_asserts=True))
                    text += ENDPOINT.format(name=database.name, port=server.port)
                path = self.state / "gateway.toml"
                path.write_text(self._adjust(text), encoding="utf-8")
                settings = load(path)
                self.clients = await deploy(settings, self.state, self.registries.pki)
                self.gateway = await opened.enter_async_context(assembled(settings, (*DATABASES, *self._more)))
                in_one_minute(self.gateway)
                serving = await opened.enter_async_context(running(settings, application(self.gateway)))
                self.addresses = serving.addresses
            except BaseException as failure:
                ready.set_exception(failure)
                raise
            ready.set_result(None)
            await self._stop.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the gateway's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def wire(self, client: str | None = None) -> Wire:
        """Connect: over TLS with the certificate of `client`, without TLS where there is none."""
        if client is None:
            return Wire(self.addresses["http"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        pair = self.registries.pki.client(client)
        context.load_cert_chain(pair.certificate, pair.key)
        return Wire(self.addresses["tls"], context)

    def basic(self, client: str = "ministry") -> str:
        """The Authorization of a client with its secret."""
        known = self.clients[client]
        return "Basic " + b64encode(f"{known['client_id']}:{known['client_secret']}".encode()).decode()

    def send(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str | None] | None = None,
        *,
        version: str = "1.1",
        method: str = "POST",
    ) -> Reply:
        """Send one message as a known caller does; headers replace the usual ones, None leaves one out."""
        usual = {"Content-Type": MEDIA[version], "Authorization": self.basic(), "Lgsp-Purpose": "inspection"}
        sent = {name: value for name, value in {**usual, **(headers or {})}.items() if value is not None}
        with self.wire() as wire:
            return wire.ask(request(path, body, sent, method))

    def ask(
        self, database: str, payload: str, version: str = "1.1", headers: Mapping[str, str | None] | None = None
    ) -> Reply:
        """Put a question in a plain envelope."""
        return self.send(f"/soap/{database}", ENVELOPES[version] % payload.encode(), headers, version=version)

    def entries(self, request_id: str) -> list[dict[str, Any]]:
        """What the audit log holds about a request."""

        async def read() -> list[dict[str, Any]]:
            gateway = self.gateway
            reader = AuditReader(gateway.storage, open_sealer(gateway.keys, gateway.settings.keys.vault))
            return [dict(one.entry) for one in await reader.entries(Filter(request_id=request_id))]

        return self.run(read())

    def counted(self) -> int:
        """How many requests without a known caller were counted in bulk so far."""

        async def count() -> int:
            minutes = self.gateway.trail._bulk._minutes.values()
            return sum(sum(minute.values()) for minute in minutes)

        return self.run(count())

    def fault(self, database: str, kind: str | None) -> None:
        """Make a registry misbehave, or end that."""

        async def change() -> None:
            self.registries.faults[database].set(kind)

        self.run(change())
