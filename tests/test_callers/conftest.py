"""A small deployment for the tests of callers: real SQLite, real keys, real audit log, one declared database."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.settings import Server
from routes import frame, me, tokens
from routes.context import PEER
from routes.quota import quota
from routes.recorded import recorded
from schemas.errors import EvidenceUnavailable, Text
from schemas.exchange import Caller, Database, Grant, Operation
from schemas.fields import Question, Record, said
from security.administration import Change, add
from security.assertions import Assertions, UsedAssertions
from security.audit.anonymous import BulkCounter
from security.audit.assembly import open_log
from security.audit.batch import Write
from security.audit.entries import Evidence
from security.audit.log import AuditLog
from security.audit.trail import AuditTrail
from security.client_store import load
from security.clients import Client
from security.identity import Identity
from security.keys import KeyRing
from security.registry import ClientRegistry
from security.tokens import Tokens
from storage.engine import Storage
from storage.schema import open_storage, upgrade

ISSUER = "https://gateway.test"


class Wire:
    protocol = "test"


class Owner(Record):
    name: str | None = said("Tên", "Name", "t")
    share: str | None = said("Phần", "Share", "s")


class Place(Record):
    street: str | None = said("Đường", "Street", "d")
    owners: list[Owner] | None = said("Chủ", "Owners", "c")


class Thing(Record):
    code: str | None = said("Mã", "Code", "m")
    colour: str | None = said("Màu", "Colour", "u")
    place: Place | None = said("Nơi", "Place", "n")
    tags: list[str] | None = said("Thẻ", "Tags", "g")


class Ask(Question):
    code: str = said("Mã", "Code", "m", required=True)


THING = Operation(name="thing", title=Text("Vật", "Thing"), question=Ask, answer=Thing, binding=Wire())
STORE = Database(name="store", title=Text("Kho", "Store"), owner=Text("Bộ", "Ministry"), operations=(THING,))
GRANT = Grant("store", "thing", frozenset({"inspection"}), frozenset({"code", "place.street"}))


@pytest.fixture(scope="session")
def declared() -> Database:
    return STORE


@pytest.fixture(scope="session")
def grant() -> Grant:
    return GRANT


class Clock:
    """A clock that the test turns; starts now."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@dataclass
class Deployment:
    storage: Storage
    keys: KeyRing
    log: AuditLog
    registry: ClientRegistry
    tokens: Tokens
    identity: Identity
    assertions: Assertions
    clock: Clock
    secrets: dict[str, str] = field(default_factory=dict)
    counted: list[tuple[str, str, str | None]] = field(default_factory=list)

    async def commit(self, change: Change, *, refresh: bool = True) -> Client:
        """Make a change durable as the command line does, and let the registry see it."""
        await self.log.record(change.evidence, writes=(change.write,))
        if change.secret is not None:
            self.secrets[change.client.client_id] = change.secret
        if refresh:
            await self.registry.refresh()
        return await self.client(change.client.client_id)

    async def client(self, client_id: str) -> Client:
        found = await self.storage.read(lambda connection: load(connection, client_id))
        assert found is not None
        return found

    async def add(self, client_id: str = "ministry", **options: object) -> Client:
        given: dict[str, object] = {"name": "A ministry", "agency": "G12", "by": "test"} | options
        return await self.commit(add(client_id, **given))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database and a set of keys, to be copied: making them anew for each test costs most of its time."""
    folder = tmp_path_factory.mktemp("prepared")
    asyncio.run(upgrade(f"sqlite:///{folder}/lgsp.sqlite"))
    KeyRing.create(folder / "keys")
    return folder


@pytest.fixture
async def deployment(tmp_path: Path, prepared: Path) -> AsyncIterator[Deployment]:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    storage = await open_storage(f"sqlite:///{tmp_path}/lgsp.sqlite")
    keys = KeyRing(tmp_path / "keys")
    log = await open_log(storage, keys, "lgsp.test/log", tmp_path / "vault")
    clock = Clock()
    registry = ClientRegistry(storage)
    tokens = Tokens(keys, ISSUER, clock=clock)
    identity = Identity(registry, tokens, clock=clock)
    audiences = frozenset({ISSUER, f"{ISSUER}/oauth2/token"})
    assertions = Assertions(registry, UsedAssertions(storage), audiences, clock=clock)
    yield Deployment(storage, keys, log, registry, tokens, identity, assertions, clock)
    await log.close()
    await storage.close()


@dataclass(frozen=True)
class Authority:
    """A certification authority of the tests."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        return cls(_builder(subject, subject, key.public_key(), authority=True).sign(key, hashes.SHA256()), key)

    def issue(
        self, name: str, *, start: timedelta = timedelta(days=-1), days: int = 30
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self.certificate.subject, key.public_key(), start=start, days=days)
        return builder.sign(self.key, hashes.SHA256()), key


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    authority: bool = False,
    start: timedelta = timedelta(days=-1),
    days: int = 30,
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) + start
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.make("Test clients CA")


@pytest.fixture
def stranger() -> Authority:
    """Another authority of the same name: only its key tells them apart."""
    return Authority.make("Test clients CA")


@dataclass
class RedisServer:
    process: subprocess.Popen[bytes]
    url: str

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    socket = tmp_path_factory.mktemp("r") / "s"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if b"Ready to accept" in line or b"ready to accept" in line:
            break
    server = RedisServer(process, f"unix://{socket}")
    yield server
    server.kill()
    process.stdout.close()


Build = Callable[..., web.Application]


@pytest.fixture
def application(deployment: Deployment) -> Build:
    """Builds the real application around tokens and `/v1/me`; `failing` loses the evidence of tokens."""

    def build(server: Server, *, failing: bool = False) -> web.Application:
        app = web.Application()
        frame.setup(app, server)

        def identify(request: web.Request) -> Caller:
            return deployment.identity.identify(request.headers.get("Authorization"), request[PEER].certificate)

        async def fail(_: Evidence, *, writes: Sequence[Write] = ()) -> None:
            raise EvidenceUnavailable

        def count(reason: str, source: str, client: str | None) -> None:
            deployment.counted.append((reason, source, client))

        app.middlewares.extend((quota, recorded(identify, AuditTrail(deployment.log, BulkCounter(deployment.log)), ())))
        record = fail if failing else deployment.log.record
        tokens.setup(app, tokens.TokenEndpoint(deployment.identity, deployment.assertions, record, count))
        me.setup(app, me.describing(deployment.identity, (STORE,)))
        return app

    return build


@pytest.fixture
def start(aiohttp_client: Any, application: Build) -> Callable[..., Awaitable[TestClient[Any, Any]]]:
    async def begin(*, failing: bool = False, **options: Any) -> TestClient[Any, Any]:
        server = Server(public_url=ISSUER, **options)
        client: TestClient[Any, Any] = await aiohttp_client(application(server, failing=failing))
        return client

    return begin
