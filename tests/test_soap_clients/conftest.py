"""One live demo for each test process, what REST answers of it, and what is handed to the clients."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar

from tests.test_gateway.live import Caller, Live
from tests.test_soap_clients.calls import CONTRACTS, ROOT, Job, Papers
from tests.test_soap_clients.jdk import Java
from tests.test_soap_clients.material import Asked, questions
from tests.test_soap_clients.plain import Spoken
from tests.test_soap_clients.plain import spoken as speak

# What it asserts is shown as in a test.
pytest.register_assert_rewrite("tests.test_soap_clients.verdicts")


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    demo = Live(tmp_path_factory.mktemp("demo") / "state", seed=20_251, people=60)
    yield demo
    assert demo.stop() == 0


@pytest.fixture(scope="session")
def asked(live: Live) -> dict[str, Asked]:
    return questions(live.questions, live.described["cases"], live.truth())


@pytest.fixture(scope="session")
def rest(live: Live, asked: dict[str, Asked]) -> dict[str, Any]:
    """What REST answers to every question, and a token."""

    async def ask() -> dict[str, Any]:
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            caller = Caller(live, session)
            replies = {kind: await caller.ask(one.name, one.body) for kind, one in asked.items()}
            assert {reply.status for reply in replies.values()} == {200}
            return {kind: reply.json for kind, reply in replies.items()} | {"token": await caller.token()}

    return asyncio.run(ask())


@pytest.fixture(scope="session")
def papers(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(live.described, tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="session")
def job(live: Live, asked: dict[str, Asked], rest: dict[str, Any]) -> Job:
    return Job(live.described, asked, rest["token"])


@pytest.fixture(scope="session")
def contracts(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published contracts as files: `NAME.wsdl` with both ports, `NAME.1.1.wsdl` with one."""
    folder = tmp_path_factory.mktemp("contracts")
    for service in CONTRACTS:
        for name, query in ((f"{service}.wsdl", "wsdl"), (f"{service}.1.1.wsdl", "wsdl&soap=1.1")):
            url = f"{live.described['gateway']}/soap/{service}?{query}"
            subprocess.run(["curl", "-sSf", "-o", folder / name, url], check=True, timeout=120)
    return folder


@pytest.fixture(scope="session")
def spoken(job: Job, papers: Papers) -> dict[str, Spoken]:
    """Every call by curl."""
    return {call.id: speak(call, papers) for call in job.calls.values()}


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Java:
    return Java(tmp_path_factory.mktemp("java"))


@pytest.fixture(scope="session")
def modules() -> str:
    """Where `make` put node's packages; it is done once for each environment."""
    subprocess.run(["make", "-s", ".venv/.node"], cwd=ROOT, check=True, capture_output=True, timeout=120)
    return str(ROOT / ".venv" / "node" / "node_modules")
