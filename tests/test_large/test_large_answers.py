"""While a large answer is read, its process answers others; nobody waits longer for it than was promised."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import offloading
from adapters.bindings import Codec, Expected, Rest
from adapters.breakers import Breakers
from adapters.dispatch import compile_codecs, dispatch
from adapters.http_connection import Reply
from adapters.login import Link
from adapters.offloading import LARGE, in_thread
from adapters.resilience import retried
from adapters.schemes import ClientCredentials, NoLogin
from adapters.transport import maybe_applied
from config.settings import Endpoint
from schemas.errors import Overloaded, Text, UpstreamTimeout, UpstreamUnreadable
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Handler, Operation
from schemas.fields import Question, Record, said
from tests.test_resilience.doubles import leap, request
from tests.test_resilience.exchanges import NoStore

TITLE = Text("Thử", "Trial")
SIZES = {"small": 20, "just-below": LARGE - 1, "at": LARGE, "largest": 4 * 1024 * 1024}


class Ask(Question):
    pass


class Found(Record):
    name: str | None = said("Tên", "Name", "ten")


OPERATIONS = tuple(
    Operation(name=name, title=TITLE, question=Ask, answer=Found, binding=Rest(method="GET", path=f"/{name}"))
    for name in SIZES
)
DATABASE = Database(name="trial", title=TITLE, owner=TITLE, operations=OPERATIONS)


def sized(name: str) -> bytes:
    """An answer of exactly the size that its name promises."""
    bare = len(json.dumps({"ten": ""}))
    return json.dumps({"ten": "x" * max(0, SIZES[name] - bare)}).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await request(reader)
            body = sized(head.split()[1].decode().strip("/"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


def exchange(name: str, seconds: float = 60.0) -> Exchange:
    operation = next(each for each in OPERATIONS if each.name == name)
    return Exchange(
        id="e",
        database=DATABASE,
        operation=operation,
        question=Ask(),
        caller=Caller("c", "G01", Credential("secret", "s"), {}),
        purpose=None,
        asked_at=datetime.now(UTC),
        deadline=asyncio.get_running_loop().time() + seconds,
    )


@dataclass
class Held:
    """A reader that tells when it has begun and goes on when it is let; it would not be, were it on the loop."""

    codec: Codec
    begun: threading.Event = field(default_factory=threading.Event)
    let: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def read(self, reply: Reply, expected: Expected) -> Answer:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.let.wait(60), "the event loop was held up"
        return self.codec.read(reply, expected)


@dataclass
class Trial:
    """The gateway's innermost handler before a source of answers of every size."""

    handler: Handler
    endpoint: Endpoint
    codecs: dict[tuple[str, str], Codec]

    def hold(self, name: str) -> Held:
        held = Held(self.codecs["trial", name])
        self.codecs["trial", name] = held.codec._replace(read=held.read)
        return held

    def noting(self, name: str) -> list[threading.Thread]:
        codec, seen = self.codecs["trial", name], []

        def read(reply: Reply, expected: Expected) -> Answer:
            seen.append(threading.current_thread())
            return codec.read(reply, expected)

        self.codecs["trial", name] = codec._replace(read=read)
        return seen


@pytest.fixture
async def trial() -> AsyncIterator[Trial]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    endpoint = Endpoint(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    link = Link("trial", endpoint, NoLogin())
    codecs = dict(compile_codecs([DATABASE], {"trial": endpoint}))
    yield Trial(dispatch(codecs, {"trial": link}), endpoint, codecs)
    await link.close()
    server.close()


async def begun(held: Held) -> None:
    assert await asyncio.to_thread(held.begun.wait, 60)


async def test_others_are_answered_while_a_large_answer_is_read(trial: Trial) -> None:
    held = trial.hold("largest")
    large = asyncio.ensure_future(trial.handler(exchange("largest")))
    await begun(held)
    assert len((await trial.handler(exchange("small"))).data["name"]) > 0
    assert not large.done()
    held.let.set()
    assert len((await large).data["name"]) > SIZES["largest"] - 20


@pytest.mark.parametrize(("name", "beside"), [("small", False), ("just-below", False), ("at", True)])
async def test_where_an_answer_is_read_depends_on_its_size(trial: Trial, name: str, beside: bool) -> None:
    seen = trial.noting(name)
    answer = await trial.handler(exchange(name))
    assert len(answer.data["name"]) == len(json.loads(sized(name))["ten"])
    assert [each is not threading.main_thread() for each in seen] == [beside]


async def test_what_is_wrong_with_a_large_answer_is_said_as_of_a_small_one(trial: Trial) -> None:
    codec = trial.codecs["trial", "at"]
    trial.codecs["trial", "at"] = codec._replace(
        read=lambda reply, expected: codec.read(replace(reply, body=reply.body[:-1]), expected)
    )
    with pytest.raises(UpstreamUnreadable):
        await trial.handler(exchange("at"))


async def test_the_deadline_holds_while_a_large_answer_is_read(trial: Trial) -> None:
    held = trial.hold("at")
    breakers = Breakers({"trial": trial.endpoint}, NoStore())
    handler = retried(breakers, {"trial": trial.endpoint})(trial.handler)
    call = asyncio.create_task(handler(exchange("at", seconds=5)))
    await begun(held)
    leap(5)
    with pytest.raises(UpstreamTimeout):
        await call
    # It is read to its end all the same, and the next ones are read as ever.
    held.let.set()
    assert (await trial.handler(exchange("small"))).data["name"]
    await breakers.close()


async def test_who_leaves_frees_the_place_of_what_was_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offloading, "_READERS", offloading._Readers())
    let = threading.Event()
    began: list[int] = []

    def work(number: int) -> int:
        began.append(number)
        assert let.wait(60)
        return number

    async def tried(number: int) -> Any:
        try:
            return await in_thread(work, number)
        except Overloaded as error:
            return error

    tasks = [asyncio.create_task(tried(number)) for number in range(33)]
    refused = await tasks[-1]
    assert isinstance(refused, Overloaded)
    assert refused.retry_after
    # The source has answered: what had an effect must not be sent again unseen.
    assert maybe_applied(refused)
    for task in tasks[2:31]:
        task.cancel()
    await asyncio.wait(tasks[2:31])
    more = asyncio.create_task(tried(33))
    await asyncio.sleep(0)
    let.set()
    assert list(await asyncio.gather(tasks[0], tasks[1], tasks[31], more)) == [0, 1, 31, 33]
    assert set(began) == {0, 1, 31, 33}


def logging_in(body: bytes) -> Callable[[], Any]:
    steps = ClientCredentials().log_in(Endpoint(url="http://localhost"))
    next(steps)
    return lambda: steps.send(Reply(200, {}, body))


def test_no_token_is_so_long_that_it_could_hold_up_others() -> None:
    token = {"access_token": "a", "expires_in": 10}
    with pytest.raises(StopIteration):
        logging_in(json.dumps(token).encode())()
    with pytest.raises(UpstreamUnreadable):
        logging_in(json.dumps(token | {"more": "x" * LARGE}).encode())()
