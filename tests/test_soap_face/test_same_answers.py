"""REST, SOAP 1.1, SOAP 1.2 and the truth of the sandbox say the same; what XML cannot hold is not disclosed."""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import zip_longest
from typing import Any

import pytest
from aiohttp import web
from lxml import etree

from adapters import DATABASES
from routes.soap.wsdl import database_wsdl
from sandbox.run import REGISTRIES
from sandbox.truth import dump
from schemas.exchange import Grant
from security import administration
from security.policy import field_paths
from tests.test_openapi.vehicle import VEHICLE
from tests.test_soap_face.both import by_rest, payload_of
from tests.test_soap_face.conftest import Refused
from tests.test_soap_face.gate import Gate, Wire, request
from tests.test_soap_face.messages import MEDIA, VERSIONS, answer_of, envelope
from tests.test_soap_face.reading import Contract, canonical

LINES = 110
READERS = {database.name: Contract(database_wsdl(database, "")) for database in DATABASES}
MANY = 20


def bearer(gate: Gate) -> str:
    form = {"Authorization": gate.basic(), "Content-Type": "application/x-www-form-urlencoded"}
    with gate.wire() as wire:
        told = wire.ask(request("/oauth2/token", b"grant_type=client_credentials", form))
    return f"Bearer {json.loads(told.body)['access_token']}"


@pytest.fixture(scope="module")
def truth(gate: Gate) -> dict[str, list[dict[str, Any]]]:
    """The first sentences about each database, of every operation in turn."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for line in map(json.loads, dump(gate.registries.world, REGISTRIES)):
        found.setdefault(line["database"], {}).setdefault(line["operation"], []).append(line)
    assert {name: found[name].keys() for name in found} == {
        database.name: {operation.name for operation in database.operations} for database in DATABASES
    }
    return {
        name: [line for turn in zip_longest(*operations.values()) for line in turn if line][:LINES]
        for name, operations in found.items()
    }


def asked(wire: Wire, requests: list[bytes]) -> list[bytes]:
    """The bodies of the answers to requests that go out together, some at a time."""
    bodies = []
    for start in range(0, len(requests), MANY):
        some = requests[start : start + MANY]
        wire.write(b"".join(some))
        for _ in some:
            reply = wire.read()
            assert reply.status == 200, reply.body
            bodies.append(reply.body)
    return bodies


@pytest.mark.parametrize("database", [database.name for database in DATABASES])
def test_all_three_and_the_truth_are_one(gate: Gate, truth: dict[str, list[dict[str, Any]]], database: str) -> None:
    lines = truth[database]
    assert len(lines) >= 100
    usual = {"Lgsp-Purpose": "inspection", "Lgsp-Receipt": "full"}
    rest = {**usual, "Content-Type": "application/json", "Authorization": bearer(gate)}
    with gate.wire() as wire:
        told = asked(
            wire,
            [
                request(f"/v1/{database}/{line['operation']}", json.dumps(line["request"]).encode(), rest)
                for line in lines
            ],
        )
        answers = {}
        for version in VERSIONS:
            soap = {**usual, "Content-Type": MEDIA[version], "Authorization": gate.basic()}
            answers[version] = asked(
                wire,
                [
                    request(
                        f"/soap/{database}",
                        envelope(payload_of(f"{database}/{line['operation']}", line["request"]), version),
                        soap,
                    )
                    for line in lines
                ],
            )
    reader = READERS[database]
    for at, line in enumerate(lines):
        by_json = json.loads(told[at])
        assert by_json["data"] == line["answer"], line
        for version in VERSIONS:
            wrapper = answer_of(answers[version][at], version)
            data = reader.data(wrapper)
            assert canonical(data) == canonical(line["answer"]), line
            check_receipt(wrapper, data)


def check_receipt(wrapper: etree._Element, data: Any) -> None:
    """The salt opens the commitment of the entry to what the caller rebuilt out of the XML."""
    receipt = wrapper.find("{*}receipt")
    assert receipt is not None
    texts = {etree.QName(each).localname: each.text or "" for each in receipt}
    entry = json.loads(base64.b64decode(texts["entry"]))
    opened = base64.b64encode(sha256(base64.b64decode(texts["salt"]) + canonical(data)).digest()).decode()
    assert entry["commitments"]["data"] == opened


def source(owner: list[str]) -> web.Application:
    """A registry that speaks JSON and says of an owner's name whatever `owner` holds."""

    async def token(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})

    async def look_up(_: web.Request) -> web.Response:
        return web.json_response({"ma": "0", "xe": {"bienSo": "30A-123.45", "nhanHieu": owner[0]}})

    app = web.Application()
    app.add_routes([web.post("/token", token), web.post("/tra-cuu", look_up)])
    return app


