"""The contracts as they are served: both ports or one, at the address that callers know."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from lxml import etree

from adapters import DATABASES
from config.settings import Server
from routes import frame
from routes.soap.published import add_contracts
from routes.soap.wsdl import database_wsdl
from tests.test_openapi.vehicle import VEHICLE
from tests.test_soap_contract.test_basic_profile import SOAPS, WSDL

NAMES = [database.name for database in DATABASES]


@pytest.fixture(params=["https://lgsp.example.vn", "https://lgsp.example.vn/", "http://10.0.0.1:8080/gateway"])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, str]]:
    """The address of a server, and the one by which callers know it."""
    settings = Server(public_url=request.param)
    app = web.Application()
    frame.setup(app, settings)
    add_contracts(app.router, (*DATABASES, VEHICLE), frame.public_url(settings))
    async with TestServer(app, skip_url_asserts=True) as server:
        yield str(server.make_url("")).rstrip("/"), request.param.rstrip("/")


async def got(url: str, method: str = "GET") -> tuple[int, str, bytes]:
    async with ClientSession() as session, session.request(method, url) as answer:
        return answer.status, answer.headers.get("Content-Type", ""), await answer.read()


@pytest.mark.parametrize("name", [*NAMES, "vehicle"])
async def test_every_database_is_served(served: tuple[str, str], name: str) -> None:
    url, public = served
    status, kind, body = await got(f"{url}/soap/{name}?wsdl")
    assert (status, kind) == (200, "text/xml; charset=utf-8")
    database = next(each for each in (*DATABASES, VEHICLE) if each.name == name)
    assert body == database_wsdl(database, public)
    assert {each.get("location") for each in etree.fromstring(body).iter("{*}address")} == {f"{public}/soap/{name}"}


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "Wsdl=", "wsdl=1", "singleWsdl&wsdl"])
async def test_however_it_is_asked_for(served: tuple[str, str], query: str) -> None:
    status, _, body = await got(f"{served[0]}/soap/tax?{query}")
    assert status == 200
    assert {each.tag for each in etree.fromstring(body).iter("{*}address")} == {
        f"{soap}address" for soap in SOAPS.values()
    }


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_one_port_alone(served: tuple[str, str], version: str) -> None:
    status, _, body = await got(f"{served[0]}/soap/tax?wsdl&soap={version}")
    root = etree.fromstring(body)
    assert status == 200
    assert [each.tag for each in root.iter("{*}address")] == [f"{SOAPS[version]}address"]
    assert len(root.findall(f"{WSDL}binding")) == len(root.findall(f"{WSDL}service/{WSDL}port")) == 1
    other = SOAPS["1.2" if version == "1.1" else "1.1"].strip("{}")
    assert other.encode() not in body


@pytest.mark.parametrize("value", ["", "1", "1.3", "1.1,1.2", "soap11"])
async def test_another_version_is_refused(served: tuple[str, str], value: str) -> None:
    status, kind, body = await got(f"{served[0]}/soap/tax?wsdl&soap={value}")
    assert (status, kind) == (422, "application/problem+json")
    assert b'"parameter":"soap"' in body


@pytest.mark.parametrize("query", ["", "?soap=1.1", "?xsd", "?wsdl2"])
async def test_without_the_word_there_is_a_hint(served: tuple[str, str], query: str) -> None:
    status, kind, body = await got(f"{served[0]}/soap/tax{query}")
    assert (status, kind) == (404, "application/problem+json")
    assert b"?wsdl" in body


async def test_unknown_databases_have_none(served: tuple[str, str]) -> None:
    assert (await got(f"{served[0]}/soap/vehicles?wsdl"))[0] == 404
    status, _, body = await got(f"{served[0]}/soap/tax?wsdl", "HEAD")
    assert (status, body) == (200, b"")
