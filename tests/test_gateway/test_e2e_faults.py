"""Every fault of every registry, switched on under a running gateway: what callers are told, and who is spared."""

import asyncio
import time

import pytest

from tests.test_commands.conftest import printed
from tests.test_gateway.live import DATABASES, SIGNING, Caller, Reply

UNREACHABLE = {"down": "upstream-unavailable", "error=1": "upstream-unavailable"}
UNREACHABLE |= {"drop-after-commit": "upstream-unavailable"}
REASONS = {
    "tampered": "altered",
    "unsigned": "not-covered",
    "wrong-signer": "untrusted",
    "expired-cert": "expired",
    "revoked-cert": "revoked",
    "stale": "stale",
    "replayed": "replayed",
    "wrong-answer": "not-answer-to-request",
    "malformed": "malformed",
}


async def faulty(caller: Caller, database: str, kind: str, names: list[str]) -> list[Reply]:
    """Ask `names` while the database has a fault; meanwhile the other five must answer. Ends with all well again."""
    for name in caller.operations(database):
        assert (await caller.ask(name)).status == 200
    me = (await caller.send("GET", "/v1/me", headers={"Authorization": f"Bearer {await caller.token()}"})).json
    deadline = max(grant["deadline_ms"] for grant in me["grants"] if grant["database"] == database)
    await caller.fault(database, kind)
    try:
        asked = [asyncio.ensure_future(caller.ask(name)) for name in names]
        for other in DATABASES:
            if other != database:
                assert (await caller.ask(caller.operations(other)[0])).status == 200
        async with asyncio.timeout(deadline / 1000 + 1):
            return list(await asyncio.gather(*asked))
    finally:
        await caller.healed([database])


def undisclosed(caller: Caller, name: str, reply: Reply) -> None:
    """Nothing that the source told about anybody may be in the answer."""
    assert "data" not in reply.problem
    for value in caller.samples[name]["data"].values():
        if isinstance(value, str) and len(value) > 5:
            assert value.encode() not in reply.body


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("kind", UNREACHABLE)
async def test_a_source_that_does_not_answer(caller: Caller, database: str, kind: str) -> None:
    (reply,) = await faulty(caller, database, kind, caller.operations(database)[:1])
    assert (reply.status, reply.problem["code"]) == (503, UNREACHABLE[kind])
    assert reply.problem["retryable"] is True
    assert {"exchange", "receipt"} <= reply.problem.keys()


@pytest.mark.parametrize("database", sorted(set(DATABASES) - set(SIGNING)))
async def test_an_answer_that_breaks_off(caller: Caller, database: str) -> None:
    names = caller.operations(database)
    for name, reply in zip(names, await faulty(caller, database, "malformed", names), strict=True):
        assert (reply.status, reply.problem["code"]) == (502, "upstream-unreadable")
        assert reply.problem["retryable"] is False
        undisclosed(caller, name, reply)


@pytest.mark.parametrize("database", SIGNING)
@pytest.mark.parametrize("kind", REASONS)
async def test_an_answer_that_is_not_proven_genuine(caller: Caller, database: str, kind: str) -> None:
    names = caller.operations(database)
    for name, reply in zip(names, await faulty(caller, database, kind, names), strict=True):
        problem = reply.problem
        assert (reply.status, problem["code"]) == (502, "upstream-signature-rejected")
        assert problem["reason"] == REASONS[kind], name
        assert {"exchange", "receipt"} <= problem.keys()
        undisclosed(caller, name, reply)


async def hurried(caller: Caller, names: list[str]) -> str:
    """Register a client that waits four seconds for these operations, as an operator does; return its name."""
    name, config = "hurried", ("--config", caller.live.described["config"])
    (added,) = await asyncio.to_thread(
        printed, "clients", "add", name, "--name", "In haste", "--agency", "G12", *config
    )
    for operation in names:
        grant = ("--purpose", "dossier-processing", "--field", "*", "--deadline-ms", "4000")
        await asyncio.to_thread(printed, "clients", "grant", name, operation, *grant, *config)
    caller.live.described["clients"][name] = {"client_id": name, "client_secret": added["client_secret"]}
    async with asyncio.timeout(90):
        while (await caller.grant(name)).status != 200 or (await caller.ask(names[-1], client=name)).status != 200:
            await asyncio.sleep(0.1)
    return name


async def test_slow_sources_are_given_up_within_the_deadline(caller: Caller) -> None:
    names = [caller.operations(database)[0] for database in DATABASES]
    client = await hurried(caller, names)
    for name in names:
        assert (await caller.ask(name, client=client)).status == 200
    for database in DATABASES:
        await caller.fault(database, "latency=60s")
    try:
        # Less than anybody waits who has no deadline of their own.
        async with asyncio.timeout(15):
            replies = await asyncio.gather(*(caller.ask(name, client=client) for name in names))
    finally:
        await caller.healed()
    assert [(reply.status, reply.problem["code"]) for reply in replies] == [(504, "upstream-timeout")] * len(names)


async def test_a_slow_source_that_is_fast_enough_is_waited_for(caller: Caller) -> None:
    (reply,) = await faulty(caller, "population", "latency=0.5s", ["population/person"])
    assert (reply.status, reply.json["data"]) == (200, caller.samples["population/person"]["data"])


@pytest.mark.parametrize("database", DATABASES)
async def test_occasional_errors_are_absorbed(caller: Caller, database: str) -> None:
    async def failed() -> float:
        labels = {"endpoint": database, "outcome": "upstream-unavailable"}
        return await caller.metric("lgsp_upstream_attempts_total", **labels)

    names, before = caller.operations(database) * 3, await failed()
    # A source that fails now and then may not have done so yet; so seldom that three tries of two questions never fail.
    for _ in range(300):
        replies = await faulty(caller, database, "error=0.04", names)
        assert [reply.status for reply in replies].count(200) >= len(names) - 1
        if await failed() > before:
            return
    pytest.fail("the source did not fail once")


async def test_the_circuit_opens_and_closes_again(caller: Caller) -> None:
    await caller.healed(["tax"])
    await caller.fault("tax", "down")
    seen = []
    for _ in range(8):
        reply = await caller.ask("tax/taxpayer")
        seen.append(reply.problem["code"])
        assert reply.status == 503
        if seen[-1] == "circuit-open":
            break
    assert seen[0] == "upstream-unavailable"
    assert seen[-1] == "circuit-open"
    left, seen_at = int(reply.headers["Retry-After"]), time.monotonic()
    assert 1 <= left <= 10
    assert await caller.metric("lgsp_breaker_state", endpoint="tax") == 2
    assert (await caller.ask("population/person")).status == 200
    # The source is well again, but the circuit is left open as long as it said.
    await caller.fault("tax", None)
    reply = await caller.ask("tax/taxpayer")
    if time.monotonic() < seen_at + left - 1:
        assert reply.problem["code"] == "circuit-open"
    await caller.healed(["tax"])
    assert await caller.metric("lgsp_breaker_state", endpoint="tax") == 0


async def test_a_source_of_which_nobody_can_tell_is_never_ready_or_not_ready(caller: Caller) -> None:
    await caller.fault("land", "down")
    try:
        assert (await caller.send("GET", "/readyz")).status == 200
        assert (await caller.send("GET", "/livez")).status == 200
    finally:
        await caller.healed(["land"])


async def test_a_fault_that_a_source_cannot_have_is_refused(caller: Caller) -> None:
    for database in set(DATABASES) - set(SIGNING):
        url = caller.live.described["registries"][database]["url"]
        async with caller.session.put(f"{url}/_faults", json={"fault": "unsigned"}) as answer:
            assert answer.status == 422