OWNER = ["VinFast"]


@pytest.fixture(scope="module")
def seventh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """A gateway with a database more, by its declaration and an endpoint alone."""
    made = Gate(tmp_path_factory.mktemp("seventh") / "state", more=(VEHICLE,), source=source(OWNER))

    async def grant() -> None:
        gateway = made.gateway
        for name in ("ministry",):
            client = gateway.identity.registry.get(name)
            assert client is not None
            paths = field_paths((*DATABASES, VEHICLE), "vehicle", "registered-vehicle", {"*"})
            granted = Grant("vehicle", "registered-vehicle", frozenset({"inspection"}), paths)
            change = administration.grant(client, granted, by="tests")
            await gateway.log.record(change.evidence, writes=(change.write,))
        await gateway.identity.registry.refresh()

    made.run(grant())
    yield made
    made.close()


PLATE = '<RegisteredVehicle xmlns="urn:lgsp:vehicle:1"><plate>30A-123.45</plate></RegisteredVehicle>'


@pytest.mark.parametrize("version", VERSIONS)
def test_a_seventh_database_has_its_soap_face_by_declaration(seventh: Gate, version: str) -> None:
    OWNER[0] = "VinFast"
    contract = seventh.send("/soap/vehicle?wsdl", b"", method="GET")
    assert contract.status == 200
    wrapper = answer_of(seventh.ask("vehicle", PLATE, version).body, version)
    assert Contract(contract.body).data(wrapper) == {
        "plate": "30A-123.45",
        "make": "VinFast",
        "seats": None,
        "registered_on": None,
        "owner": None,
    }
    refused = Refused(seventh.ask("vehicle", PLATE.replace("30A", "3A"), version), version)
    assert refused.pointers == ["/RegisteredVehicle/plate"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("character", ["\x00", "\x01", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_not_disclosed(seventh: Gate, version: str, character: str) -> None:
    OWNER[0] = f"Vin{character}Fast"
    rest = by_rest_vehicle(seventh)
    assert json.loads(rest)["data"]["make"] == OWNER[0]
    reply = seventh.ask("vehicle", PLATE, version, {"Accept-Language": "en"})
    refused = Refused(reply, version, secret="Fast")
    assert refused.code == "upstream-unreadable"
    assert "REST" in refused.fault.problem["detail"]
    assert refused.fault.problem["retryable"] == "false"
    (entry,) = seventh.entries(refused.fault.problem["requestId"])
    assert entry["outcome"]["code"] == "upstream-unreadable"
    assert "data" not in entry["commitments"]
    assert "fields" not in entry
    assert [one for one in entry.get("subjects", ()) if one["role"] == "disclosed"] == []


def by_rest_vehicle(gate: Gate) -> bytes:
    reply = by_rest(gate, "vehicle/registered-vehicle", {"plate": "30A-123.45"}, {})
    assert reply.status == 200, reply.body
    return reply.body


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "text", ["\t\r\n", "]]>", "&lt;", "\ufffd", "\x7f", "\x85", "Nguye\u0302\u0303n", "\U0001f1fb", "\ufeff", "\u2028"]
)
def test_what_xml_can_hold_comes_through(seventh: Gate, version: str, text: str) -> None:
    OWNER[0] = f"a{text}b"
    assert json.loads(by_rest_vehicle(seventh))["data"]["make"] == OWNER[0]
    wrapper = answer_of(seventh.ask("vehicle", PLATE, version).body, version)
    assert wrapper.findtext("{*}data/{*}make") == OWNER[0]
