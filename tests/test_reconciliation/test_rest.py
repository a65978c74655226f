"""Reconciliation and figures as callers and operators see them: a demo, its portal, whose memory is changed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from typer.testing import CliRunner

from adapters import DATABASES
from commands import app
from routes.openapi import document
from tests.test_commands.conftest import printed
from tests.test_delivery.test_in_a_demo import Province
from tests.test_delivery.world import a_code
from tests.test_gateway.live import Live
from tests.test_openapi.test_published import conforms
from tests.test_reconciliation.clerk import today

PATIENCE_S = 60.0
PUBLISHED = document(DATABASES, "http://gateway.example")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(tmp_path_factory.mktemp("reconciled") / "state", seed=3, people=20)
    yield live
    if live.process.poll() is None:
        live.stop()


async def arrived(province: Province, code: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await province.delivered(code):
            await asyncio.sleep(0.05)


async def over(province: Province, location: str, **query: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await province.as_province("GET", location, None)
            assert answer.status == 200
            if answer.json["state"] != "running":
                return dict(answer.json)
            await asyncio.sleep(0.05)


async def lose(demo: Live, province: Province, path: str) -> None:
    async with province.session.delete(f"{demo.described['portal']}/_dossiers/{path}") as answer:
        assert answer.status == 204


async def test_owners_find_and_repair_what_the_portal_lost(demo: Live) -> None:
    code, other = a_code(1), a_code(2)
    async with ClientSession() as http:
        province = Province(demo, http)
        for one in (code, other):
            assert await province.put(one) == 201
            for number, status in enumerate(("4", "9", "10"), start=1):
                assert await province.push(one, status, number) == 202
            await arrived(province, one)
        await lose(demo, province, f"{code}/steps/3")
        await lose(demo, province, f"{other}/steps/1")
        begun = await province.as_province("POST", "/v1/reconciliations", {"day": today(), "repair": True})
        location = begun.headers["Location"]
        assert (begun.status, location) == (202, f"/v1/reconciliations/{begun.json['id']}")
        conforms(PUBLISHED, "/v1/reconciliations", "post", begun)
        told = await over(province, location)
        assert (told["state"], told["day"], told["repair"]) == ("done", today(), True)
        assert (told["counts"]["dossiers"], told["counts"]["checked"], told["counts"]["findings"]) == (2, 2, 2)
        assert (told["counts"]["queued_again"], told["counts"]["not_repairable"]) == (1, 1)
        found = {(each["code"], each["kind"], each["expected"], each["repair"]) for each in told["items"]}
        assert found == {(code, "missing-step", "10", "queued"), (other, "missing-step", "4", "not-repairable")}
        assert told["receipt"]["log"]
        await arrived(province, code)
        assert await province.ledger(code) == [
            (code, 1, "4", 1),
            (code, 2, "9", 1),
            (code, 3, "10", 1),
        ]
        first = (await province.as_province("GET", f"{location}?limit=1", None)).json
        second = (await province.as_province("GET", f"{location}?limit=1&after={first['next']}", None)).json
        assert [*first["items"], *second["items"]] == told["items"]
        conforms(PUBLISHED, "/v1/reconciliations/{id}", "get", await province.as_province("GET", location, None))
        page = await province.as_province("GET", "/v1/reconciliations", None)
        conforms(PUBLISHED, "/v1/reconciliations", "get", page)
        assert begun.json["id"] in [each["id"] for each in page.json["items"]]
        ministry = {"Authorization": f"Bearer {await province.token('ministry')}"}
        assert (await province.send("GET", location, headers=ministry)).status == 403
        assert (await province.as_province("GET", "/v1/reconciliations/nobody", None)).status == 404
        for day in ("2999-01-01", "2026-02-30", "yesterday"):
            answer = await province.as_province("POST", "/v1/reconciliations", {"day": day})
            assert (answer.status, answer.problem["errors"][0]["pointer"]) == (422, "/day")
        for query in ("kind=x", "after=0", "limit=0", "what=1"):
            assert (await province.as_province("GET", f"{location}?{query}", None)).status == 422


async def test_one_under_way_is_answered_again(demo: Live) -> None:
    async with ClientSession() as http:
        province = Province(demo, http)
        code = a_code(3)
        assert await province.put(code) == 201
        await arrived(province, code)
        await province.portal_fault("down")
        body = {"day": today()}
        begun = await province.as_province("POST", "/v1/reconciliations", body)
        again = await province.as_province("POST", "/v1/reconciliations", body)
        assert (again.status, again.json["id"]) == (202, begun.json["id"])
        other = await province.as_province("POST", "/v1/reconciliations", {**body, "repair": True})
        assert (other.status, other.problem["reason"]) == (409, "under-way")
        assert begun.json["id"] in other.problem["detail"]
        await province.portal_fault(None)
        assert (await over(province, begun.headers["Location"]))["state"] == "done"


async def test_the_operator_reconciles_with_a_command(demo: Live) -> None:
    config = str(demo.state / "gateway.toml")
    code = a_code(4)
    async with ClientSession() as http:
        province = Province(demo, http)
        assert await province.put(code) == 201
        assert await province.push(code, "4", 1) == 202
        await arrived(province, code)
        await lose(demo, province, code)

        async def told(*more: str, code: int) -> Any:
            return await asyncio.to_thread(printed, "dossiers", "reconcile", "--config", config, *more, code=code)

        for day in ("yesterday", "2999-01-01", "20260105"):
            assert CliRunner().invoke(app, ["dossiers", "reconcile", "--day", day]).exit_code == 2
        assert (await told("--day", "2026-01-05", "--wait", code=0))["reconciliations"] == []
        found = await told("--day", today(), "--agency", "H26", "--repair", "--wait", code=1)
        (one,) = found["reconciliations"]
        assert (one["state"], one["counts"]["kinds"]["missing-dossier"], one["counts"]["queued_again"]) == (
            "done",
            1,
            1,
        )
        await arrived(province, code)
        assert await province.ledger(code) == [(code, 1, "4", 1)]
        listed = (await province.as_province("GET", "/v1/reconciliations", None)).json["items"]
        assert (listed[-1]["id"], listed[-1]["client"]) == (one["id"], None)


async def test_figures_of_the_year_are_those_of_what_was_pushed(demo: Live) -> None:
    async with ClientSession() as http:
        province = Province(demo, http)
        code = a_code(5)
        # Figures are those of this year.
        sample = demo.described["samples"]["dossiers/dossier"]["body"]
        body = {**sample, "received_at": f"{today()}T00:00:00+07:00"}
        assert (await province.as_province("PUT", f"/v1/dossiers/{code}", body)).status == 201
        procedure = sample["procedure"]
        answer = await province.as_province("GET", f"/v1/statistics?procedure={procedure}", None)
        assert answer.status == 200
        told = answer.json
        assert (told["agency"], told["until"], told["procedure"]) == ("H26", today(), procedure)
        assert told["total"]["received"] >= 1
        assert (told["satisfaction"], told["deliveries"]) == (None, None)
        (only,) = told["procedures"]
        assert (only["procedure"], only["total"]) == (procedure, told["total"])
        conforms(PUBLISHED, "/v1/statistics", "get", answer)
        everything = await province.as_province("GET", f"/v1/statistics?year={today()[:4]}", None)
        conforms(PUBLISHED, "/v1/statistics", "get", everything)
        assert sum(everything.json["deliveries"].values()) >= 1
        assert told["receipt"]["log"]
        for query in ("year=1999", "year=2999", "until=2025-01-01", "until=20260101", "procedure=x", "what=1"):
            refused = await province.as_province("GET", f"/v1/statistics?{query}", None)
            assert refused.status == 422, query
        ministry = {"Authorization": f"Bearer {await province.token('ministry')}"}
        assert (await province.send("GET", "/v1/statistics", headers=ministry)).status == 403
