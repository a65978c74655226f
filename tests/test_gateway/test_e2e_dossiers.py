"""Dossiers pushed to a running demo: the samples work, and what was acknowledged outlives workers and machines."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from tests.test_gateway.live import Caller, Live, Reply

SOURCES, EVENTS = 4, 40


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    demo = Live(tmp_path_factory.mktemp("dossiers") / "state", "--workers", "2", seed=7, people=20)
    yield demo
    assert demo.stop() == 0


@pytest.fixture
async def pusher(victims: Live) -> AsyncIterator[Caller]:
    async with ClientSession(cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=90)) as session:
        yield Caller(victims, session)


async def sent(caller: Caller, method: str, path: str, **options: object) -> Reply:
    headers = {"Authorization": f"Bearer {await caller.token('province')}"}
    headers |= options.pop("headers", {})  # type: ignore[arg-type]
    return await caller.send(method, path, headers=headers, **options)


async def test_the_samples_of_the_demo_can_be_pushed(pusher: Caller) -> None:
    samples = pusher.live.described["samples"]
    code = "000.00.00.H26-260105-0007"
    dossier = await sent(pusher, "PUT", f"/v1/dossiers/{code}", json=samples["dossiers/dossier"]["body"])
    assert dossier.status == 201, dossier.body
    status = await sent(
        pusher,
        "POST",
        f"/v1/dossiers/{code}/statuses",
        json=samples["dossiers/status"]["body"],
        headers={"Idempotency-Key": "k"},
    )
    assert (status.status, status.json["result"]) == (202, "accepted"), status.body
    public = await pusher.send("GET", f"/v1/public/dossiers/{code}")
    assert public.json["completion"]["degree"] == "in-progress"


async def test_the_public_may_not_guess(pusher: Caller) -> None:
    replies = [await pusher.send("GET", f"/v1/public/dossiers/H26-260105-{place:04}") for place in range(40)]
    assert {reply.status for reply in replies} == {200, 429}
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.problem["code"] == "too-many-requests"


async def test_what_was_acknowledged_outlives_everything(pusher: Caller) -> None:
    acknowledged: dict[str, tuple[str, int]] = {}
    doubled: list[str] = []

    async def source(number: int) -> None:
        code = f"000.00.00.H26-260106-{number:04}"
        for sequence in range(1, EVENTS + 1):
            key = f"{number}-{sequence}"
            body = {"status": "4", "at": "2026-01-06T09:00:00+07:00", "sequence": sequence}
            while True:
                try:
                    reply = await sent(
                        pusher, "POST", f"/v1/dossiers/{code}/statuses", json=body, headers={"Idempotency-Key": key}
                    )
                except (ClientError, OSError, KeyError, AssertionError):
                    # Nobody there, an answer that was lost, or no token where evidence cannot be kept: the same again.
                    await asyncio.sleep(0.05)
                    continue
                if reply.status == 202:
                    break
                assert reply.status in (401, 409, 503), reply.body
                pusher.live.tokens.clear()
                await asyncio.sleep(0.05)
            told = reply.json["delivery"], reply.json["receipt"]["index"]
            if acknowledged.setdefault(key, told) != told:
                doubled.append(key)

    async def reached(count: int) -> None:
        async with asyncio.timeout(120):
            while len(acknowledged) < count:
                await asyncio.sleep(0.01)

    pushing = [asyncio.create_task(source(number)) for number in range(1, SOURCES + 1)]
    await reached(20)
    os.kill(pusher.live.workers()[0], signal.SIGKILL)
    await reached(60)
    for pid in pusher.live.workers():
        os.kill(pid, signal.SIGKILL)
    await reached(100)
    await asyncio.to_thread(pusher.live.kill)
    await asyncio.to_thread(pusher.live.start)
    await asyncio.gather(*pushing)
    assert len(acknowledged) == SOURCES * EVENTS
    assert doubled == []
    listed: dict[str, int] = {}
    after = ""
    while True:
        page = (await sent(pusher, "GET", f"/v1/deliveries?limit=100{after}")).json
        listed |= {item["id"]: item["receipt_index"] for item in page["items"] if "-260106-" in item["code"]}
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert listed == dict(acknowledged.values())
