"""A responder and list server on loopback, and what a worker has to ask it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.x509 import ocsp

from adapters.revocation import RevocationKeeper
from adapters.trust_domains import TrustDomains
from config.settings import Domain, Revocation
from security.signature import Rejected
from security.trust import AnchoredTrust
from security.trust_signer import ExpectedSigner
from security.trust_status import StatusRegister, Unsettled
from tests.test_revocation.issuing import GOOD, HOUR, Holder, der, named, pem
from tests.test_revocation.two_domains import Files


@dataclass
class Place:
    """An authority's server: `answer` and `listed` make what it says, `asked` is what it was asked for."""

    url: str = ""
    holders: dict[int, tuple[Holder, Holder]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answer: Callable[[Holder, Holder, bytes | None], bytes | web.Response] | None = None
    listed: Callable[[], bytes | web.Response] | None = None
    wait: asyncio.Event | None = None
    """Where set, answers wait for it."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ocsp_url(self) -> str:
        return f"{self.url}/ocsp/"

    @property
    def crl_url(self) -> str:
        return f"{self.url}/lists/ca.crl?full=1"

    def issue(self, issuer: Holder, common: str = "CSDL thử", **options: Any) -> Holder:
        """A certificate that names this server and that it knows."""
        options = {"ocsp_url": self.ocsp_url, "crl_urls": [self.crl_url]} | options
        holder = issuer.issue(common, **options)
        self.holders[holder.certificate.serial_number] = (holder, issuer)
        return holder

    async def serve_ocsp(self, request: web.Request) -> web.Response:
        body = await request.read()
        asked = ocsp.load_der_ocsp_request(body)
        assert request.path == "/ocsp/"
        assert request.content_type == "application/ocsp-request"
        self.asked.append("ocsp")
        self.waiting.set()
        if self.wait is not None:
            await self.wait.wait()
        if self.answer is None:
            return web.Response(status=503)
        holder, issuer = self.holders[asked.serial_number]
        nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        said = self.answer(holder, issuer, nonce)
        if isinstance(said, web.Response):
            return said
        return web.Response(body=said, content_type="application/ocsp-response")

    async def serve_list(self, request: web.Request) -> web.Response:
        assert request.query_string == "full=1"
        self.asked.append("crl")
        self.waiting.set()
        if self.wait is not None:
            await self.wait.wait()
        if self.listed is None:
            return web.Response(status=404)
        said = self.listed()
        return said if isinstance(said, web.Response) else web.Response(body=said)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def fresh(status: Any = GOOD, **options: Any) -> Callable[[Holder, Holder, bytes | None], bytes]:
    """Answers that are made when they are asked for."""

    def say(holder: Holder, issuer: Holder, nonce: bytes | None) -> bytes:
        return issuer.answer(holder, status, nonce=nonce, **{"since": now(), "until": now() + HOUR, **options})

    return say


def lists(issuer: Holder, *revoked: Holder, **options: Any) -> Callable[[], bytes]:
    return lambda: der(issuer.crl(*revoked, **{"since": now(), "until": now() + HOUR, **options}))


@dataclass
class Worker:
    """What one process holds: its own registers and verdicts over the common directory."""

    keeper: RevocationKeeper
    domains: TrustDomains
    trust: AnchoredTrust
    register: StatusRegister

    def accept(self, holder: Holder) -> Any:
        return self.trust.accept(der(holder.certificate), datetime.now(UTC))

    def changed(self) -> asyncio.Event:
        """Set when something comes in that may change a verdict, from whatever thread."""
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        self.register.on_change.append(lambda: loop.call_soon_threadsafe(event.set))
        return event


async def settled(worker: Worker, holder: Holder, within: float = 20.0) -> Any:
    """What an exchange does: judge, ask if that may help, judge again."""
    try:
        return worker.accept(holder)
    except Unsettled as unknown:
        await worker.keeper.settle(unknown, asyncio.get_running_loop().time() + within)
        return worker.accept(holder)


async def refused(worker: Worker, holder: Holder) -> Rejected:
    with pytest.raises(Rejected) as found:
        await settled(worker, holder)
    return found.value


class Deployment:
    """One trust domain in files, and workers that share a directory."""

    def __init__(self, folder: Path, root: Holder, *middle: Holder, **policy: Any) -> None:
        self.folder = folder
        self.directory = folder / "revocation"
        (folder / "root.pem").write_bytes(pem(root.certificate))
        policy.setdefault("anchors", (folder / "root.pem",))
        if middle:
            (folder / "middle.pem").write_bytes(pem(*(one.certificate for one in middle)))
            policy.setdefault("intermediates", (folder / "middle.pem",))
        self.section = Domain(**policy)
        self.settings = Revocation(directory=self.directory, timeout=30.0, max_list=20_000)

    def load(self) -> tuple[TrustDomains, AnchoredTrust, StatusRegister]:
        domains = TrustDomains.load({"public": self.section})
        domain = domains.named("public", "test")
        assert domain.register is not None
        return domains, AnchoredTrust.within(domain, ExpectedSigner((named("CSDL thử"),))), domain.register

    @asynccontextmanager
    async def worker(self, **settings: Any) -> AsyncIterator[Worker]:
        domains, trust, register = self.load()
        keeper = RevocationKeeper(domains, self.settings.model_copy(update=settings))
        await keeper.begin()
        try:
            yield Worker(keeper, domains, trust, register)
        finally:
            await keeper.close()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    app = web.Application()
    app.router.add_post("/ocsp/", made.serve_ocsp)
    app.router.add_get("/lists/ca.crl", made.serve_list)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    yield made
    if made.wait is not None:
        made.wait.set()
    await runner.cleanup()


@pytest.fixture(scope="session")
def root() -> Holder:
    return Holder.root()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)
