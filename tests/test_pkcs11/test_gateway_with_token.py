"""A whole gateway whose questions are signed on a token: exchanges, a token that goes away, a reload, commands."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar
from typer.testing import CliRunner

from commands import app
from sandbox.pki import Pki
from tests.services import SoftHsm
from tests.test_gateway.live import Caller, Live, Reply

SOURCES = ("population", "tax")
PIN = "LGSP_TEST_TOKEN_PIN"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def live(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A demo of two workers; the key that signs its questions is on a token, and no longer in a file."""
    state = tmp_path_factory.mktemp("demo") / "state"
    state.mkdir(mode=0o700)
    ours = Pki(state / "pki").gateway_signing()
    softhsm.token("gateway")
    softhsm.import_key("gateway", ours.key, "questions", "01")
    environment = {PIN: SoftHsm.PIN}
    for source in SOURCES:
        environment[f"LGSP_ENDPOINTS__{source.upper()}__KEY"] = softhsm.uri("gateway", "questions")
        environment[f"LGSP_ENDPOINTS__{source.upper()}__KEY_PIN"] = f"env:{PIN}"
    demo = Live(state, "--workers", "2", seed=7, people=30, environment=environment)
    yield demo
    assert demo.stop() == 0
    assert SoftHsm.PIN not in said(demo)


def said(live: Live) -> str:
    """The log of the gateway."""
    return (live.state / "gateway.log").read_text(encoding="utf-8")


@pytest.fixture
async def caller(live: Live) -> AsyncIterator[Caller]:
    async with ClientSession(cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=90)) as session:
        yield Caller(live, session)


async def until(look: Callable[[], Any], what: str) -> None:
    """Look again until it is so."""
    end = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < end, f"{what} did not come"
        await asyncio.sleep(0.05)


async def answers(caller: Caller, name: str, code: str | None) -> list[Reply]:
    """Ask until both workers' tries have the same outcome: 200 where the code is None."""
    end = time.monotonic() + PATIENCE_S
    while True:
        replies = [await caller.ask(name) for _ in range(6)]
        got = {reply.json.get("code") for reply in replies}
        if got == {code}:
            return replies
        assert time.monotonic() < end, got
        await asyncio.sleep(0.1)


async def test_questions_signed_on_a_token_are_answered(caller: Caller) -> None:
    names = [name for source in SOURCES for name in caller.operations(source)]
    replies = await asyncio.gather(*(caller.ask(name) for name in names * 4))
    assert {reply.status for reply in replies} == {200}
    assert all(reply.json["exchange"]["signature"]["status"] == "valid" for reply in replies)


async def test_a_token_that_goes_away_costs_only_questions_that_it_signs(
    live: Live, softhsm: SoftHsm, caller: Caller
) -> None:
    away = softhsm.folder / "away"
    softhsm.tokens.rename(away)
    try:
        for reply in await answers(caller, "tax/taxpayer", "signing-unavailable"):
            assert reply.status == 503
            assert reply.problem["retryable"] is True
            assert reply.problem["receipt"]
        assert (await caller.ask("enterprise/enterprise")).status == 200
        assert (await caller.send("GET", "/readyz")).status == 200
        silent = [json.loads(line) for line in said(live).splitlines() if '"key-silent"' in line]
        assert {line["key"] for line in silent} == {"pkcs11:token=gateway;object=questions"}
        assert all("lgsp doctor" in line["hint"] for line in silent)
        # Once for each key and worker, however many ask.
        assert 0 < len(silent) <= 2 * len([name for source in SOURCES for name in caller.operations(source)])
    finally:
        away.rename(softhsm.tokens)
    assert {reply.status for reply in await answers(caller, "tax/taxpayer", None)} == {200}
    await until(lambda: "key-signs-again" in said(live), "the line of a key that signs again")


def test_the_commands_say_whether_the_token_answers(live: Live, softhsm: SoftHsm) -> None:
    def found(command: str, **more: str) -> dict[str, Any]:
        arguments = [command, "--json", "--config", live.described["config"]]
        done = CliRunner().invoke(app, arguments, env={**live.environment, **more})
        assert SoftHsm.PIN not in done.output
        findings = json.loads(done.stdout)["findings"]
        (each,) = [each for each in findings if each["subject"] == "endpoints.tax.key"]
        return dict(each)

    for command in ("check", "doctor"):
        each = found(command)
        assert each["level"] == "ok"
        assert "pkcs11:token=gateway;object=questions signed a probe" in each["text"]
        each = found(command, LGSP_ENDPOINTS__TAX__KEY=softhsm.uri("nowhere", "questions"))
        assert each["level"] == "problem"
        assert "token nowhere is in no slot" in each["text"]
        assert each["next"]


async def test_a_reload_looks_at_the_token_again(live: Live, softhsm: SoftHsm, caller: Caller) -> None:
    softhsm.tool("gateway", "--delete-object", "--type", "privkey", "--id", "01")
    try:
        os.kill(live.described["pids"]["gateway"], signal.SIGHUP)
        await until(lambda: said(live).count('"reload-failed"') >= 2, "the refusal of both workers")
        assert "no such private key on the token" in said(live)
    finally:
        softhsm.import_key("gateway", Pki(live.state / "pki").gateway_signing().key, "questions", "01")
    before = said(live).count('"reloaded"')
    os.kill(live.described["pids"]["gateway"], signal.SIGHUP)
    await until(lambda: said(live).count('"reloaded"') >= before + 2, "the reload of both workers")
    assert {reply.status for reply in await answers(caller, "population/person", None)} == {200}
