"""The dossier part of the tour: push, push again, see them at the portal, look them up, take over others (hồ sơ)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from adapters.transport import Message
from sandbox.guide import Disappointed, Guide, Told, expect
from sandbox.tour_soap import pushed_again

# The same at every tour of a demo: a dossier of which nothing new is said.
_CODE: Final = "000.00.00.H26-260105-0001"
_KEY: Final = "lgsp-demo-tour-1"
_PATIENCE: Final = 30.0


async def dossiers_tour(guide: Guide) -> None:
    """Push as the province and look at what the gateway holds."""
    samples = guide.described["samples"]

    async def sent(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Told:
        token = {"Authorization": f"Bearer {await guide.token('province')}", "Content-Type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        return await guide.send(Message(method, path, {**token, **(headers or {})}, content))

    async def registered() -> str:
        told = await sent("PUT", f"/v1/dossiers/{_CODE}", samples["dossiers/dossier"]["body"])
        if told.status != 201:
            expect(told.status, 200)
        return f"{told.status}, version {told.value['version']}"

    async def pushed() -> str:
        answers = [
            await sent(
                "POST",
                f"/v1/dossiers/{_CODE}/statuses",
                samples["dossiers/status"]["body"],
                {"Idempotency-Key": _KEY},
            )
            for _ in range(2)
        ]
        expect([told.status for told in answers], [202, 202])
        expect(answers[1].headers.get("Idempotency-Replayed"), "true")
        expect(answers[1].value, answers[0].value)
        return f"202, {answers[0].value['result']}; sent again: the same answer"

    async def seen() -> str:
        whole = await sent("GET", f"/v1/dossiers/{_CODE}")
        expect(whole.status, 200)
        public = await guide.get(f"/v1/public/dossiers/{_CODE}")
        expect(set(public.value), {"code", "completion"})
        stranger = await guide.get(f"/v1/dossiers/{_CODE}", "ministry")
        expect(stranger.seen, "403 refused (no-right)")
        return f"{len(whole.value['deliveries'])} deliveries; the public sees {public.value['completion']['degree']}"

    async def applied(status: str) -> int:
        """Wait until the portal's ledger has a status of the dossier; return how often it was applied."""
        way = guide.way(guide.described["portal"])
        until = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < until:
            reply = await guide.reply(Message("GET", "/_ledger"), way)
            lines = [json.loads(line) for line in reply.body.splitlines()]
            times = [line["times_applied"] for line in lines if (line["dossier"], line["status"]) == (_CODE, status)]
            if times:
                return sum(times)
            await asyncio.sleep(0.1)
        raise Disappointed(f"the portal was not told of status {status} in {_PATIENCE:.0f} s")

    async def delivered() -> str:
        expect(await applied("4"), 1)
        (portal,) = (await sent("GET", "/v1/destinations")).value["items"]
        return f"applied once; the portal is {portal['state']}"

    async def lost() -> str:
        body = {**samples["dossiers/status"]["body"], "status": "9", "at": "2026-01-06T09:00:00+07:00"}
        await guide.fault("portal", "drop-after-commit")
        try:
            told = await sent("POST", f"/v1/dossiers/{_CODE}/statuses", body, {"Idempotency-Key": f"{_KEY}-lost"})
            expect(told.status, 202)
            await applied("9")
        finally:
            await guide.fault("portal", None)
        until = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < until:
            last = (await sent("GET", f"/v1/dossiers/{_CODE}")).value["deliveries"][-1]
            if last["state"] == "delivered":
                expect(await applied("9"), 1)
                return f"applied once, after {len(last['attempts'])} attempts whose answers were lost"
            await asyncio.sleep(0.2)
        raise Disappointed(f"not known to be delivered in {_PATIENCE:.0f} s")

    async def taken_over() -> str:
        until = asyncio.get_running_loop().time() + _PATIENCE
        while not (page := (await sent("GET", "/v1/inbox/dossiers")).value)["items"]:
            if asyncio.get_running_loop().time() > until:
                return "nothing was filed at the portal since it was last looked at"
            await asyncio.sleep(0.2)
        first = page["items"][0]
        done = await sent("POST", f"/v1/inbox/dossiers/{first['code']}/ack", {"version": first["version"]})
        expect((done.status, done.value["adopted"]), (200, True))
        again = await sent("POST", f"/v1/inbox/dossiers/{first['code']}/ack", {"version": first["version"]})
        expect((again.value["result"], again.value["receipt"]), ("duplicate", done.value["receipt"]))
        return f"{len(page['items'])} filed at the portal; one was acknowledged, and counts as adopted"

    await guide.stop("dossiers: register", registered)
    await guide.stop("dossiers: status, twice", pushed)
    await guide.stop("dossiers: through the other door", lambda: pushed_again(guide, _CODE, _KEY))
    await guide.stop("dossiers: at the portal", delivered)
    await guide.stop("dossiers: answer lost", lost)
    await guide.stop("dossiers: who sees what", seen)
    await guide.stop("dossiers: from the portal", taken_over)
