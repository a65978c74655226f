"""A database takes a declaration and an endpoint: route, grants, evidence, OpenAPI and catalogue follow."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from lxml import html

from adapters import DATABASES
from schemas.exchange import Grant
from security import administration
from security.audit.assembly import open_sealer
from security.audit.reading import AuditReader, Filter
from security.policy import field_paths
from tests.test_openapi.deployment import Answer, Deployment, deployment
from tests.test_openapi.vehicle import OWNER, TRUTH, VEHICLE, registry

PATH = "/v1/vehicle/registered-vehicle"
QUESTION = {"plate": "30A-123.45"}
ENDPOINT = """
[endpoints.vehicle]
url = "http://127.0.0.1:{port}"
username = "lgsp"
secret = "khóa"
params = {{ unit = "H26" }}
"""

Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def deployed(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with TestServer(registry(), skip_url_asserts=True) as source:
        endpoint = ENDPOINT.format(port=source.port)
        async with deployment(tmp_path, (VEHICLE,), lambda text: text + endpoint) as made:
            yield made


@pytest.fixture
async def ask(deployed: Deployment) -> Ask:
    token = await asyncio.to_thread(deployed.token, "ministry")

    async def asked(method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return await asyncio.to_thread(
            deployed.ask, method, path, body, Authorization=f"Bearer {token}", Lgsp_Purpose="inspection", **headers
        )

    return asked


async def grant(deployed: Deployment, fields: set[str]) -> None:
    """Grant the new operation as `lgsp clients grant` does."""
    registry = deployed.gateway.identity.registry
    client = registry.get("ministry")
    assert client is not None
    paths = field_paths((*DATABASES, VEHICLE), "vehicle", "registered-vehicle", fields)
    granted = Grant("vehicle", "registered-vehicle", frozenset({"inspection"}), paths)
    change = administration.grant(client, granted, by="tests")
    await deployed.gateway.log.record(change.evidence, writes=(change.write,))
    await registry.refresh()


async def test_its_route_asks_the_source_and_answers_what_is_granted(deployed: Deployment, ask: Ask) -> None:
    refused = await ask("POST", PATH, QUESTION)
    assert (refused.status, refused.json["code"]) == (403, "refused")
    await grant(deployed, {"*"})
    answered = await ask("POST", PATH, QUESTION)
    assert answered.status == 200, answered.body
    assert answered.json["data"] == TRUTH
    assert answered.json["exchange"]["database"] == "vehicle"
    assert answered.headers["RateLimit-Policy"].startswith('"vehicle/registered-vehicle";')
    less = await ask("POST", PATH + "?fields=make,owner.full_name", QUESTION)
    assert less.json["data"] == {"make": "VinFast", "owner": {"full_name": "Nguyễn Văn Ân"}}
    missing = await ask("POST", PATH, {"plate": "30A-999.99"})
    assert (missing.status, missing.json["code"]) == (404, "no-record")
    wrong = await ask("POST", PATH, {"plate": "30A12345"})
    assert (wrong.status, wrong.json["errors"][0]["pointer"]) == (422, "/plate")


async def test_its_grants_disclose_what_they_name(deployed: Deployment, ask: Ask) -> None:
    await grant(deployed, {"plate", "owner.full_name"})
    shown = (await ask("GET", "/v1/me")).json["grants"]
    (mine,) = [item for item in shown if item["database"] == "vehicle"]
    assert (mine["operation"], mine["fields"]) == ("registered-vehicle", ["owner.full_name", "plate"])
    answered = await ask("POST", PATH, QUESTION)
    assert answered.json["data"] == {"plate": "30A-123.45", "owner": {"full_name": "Nguyễn Văn Ân"}}
    with pytest.raises(ValueError, match="no field colour"):
        await grant(deployed, {"colour"})


async def test_its_exchanges_leave_evidence_that_names_subjects_to_those_with_the_key(
    deployed: Deployment, ask: Ask
) -> None:
    refused = await ask("POST", PATH, QUESTION)
    await grant(deployed, {"*"})
    answered = await ask("POST", PATH, QUESTION, Lgsp_Receipt="full")
    gateway = deployed.gateway
    sealer = open_sealer(gateway.keys, gateway.settings.keys.vault)
    reader = AuditReader(gateway.storage, sealer)
    entries = await reader.entries(Filter(database="vehicle"))
    assert [entry.index for entry in entries] == [item.json["receipt"]["index"] for item in (refused, answered)]
    last = entries[-1]
    receipt = answered.json["receipt"]
    assert base64.b64decode(receipt["entry"]) == last.body
    assert base64.b64decode(receipt["leaf"]) == hashlib.sha256(b"\0" + last.body).digest() == last.leaf
    assert OWNER.encode() not in last.body
    assert "Nguyễn" not in json.dumps(last.entry, ensure_ascii=False)
    found = await reader.search("personal-id", OWNER)
    assert [entry.index for entry in found] == [last.index]


async def test_it_is_published(ask: Ask) -> None:
    document = (await ask("GET", "/openapi.json")).json
    operation = document["paths"][PATH]["post"]
    assert operation["summary"] == "Tra cứu phương tiện"
    assert operation["operationId"] == "VehicleRegisteredVehicle"
    told = operation["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert told["data"] == {"$ref": "#/components/schemas/VehicleVehicle"}
    schemas = document["components"]["schemas"]
    assert schemas["VehicleVehicle"]["properties"]["seats"]["type"] == ["integer", "null"]
    assert schemas["VehiclePlateQuestion"]["required"] == ["plate"]
    assert [tag["name"] for tag in document["tags"]].count("vehicle") == 1
    catalogue = (await ask("GET", "/.well-known/api-catalog")).json
    offered = [item["href"] for item in catalogue["linkset"][0]["item"]]
    assert {f"http://gateway.example:8080/{face}/vehicle" for face in ("v1", "soap")} <= set(offered)


async def test_its_pages_and_snippets_are_there_though_nobody_wrote_an_example(ask: Ask) -> None:
    page = html.fromstring((await ask("GET", "/docs/soap/vehicle")).body.decode())
    (snippet,) = page.xpath("//pre[@id='registeredVehicle-python-soap']")
    compile(snippet.text_content(), "snippet", "exec")
    assert "client.service.RegisteredVehicle(plate=" in snippet.text_content()
    collection = (await ask("GET", "/docs/postman/vehicle.json")).json
    assert [item["name"] for item in collection["item"]] == ["Mã truy cập · Token", "REST", "SOAP"]
    assert b'name="RegisteredVehicle"' in (await ask("GET", "/docs/soapui/vehicle.xml")).body
