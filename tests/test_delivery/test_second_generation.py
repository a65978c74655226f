"""Generation 2 of the portal's interface, alone and beside generation 1, chosen for each source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import ConfigurationError, load
from routes.delivering import delivering
from schemas.dossiers.models import DossierBody, StatusEvent
from schemas.errors import CircuitOpen, UpstreamUnavailable
from sync.destinations import condition, paused, resumed
from sync.repair import Filter
from sync.tables import DOSSIERS
from tests.test_delivery.doubles import Double, failing, lost
from tests.test_delivery.test_repair import do
from tests.test_delivery.world import Post, a_code, a_dossier, a_post, a_status
from tests.test_intake.world import CODE, NEIGHBOUR, PROVINCE
from tests.test_openapi.deployment import Deployment, deployment
from tests.test_portal.visitor import Visitor


@pytest.fixture
async def second(sqlite_url: str, tmp_path: Path, portal: Visitor) -> AsyncIterator[Post]:
    """On SQLite, to a portal of generation 2."""
    async with a_post(sqlite_url, tmp_path / "vault", portal, "2") as made:
        yield made


async def states(post: Post, code: str = CODE) -> list[tuple[str, str | None]]:
    return [(row["state"], row["reason"]) for row in await post.desk.rows() if row["code"] == code]


async def test_a_dossier_and_its_statuses_arrive_in_the_words_of_the_second(second: Post) -> None:
    await second.desk.put(a_dossier(submitted_at="2026-11-29T20:00:00Z"))
    await second.desk.push(a_status("4", sequence=1, at="2026-11-30T02:00:00.5Z", officer="Trần Văn Mẫu"))
    await second.desk.push(a_status("9", sequence=2))
    second.start()
    await second.drained()
    assert await second.told() == [(CODE, 1, "4", 1), (CODE, 2, "9", 1)]
    _, told = await second.portal.second("TraCuuHoSo", {"MaHoSo": CODE})
    held = told["data"]
    assert (held["NgayNop"], held["NgayTiepNhan"]) == ("2026-11-30 03:00:00", "2026-11-30 08:00:00")
    assert (held["LoaiDoiTuong"], held["TrangThai"], held["MaDonViTiepNhan"]) == (0, 9, "000.00.00.H26")
    first, _ = held["DanhSachTienDo"]
    assert (first["ThoiDiemXuLy"], first["TrangThai"]) == ("2026-11-30T09:00:00.500", 4)
    assert first["NguoiXuLy"] == "Trần Văn Mẫu"


@pytest.mark.parametrize("fault", ["drop-after-commit=0.3", "error=0.3", "session-expired=2", "session-expired=1s"])
async def test_faults_of_the_sandbox(second: Post, fault: str) -> None:
    codes = [a_code(number) for number in range(1, 9)]
    await second.portal.fault(fault)
    second.start()
    for code in codes:
        await second.desk.put(code=code)
        for number, status in enumerate(("4", "9"), start=1):
            await second.desk.push(a_status(status, sequence=number), code=code)
    await second.drained()
    await second.portal.fault(None)
    await second.is_exact({code: ["4", "9"] for code in codes})


@pytest.mark.parametrize("of", ["register", "progress"])
async def test_what_was_applied_although_its_answer_was_lost_is_not_applied_again(second: Post, of: str) -> None:
    await second.desk.put()
    await second.desk.push(a_status("4", sequence=1))
    second.start(Double(second.handler, lost(UpstreamUnavailable()), of=of))
    await second.drained()
    assert await second.told() == [(CODE, 1, "4", 1)]
    assert await states(second) == [("delivered", None)] * 2


async def test_a_creation_that_was_lost_is_ours_whatever_came_of_attempts_that_never_arrived(second: Post) -> None:
    await second.desk.put()
    await second.desk.push(a_status("4", sequence=1))
    faults = lost(UpstreamUnavailable()), failing(CircuitOpen()), failing(CircuitOpen())
    second.start(Double(second.handler, *faults, of="register"))
    await second.drained()
    assert await second.told() == [(CODE, 1, "4", 1)]
    assert await states(second) == [("delivered", None)] * 2
    first, *others = await second.attempts()
    assert (first["outcome"], first["reason"]) == ("ok", "found-at-the-portal")
    assert [each["outcome"] for each in others if each["code"] == "circuit-open"] == ["failed"] * 2


async def test_an_attempt_that_never_arrived_is_told_as_such_once_a_creation_was_taken(second: Post) -> None:
    await second.desk.put()
    second.start(Double(second.handler, failing(UpstreamUnavailable()), of="register"))
    await second.drained()
    assert [(each["outcome"], each["reason"]) for each in await second.attempts()] == [
        ("failed", "not-applied"),
        ("ok", None),
    ]


async def test_a_dossier_that_is_there_already_and_cannot_be_replaced_is_a_dead_letter_that_says_so(
    second: Post,
) -> None:
    body = {"MaHoSo": CODE, "MaTTHC": "1.005129", "ChuHoSo": "N", "LoaiDoiTuong": 0, "MaDonViTiepNhan": "H26"}
    status, _ = await second.portal.second("Create", body)
    assert status == 200
    await second.desk.put()
    second.start()
    await second.drained()
    assert await states(second) == [("dead", "already-exists")]


async def test_an_amendment_is_a_dead_letter_that_says_so_and_holds_up_no_status(second: Post) -> None:
    second.start()
    await second.desk.put()
    await second.desk.push(a_status("4", sequence=1))
    await second.drained()
    await second.desk.put(a_dossier(summary="amended"))
    await second.desk.push(a_status("9", sequence=2))
    await second.drained()
    assert await second.told() == [(CODE, 1, "4", 1), (CODE, 2, "9", 1)]
    assert await states(second) == [("delivered", None)] * 2 + [("dead", "not-offered"), ("delivered", None)]


async def test_an_owner_of_a_kind_that_has_no_code_is_a_dead_letter_until_the_dossier_is_amended(
    second: Post,
) -> None:
    second.start()
    await second.desk.put(a_dossier(owner_kind="state-agency"))
    await second.desk.push(a_status("4", sequence=1))
    await second.until(lambda: _is(second, ("dead", "not-offered")), "a dead letter")
    assert await second.told() == []
    await second.desk.put(a_dossier(owner_kind="enterprise"))
    await second.drained()
    assert await second.told() == [(CODE, 1, "4", 1)]
    assert await states(second) == [("discarded", "amended"), ("delivered", None), ("delivered", None)]


async def _is(post: Post, wanted: tuple[str, str]) -> bool:
    return wanted in await states(post)


async def test_a_dossier_that_was_given_up_comes_with_an_amendment_and_overtakes_nothing(local: Post) -> None:
    await local.desk.put()
    await local.desk.push(a_status("4", sequence=1))
    assert await do(local, "discard", Filter("H26", code=CODE), 2) == ["discarded"] * 2
    await local.desk.push(a_status("9", sequence=3))
    local.settings = local.settings.model_copy(update={"attempts": 2})
    local.start()
    await local.until(lambda: _is(local, ("dead", "no-such-dossier")), "a dead letter")
    await local.desk.put(a_dossier(summary="once more"))
    await local.drained()
    assert (await local.desk.push(a_status("5", sequence=2))).result == "late"
    assert await do(local, "retry", Filter("H26", "dead"), 1) == ["queued"]
    await local.drained()
    assert await local.told() == [(CODE, 3, "9", 1)]


# Both at once.


@pytest.fixture
async def both(portal: Visitor, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A gateway that reaches the portal by both: the province by the first, its neighbour by the second."""
    account = f'url = "{portal.url}"\nusername = "lgsp-portal"\nsecret = "{portal.secret}"\n'
    section = f"""
[endpoints.portal]
{account}params = {{ madonvi = "H26" }}

[endpoints.portal-2]
{account}params = {{ generation = "2" }}

[sync.sources.neighbour]
destination = "portal-2"
"""
    async with deployment(tmp_path, adjust=lambda text: text + section) as made, delivering(made.gateway):
        yield made


