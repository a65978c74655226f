"""The dossier part of the tour: push the samples, push them again, look them up as owner and as anybody (hồ sơ)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from adapters.transport import Message
from sandbox.guide import Guide, Told, expect

# The same at every tour of a demo: a dossier of which nothing new is said.
_CODE: Final = "000.00.00.H26-260105-0001"
_KEY: Final = "lgsp-demo-tour-1"


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

    await guide.stop("dossiers: register", registered)
    await guide.stop("dossiers: status, twice", pushed)
    await guide.stop("dossiers: who sees what", seen)
