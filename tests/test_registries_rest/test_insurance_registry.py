"""The insurance registries, read by hand over real sockets, against the world."""

import unicodedata
from collections.abc import Mapping
from hashlib import md5
from typing import Any

import pytest
from aiohttp import web

from sandbox import health_card
from sandbox.registry import Account
from sandbox.world.world import World

BY_NUMBER = "/apiBHXH/getTraCuuTtHgdByMaSoBhxh"
FIND = "/apiBHXH/getMaSoBhxhTheoTieuChi"
HOUSEHOLD = "/apiBHXH/getTraCuuThongTinHgd"
CARD = "/api/egw/KQNhanLichSuKCB2024"
OFFICER = {"hoTenCb": "LGSP SANDBOX", "cccdCb": "990000000001"}


def _birth(found: Mapping[str, str]) -> str:
    text = found["ngaySinh"]
    parts = {"0": (text[:4], text[4:6], text[6:8]), "1": (text[:4],), "2": (text[:4], text[4:6])}
    return "-".join(parts[found["loaiNgaySinh"]])


async def test_every_participant_is_answered_as_the_world_has_him(client: Any, world: World) -> None:
    headers = await client.bearer("social-insurance")
    kinds = set()
    for block in world.blocks():
        for held in block.insurances.values():
            person = world.person(held.person)
            status, found = await client.post("social-insurance", BY_NUMBER, headers, {"maSoBhxh": held.number})
            assert (status, found["errorCode"]) == (200, "0")
            assert found["hoTen"] == person.full_name
            assert found["soSoCu"] == held.old_book
            assert found["gioiTinh"] == ("1" if person.sex == "male" else "2")
            assert _birth(found) == person.birth.text
            place = held.birth_registration.place
            assert found.get("maTinhKs") == (place.province if place else None)
            kinds.add((found["loaiNgaySinh"], len(found["ngaySinh"])))
    assert {("0", 8), ("1", 8), ("2", 8)} <= kinds


def _described(world: World, case: str) -> dict[str, str]:
    person = world.cases[case].people[0]
    held = world.insurance(person.index)
    assert held is not None
    assert held.birth_registration.place is not None
    return {
        "hoTen": unicodedata.normalize("NFD", person.full_name).upper(),
        "ngaySinh": person.birth.text.replace("-", ""),
        "loaiNgaySinh": {4: "1", 6: "2", 8: "0"}[len(person.birth.text.replace("-", ""))],
        "gioiTinh": "1" if person.sex == "male" else "2",
        "maTinhKs": held.birth_registration.place.province,
        "isKs": "1",
    }


async def test_numbers_are_found_by_description_in_any_spelling(client: Any, world: World) -> None:
    headers = await client.bearer("social-insurance")
    for case in ("married", "year-only-birth", "year-month-birth", "decomposed-text", "deceased"):
        _, found = await client.post("social-insurance", FIND, headers, _described(world, case))
        held = world.insurance(world.cases[case].people[0].index)
        assert held is not None
        assert found["maSoBhxh"] == held.number


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "2"),
        ({"gioiTinh": "3"}, "1"),
        ({"maTinhKs": "00"}, "1"),
        ({"loaiNgaySinh": "1"}, "3"),
        ({"gioiTinh": "0"}, "3"),
        ({"isKs": "2"}, "3"),
        ({"hoTen": ""}, "3"),
        ({"maTinh": "01"}, "3"),
        ({"ngaySinh": 19800101}, "3"),
    ],
)
async def test_several_nobody_and_no_question(client: Any, world: World, change: dict[str, Any], code: str) -> None:
    body = _described(world, "ambiguous") | change
    status, found = await client.post("social-insurance", FIND, await client.bearer("social-insurance"), body)
    assert (status, found["errorCode"]) == (200, code)
    assert "maSoBhxh" not in found


async def test_a_card_tells_two_people_of_one_description_apart(client: Any, world: World) -> None:
    headers = await client.bearer("social-insurance")
    body = _described(world, "ambiguous")
    body["maTinh"] = body.pop("maTinhKs")
    _, found = await client.post("social-insurance", HOUSEHOLD, headers, body)
    assert found["errorCode"] == "2"
    for person in world.cases["ambiguous"].people:
        held = world.insurance(person.index)
        assert held is not None
        assert held.card is not None
        _, found = await client.post("social-insurance", HOUSEHOLD, headers, body | {"maThe": held.card.code})
        assert (found["errorCode"], found["maSo"]) == ("0", held.number)


