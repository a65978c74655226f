"""Several workers share a queue: nothing twice, nothing lost, whoever of them goes."""

import asyncio
import random

from tests.test_delivery.doubles import Double, hanging
from tests.test_delivery.world import Post, a_code, a_dossier, a_status

STATUSES = ("4", "5", "4", "9", "10")


async def _push(post: Post, codes: list[str]) -> None:
    for code in codes:
        await post.desk.put(a_dossier(), code=code)
        for number, status in enumerate(STATUSES, start=1):
            await post.desk.push(a_status(status, sequence=number), code=code)


async def test_workers_that_come_and_go_deliver_everything_once_and_in_order(post: Post) -> None:
    codes = [a_code(number) for number in range(1, 41)]
    await post.portal.fault("drop-after-commit=0.1,error=0.1")
    dice = random.Random(6)
    pushing = asyncio.create_task(_push(post, codes))
    for _ in range(4):
        post.start()
    while not (pushing.done() and await post.over()):
        await asyncio.sleep(0.1)
        worker, task = post.running.pop(dice.randrange(len(post.running)))
        worker.stop()
        await task
        post.start()
    await pushing
    await post.portal.fault(None)
    await post.is_exact({code: list(STATUSES) for code in codes})


async def test_a_lease_that_ran_out_lets_another_worker_look_and_go_on(post: Post) -> None:
    """On another machine nobody can tell whether a process lives."""
    code = a_code(1)
    await _push(post, [code])
    reached = asyncio.Event()
    post.start(Double(post.handler, hanging(reached, applies=True)), name="elsewhere:1:1:x")
    await reached.wait()
    post.abandon()
    post.end_leases(post.start())
    await post.drained()
    await post.is_exact({code: list(STATUSES)})
