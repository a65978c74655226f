"""What a bare client does with the same events: aiohttp, one loop, no evidence, nothing kept, nothing looked at twice.

It logs in, makes the JSON of each batch, posts it, reads the answer and counts the elements that were taken.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import uvloop
from aiohttp import ClientSession, TCPConnector

from adapters.portal_login import DEFAULTS

_PATHS: Final = DEFAULTS["1"]


def sent(url: str, call: bytes, events: int, batch: int, parallel: int, password: str = "bench") -> dict[str, float]:
    """Post so many events, like the first of `call`, in batches; return events per second and per CPU-second.

    `parallel` batches are under way at once.
    """
    return uvloop.run(_run(url, json.loads(call), events, batch, parallel, password))


async def _run(
    url: str, call: Mapping[str, Any], events: int, batch: int, parallel: int, password: str
) -> dict[str, float]:
    template, codes = call["data"][0], [one["MaHoSo"] for one in call["data"]]
    query = {"dstcode": _PATHS["dstcode"]}
    async with ClientSession(url, connector=TCPConnector(limit=0)) as http:
        asked = {"username": "lgsp-portal", "password": password}
        async with http.post(_PATHS["login_path"], params=query, json=asked) as answer:
            session = (await answer.json())["session"]
        head = {"session": session, "madonvi": call["madonvi"], "service": call["service"]}

        async def post(first: int) -> None:
            many = min(batch, events - first)
            data = [{**template, "MaHoSo": codes[place % len(codes)]} for place in range(first, first + many)]
            async with http.post(_PATHS["path"], params=query, json={**head, "data": data}) as answer:
                told = await answer.json()
            if answer.status != 200 or sum(one["error_code"] == "00" for one in told["result"]) != many:
                raise ValueError(f"the portal did not take a batch: {answer.status} {told['message']}")

        async def one_after_the_other(firsts: Iterator[int]) -> None:
            for first in firsts:
                await post(first)

        await post(0)
        firsts = iter(range(0, events, batch))
        used, begun = time.process_time(), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(parallel):
                group.create_task(one_after_the_other(firsts))
        used, passed = time.process_time() - used, time.perf_counter() - begun
    return {"per_second": events / passed, "per_cpu_second": events / used}
