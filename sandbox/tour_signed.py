"""Signed requests in the tour of the demo: taken once the gateway can tell which were used (yêu cầu có chữ ký)."""

from __future__ import annotations

from asyncio import sleep
from dataclasses import replace
from typing import Final

from sandbox.guide import Guide, expect

_PERSON: Final = "population/person"
_FORGETFUL: Final = "503 evidence-unavailable (replay-memory)"
# Signatures name whole seconds, and workers that start together may count from moments a little apart.
_APART: Final = 3


async def signed_tour(guide: Guide) -> None:
    """Send a request with the caller's signature, a changed one, and the same one again (RFC 9421)."""

    async def signed() -> str:
        message = await guide.signed(_PERSON, "ministry")
        changed = replace(message, body=message.body.replace(b"{", b"{ "))
        seen = [(await guide.send(one)).seen for one in (changed, message, message)]
        expect(seen, ["403 signature-rejected (altered)", "200 ok", "403 signature-rejected (replayed)"])
        return "200 with the caller's signature; changed or sent again 403"

    await _until_remembered(guide)
    await guide.stop("signed request", signed)


async def _until_remembered(guide: Guide) -> None:
    """Wait as long as the gateway asks for where it does not know yet which signed requests were used.

    After another number of workers or a start of the machine that is right, for a minute; whatever it answers after the
    wait is for the stops to judge.
    """
    told = await guide.send(await guide.signed(_PERSON, "ministry"))
    if told.seen != _FORGETFUL:
        return
    seconds = int(told.headers["Retry-After"]) + _APART
    why = "other workers than last time, or the machine was started: the gateway does not know yet what was used"
    print(f"wait {'signed requests':<36} {seconds} s: {why}", flush=True)  # noqa: T201 - the command's output
    await sleep(seconds)