async def handed_in(both: Deployment, caller: Any, code: str, *bodies: dict[str, Any]) -> None:
    intake = both.gateway.dossiers.intake
    for body in bodies:
        model = StatusEvent if "at" in body else DossierBody
        push = intake.prepare(caller, code, None, model.model_validate(body))
        await intake.take_one("r", push)


async def seen(portal: Visitor, wanted: list[tuple[str, int, str, int]]) -> None:
    async with asyncio.timeout(60):
        while sorted(await portal.ledger()) != sorted(wanted):
            await asyncio.sleep(0.02)


async def test_each_source_has_its_generation_and_one_that_is_held_holds_up_no_other(
    both: Deployment, portal: Visitor
) -> None:
    ours, theirs = a_code(1), "000.00.00.H22-261130-0001"
    storage = both.gateway.storage
    hold, go_on = paused("portal-2", "tester", "works", Post.now()), resumed("portal-2")
    await storage.write(lambda connection: hold(connection, 0))
    # Before it is registered, where it goes is not known yet.
    await handed_in(both, NEIGHBOUR, theirs, a_status("4", sequence=1))
    for caller, code in ((PROVINCE, ours), (NEIGHBOUR, theirs)):
        await handed_in(both, caller, code, a_dossier(), a_status("9", sequence=2))
    await handed_in(both, PROVINCE, ours, a_status("4", sequence=1))
    done = [(ours, 1, "4", 1), (ours, 2, "9", 1)]
    await seen(portal, done)
    found = await storage.read(lambda connection: condition(connection, "portal-2", Post.now()))
    assert (found.state, found.waiting) == ("paused", 3)
    await storage.write(lambda connection: go_on(connection, 0))
    await seen(portal, [*done, (theirs, 1, "4", 1), (theirs, 2, "9", 1)])
    # A member that the second generation has, and the first has not.
    assert ["MaDonViTiepNhan" in (await portal.look_up(code))[0] for code in (ours, theirs)] == [False, True]


async def test_where_a_dossier_goes_is_its_owners_to_say(second: Post) -> None:
    desk = second.desk
    desk.intake._settings = second.settings.model_validate({"sources": {"neighbour": {"destination": "portal-2"}}})
    await desk.push(a_status("4"), caller=NEIGHBOUR)
    await desk.put()
    assert [row["destination"] for row in await desk.rows(DOSSIERS)] == ["portal"]
    assert [row["destination"] for row in await desk.rows()] == ["portal"] * 2


def test_a_destination_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lgsp.toml"
    path.write_text('[sync.sources.province]\ndestination = "portal-2"\n')
    with pytest.raises(ConfigurationError, match=r"province\.destination: there is no \[endpoints\.portal-2\]"):
        load(path)
