"""Whatever the portal does with what is sent, it ends there once, in order, or as a dead letter that says why."""

from __future__ import annotations

import asyncio

import pytest

from adapters.transport import Throttled, Undelivered
from schemas.errors import UpstreamTimeout, UpstreamUnavailable, UpstreamUnreadable
from sync.liveness import owner
from tests.test_delivery.doubles import Double, Reaction, failing, hanging, lost, refusing, saying
from tests.test_delivery.world import Post, a_code, a_dossier, a_status
from tests.test_intake.world import CODE
from tests.test_portal.visitor import dossier as at_the_portal

WANTED = [(CODE, 1, "4", 1), (CODE, 2, "9", 1)]


async def pushed(post: Post) -> None:
    await post.desk.put()
    await post.desk.push(a_status("4", sequence=1))
    await post.desk.push(a_status("9", sequence=2))


@pytest.mark.parametrize(
    ("reaction", "looks"),
    [
        pytest.param(lost(UpstreamUnavailable()), 1, id="applied-connection-lost"),
        pytest.param(lost(UpstreamTimeout()), 1, id="applied-timeout"),
        pytest.param(lost(UpstreamUnreadable()), 1, id="applied-unreadable"),
        pytest.param(failing(UpstreamUnavailable()), 1, id="not-applied-connection-lost"),
        pytest.param(failing(UpstreamTimeout()), 1, id="not-applied-timeout"),
        pytest.param(failing(Undelivered()), 0, id="never-connected"),
        pytest.param(failing(Throttled(retry_after=0.01)), 0, id="throttled"),
        pytest.param(saying("busy", "busy"), 0, id="busy"),
        pytest.param(saying("session", "session-ended"), 0, id="session"),
        pytest.param(saying("refused", "failed"), 0, id="refused-in-general"),
        pytest.param(saying("missing", "no-such-dossier"), 0, id="not-there-yet"),
        pytest.param(saying("refused", "unknown-answer", applies=True), 1, id="applied-unknown-answer"),
        pytest.param(saying("refused", "unknown-answer"), 1, id="not-applied-unknown-answer"),
        pytest.param(saying("unclear", "not-told", applies=True), 1, id="applied-not-told"),
        pytest.param(saying("exists", "already-exists", applies=True), 1, id="applied-already-there"),
    ],
)
async def test_a_status_arrives_once(post: Post, reaction: Reaction, looks: int) -> None:
    await pushed(post)
    double = Double(post.handler, reaction)
    post.start(double)
    await post.drained()
    assert await post.told() == WANTED
    assert double.asked.count("look-up") == looks
    assert [row["state"] for row in await post.desk.rows()] == ["delivered"] * 3
    assert not {row["outcome"] for row in await post.attempts()} & {"unknown"}


@pytest.mark.parametrize(
    "reaction",
    [
        pytest.param(lost(UpstreamUnavailable()), id="answer-lost"),
        pytest.param(failing(Undelivered()), id="never-connected"),
        pytest.param(saying("missing", "no-such-dossier"), id="update-of-none"),
    ],
)
async def test_a_registration_arrives(local: Post, reaction: Reaction) -> None:
    await pushed(local)
    local.start(Double(local.handler, reaction, of="register"))
    await local.drained()
    assert await local.told() == WANTED


async def test_a_dossier_that_the_portal_has_already_is_replaced_there(local: Post) -> None:
    await local.portal.call("DongBoHoSoMC", isUpdating="False", data=[{**at_the_portal(), "MaHoSo": CODE}])
    await pushed(local)
    local.start()
    await local.drained()
    assert await local.told() == WANTED


async def test_what_the_portal_will_never_take_is_a_dead_letter_and_holds_up_its_dossier_only(post: Post) -> None:
    other = a_code(7)
    await pushed(post)
    await post.desk.put(code=other)
    await post.desk.push(a_status("4", sequence=1), code=other)
    post.start(Double(post.handler, *[refusing(CODE)] * 4))
    await post.until(lambda: _delivered(post, other), "the other dossier is delivered")
    assert [line[0] for line in await post.told()] == [other]
    rows = {(row["code"], row["sequence"]): row for row in await post.desk.rows()}
    assert (rows[CODE, 1]["state"], rows[CODE, 1]["reason"]) == ("dead", "invalid-data")
    assert rows[CODE, 2]["state"] == "queued"


