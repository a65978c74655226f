"""Who is told what: grants, purposes, required headers and `fields=`."""

import asyncio
from typing import Any

import pytest

from tests.test_gateway.live import Caller, Reply

PERSON = "population/person"
VERIFY = {"Lgsp-Purpose": "identity-verification"}


async def patient(caller: Caller, *arguments: Any, **options: Any) -> Reply:
    """Ask as a client that minds its rate limit."""
    reply = await caller.ask(*arguments, **options)
    while reply.status == 429:
        await asyncio.sleep(float(reply.headers["Retry-After"]))
        reply = await caller.ask(*arguments, **options)
    return reply


async def test_limited_is_told_two_fields_and_nothing_else(caller: Caller) -> None:
    reply = await patient(caller, PERSON, client="limited", headers=VERIFY)
    whole = caller.samples[PERSON]["data"]
    assert reply.json["data"] == {name: whole[name] for name in ("full_name", "birth_date")}
    assert sorted(reply.json["exchange"]["fields"]) == ["birth_date", "full_name"]
    # Neither does a warning, a receipt or a signature tell more.
    for name, value in whole.items():
        if name not in ("full_name", "birth_date") and isinstance(value, str) and len(value) > 5:
            assert value.encode() not in reply.body


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Lgsp-Purpose": None}, 400, "purpose-required"),
        ({"Lgsp-Purpose": ""}, 400, "purpose-required"),
        ({"Lgsp-Purpose": "dossier-processing"}, 403, "purpose-refused"),
        ({"Lgsp-Purpose": "no-such-purpose"}, 403, "purpose-refused"),
        ({**VERIFY, "Lgsp-Dossier": None}, 400, "dossier-required"),
        ({**VERIFY, "Lgsp-Officer": None}, 400, "officer-required"),
        ({**VERIFY, "Lgsp-Dossier": "089077133265"}, 422, "invalid"),
        ({**VERIFY, "Lgsp-Officer": "a b"}, 422, "invalid"),
        ({**VERIFY, "Lgsp-Officer": "x" * 65}, 422, "invalid"),
    ],
)
async def test_what_a_grant_demands(caller: Caller, headers: dict[str, str | None], status: int, code: str) -> None:
    reply = await patient(caller, PERSON, client="limited", headers=headers)
    assert (reply.status, reply.problem["code"]) == (status, code)
    assert {"exchange", "receipt"} <= reply.problem.keys()


async def test_without_a_grant_nothing_is_asked(caller: Caller) -> None:
    for name in caller.samples:
        if name == PERSON:
            continue
        database, _, operation = name.partition("/")
        before = await caller.metric("lgsp_upstream_attempts_total", endpoint=database)
        reply = await caller.ask(name, client="limited", headers=VERIFY)
        assert (reply.status, reply.problem["code"]) == (403, "refused"), (database, operation)
        assert await caller.metric("lgsp_upstream_attempts_total", endpoint=database) == before


async def test_an_auditor_may_look_up_nobody(caller: Caller) -> None:
    reply = await caller.ask(PERSON, client="auditor")
    assert (reply.status, reply.problem["code"]) == (403, "refused")


async def test_a_province_may_look_up_everything(caller: Caller) -> None:
    for name, sample in caller.samples.items():
        reply = await caller.ask(name, client="province")
        assert (reply.status, reply.json["data"]) == (200, sample["data"])


async def test_fields_ask_for_less(caller: Caller) -> None:
    whole = caller.samples[PERSON]["data"]
    reply = await caller.ask(PERSON, query="?fields=full_name,father.full_name")
    assert reply.json["data"] == {
        "full_name": whole["full_name"],
        "father": {"full_name": whole["father"]["full_name"]},
    }
    assert sorted(reply.json["exchange"]["fields"]) == ["father.full_name", "full_name"]
    reply = await caller.ask("tax/obligations", query="?fields=items.period")
    items = caller.samples["tax/obligations"]["data"]["items"]
    assert reply.json["data"] == {"items": [{"period": item["period"]} for item in items]}


async def test_fields_never_ask_for_more(caller: Caller) -> None:
    reply = await patient(caller, PERSON, client="limited", headers=VERIFY, query="?fields=full_name,personal_id")
    assert reply.json["data"] == {"full_name": caller.samples[PERSON]["data"]["full_name"]}
    assert reply.json["exchange"]["fields"] == ["full_name"]
    reply = await patient(caller, PERSON, client="limited", headers=VERIFY, query="?fields=personal_id")
    assert reply.json["data"] == {}


@pytest.mark.parametrize(
    "query",
    [
        "?fields=",
        "?fields=nothing",
        "?fields=full_name,,",
        "?fields=full_name.x",
        "?fields=__class__",
        "?fields=*",
        "?fields=%00",
        "?field=full_name",
        "?fields=full_name&fields=birth_date",
        "?fields=full_name&x=1",
    ],
)
async def test_fields_that_do_not_exist(caller: Caller, query: str) -> None:
    reply = await caller.ask(PERSON, query=query)
    assert (reply.status, reply.problem["code"]) == (422, "invalid")
    known = query.startswith("?fields=") and "x=" not in query
    assert [error.get("parameter") for error in reply.problem["errors"]] == ["fields" if known else None]


async def test_me_says_what_is_granted(caller: Caller) -> None:
    bearer = {"Authorization": f"Bearer {await caller.token('limited')}"}
    me = (await caller.send("GET", "/v1/me", headers=bearer)).json
    assert me["client_id"] == "limited"
    assert me["agency"] == "H26.12"
    assert {credential["kind"] for credential in me["credentials"]} == {"secret", "mtls", "signature", "xroad"}
    (grant,) = me["grants"]
    assert (grant["database"], grant["operation"]) == ("population", "person")
    assert [purpose["code"] for purpose in grant["purposes"]] == ["identity-verification"]
    assert sorted(grant["fields"]) == ["birth_date", "full_name"]
    assert (grant["dossier_required"], grant["officer_required"], grant["signature_required"]) == (True, True, False)
    assert grant["deadline_ms"] == 10_000
    assert grant.keys() >= {"rate", "expires_at"}
    ministry = {"Authorization": f"Bearer {await caller.token()}"}
    granted = (await caller.send("GET", "/v1/me", headers=ministry)).json["grants"]
    assert {f"{one['database']}/{one['operation']}" for one in granted} == caller.samples.keys()
