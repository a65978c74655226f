"""Our REST services behind a security server: `X-Road-*` headers count from it alone, over real mTLS."""

import asyncio
import json
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from adapters import DATABASES
from tests.test_gateway.evidence import stored_entries
from tests.test_gateway.live import Caller, lgsp
from tests.test_xroad.double.messages import NUMBER
from tests.test_xroad.double.openapi_import import import_openapi
from tests.test_xroad.double.provider_link import RestAnswer
from tests.test_xroad.double.rest_message import RestRequest
from tests.test_xroad.double.wsdl_import import import_wsdl
from tests.test_xroad.gateway import DOSSIER, LIMITED, PERSON, PROVINCE, Behind

OPERATIONS = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]
OTHER = "LGSP-SANDBOX/GOV/G15/TP"


def told(answer: RestAnswer) -> Any:
    return json.loads(answer.body)


def entry_of(behind: Behind, index: int) -> tuple[Any, bytes]:
    stored = stored_entries(Path(behind.live.described["database"]))[index]
    return json.loads(stored), stored


@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_operation_answers_as_it_does_directly(behind: Behind, name: str) -> None:
    async with behind.server() as server:
        answer = await server.call_rest("POST", behind.target(name), behind.rest(name), behind.question(name))
    assert (answer.status, server.violations) == (200, [])
    assert told(answer)["data"] == behind.asked(name)["data"]


async def test_the_evidence_names_client_and_proof(behind: Behind) -> None:
    async with behind.server() as server:
        answer = await server.call_rest("POST", behind.target(PERSON), behind.rest(), behind.question())
    entry, _ = entry_of(behind, told(answer)["receipt"]["index"])
    assert entry["caller"] == {"agency": "H26", "client": "province", "credential": f"xroad:{PROVINCE}"}


async def test_me(behind: Behind) -> None:
    async with behind.server() as server:
        answer = await server.call_rest("GET", behind.target("me"), behind.rest())
    shown = told(answer)
    assert shown["client_id"] == "province"
    assert {"kind": "xroad", "id": f"xroad:{PROVINCE}", "not_after": None} in shown["credentials"]


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        ("LGSP-SANDBOX/GOV/H26/dvc", "unknown"),
        ("LGSP-SANDBOX/GOV/H26", "unknown"),
        ("VN/GOV/H26/DVC", "unknown"),
        ("LGSP-SANDBOX/GOV/H26%2FDVC", "malformed"),
        ("LGSP-SANDBOX/GOV/H26/DVC/Person", "malformed"),
        ("LGSP-SANDBOX//H26/DVC", "malformed"),
        ("LGSP-SANDBOX/GOV/H26/DVC%ff", "malformed"),
        ("LGSP-SANDBOX/GOV/H26/DVC%00", "malformed"),
        ("LGSP-SANDBOX", "malformed"),
        ("", "malformed"),
    ],
)
async def test_a_client_that_nobody_registered(behind: Behind, client: str, reason: str) -> None:
    reply = await behind.send(behind.rest(client=client).items())
    assert (reply.status, reply.problem["reason"]) == (401, reason)


async def test_who_is_refused_is_found_in_both_logs(behind: Behind) -> None:
    """The request keeps the number of the security server, and one line says who was named, as ASCII."""
    number = "5f0c2a4e-8f0a-4a51-9a54-0d1c2b3a4e5f"
    named = "LGSP-SANDBOX/GOV/H26/S%E1%BB%9F%0a%ff" + "x" * 200
    reply = await behind.send(behind.rest(client=named, X_Road_Request_Id=number).items())
    assert (reply.status, reply.headers["X-Request-Id"]) == (401, number)
    lines = (behind.live.state / "gateway.log").read_text(encoding="utf-8").splitlines()
    (line,) = [one for each in lines if (one := json.loads(each)).get("request_id") == number and "client" in one]
    assert (line["event"], line["level"], line["reason"]) == ("xroad-client-refused", "warning", "malformed")
    assert line["client"].startswith(r"LGSP-SANDBOX/GOV/H26/S\u1edf?\udcffxxx")
    assert len(line["client"]) == 120


