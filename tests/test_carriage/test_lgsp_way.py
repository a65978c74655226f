"""Through a sharing platform: its token in the place of the source's log-in, its context before every path."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr
from structlog.testing import capture_logs

from adapters.schemes import LOGIN_PARAMS, HashedBasic
from adapters.transport import Message
from config.carriage import Lgsp
from config.settings import Endpoint, Settings
from routes.platform_findings import platform_look
from routes.surroundings import surroundings
from sandbox import population
from sandbox.ports import free_port
from sandbox.run import Running
from schemas.errors import UpstreamRefused
from tests.test_carriage.carried import endpoint, reached
from tests.test_carriage.conftest import truths
from tests.test_carriage.platform import ACCOUNT, CONTEXT, Platform, listening, platform
from tests.test_registries_rest.wiring import Client


def way(running: Running, carrier: Platform, name: str, **more: Any) -> Endpoint:
    user, secret = ACCOUNT
    said = Lgsp.model_validate({"context": CONTEXT} | more)
    params = {key: value for key, value in endpoint(running, name).params.items() if key not in LOGIN_PARAMS}
    return endpoint(
        running, name, via="lgsp", url=carrier.url, lgsp=said, username=user, secret=SecretStr(secret), params=params
    )


@pytest.fixture(params=["enterprise", "health-card", "population"])
async def carrier(running: Running, request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Platform]]:
    """The platform before one source, which it is logged in to by itself."""
    name: str = request.param
    if name == "population":
        signed = HashedBasic().sign(Message("POST", population.PATH), endpoint(running, name), None)
        proof = dict(signed.headers)
    else:
        async with ClientSession() as session:
            proof = await Client(session, running).bearer(name)
    async with platform(running.urls[name], proof) as found:
        yield name, found


async def test_the_truth_comes_through_with_the_platform_s_token(
    running: Running, carrier: tuple[str, Platform]
) -> None:
    name, found = carrier
    owner = "social-insurance" if name == "health-card" else name
    asked = [one for one in truths(running, owner) if owner == name or one.operation == name]
    assert asked
    async with reached(name, way(running, found, name)) as ask:
        for truth in asked:
            assert (await ask(owner, truth.operation, truth.request)).data == truth.answer
        assert ask.exchange is not None
    assert found.logins == 1
    assert len(found.seen) == len(asked)
    assert all(request.path.startswith((f"{CONTEXT}/api", f"{CONTEXT}/dancu")) for request in found.seen)
    assert not any("Id-Token" in request.headers for request in found.seen)


@pytest.mark.parametrize("carrier", ["enterprise"], indirect=True)
async def test_a_token_that_ended_is_fetched_again(running: Running, carrier: tuple[str, Platform]) -> None:
    _, found = carrier
    (truth, *_) = truths(running, "enterprise")
    async with reached("enterprise", way(running, found, "enterprise")) as ask:
        await ask("enterprise", truth.operation, truth.request)
        found.token = "another"
        assert (await ask("enterprise", truth.operation, truth.request)).data == truth.answer
    assert found.logins == 2


@pytest.mark.parametrize("carrier", ["enterprise"], indirect=True)
async def test_constant_headers_go_along_with_questions_only(running: Running, carrier: tuple[str, Platform]) -> None:
    _, found = carrier
    (truth, *_) = truths(running, "enterprise")
    headers = {"lgspaccesstoken": SecretStr("eyJBY2Nlc3NLZXkiOiIxIn0=")}
    async with reached("enterprise", way(running, found, "enterprise", headers=headers)) as ask:
        await ask("enterprise", truth.operation, truth.request)
    assert [request.headers["lgspaccesstoken"] for request in found.seen] == ["eyJBY2Nlc3NLZXkiOiIxIn0="]


@pytest.mark.parametrize("carrier", ["enterprise"], indirect=True)
async def test_the_token_may_be_had_at_another_address(running: Running, carrier: tuple[str, Platform]) -> None:
    _, found = carrier
    (truth, *_) = truths(running, "enterprise")
    app = web.Application()
    app.router.add_post("/oauth2/token", found.give)
    async with listening(app) as address:
        how = way(running, found, "enterprise", token=f"{address}/oauth2/token")
        async with reached("enterprise", how) as ask:
            assert (await ask("enterprise", truth.operation, truth.request)).data == truth.answer
    assert found.logins == 1


@pytest.mark.parametrize("carrier", ["enterprise"], indirect=True)
async def test_a_platform_that_does_not_know_us_is_told_from_the_source(
    running: Running, carrier: tuple[str, Platform]
) -> None:
    _, found = carrier
    (truth, *_) = truths(running, "enterprise")
    how = way(running, found, "enterprise").model_copy(update={"secret": SecretStr("wrong")})
    async with reached("enterprise", how) as ask:
        with capture_logs() as log, pytest.raises(UpstreamRefused) as refused:
            await ask("enterprise", truth.operation, truth.request)
    assert found.seen == []
    assert (
        "token address of the platform before enterprise refused the gateway's credentials" in refused.value.detail.en
    )
    (line,) = [line for line in log if line["event"] == "platform-login-refused"]
    assert (line["log_level"], line["endpoint"], line["status"]) == ("warning", "enterprise", 401)


@pytest.mark.parametrize("carrier", ["enterprise"], indirect=True)
async def test_the_doctor_logs_in_to_the_platform_once(running: Running, carrier: tuple[str, Platform]) -> None:
    _, found = carrier
    how = way(running, found, "enterprise")
    (fine,) = await platform_look("enterprise", how)
    assert (fine.level, fine.code, found.logins) == ("ok", "platform-gives", 1)
    app = web.Application()

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html></html>")

    app.router.add_post("/token", page)
    async with listening(app) as address:
        cases = {
            "platform-refused": {"secret": SecretStr("wrong")},
            "platform-unreadable": {"url": address},
            "platform-silent": {"url": f"http://127.0.0.1:{free_port()}"},
        }
        for code, change in cases.items():
            (problem,) = await platform_look("enterprise", how.model_copy(update=change))
            assert (problem.level, problem.code) == ("problem", code)
            assert problem.next
            assert "wrong" not in problem.text
    settings = Settings(endpoints={"enterprise": how.model_copy(update={"secret": SecretStr("wrong")})})
    assert "platform-refused" in {one.code for one in await surroundings(settings)}
    assert found.seen == []
