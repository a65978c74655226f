"""What happens to deliveries is written down for receivers in the commit in which it happens."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from sandbox.world.world import World
from sync.callback_sender import EVENTS
from sync.callback_tables import CALLBACKS
from sync.callbacks import configure
from tests.test_callbacks.world import a_webhook, add_clients
from tests.test_delivery.doubles import Double, saying
from tests.test_delivery.world import Post, a_post, a_status
from tests.test_intake.world import CODE, OTHER_CODE
from tests.test_portal.visitor import visiting


@pytest.fixture
async def post(storage_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    """A deployment that delivers, on each kind of database; its province is called back."""
    async with (
        visiting(World(7, 20), tmp_path) as portal,
        a_post(storage_url, tmp_path / "vault", portal, registration_wait=1.0) as made,
    ):
        storage = made.desk.world.storage
        await add_clients(storage, province="H26", neighbour="H22")
        hooks = {name: a_webhook("http://127.0.0.1:9/") for name in ("province", "neighbour")}
        await storage.write(lambda connection: configure(connection, hooks, EVENTS))
        yield made


async def told(post: Post) -> list[tuple[str, str, dict[str, Any]]]:
    """What receivers are to be told: who, of which type, the data."""

    def look(connection: Connection) -> list[tuple[str, str, str]]:
        query = select(CALLBACKS.c.client_id, CALLBACKS.c.type, CALLBACKS.c.data)
        return [(row[0], row[1], row[2]) for row in connection.execute(query.order_by(CALLBACKS.c.created_at))]

    found = await post.desk.world.storage.read(look)
    return [(client, kind, json.loads(data)) for client, kind, data in found]


async def test_delivered_and_dead(post: Post) -> None:
    post.start(Double(post.handler, saying("refused", "invalid-data")))
    await post.desk.put()
    await post.drained()
    taken = await post.desk.push(a_status("4", sequence=1))
    await post.drained()
    found = await told(post)
    assert [(client, kind) for client, kind, _ in found] == [
        ("province", "dossier.delivered"),
        ("province", "dossier.dead"),
    ]
    assert found[0][2]["kind"] == "registration"
    assert found[1][2] == {
        "code": CODE,
        "delivery": taken.event_id,
        "kind": "status",
        "sequence": 1,
        "status": "4",
        "reason": "invalid-data",
        "link": f"/v1/dossiers/{CODE}",
    }


async def test_what_goes_to_quarantine_at_once_and_after_waiting(post: Post) -> None:
    unknown = await post.desk.push(a_status("XONG", sequence=1))
    held = await post.desk.push(a_status("4", sequence=1), code=OTHER_CODE)
    assert [kind for _, kind, _ in await told(post)] == ["dossier.quarantined"]
    # Nobody registers it: after a second it waits no longer.
    post.start()

    async def aside() -> bool:
        return len(await told(post)) == 2

    await post.until(aside, "it went aside")
    at_once, later = [data for _, _, data in await told(post)]
    assert (at_once["delivery"], at_once["reason"]) == (unknown.event_id, "unknown-status")
    assert (later["delivery"], later["reason"], later["code"]) == (held.event_id, "unregistered", OTHER_CODE)


async def test_what_is_refused_is_told_to_nobody(post: Post) -> None:
    await post.desk.push(a_status("4", sequence=1))
    with pytest.raises(Exception, match="sequence"):
        await post.desk.push(a_status("9", sequence=1))
    assert await told(post) == []