async def test_each_part_of_the_client_is_encoded_on_its_own(behind: Behind) -> None:
    encoded = "LGSP%2DSANDBOX/GOV/%48%32%36/DVC"
    reply = await behind.send(behind.rest(client=encoded).items())
    assert reply.status == 200


async def test_without_the_header_a_server_is_nobody(behind: Behind, caller: Caller) -> None:
    for more in ({}, {"Authorization": f"Bearer {await caller.token('province')}"}):
        reply = await behind.send(behind.rest(X_Road_Client=None, **more).items())
        assert (reply.status, reply.problem["reason"]) == (401, "missing")
        assert "X-Road-Client" in reply.problem["detail"]


async def test_who_also_shows_a_token_has_to_be_the_same(behind: Behind, caller: Caller) -> None:
    for client, status in (("province", 200), ("ministry", 401)):
        token = f"Bearer {await caller.token(client)}"
        assert (await behind.send(behind.rest(Authorization=token).items())).status == status


async def test_from_anybody_else_the_headers_count_as_nothing(
    behind: Behind, caller: Caller, clients_own: ssl.SSLContext
) -> None:
    headers = behind.rest(client=str(LIMITED), X_Road_Issue="no dossier", X_Road_UserId="!")
    nobody = await caller.send("POST", f"/v1/{PERSON}", data=behind.question(), headers=headers)
    assert (nobody.status, nobody.problem["reason"]) == (401, "missing")
    # A certificate decides, and headers that are twice there or hold what they must not do no harm.
    reply = await behind.send([*headers.items(), ("X-Road-Client", str(PROVINCE))], tls=clients_own)
    assert (reply.status, reply.json["data"]) == (200, behind.asked(PERSON)["data"])
    token = {"Authorization": f"Bearer {await caller.token('limited')}", "Lgsp-Purpose": "identity-verification"}
    said = behind.rest(client=str(LIMITED), X_Road_Issue=DOSSIER, X_Road_UserId="VNdemo.officer", **token)
    said = {name: text for name, text in said.items() if name not in ("Lgsp-Dossier", "Lgsp-Officer")}
    refused = await caller.send("POST", f"/v1/{PERSON}", data=behind.question(), headers=said)
    assert "dossier" in refused.problem["code"]


async def limited(behind: Behind, **said: str) -> Any:
    """Ask as the client that has to name dossier and officer, with X-Road's headers alone."""
    own: dict[str, str | None] = {"Lgsp-Dossier": None, "Lgsp-Officer": None, "Lgsp-Purpose": "identity-verification"}
    headers = behind.rest(client=str(LIMITED), **(own | said))
    async with behind.server() as server:
        answer = await server.call_rest("POST", behind.target(PERSON), headers, behind.question())
    assert server.violations == []
    return told(answer)


async def test_userid_and_issue_are_officer_and_dossier(behind: Behind) -> None:
    answer = await limited(behind, X_Road_UserId="VNdemo.officer", X_Road_Issue=DOSSIER)
    assert answer["data"].keys() == {"full_name", "birth_date"}
    entry, _ = entry_of(behind, answer["receipt"]["index"])
    assert (entry["dossier"], entry["officer"]) == (DOSSIER, "VNdemo.officer")
    assert "officer" in (await limited(behind, X_Road_Issue=DOSSIER))["code"]
    assert "dossier" in (await limited(behind, X_Road_UserId="VNdemo.officer"))["code"]
    for said, header in (
        ({"X_Road_UserId": "VNdemo.officer", "X_Road_Issue": "no dossier"}, "X-Road-Issue"),
        ({"X_Road_UserId": "VN!", "X_Road_Issue": DOSSIER}, "X-Road-UserId"),
    ):
        refused = await limited(behind, **said)
        assert (refused["status"], [one["header"] for one in refused["errors"]]) == (422, [header])


async def test_our_own_headers_go_before(behind: Behind) -> None:
    answer = await limited(
        behind,
        X_Road_UserId="VNdemo.officer",
        X_Road_Issue=DOSSIER,
        Lgsp_Officer="another.officer",
        Lgsp_Dossier="000.00.00.H26-260105-0002",
    )
    entry, _ = entry_of(behind, answer["receipt"]["index"])
    assert (entry["dossier"], entry["officer"]) == ("000.00.00.H26-260105-0002", "another.officer")


