"""What is accepted reaches the portal in order, once in effect."""

from tests.test_delivery.world import Post, a_code, a_dossier, a_status
from tests.test_intake.world import CODE


async def test_a_dossier_and_its_statuses_go_in_order(post: Post) -> None:
    post.start()
    await post.desk.put()
    for number, status in enumerate(("4", "9", "10"), start=1):
        await post.desk.push(a_status(status, sequence=number))
    await post.drained()
    assert await post.told() == [(CODE, 1, "4", 1), (CODE, 2, "9", 1), (CODE, 3, "10", 1)]
    rows = await post.desk.rows()
    assert [row["state"] for row in rows] == ["delivered"] * 4
    assert [row["attempts"] for row in rows] == [1] * 4


async def test_statuses_wait_for_their_dossier_and_go_in_their_sequence(post: Post) -> None:
    post.start()
    await post.desk.push(a_status("9", sequence=2))
    await post.desk.push(a_status("4", sequence=1))
    await post.desk.put()
    await post.drained()
    assert await post.told() == [(CODE, 1, "4", 1), (CODE, 2, "9", 1)]


async def test_many_dossiers_share_batches(post: Post) -> None:
    codes = [a_code(number) for number in range(1, 61)]
    for code in codes:
        await post.desk.put(a_dossier(), code=code)
        await post.desk.push(a_status("4", sequence=1), code=code)
        await post.desk.push(a_status("9", sequence=2), code=code)
    for _ in range(3):
        post.start()
    await post.drained()
    await post.is_exact({code: ["4", "9"] for code in codes})
