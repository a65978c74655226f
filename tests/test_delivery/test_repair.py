"""Dead letters are sent again or given up, quarantine is left by a rule, destinations are held and let go."""

import pytest
from sqlalchemy import update

from adapters.transport import Undelivered
from schemas.dossiers.vocabularies import VOCABULARIES, configured
from sync.destinations import condition, paused, resumed
from sync.opening import Opener
from sync.repair import Filter, fingerprint
from sync.repairs import Miscounted, Repairs
from sync.sealing import DossierSealer
from sync.tables import DOSSIER_EVENTS
from tests.test_delivery.doubles import Double, failing, refusing, saying
from tests.test_delivery.world import Post, a_code, a_dossier, a_status
from tests.test_intake.world import CODE, NEIGHBOUR


def repairs_of(post: Post, vocabularies: dict[str, object] | None = None) -> Repairs:
    world = post.desk.world
    opener = Opener(DossierSealer(world.sealer))
    known = VOCABULARIES if vocabularies is None else configured(vocabularies)
    return Repairs(world.storage, world.log, opener, known, post.settings)


async def do(post: Post, act: str, wanted: Filter, expect: int, **more: object) -> list[str]:
    repairs = more.pop("repairs", None) or repairs_of(post)
    done = await repairs.do(act, wanted, expect, caller=None, by="tester", reason="a test")  # type: ignore[attr-defined]
    return [one.state for one in done]


async def refused(post: Post, *codes: str) -> None:
    """Have the first status of these dossiers end as a dead letter."""
    for code in codes:
        await post.desk.put(code=code)
        await post.desk.push(a_status("4", sequence=1), code=code)
        await post.desk.push(a_status("9", sequence=2), code=code)
        double = Double(post.handler, refusing(code))
        post.start(double)

        async def dead(code: str = code) -> bool:
            return any(row["state"] == "dead" and row["code"] == code for row in await post.desk.rows())

        await post.until(dead, "a dead letter")
        await post.stop()