async def _delivered(post: Post, code: str) -> bool:
    rows = [row for row in await post.desk.rows() if row["code"] == code]
    return all(row["state"] == "delivered" for row in rows)


async def test_a_general_refusal_ends_after_as_many_tries_as_are_allowed(local: Post) -> None:
    await pushed(local)
    local.settings = local.settings.model_copy(update={"attempts": 3})
    local.start(Double(local.handler, *[saying("refused", "failed")] * 5))
    await local.until(lambda: _dead(local), "a dead letter")
    (dead,) = [row for row in await local.desk.rows() if row["state"] == "dead"]
    assert (dead["sequence"], dead["reason"], dead["attempts"]) == (1, "failed", 3)


async def _dead(post: Post) -> bool:
    return any(row["state"] == "dead" for row in await post.desk.rows())


async def test_one_bad_dossier_of_a_batch_that_is_refused_as_a_whole_harms_no_other(local: Post) -> None:
    codes = [a_code(number) for number in range(1, 6)]
    for code in codes:
        await local.desk.put(a_dossier(), code=code)
        await local.desk.push(a_status("4", sequence=1), code=code)
    local.start(Double(local.handler, saying("refused", "invalid-data", each=False)))
    await local.drained()
    await local.is_exact({code: ["4"] for code in codes})


async def test_a_destination_that_fails_is_left_alone_ever_longer_and_then_tried_with_one(local: Post) -> None:
    for number in range(1, 9):
        await local.desk.put(code=a_code(number))
    double = Double(local.handler, *[failing(Undelivered())] * 3, of="register")
    local.start(double)
    await local.drained()
    # One batch of all, two probes that fail, one that does not, then the rest.
    first_tries = [row for row in await local.attempts() if row["number"] == 1]
    assert len(first_tries) == 8
    assert sum(row["outcome"] == "failed" for row in await local.attempts()) <= 8 + 2
    assert (await local.destination())["failures"] == 0
    assert (await local.destination())["down_since"] is None


async def test_nothing_is_sent_before_the_time_that_the_portal_asked_for(local: Post) -> None:
    await pushed(local)
    double = Double(local.handler, failing(Throttled(retry_after=3600)), of="register")
    local.start(double)
    await local.until(lambda: _failed(local), "the destination is left alone")
    assert (await local.destination())["due_at"] > 3_500_000 + (await local.destination())["down_since"]
    assert double.asked == ["register"]


async def _failed(post: Post) -> bool:
    return bool((await post.destination()).get("failures"))


@pytest.mark.parametrize("applies", [True, False], ids=["applied", "not-applied"])
async def test_a_worker_that_dies_after_sending_makes_nothing_happen_twice(post: Post, applies: bool) -> None:
    await pushed(post)
    reached = asyncio.Event()
    # A process that was there and is no more.
    gone = owner().rpartition(":")[0].rpartition(":")[0] + ":0:dead"
    post.start(Double(post.handler, hanging(reached, applies=applies)), name=gone)
    await reached.wait()
    post.abandon()
    second = Double(post.handler)
    post.start(second)
    await post.drained()
    assert await post.told() == WANTED
    assert second.asked.count("look-up") == 1


@pytest.mark.parametrize("fault", ["drop-after-commit=0.3", "error=0.3", "session-expired=2", "throttled=20/s"])
async def test_faults_of_the_sandbox(local: Post, fault: str) -> None:
    codes = [a_code(number) for number in range(1, 13)]
    local.settings = local.settings.model_copy(update={"parallel": 2})
    await local.portal.fault(fault)
    local.start()
    for code in codes:
        await local.desk.put(code=code)
        for number, status in enumerate(("4", "9"), start=1):
            await local.desk.push(a_status(status, sequence=number), code=code)
    await local.drained()
    await local.portal.fault(None)
    await local.is_exact({code: ["4", "9"] for code in codes})


@pytest.mark.parametrize("fault", ["down", "malformed"])
async def test_what_waited_through_an_outage_arrives_once(local: Post, fault: str) -> None:
    await local.portal.fault(fault)
    await pushed(local)
    local.start()
    await local.until(lambda: _failed(local), "the outage is noticed")
    await local.portal.fault(None)
    await local.drained()
    assert await local.told() == WANTED
