"""What a clock that is set back leaves behind in the rows, on each kind of database."""

from sync.clock import is_behind, retime
from sync.tables import DESTINATIONS, DOSSIERS
from tests.test_delivery.world import Post, a_code, a_status
from tests.test_intake.world import CODE

HOUR_MS = 3_600_000


async def test_what_was_due_is_due_and_what_waited_waits_from_now_on(post: Post) -> None:
    storage, before = post.desk.world.storage, post.now() - HOUR_MS
    await post.desk.put()
    await post.desk.push(a_status("9", sequence=2))
    await post.desk.push(a_status("4"), code=a_code(7))
    left_alone = DESTINATIONS.insert().values(name="portal", failures=1, due_at=post.now() + HOUR_MS)
    await storage.write(lambda connection: connection.execute(left_alone))
    assert await storage.read(lambda connection: is_behind(connection, before))
    assert not await storage.read(lambda connection: is_behind(connection, post.now()))
    for mended in (2, 0):
        assert await storage.write(lambda connection: retime(connection, "portal", before, post.settings)) == mended
    assert {row["code"]: row["next_due"] for row in await post.desk.rows(DOSSIERS)} == {
        CODE: before,
        a_code(7): before,
    }
    assert [row["due_at"] for row in await post.desk.rows()] == [before] * 3
    (destination,) = await post.desk.rows(DESTINATIONS)
    assert destination["due_at"] == before + round(post.settings.settle * 1000 or post.settings.longest_pause * 1000)


async def test_what_is_as_it_may_be_stays(post: Post) -> None:
    await post.desk.put()
    await post.desk.push(a_status("9", sequence=2))
    rows = [await post.desk.rows(), await post.desk.rows(DOSSIERS)]
    now = post.now()
    write = post.desk.world.storage.write
    assert await write(lambda connection: retime(connection, "portal", now, post.settings)) == 0
    assert await write(lambda connection: retime(connection, "portal-2", now - HOUR_MS, post.settings)) == 0
    assert [await post.desk.rows(), await post.desk.rows(DOSSIERS)] == rows
