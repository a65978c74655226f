"""The X-Road part of the tour: the demo's security server names who asks, and nobody else can (X-Road)."""

from __future__ import annotations

from typing import Final

from sandbox.guide import Guide, expect

_PERSON: Final = "population/person"


async def xroad_tour(guide: Guide) -> None:
    """Ask as a security server forwards requests over REST."""
    papers = guide.described["xroad"]
    client, registered = next(iter(papers["clients"].items()))
    server = guide.way(
        guide.described["gateway_tls"],
        tls_ca=guide.described["trust"]["gateway"],
        tls_certificate=papers["certificate"],
        tls_key=papers["key"],
    )

    async def believed() -> str:
        told = await guide.ask(_PERSON, client=None, headers={"X-Road-Client": client}, way=server)
        expect(told.seen, "200 ok")
        expect(told.value["data"], guide.described["samples"][_PERSON]["data"])
        return f"200, {client} is {registered}"

    async def others() -> str:
        stranger = await guide.ask(_PERSON, client=None, headers={"X-Road-Client": f"{client}2"}, way=server)
        expect(stranger.seen, "401 unauthenticated (unknown)")
        elsewhere = await guide.ask(_PERSON, client=None, headers={"X-Road-Client": client})
        expect(elsewhere.seen, "401 unauthenticated (missing)")
        return "401 for an unregistered client, and for the header from anybody but the security server"

    await guide.stop("behind a security server", believed)
    await guide.stop("X-Road client of nobody", others)
