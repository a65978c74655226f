"""Witnesses of a gateway that runs: at its start, when it is told to reload, and at its end."""

from __future__ import annotations

import asyncio

from config.settings import load
from routes.assembly import assembled
from routes.delivering import delivering, delivering_alone
from security.audit.witnessed import standing
from tests.test_audit.audit_world import evidence
from tests.test_witnesses.sites import Site


async def caught_up(site: Site) -> int:
    """Wait until every witness has everything; return how much that is."""
    while True:
        found = [
            await site.storage.read(lambda connection, name=name: standing(connection, name))  # type: ignore[misc]
            for name in ("office", "paper")
        ]
        if all(each.size == each.entries for each in found):
            return found[0].entries
        await asyncio.sleep(0.01)


async def test_start_reload_and_stop_show_what_there_is(site: Site) -> None:
    site.file.write_text(site.file.read_text().replace("[witness.office]", "[witness.office]\nevery = 3600.0"))
    site.file.write_text(site.file.read_text().replace("[witness.paper]", "[witness.paper]\nevery = 3600.0"))
    await site.grow(2, shown=False)
    async with assembled(load(site.file), ()) as gateway, delivering(gateway):
        assert await asyncio.wait_for(caught_up(site), 60) == 2
        await gateway.log.record(evidence())
        await gateway.reload()
        assert await asyncio.wait_for(caught_up(site), 60) == 3
        await gateway.log.record(evidence())
    assert await asyncio.wait_for(caught_up(site), 60) == 4
    assert (await site.verify("--against", "office", "--against", "paper"))[0] == 0


async def test_a_worker_alone_shows_it_too(site: Site) -> None:
    await site.grow(1, shown=False)
    async with delivering_alone(load(site.file), ()):
        assert await asyncio.wait_for(caught_up(site), 60) == 1
