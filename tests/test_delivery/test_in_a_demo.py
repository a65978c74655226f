"""Delivery as users see it: pushed over HTTP to a demo, seen in its portal's ledger, whatever is killed meanwhile."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.test_commands.conftest import printed
from tests.test_delivery.world import a_code, a_status
from tests.test_gateway.live import Caller, Live

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One for all tests: each has dossiers of its own and leaves nothing waiting."""
    live = Live(tmp_path_factory.mktemp("delivering") / "state", seed=3, people=20)
    yield live
    if live.process.poll() is None:
        live.stop()


class Province(Caller):
    """The province of the demo, which pushes."""

    async def put(self, code: str) -> int:
        body = self.live.described["samples"]["dossiers/dossier"]["body"]
        return (await self.as_province("PUT", f"/v1/dossiers/{code}", body)).status

    async def push(self, code: str, status: str, sequence: int) -> int:
        key = {"Idempotency-Key": f"{code}/{sequence}"}
        body = a_status(status, sequence=sequence)
        return (await self.as_province("POST", f"/v1/dossiers/{code}/statuses", body, **key)).status

    async def as_province(self, method: str, path: str, body: Any, **headers: str) -> Any:
        bearer = {"Authorization": f"Bearer {await self.token('province')}", **headers}
        return await self.send(method, path, json=body, headers=bearer)

    async def portal_fault(self, text: str | None) -> None:
        portal = self.live.described["portal"]
        async with self.session.put(f"{portal}/_faults", json={"fault": text}) as answer:
            assert answer.status == 200

    async def ledger(self, *codes: str) -> list[tuple[str, int, str, int]]:
        """What the portal's ledger has of these dossiers."""
        async with self.session.get(f"{self.live.described['portal']}/_ledger") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        return [
            (line["dossier"], line["sequence"], line["status"], line["times_applied"])
            for line in lines
            if line["dossier"] in codes
        ]

    async def sees(self, wanted: list[tuple[str, int, str, int]], *codes: str) -> None:
        """Return once the ledger has exactly this of these dossiers."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.ledger(*codes) != wanted:
                await asyncio.sleep(0.05)

    async def delivered(self, code: str) -> bool:
        told = (await self.as_province("GET", f"/v1/dossiers/{code}", None)).json
        return all(one["state"] == "delivered" for one in told["deliveries"])


async def test_what_is_pushed_arrives_once_although_the_gateway_is_killed_before_it_knows(demo: Live) -> None:
    code = a_code(1)
    async with ClientSession() as http:
        province = Province(demo, http)
        assert await province.put(code) == 201
        assert await province.push(code, "4", 1) == 202
        await province.sees([(code, 1, "4", 1)], code)
        # The portal applies it and the answer is lost; before the gateway asks again it is gone.
        await province.portal_fault("drop-after-commit")
        assert await province.push(code, "9", 2) == 202
        await province.sees([(code, 1, "4", 1), (code, 2, "9", 1)], code)
        # Portal and ledger go on.
        await asyncio.to_thread(demo.kill_gateway)
        await province.portal_fault(None)
        await province.sees([(code, 1, "4", 1), (code, 2, "9", 1)], code)
    async with ClientSession() as http:
        province = Province(demo, http)
        assert await province.push(code, "10", 3) == 202
        await province.sees([(code, 1, "4", 1), (code, 2, "9", 1), (code, 3, "10", 1)], code)
        async with asyncio.timeout(PATIENCE_S):
            while not await province.delivered(code):
                await asyncio.sleep(0.05)
        assert [times for *_, times in await province.ledger(code)] == [1, 1, 1]


async def test_owners_and_operators_repair_what_the_portal_refused(demo: Live) -> None:
    code, other = a_code(2), a_code(3)
    config = str(demo.state / "gateway.toml")

    async def told(*command: str, code: int = 0) -> Any:
        return await asyncio.to_thread(printed, "dossiers", *command, "--config", config, code=code)

    async with ClientSession() as http:
        province = Province(demo, http)
        assert (await told("pause", "--why", "bảo trì"))["done"] == "paused"
        for one in (code, other):
            assert await province.put(one) == 201
            assert await province.push(one, "4", 1) == 202
        (portal,) = (await province.as_province("GET", "/v1/destinations", None)).json["items"]
        assert (portal["state"], portal["reason"], portal["waiting"]) == ("paused", "bảo trì", 4)
        # Given up before anything is sent: a registration, so that the portal knows nothing of that dossier.
        counted = await told("discard", "--why", "thử", "--state", "queued", "--code", code)
        assert (counted["matched"], counted["changed"]) == (2, 0)
        (registration,) = [
            one["id"]
            for one in (await province.as_province("GET", f"/v1/dossiers/{code}", None)).json["deliveries"]
            if one["kind"] == "registration"
        ]
        wrong = await told(
            "discard", "--why", "thử", "--state", "queued", "--id", registration, "--expect", "2", code=1
        )
        assert wrong["changed"] == 0
        done = await told("discard", "--why", "thử", "--state", "queued", "--id", registration, "--expect", "1")
        assert done["deliveries"] == [{"id": registration, "code": code, "step": "discarded"}]
        assert (await told("resume"))["done"] == "resumed"
        await province.sees([(other, 1, "4", 1)], code, other)
        assert (await told("destinations"))["destinations"][0]["state"] in ("up", "down")
        shown = await told("show", code)
        assert shown["deliveries"][0]["step"] == "discarded"


async def test_groups_are_counted_before_anything_is_done(demo: Live) -> None:
    code = a_code(4)
    async with ClientSession() as http:
        province = Province(demo, http)
        assert await province.put(code) == 201
        unknown = {**a_status("XONG", sequence=1), "vocabulary": "bhxh"}
        key = {"Idempotency-Key": "x"}
        answer = await province.as_province("POST", f"/v1/dossiers/{code}/statuses", unknown, **key)
        assert (answer.status, answer.json["result"]) == (202, "quarantined")
        held = answer.json["delivery"]
        body: dict[str, Any] = {"filter": {"state": "quarantined", "code": code}, "reason": "thử"}
        counted = await province.as_province("POST", "/v1/deliveries/discard", body)
        assert counted.json == {"matched": 1, "changed": 0, "deliveries": []}
        other = await province.as_province("POST", "/v1/deliveries/discard", {**body, "expect": 2})
        assert (other.status, other.problem["reason"]) == (409, "other-count")
        named = await province.as_province("POST", "/v1/deliveries/discard", {**body, "reason": "của 001090123456"})
        assert named.status == 422
        again = await province.as_province("POST", f"/v1/deliveries/{held}/retry", None)
        assert (again.status, again.problem["reason"]) == (409, "still-not-understood")
        done = await province.as_province("POST", "/v1/deliveries/discard", {**body, "expect": 1})
        assert done.json["deliveries"] == [{"id": held, "code": code, "step": "discarded"}]
        over = await province.as_province("POST", f"/v1/deliveries/{held}/retry", None)
        assert (over.status, over.problem["reason"]) == (409, "not-now")
        none = await province.as_province("POST", "/v1/deliveries/nobody/retry", None)
        assert none.status == 404
        ministry = {"Authorization": f"Bearer {await province.token('ministry')}"}
        refused = await province.send("POST", f"/v1/deliveries/{held}/retry", headers=ministry)
        assert refused.status == 403
