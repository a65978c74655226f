"""A whole gateway with its registries on real sockets, in a thread with an event loop of its own."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from adapters import DATABASES
from config.settings import Settings, load
from routes.application import application
from routes.assembly import Gateway, assembled
from routes.listening import running
from sandbox.configuration import configuration
from sandbox.deployment import deploy
from sandbox.examples import PEOPLE, SEED
from sandbox.run import Running, start
from sandbox.world.world import World
from schemas.exchange import Database

PUBLIC = "http://gateway.example:8080"
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What the gateway answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Deployment:
    """A gateway at work: `url` has no slash at the end, `clients` are those of the demo."""

    url: str
    gateway: Gateway
    clients: dict[str, dict[str, str]]
    registries: Running

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request, the body as JSON; names of headers have underscores for dashes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, sent, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def token(self, client: str) -> str:
        """Get an access token as that client does."""
        known = self.clients[client]
        form = f"grant_type=client_credentials&client_id={known['client_id']}&client_secret={known['client_secret']}"
        answer = self.ask("POST", "/oauth2/token", form.encode(), Content_Type="application/x-www-form-urlencoded")
        assert answer.status == 200, answer.body
        return str(answer.json["access_token"])


def in_one_minute(gateway: Gateway) -> None:
    """Let the minute not end in which strangers are counted, so that no entry about them comes amidst a test."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    gateway.trail._bulk._now = lambda: now


@asynccontextmanager
async def deployment(
    state: Path, more: tuple[Database, ...] = (), adjust: Callable[[str], str] = lambda text: text
) -> AsyncIterator[Deployment]:
    """Deploy the sandbox with `more` databases; `adjust` may change the text of the configuration."""
    registries = await start(World(SEED, PEOPLE), state)
    try:
        addresses = {
            "listen": "127.0.0.1:0",
            "tls_listen": "127.0.0.1:0",
            "tls_host": "127.0.0.1",
            "public_url": PUBLIC,
        }
        path = state / "gateway.toml"
        path.write_text(adjust(configuration(registries, addresses, 1)), encoding="utf-8")
        settings: Settings = load(path)
        clients = await deploy(settings, state, registries.pki)
        async with (
            assembled(settings, (*DATABASES, *more)) as gateway,
            running(settings, application(gateway)) as sockets,
        ):
            in_one_minute(gateway)
            host, port = sockets.addresses["http"]
            yield Deployment(f"http://{host}:{port}", gateway, clients, registries)
    finally:
        await registries.close()


class InThread:
    """Holds a deployment open in a thread, so that tests and tools that block can talk to it."""

    def __init__(self, state: Path, adjust: Callable[[str], str] = lambda text: text) -> None:
        self._state = state
        self._adjust = adjust
        self._ready: Future[Deployment] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._hold(),), daemon=True)
        self._thread.start()
        self.deployment = self._ready.result(150)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the deployment lives; return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        """End the deployment and the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _hold(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with deployment(self._state, adjust=self._adjust) as deployed:
                self._ready.set_result(deployed)
                await self._stop.wait()
        except BaseException as failure:
            if not self._ready.done():
                self._ready.set_exception(failure)
            raise
