"""While a large request is read, its process answers others; what several threads read is not mixed."""

import asyncio
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from adapters.offloading import LARGE
from routes.bodies import read_json
from routes.strict_json import MAX_DEPTH, parse_json
from schemas.errors import Malformed


async def test_others_are_answered_while_a_large_body_is_read(aiohttp_client: Any) -> None:
    begun, let = threading.Event(), threading.Event()

    def make(value: Any) -> int:
        if len(value) > 1:
            begun.set()
            assert let.wait(10), "the event loop was held up"
        return len(value)

    async def echo(asked: web.Request) -> web.Response:
        return web.json_response(await read_json(asked, 2 * LARGE, make))

    app = web.Application()
    app.router.add_post("/", echo)
    client = await aiohttp_client(app)
    large = asyncio.create_task(client.post("/", json=["x" * LARGE, 1]))
    assert await asyncio.to_thread(begun.wait, 10)
    assert await (await client.post("/", json=["x"])).json() == 1
    let.set()
    assert await (await large).json() == 2


def judged(body: bytes) -> Any:
    try:
        return parse_json(body)
    except Malformed as error:
        return [(flaw.pointer, flaw.detail) for flaw in error.flaws]


BODIES = [
    # What is wrong comes early in its body: the rest is read while others begin.
    json.dumps([index] if index % 2 else {"x": [12345678901234567890, *range(index, 400)]}).encode()
    for index in range(40)
]


def test_readers_of_several_threads_do_not_disturb_each_other() -> None:
    expected = list(map(judged, BODIES))
    before = sys.getswitchinterval()
    # Threads take turns in the middle of a body.
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(10):
                assert list(pool.map(judged, BODIES)) == expected
    finally:
        sys.setswitchinterval(before)


@given(
    depth=st.integers(1, MAX_DEPTH + 8),
    beside=st.integers(0, 90),
    kinds=st.lists(st.booleans(), min_size=MAX_DEPTH + 8, max_size=MAX_DEPTH + 8),
)
def test_depth_is_counted_alike_however_many_values_stand_beside(depth: int, beside: int, kinds: list[bool]) -> None:
    value: Any = [[]] * beside
    # An empty list is a level, too.
    levels = 2 if beside else 1
    for kind in kinds[: depth - levels]:
        value = [value] if kind else {"a": value}
        levels += 1
    body = json.dumps(value).encode()
    if levels > MAX_DEPTH:
        with pytest.raises(Malformed):
            parse_json(body)
    else:
        assert parse_json(body) == value


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\uDBFF", "\\udc00", "\\uDfff", "\\uD83d\\u0041"])
def test_no_escape_smuggles_what_is_no_text(escape: str) -> None:
    for body in (f'["{escape}"]', f'{{"{escape}": 1}}', f'{{"a": [0, {{"b": "x{escape}"}}]}}'):
        with pytest.raises(Malformed):
            parse_json(body.encode())


@pytest.mark.parametrize("escape", ["\\ud83d\\ude00", "\\u0041", "\\\\u0000", "\\\\ud800"])
def test_escapes_of_text_are_text(escape: str) -> None:
    body = f'{{"{escape}": ["{escape}"]}}'
    assert parse_json(body.encode()) == json.loads(body)


def test_brackets_in_a_text_are_no_levels() -> None:
    assert parse_json(json.dumps("[" * 1000).encode()) == "[" * 1000
