"""A whole gateway whose sources are behind a security server and a platform: only the configuration says so."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from sandbox.registry import Truth
from tests.test_carriage.carried import DOSSIER, OFFICER
from tests.test_carriage.conftest import truths
from tests.test_carriage.platform import ACCOUNT, CONTEXT, Platform, platform
from tests.test_openapi.deployment import Answer, Deployment, deployment
from tests.test_registries_rest.wiring import Client
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.provider_link import Service
from tests.test_xroad.double.rest_message import RestRequest

XROAD = """via = "xroad"
[endpoints.enterprise.xroad]
client = "VN/GOV/H26/lgsp"
provider = "VN/GOV/G12/dkdn"
service = "dkdn"
"""
LGSP = f"""via = "lgsp"
[endpoints.health-card.lgsp]
context = "{CONTEXT}"
"""


def carried(text: str, name: str, url: str, table: str) -> tuple[str, str]:
    """The configuration with an endpoint behind a carrier at `url`, and where the endpoint was before."""
    before, opening, section = text.partition(f"[endpoints.{name}]\n")
    section, brackets, after = section.partition("\n[")
    source = re.search(r'^url = "(.*)"$', section, re.MULTILINE)
    assert source is not None
    section = section.replace(source[0], f'url = "{url}"')
    return f"{before}{opening}{section}\n{table}{brackets}{after}", source[1]


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[tuple[Deployment, ConsumerServer, Platform]]:
    async with ConsumerServer({}) as server, platform("", {}) as carrier:

        def adjust(text: str) -> str:
            text, source = carried(text, "enterprise", server.url, XROAD)
            server.services["dkdn"] = Service("rest", source)
            text, carrier.source = carried(text, "health-card", carrier.url, LGSP)
            section = text.partition("[endpoints.health-card]")[2]
            for key, value in zip(("username", "secret"), ACCOUNT, strict=True):
                known = re.search(rf'^{key} = "(.*)"$', section, re.MULTILINE)
                assert known is not None
                text = text.replace(known[0], f'{key} = "{value}"')
            return text

        async with deployment(tmp_path, adjust=adjust) as deployed, ClientSession() as session:
            carrier.proof = await Client(session, deployed.registries).bearer("health-card")
            yield deployed, server, carrier


async def asked(deployed: Deployment, database: str, truth: Truth) -> Answer:
    def ask() -> Answer:
        proof = f"Bearer {deployed.token('ministry')}"
        told = {"Lgsp_Purpose": "dossier-processing", "Lgsp_Officer": OFFICER, "Lgsp_Dossier": DOSSIER}
        path = f"/v1/{database}/{truth.operation}"
        return deployed.ask("POST", path, dict(truth.request), Authorization=proof, **told)

    return await asyncio.to_thread(ask)


async def test_callers_see_no_difference(behind: tuple[Deployment, ConsumerServer, Platform]) -> None:
    deployed, server, carrier = behind
    (enterprise, *_) = truths(deployed.registries, "enterprise")
    (card, *_) = truths(deployed.registries, "social-insurance", "health-card")
    for database, truth in (("enterprise", enterprise), ("social-insurance", card)):
        answer = await asked(deployed, database, truth)
        assert answer.status == 200, answer.body
        assert answer.json["data"] == truth.answer
    assert server.violations == []
    said = dict(server.calls[-1].headers)
    assert said["X-Road-UserId"] == f"VN{OFFICER}"
    assert said["X-Road-Issue"] == DOSSIER
    assert [request.path.startswith(CONTEXT) for request in carrier.seen] == [True]


async def test_what_is_safe_is_asked_again_and_what_we_must_mend_is_not(
    behind: tuple[Deployment, ConsumerServer, Platform],
) -> None:
    deployed, server, _ = behind
    (truth, *_) = truths(deployed.registries, "enterprise")
    assert (await asked(deployed, "enterprise", truth)).status == 200
    server.misbehave("fault", "server.clientproxy.global_conf_outdated", times=1)
    before = len(server.calls)
    assert (await asked(deployed, "enterprise", truth)).json["data"] == truth.answer
    again = [call.request for call in server.calls[before:]]
    assert len(again) == 2
    assert all(isinstance(request, RestRequest) for request in again)
    assert len({request.id for request in again if request}) == 2
    server.misbehave("fault", "server.serverproxy.access_denied")
    before = len(server.calls)
    refused = await asked(deployed, "enterprise", truth)
    assert (refused.status, refused.json["code"], refused.json["retryable"]) == (502, "upstream-refused", False)
    assert "xroad.client" in refused.json["detail"]
    assert len(server.calls) == before + 1