@pytest.mark.parametrize("path", [BY_NUMBER, FIND, HOUSEHOLD])
async def test_bodies_that_are_no_json_object_stop_at_the_platform(client: Any, path: str) -> None:
    headers = await client.bearer("social-insurance")
    json_headers = headers | {"Content-Type": "application/json"}
    for sent, kind, status in (
        (b'{"maSoBhxh": "7912345678"}', headers | {"Content-Type": "text/plain"}, 415),
        (b"<a/>", headers | {"Content-Type": "application/xml"}, 415),
        (b"[]", json_headers, 400),
        (b"{", json_headers, 400),
        (b"[" * 100_000, json_headers, 400),
    ):
        answered, found = await client.post("social-insurance", path, kind, sent)
        assert answered == status
        assert found["fault"]["code"] == str(status)


def _card_question(world: World, index: int) -> dict[str, str]:
    person, held = world.person(index), world.insurance(index)
    assert held is not None
    assert held.card is not None
    # The gateway takes a whole day or a year; who has only a month is asked for by year.
    birth = "/".join(reversed(person.birth.text.split("-"))) if person.birth.day else str(person.birth.year)
    return {"maThe": held.card.code, "hoTen": person.full_name, "ngaySinh": birth, **OFFICER}


async def test_every_card_is_found_by_each_of_its_keys(client: Any, world: World) -> None:
    headers = await client.bearer("health-card")
    results = set()
    for block in world.blocks():
        for index, held in block.insurances.items():
            if held.card is None:
                continue
            body = _card_question(world, index)
            for key in (held.card.code, held.number, world.person(index).personal_id):
                _, found = await client.post("health-card", CARD, headers, body | {"maThe": key})
                assert found["maKetQua"] == held.card.result
                assert found["maSoBHXH"] == held.number
            results.add(found["maKetQua"])
            if held.card.replaced_by:
                assert found["maTheMoi"] == held.card.replaced_by
                _, found = await client.post("health-card", CARD, headers, body | {"maThe": held.card.replaced_by})
                assert (found["maKetQua"], found["maTheCu"]) == ("000", held.card.code)
    assert {"000", "003", "110"} <= results


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"maThe": "DN479791234567"}, "051"),
        ({"maThe": "DN9797912345678"}, "052"),
        ({"maThe": "DN4010000000000"}, "050"),
        ({"maThe": "001000000000"}, "050"),
        ({"hoTen": "Người Khác Hẳn"}, "060"),
        ({"ngaySinh": "01/01/1900"}, "070"),
        ({"ngaySinh": "1900-01-01"}, "070"),
        ({"hoTenCb": "Ai Đó"}, "401"),
    ],
)
async def test_what_does_not_fit_a_card_has_a_result_code(
    client: Any, world: World, change: dict[str, str], code: str
) -> None:
    headers = await client.bearer("health-card")
    status, found = await client.post("health-card", CARD, headers, _card_question(world, 0) | change)
    assert (status, found["maKetQua"]) == (200, code)
    assert "hoTen" not in found


async def test_a_name_with_the_right_initials_has_a_code_of_its_own(client: Any, world: World) -> None:
    name = " ".join(word + "x" for word in world.person(0).full_name.split())
    body = _card_question(world, 0) | {"hoTen": name}
    _, found = await client.post("health-card", CARD, await client.bearer("health-card"), body)
    assert found["maKetQua"] == "061"


async def test_the_hospital_gateway_has_tokens_of_its_own(client: Any, world: World) -> None:
    body = _card_question(world, 0)
    right = await client.bearer("health-card")
    foreign = await client.bearer("social-insurance")
    for headers in ({}, foreign, {"Authorization": right["Authorization"]}, right | {"Id-Token": "0"}):
        status, found = await client.post("health-card", CARD, headers, body)
        assert (status, found["maKetQua"]) == (200, "401")
    account = client.running.accounts["health-card"]
    for wrong in (
        {"username": account.username, "password": account.secret},
        {"username": "x", "password": "y"},
        {"username": account.username},
        {"username": account.username, "password": "é"},
    ):
        _, found = await client.post("health-card", "/api/token/take", {}, wrong)
        assert found == {"maKetQua": "401", "APIKey": None}


async def test_a_pair_of_tokens_ends(aiohttp_client: Any, world: World) -> None:
    now = [0.0]
    desk = health_card.HospitalGateway(world, Account("u", "s"), OFFICER, lifetime=30.0, clock=lambda: now[0])
    app = web.Application()
    app.router.add_post("/take", desk.take)
    app.router.add_post("/card", desk.look_up)
    browser = await aiohttp_client(app)
    reply = await browser.post("/take", json={"username": "u", "password": md5(b"s").hexdigest()})
    key = (await reply.json())["APIKey"]
    headers = {"Authorization": f"Bearer {key['access_token']}", "Id-Token": key["id_token"]}
    codes = []
    for instant in (29.0, 30.0):
        now[0] = instant
        reply = await browser.post("/card", json=_card_question(world, 0), headers=headers)
        codes.append((await reply.json())["maKetQua"])
    assert codes[0] != "401"
    assert codes[1] == "401"