async def test_the_number_of_a_person_in_userid_is_never_in_plain_text(behind: Behind) -> None:
    answer = await limited(behind, X_Road_UserId="VN001085012345", X_Road_Issue=DOSSIER)
    entry, stored = entry_of(behind, answer["receipt"]["index"])
    assert set(entry["officer"]) == {"commitment"}
    assert b"001085012345" not in stored
    log = (behind.live.state / "gateway.log").read_bytes()
    assert b"001085012345" not in log


@pytest.mark.parametrize(
    "name", ["X-Road-Id", "X-Road-Issue", "X-Road-UserId", "X-Road-Represented-Party", "X-Road-Request-Id"]
)
async def test_a_header_that_is_twice_there_is_refused_and_evident(behind: Behind, name: str) -> None:
    sent = behind.rest(X_Road_Issue=DOSSIER, X_Road_UserId="VNa").items()
    once, twice = [pair for pair in sent if pair[0] != name], [(name, "VN1"), (name, "VN2")]
    assert (await behind.send([*once, twice[0]])).status in (200, 422)
    reply = await behind.send([*once, *twice])
    assert (reply.status, reply.problem["code"], "receipt" in reply.problem) == (400, "malformed", True)
    assert [flaw["header"].lower() for flaw in reply.problem["errors"]] == [name.lower()]


async def test_two_clients_are_nobody(behind: Behind) -> None:
    reply = await behind.send([*behind.rest().items(), ("X-Road-Client", str(LIMITED))])
    assert (reply.status, reply.problem["reason"]) == (401, "malformed")


async def test_both_logs_know_the_request_by_the_servers_id(behind: Behind) -> None:
    async with behind.server() as server:
        answer = await server.call_rest("POST", behind.target(PERSON), behind.rest(), behind.question())
        asked = server.request
        assert isinstance(asked, RestRequest)
        assert answer.header("X-Request-Id") == asked.request_id
        own = await server.call_rest(
            "POST", behind.target(PERSON), behind.rest(X_Request_Id="our-own-1"), behind.question()
        )
        assert own.header("X-Request-Id") == "our-own-1"
    reply = await behind.send(behind.rest(X_Road_Client=str(PROVINCE)).items())
    assert reply.headers["X-Request-Id"] == NUMBER
    # What could be the number of a person is no name for anything.
    hidden = await behind.send(behind.rest(X_Road_Id="001085012345").items())
    assert "001085012345" not in hidden.headers["X-Request-Id"]
    lines = (behind.live.state / "gateway.log").read_text().splitlines()
    logged = [json.loads(line)["request_id"] for line in lines if '"event":"request"' in line]
    assert {asked.request_id, "our-own-1", NUMBER} <= set(logged)


async def test_what_is_served_can_be_imported(caller: Caller) -> None:
    base, codes = str(caller.live.described["gateway"]), []
    for database in DATABASES:
        contract = await caller.send("GET", f"/soap/{database.name}?wsdl&soap=1.1")
        services = import_wsdl(contract.body)
        assert {service.url for service in services} == {f"{base}/soap/{database.name}"}
        codes += [service.code for service in services]
    assert len(codes) == len(OPERATIONS)
    for path in ("/openapi.json", "/openapi.json?version=3.0"):
        found = import_openapi((await caller.send("GET", path)).body, base + path)
        assert (found.base_url, found.warnings) == (base, ())
        assert {("POST", f"/v1/{name}") for name in OPERATIONS} <= set(found.endpoints)


async def test_a_client_counts_from_its_registration_to_its_revocation(behind: Behind) -> None:
    async def operate(*command: str) -> None:
        config = str(behind.live.described["config"])
        done = await asyncio.to_thread(lgsp, "clients", *command, "--config", config)
        assert done.returncode == 0, done.stderr

    async def until(status: int, reason: str | None) -> None:
        end = time.monotonic() + 90
        while True:
            reply = await behind.send(behind.rest(client=OTHER).items())
            if reply.status == status:
                assert status == 200 or reply.problem["reason"] == reason
                return
            assert time.monotonic() < end, reply.body

    await until(401, "unknown")
    await operate("register", "ministry", "--xroad", OTHER)
    await until(200, None)
    await operate("revoke", "ministry", "--credential", f"xroad:{OTHER}")
    await until(401, "revoked")