async def test_of_more_than_one_act_may_change_all_are_counted_and_the_oldest_done(
    local: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("repair", "repairs"):
        monkeypatch.setattr(f"sync.{module}.MOST", 2)
    for sequence in (1, 2, 3):
        await local.desk.push(a_status("?", sequence=sequence))
    held = Filter("H26", "quarantined")
    assert await repairs_of(local).count(held, "discard") == 3
    with pytest.raises(Miscounted, match="3 deliveries"):
        await do(local, "discard", held, 2)
    assert await do(local, "discard", held, 3) == ["discarded"] * 2
    assert [row["state"] for row in await local.desk.rows()] == ["discarded", "discarded", "quarantined"]
    assert await do(local, "discard", held, 1) == ["discarded"]


async def test_dead_letters_that_are_sent_again_go_in_order(post: Post) -> None:
    codes = [a_code(1), a_code(2)]
    await refused(post, *codes)
    found = await repairs_of(post).matching(Filter("H26", "dead"), "retry")
    assert [(event.code, event.reason) for event in found] == [(code, "invalid-data") for code in codes]
    assert len({fingerprint(event) for event in found}) == 1
    with pytest.raises(Miscounted) as error:
        await do(post, "retry", Filter("H26", "dead"), 3)
    assert error.value.found == 2
    assert await do(post, "retry", Filter("H26", "dead"), 2) == ["queued", "queued"]
    post.start()
    await post.drained()
    await post.is_exact({code: ["4", "9"] for code in codes})
    entries = await post.desk.world.reader.size()
    kinds = [(await post.desk.world.reader.show(index)).entry["kind"] for index in range(entries)]
    assert kinds.count("admin") == 1


async def test_a_dead_letter_that_is_given_up_lets_what_stands_behind_it_go(post: Post) -> None:
    await refused(post, CODE)
    assert await do(post, "discard", Filter("H26", fingerprint="0" * 12), 0) == []
    assert await do(post, "discard", Filter("H26", code=CODE, state="dead"), 1) == ["discarded"]
    post.start()
    await post.drained()
    assert await post.told() == [(CODE, 2, "9", 1)]


async def test_others_are_not_concerned(local: Post) -> None:
    await refused(local, CODE)
    assert await repairs_of(local).matching(Filter("H22", "dead"), "retry") == []
    assert await repairs_of(local).matching(Filter(None, "dead", reason="failed"), "retry") == []


async def test_a_registration_that_was_refused_is_replaced_by_an_amendment(local: Post) -> None:
    await local.desk.put()
    await local.desk.push(a_status("4", sequence=1))
    double = Double(local.handler, saying("refused", "invalid-data"), of="register")
    local.start(double)

    async def dead() -> bool:
        return any(row["state"] == "dead" for row in await local.desk.rows())

    await local.until(dead, "a dead letter")
    assert await local.told() == []
    await local.desk.put(a_dossier(summary="corrected"))
    await local.drained()
    assert await local.told() == [(CODE, 1, "4", 1)]
    states = [(row["version"], row["state"], row["reason"]) for row in await local.desk.rows()]
    assert states == [(1, "discarded", "amended"), (None, "delivered", None), (2, "delivered", None)]


async def test_an_unknown_status_leaves_quarantine_by_a_rule_and_goes_to_its_place(post: Post) -> None:
    post.start()
    await post.desk.put()
    await post.desk.push(a_status("4", sequence=1))
    await post.desk.push(a_status("XONG", vocabulary="bhxh", sequence=2))
    await post.drained()
    (held,) = await repairs_of(post).matching(Filter("H26", "quarantined"), "retry")
    assert await do(post, "retry", Filter("H26", "quarantined"), 1) == ["untouched"]
    rules = repairs_of(post, {"bhxh": {"codes": {"XONG": "9"}}})
    assert await do(post, "retry", Filter("H26", event_id=held.event_id), 1, repairs=rules) == ["queued"]
    await post.drained()
    assert await post.told() == [(CODE, 1, "4", 1), (CODE, 2, "9", 1)]


async def test_what_was_overtaken_while_in_quarantine_is_late(local: Post) -> None:
    local.start()
    await local.desk.put()
    await local.desk.push(a_status("XONG", vocabulary="bhxh", sequence=1))
    await local.desk.push(a_status("9", sequence=2))
    await local.drained()
    rules = repairs_of(local, {"bhxh": {"codes": {"XONG": "4"}}})
    assert await do(local, "retry", Filter("H26", "quarantined"), 1, repairs=rules) == ["late"]
    await local.drained()
    assert await local.told() == [(CODE, 2, "9", 1)]


async def test_nothing_is_sent_to_a_destination_that_is_held(post: Post) -> None:
    world = post.desk.world

    async def how() -> tuple[str, int]:
        found = await world.storage.read(lambda connection: condition(connection, "portal", post.now(), "H26"))
        return found.state, found.waiting

    await world.storage.write(lambda connection: paused("portal", "tester", "works", post.now())(connection, 0))
    await post.desk.put()
    double = Double(post.handler)
    worker = post.start(double)
    await post.looked(worker)
    assert (await how(), double.asked) == (("paused", 1), [])
    await world.storage.write(lambda connection: resumed("portal")(connection, 0))
    await post.drained()
    assert await how() == ("up", 0)


async def test_a_destination_that_is_down_says_since_when(local: Post) -> None:
    await local.desk.put()
    local.start(Double(local.handler, *[failing(Undelivered())] * 1_000, of="register"))

    async def down() -> bool:
        found = await local.desk.world.storage.read(
            lambda connection: condition(connection, "portal", local.now(), "H26")
        )
        return found.state == "down" and found.since is not None and found.waiting == 1 and found.failures > 1

    await local.until(down, "it is down")


async def test_nobody_lets_an_event_into_the_dossier_of_another_agency(local: Post) -> None:
    local.start()
    await local.desk.put()
    await local.desk.push(a_status("9"), caller=NEIGHBOUR)
    await local.drained()
    assert await do(local, "retry", Filter("H22", "quarantined"), 1) == ["untouched"]
    assert await do(local, "retry", Filter(None, "quarantined"), 1) == ["untouched"]
    assert await do(local, "discard", Filter("H22", "quarantined"), 1) == ["discarded"]


async def test_an_event_whose_content_was_altered_is_a_dead_letter_and_harms_no_other(local: Post) -> None:
    for code in (CODE, a_code(5)):
        await local.desk.put(code=code)
        await local.desk.push(a_status("4", sequence=1), code=code)
    spoilt = update(DOSSIER_EVENTS).where(DOSSIER_EVENTS.c.code == CODE, DOSSIER_EVENTS.c.kind == "status")
    await local.desk.world.storage.write(lambda connection: connection.execute(spoilt.values(sealed=b"x" * 60)))
    local.start()
    await local.drained()
    (dead,) = [row for row in await local.desk.rows() if row["state"] == "dead"]
    assert (dead["code"], dead["reason"]) == (CODE, "content-unreadable")
    assert [line[0] for line in await local.told()] == [a_code(5)]
