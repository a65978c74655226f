"""From the portal to the province and back, as its users have it: filed, called back, fetched, acknowledged, pushed."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from typer.testing import CliRunner

from commands import app
from tests.test_callbacks.receiver import PATIENCE_S, SECRET, Receiver, listening
from tests.test_commands.conftest import printed
from tests.test_gateway.live import Caller, Live, Reply
from tests.test_intake.world import a_dossier, a_status


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as made:
        yield made


@pytest.fixture
async def demo(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Live]:
    """A demo whose province is called back, and whose portal is asked often."""
    environment = {
        "LGSP_INBOX__EVERY": "0.2",
        "LGSP_WEBHOOKS__PROVINCE__URL": receiver.url,
        "LGSP_WEBHOOKS__PROVINCE__SECRETS": json.dumps([SECRET]),
        "LGSP_WEBHOOKS__PROVINCE__PAUSE": "0.05",
        "LGSP_WEBHOOKS__PROVINCE__LONGEST_PAUSE": "0.1",
    }

    def begin() -> Live:
        return Live(tmp_path / "state", seed=3, people=20, environment=environment)

    # The receiver answers in this loop while the demo starts.
    live = await asyncio.to_thread(begin)
    yield live
    if live.process.poll() is None:
        await asyncio.to_thread(live.stop)


class Province(Caller):
    """The province of the demo."""

    async def ask(self, method: str, path: str, body: Any = None, client: str = "province", **headers: str) -> Reply:
        bearer = {"Authorization": f"Bearer {await self.token(client)}"}
        return await self.send(method, path, json=body, headers=bearer | headers)

    async def file(self, **asked: Any) -> list[str]:
        async with self.session.post(f"{self.live.described['portal']}/_filed", json=asked) as answer:
            assert answer.status == 200, await answer.text()
            codes: list[str] = (await answer.json())["filed"]
            return codes

    async def inbox(self, query: str = "") -> Any:
        reply = await self.ask("GET", f"/v1/inbox/dossiers{query}")
        assert reply.status == 200, reply.body
        return reply.json

    async def has(self, many: int) -> Any:
        """Wait until the inbox has so many."""
        async with asyncio.timeout(PATIENCE_S):
            while len((page := await self.inbox())["items"]) < many:
                await asyncio.sleep(0.05)
        return page


async def told(receiver: Receiver, kind: str, many: int = 1) -> list[Any]:
    """Wait until the receiver was told so many things of a kind."""
    async with asyncio.timeout(PATIENCE_S):
        while len(found := [call.verified() for call in receiver.calls if f'"{kind}"'.encode() in call.body]) < many:
            await asyncio.sleep(0.05)
    return found


async def test_from_the_portal_to_the_province_and_back(demo: Live, receiver: Receiver) -> None:
    async with ClientSession() as http:
        province = Province(demo, http)
        first = (await province.has(3))["items"]
        assert all(item["agency"] == "H26" for item in first)
        (code,) = await province.file(count=1, agency="H26.18")
        assert await province.file(count=1, agency="G09")
        page = await province.has(4)
        assert page["next"] is None
        item = page["items"][-1]
        assert (item["code"], item["version"], item["agency"]) == (code, 1, "H26.18")
        (found,) = [one for one in await told(receiver, "dossier.filed", 4) if one["data"]["code"] == code]
        assert found["data"] == {"code": code, "version": 1, "link": f"/v1/inbox/dossiers/{code}"}
        # Who may see it finds it behind the link, with everything that the portal says of it.
        seen = await province.ask("GET", found["data"]["link"])
        assert seen.json["dossier"] == item["dossier"]
        person = item["dossier"]["owner_identities"][0]["number"]
        for call in receiver.calls:
            assert person.encode() not in call.body
        # Nobody can tell another agency's from none.
        other, none = await province.file(count=1, agency="H22"), "H26-20260101-0000001"
        replies = [await province.ask("GET", f"/v1/inbox/dossiers/{each}") for each in (other[0], none)]
        replies += [await province.ask("POST", f"/v1/inbox/dossiers/{each}/ack") for each in (other[0], none)]
        assert {(reply.status, reply.problem["code"], reply.problem["detail"]) for reply in replies} == {
            (404, "not-found", replies[0].problem["detail"])
        }
        refused = await province.ask("GET", "/v1/inbox/dossiers", client="ministry")
        assert (refused.status, refused.problem["reason"]) == (403, "no-right")
        done = await province.ask("POST", f"/v1/inbox/dossiers/{code}/ack", **{"Lgsp-Receipt": "full"})
        assert {"result": "acknowledged", "adopted": True, "acknowledged_by": "province"}.items() <= done.json.items()
        entry = json.loads(base64.b64decode(done.json["receipt"]["entry"]))
        assert (entry["kind"], entry["operation"], entry["dossier"]) == ("intake", "acknowledge", code)
        again = await province.ask("POST", f"/v1/inbox/dossiers/{code}/ack", {"version": 1})
        assert (again.json["result"], again.json["receipt"]["index"]) == ("duplicate", entry_index(done))
        assert len((await province.inbox())["items"]) == 3
        # The portal holds it: a status may follow at once, and the province hears that it arrived.
        key = {"Idempotency-Key": "1"}
        pushed = await province.ask("POST", f"/v1/dossiers/{code}/statuses", a_status("2", sequence=1), **key)
        assert (pushed.status, pushed.json["result"]) == (202, "accepted")
        unknown = a_status("XONG", sequence=2)
        await province.ask("POST", f"/v1/dossiers/{code}/statuses", unknown, **{"Idempotency-Key": "2"})
        (delivered,) = await told(receiver, "dossier.delivered")
        assert delivered["data"] == {
            "code": code,
            "delivery": pushed.json["delivery"],
            "kind": "status",
            "sequence": 1,
            "status": "2",
            "link": f"/v1/dossiers/{code}",
        }
        (aside,) = await told(receiver, "dossier.quarantined")
        assert (aside["data"]["sequence"], aside["data"]["reason"]) == (2, "unknown-status")
        # What is another agency's to handle is not ours to register; what is filed later is read later.
        await province.file(count=1, agency="H26.18")
        await province.has(4)
        taken = await province.ask("PUT", f"/v1/dossiers/{other[0]}", a_dossier())
        assert (taken.status, taken.problem["code"], taken.problem["reason"]) == (403, "refused", "other-agency")


def entry_index(reply: Reply) -> int:
    index: int = reply.json["receipt"]["index"]
    return index


async def test_pages_wrong_questions_and_what_operators_see(demo: Live, receiver: Receiver) -> None:
    await pages_and_wrong_questions(demo)
    await receivers_are_shown_and_switched(demo, receiver)


async def pages_and_wrong_questions(demo: Live) -> None:
    async with ClientSession() as http:
        province = Province(demo, http)
        await province.file(count=2, agency="H26")
        whole = [item["code"] for item in (await province.has(5))["items"]]
        paged: list[str] = []
        after = ""
        while True:
            page = await province.inbox(f"?limit=2{after}")
            paged += [item["code"] for item in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert paged == whole
        for query in ("?limit=0", "?limit=501", "?after=x", "?state=new", "?limit=1&limit=2"):
            reply = await province.ask("GET", f"/v1/inbox/dossiers{query}")
            assert (reply.status, reply.problem["code"]) == (422, "invalid"), query
        code = whole[0]
        for body in ({"version": 0}, {"version": "1"}, {"more": 1}, []):
            reply = await province.ask("POST", f"/v1/inbox/dossiers/{code}/ack", body)
            assert (reply.status, reply.problem["code"]) == (422, "invalid"), body
        reply = await province.ask("POST", f"/v1/inbox/dossiers/{code}/ack", {"version": 9})
        assert reply.status == 404
        config = str(demo.state / "gateway.toml")
        counted = await asyncio.to_thread(printed, "dossiers", "inbox", "--config", config)
        assert counted["counts"] == {"new": 5}


async def test_what_came_before_a_crash_is_told_after_it(demo: Live, receiver: Receiver) -> None:
    async with ClientSession() as http:
        province = Province(demo, http)
        await told(receiver, "dossier.filed", 3)
        # It is down when the next comes, and so is the gateway before it is up again.
        known = len(receiver.calls)
        for _ in range(50):
            receiver.answers(503)
        (code,) = await province.file(count=1, agency="H26")
        await province.has(4)
        await receiver.called(known + 1)
    await asyncio.to_thread(demo.kill)
    receiver.reactions.clear()
    await asyncio.to_thread(demo.start)
    filed = await told(receiver, "dossier.filed", 4)
    assert {one["data"]["code"] for one in filed} >= {code}
    ids = {call.id for call in receiver.calls if code.encode() in call.body}
    assert len(ids) == 1


async def receivers_are_shown_and_switched(demo: Live, receiver: Receiver) -> None:
    config = str(demo.state / "gateway.toml")

    async def command(*words: str, code: int = 0) -> Any:
        """Run the command as the gateway runs, which knows the receiver from its environment."""
        run = ["dossiers", "callbacks", *words, "--config", config, "--json"]
        done = await asyncio.to_thread(CliRunner(env=demo.environment).invoke, app, run)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if done.stdout else None

    await told(receiver, "dossier.filed", 3)
    (shown,) = (await command())["receivers"]
    assert (shown["client_id"], shown["state"]) == ("province", "up")
    assert (await command("--test", "province")) == {"client": "province", "outcome": "204", "taken": True}
    (test,) = await told(receiver, "callback.test")
    assert test["data"] == {"client": "province"}
    (off,) = (await command("--disable", "province"))["receivers"]
    assert off["state"] == "disabled: operator"
    (on,) = (await command("--enable", "province"))["receivers"]
    assert on["state"] == "up"
    await command("--enable", "nobody", code=2)
    receiver.answers(500)
    assert (await command("--test", "province", code=1))["outcome"] == "500"
