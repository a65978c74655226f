"""Large signed answers read in threads: the same verdicts as on the loop, each answer accepted once by all of them."""

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest

from adapters.bindings import Codec, Expected
from adapters.offloading import LARGE, in_thread
from adapters.transport import Reply
from bench.pieces_loop import tax_codec
from bench.pieces_wire import ECDSA, Answer, Wire, answer_of, sized, wire
from schemas.errors import UpstreamSignatureRejected
from security.shared_signatures import SharedSignatures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Wire:
    return wire(tmp_path_factory.mktemp("wire"))


@pytest.fixture
def codec(made: Wire, tmp_path: Path) -> Iterator[Codec]:
    """The tax register's, with the memory that workers share."""
    memory = SharedSignatures(tmp_path / "replays.bin")
    yield tax_codec(made, memory)
    memory.close()


def asked(answer: Answer) -> tuple[Reply, Expected]:
    return Reply(200, {}, answer.envelope), Expected("m", answer.confirms)


def verdict(found: object) -> str:
    """What became of one: the reason of a rejected signature, or that it was read."""
    if isinstance(found, BaseException):
        assert isinstance(found, UpstreamSignatureRejected), found
        return str(found.reason)
    return "read"


async def verdicts(reading: list[Awaitable[object]]) -> list[str]:
    """What became of each."""
    return list(map(verdict, await asyncio.gather(*reading, return_exceptions=True)))


async def test_each_answer_is_accepted_once_by_all_threads(made: Wire, codec: Codec) -> None:
    answers = [answer_of(sized(3 * LARGE), made.keys[ECDSA]) for _ in range(4)]
    assert all(len(each.envelope) > LARGE for each in answers)
    found = await verdicts([in_thread(codec.read, *asked(each)) for each in answers for _ in range(4)])
    assert [found[start : start + 4].count("read") for start in (0, 4, 8, 12)] == [1] * 4
    assert set(found) == {"read", "replayed"}


async def test_a_thread_and_the_loop_read_alike(made: Wire, codec: Codec) -> None:
    def fresh() -> tuple[Reply, Expected]:
        return asked(answer_of(sized(2 * LARGE), made.keys[ECDSA]))

    in_a_thread = await in_thread(codec.read, *fresh())
    on_the_loop = codec.read(*fresh())
    assert in_a_thread.data == on_the_loop.data
    assert in_a_thread.provenance is not None


async def test_what_is_forged_is_refused_in_a_thread_too(made: Wire, codec: Codec) -> None:
    genuine = answer_of(sized(2 * LARGE), made.keys[ECDSA])
    reply, expected = asked(genuine)
    forged = {
        "altered": (Reply(200, {}, genuine.envelope.replace(b"10100", b"10101")), expected),
        "malformed": (Reply(200, {}, genuine.envelope.replace(b"?>", b"?><!-- -->") + b"<x/>"), expected),
        "not-answer-to-request": (reply, Expected("m", made.answers[f"2 KB {ECDSA}"].confirms)),
    }
    found = await verdicts([in_thread(codec.read, *each) for each in forged.values()])
    assert found == list(forged)


async def test_threads_are_those_that_were_made_for_it(codec: Codec) -> None:
    seen = await asyncio.gather(*(in_thread(threading.current_thread) for _ in range(20)))
    assert len(set(seen)) <= 2
    assert threading.main_thread() not in seen
