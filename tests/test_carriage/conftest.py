"""Registries of the sandbox on real sockets, and the strict security server before them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from adapters.schemes import HashedBasic
from adapters.transport import Message
from sandbox import enterprise, land, population, social_insurance
from sandbox.registry import Registry, Truth
from sandbox.run import Running, start
from sandbox.world.world import World
from tests.test_carriage.carried import endpoint
from tests.test_sandbox.conftest import Place
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.provider_link import Service
from tests.test_xroad.double.soap_answer import SoapAnswer
from tests.test_xroad.double.soap_request import SoapRequest

REGISTRIES = (population.REGISTRY, land.REGISTRY, enterprise.REGISTRY, social_insurance.REGISTRY)


def truths(running: Running, registry: str, *operations: str) -> list[Truth]:
    found: Registry = next(one for one in REGISTRIES if one.name == registry)
    return [truth for truth in found.truth(running.world) if not operations or truth.operation in operations]


@pytest.fixture(scope="session")
def world() -> World:
    return World(7, 40)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("carriage")


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    found = Place()
    yield found
    found.close()


@pytest.fixture
def ports(place: Place) -> Iterator[dict[str, int]]:
    with place.given_up() as ports:
        yield ports


@pytest.fixture
async def running(world: World, state: Path, ports: dict[str, int]) -> AsyncIterator[Running]:
    registries = await start(world, state, registries=REGISTRIES, ports=ports)
    yield registries
    await registries.close()


@pytest.fixture
async def server(running: Running) -> AsyncIterator[ConsumerServer]:
    """Our security server; behind the provider's, the population database is logged in to by its own people."""
    direct = endpoint(running, "population")
    async with ClientSession() as session:

        async def registry(request: SoapRequest) -> SoapAnswer:
            proof = HashedBasic().sign(Message("POST", population.PATH), direct, None)
            headers = {**proof.headers, "Content-Type": request.content_type, "SOAPAction": request.soap_action or ""}
            async with session.post(direct.url + proof.path, data=request.envelope, headers=headers) as answer:
                return SoapAnswer(answer.status, answer.headers.get("Content-Type"), await answer.read())

        names = ("TraCuuThongTinCongDan", "XacThucThongTinCongDan", "XacMinhThongTinNhanThan")
        services = {name: Service("soap", registry) for name in names}
        for name in ("land", "enterprise", "social-insurance", "health-card"):
            services[name] = Service("rest", running.urls[name])
        async with ConsumerServer(services) as started:
            yield started
