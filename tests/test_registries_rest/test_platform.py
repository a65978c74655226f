"""The platform in front of the registries: tokens, refusals, published contracts."""

from base64 import b64encode
from typing import Any

import pytest
from aiohttp import ClientSession, web
from openapi_spec_validator import validate

from sandbox.ngsp import Gate, day_month_year, name_key
from sandbox.registry import Account
from sandbox.run import Running
from sandbox.world.model import PartialDate

PLATFORM = {
    "enterprise": ("GET", "/apiCSDLDKDN/1.0/chiTietDoanhNghiep?msdn=0100109106"),
    "social-insurance": ("POST", "/apiBHXH/getTraCuuTtHgdByMaSoBhxh"),
    "civil-status": ("POST", "/apiHoTichTuPhap/traCuuKhaiSinh"),
}


@pytest.mark.parametrize("endpoint", PLATFORM)
@pytest.mark.parametrize(
    ("header", "code"),
    [(None, 900902), ("Bearer ", 900902), ("Basic abc", 900902), ("Bearer 00", 900901)],
)
async def test_nothing_is_answered_without_a_token(client: Any, endpoint: str, header: str | None, code: int) -> None:
    method, path = PLATFORM[endpoint]
    headers = {} if header is None else {"Authorization": header}
    async with client.session.request(method, client.running.urls[endpoint] + path, headers=headers) as reply:
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await reply.json())["fault"]["code"] == code


@pytest.mark.parametrize(
    ("form", "secret", "status", "error"),
    [
        ({"grant_type": "client_credentials"}, "wrong", 401, "invalid_client"),
        ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
        ({}, None, 400, "unsupported_grant_type"),
    ],
)
async def test_a_token_is_given_to_the_account_only(
    client: Any, form: dict[str, str], secret: str | None, status: int, error: str
) -> None:
    account = client.running.accounts["enterprise"]
    proof = b64encode(f"{account.username}:{secret or account.secret}".encode()).decode()
    url, headers = f"{client.running.urls['enterprise']}/token", {"Authorization": f"Basic {proof}"}
    body = "&".join(f"{name}={value}" for name, value in form.items())
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    async with client.session.post(url, data=body, headers=headers) as reply:
        assert (reply.status, (await reply.json())["error"]) == (status, error)
    async with client.session.post(url, json=form, headers={"Authorization": f"Basic {proof}"}) as reply:
        assert (reply.status, (await reply.json())["error"]) == (400, "invalid_request")


async def test_a_token_of_one_source_is_none_at_another(client: Any) -> None:
    headers = await client.bearer("enterprise")
    status, _ = await client.post("civil-status", "/apiHoTichTuPhap/traCuuKhaiSinh", headers, {})
    assert status == 401


async def test_a_token_ends(aiohttp_server: Any) -> None:
    now = [0.0]
    gate = Gate(Account("user", "secret"), lifetime=60.0, clock=lambda: now[0])

    async def open_door(request: web.Request) -> web.Response:
        return web.Response(text="in")

    app = web.Application()
    app.router.add_post("/token", gate.token)
    app.router.add_get("/door", gate.guarded(open_door))
    server = await aiohttp_server(app)
    proof = b64encode(b"user:secret").decode()
    async with ClientSession() as session:
        async with session.post(
            server.make_url("/token"),
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {proof}"},
        ) as reply:
            found = await reply.json()
        headers = {"Authorization": f"Bearer {found['access_token']}"}
        for instant, status in ((59.0, 200), (60.0, 401)):
            now[0] = instant
            async with session.get(server.make_url("/door"), headers=headers) as reply:
                assert reply.status == status


async def test_every_endpoint_publishes_a_valid_contract(client: Any, running: Running) -> None:
    for endpoint in running.urls:
        status, document = await client.get(endpoint, "/openapi.json", {})
        assert status == 200
        validate(document)
        assert all(path.startswith("/api") for path in document["paths"])
    assert set(running.contracts) == {"enterprise", "social-insurance", "civil-status"}


def test_dates_show_what_is_known() -> None:
    known = PartialDate(1950), PartialDate(1950, 4), PartialDate(1950, 4, 9)
    assert [day_month_year(value) for value in known] == ["1950", "04/1950", "09/04/1950"]
    assert day_month_year(None) is None


def test_names_are_compared_as_registries_search_them() -> None:
    assert name_key(" NGUYỄN  văn An ") == name_key("nguyễn Văn AN")
    assert name_key("Nguyễn Văn An") != name_key("Nguyen Van An")
