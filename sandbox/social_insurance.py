"""The simulated social insurance registry behind the platform: `apiBHXH`, three operations, all of them POST.

Whatever is wrong with a question is answered with HTTP 200 and an `errorCode`: 0 found, 1 nobody, 2 several, 3 not a
question, 9 trouble of its own. Health cards are asked elsewhere: `sandbox.health_card`.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from sandbox import health_card
from sandbox.insurance_records import (
    SEX_CODES,
    STATUS_CODES,
    card_truth,
    household_body,
    household_truth,
    issues,
    participant_body,
    participant_truth,
)
from sandbox.ngsp import Gate, NotMembers, contract, json_object, members, post_item, texts
from sandbox.registry import Case, Context, Registry, Truth, application
from sandbox.world.holdings import Insurance
from sandbox.world.model import Address, Person
from sandbox.world.world import World

NAME: Final = "social-insurance"
PARTICIPANT: Final = "/apiBHXH/getTraCuuTtHgdByMaSoBhxh"
FIND: Final = "/apiBHXH/getMaSoBhxhTheoTieuChi"
HOUSEHOLD: Final = "/apiBHXH/getTraCuuThongTinHgd"
PARAMS: Final = {"hoTenCb": "LGSP SANDBOX", "cccdCb": "990000000001"}

_WHO: Final = ("hoTen", "ngaySinh", "loaiNgaySinh", "gioiTinh", "isKs")
_FIND: Final = ((*_WHO, "maTinhKs"), ("maHuyenKs", "maXaKs"))
_HOUSEHOLD: Final = ((*_WHO, "maTinh"), ("soSo", "maThe"))
_KNOWN_DIGITS: Final = {"0": 8, "1": 4, "2": 6}


def _refuse(code: str, text: str) -> web.Response:
    return web.json_response({"errorCode": code, "errorMessage": text})


class _Desk:
    def __init__(self, world: World) -> None:
        self._world = world

    async def participant(self, request: web.Request) -> web.Response:
        try:
            asked = texts(await json_object(request), ("maSoBhxh",))
        except NotMembers:
            return _refuse("3", "Tham số không hợp lệ")
        found = self._world.insurance_by_number(asked["maSoBhxh"])
        if found is None:
            return _refuse("1", "Không tìm thấy dữ liệu")
        return web.json_response(participant_body(found, self._world.person(found.person)))

    async def find(self, request: web.Request) -> web.Response:
        try:
            asked = texts(await json_object(request), *_FIND)
            held = await self._described(asked, asked["maTinhKs"], asked["maHuyenKs"], asked["maXaKs"])
        except NotMembers:
            return _refuse("3", "Tham số không hợp lệ")
        if len(held) != 1:
            return _refuse("2", "Có nhiều người phù hợp") if held else _refuse("1", "Không tìm thấy dữ liệu")
        found = held[0]
        return web.json_response({"maSoBhxh": found.number, "trangThai": STATUS_CODES[found.status], "errorCode": "0"})

    async def household(self, request: web.Request) -> web.Response:
        try:
            asked = texts(await json_object(request), *_HOUSEHOLD)
            held = await self._described(asked, asked["maTinh"], "", "")
        except NotMembers:
            return _refuse("3", "Tham số không hợp lệ")
        if asked["soSo"]:
            held = [one for one in held if one.old_book == asked["soSo"]]
        if asked["maThe"]:
            held = [one for one in held if one.card and asked["maThe"] in (one.card.code, one.number)]
        if len(held) != 1:
            return _refuse("2", "Có nhiều người phù hợp") if held else _refuse("1", "Không tìm thấy dữ liệu")
        return web.json_response(household_body(held[0], self._world.person(held[0].person)))

    async def _described(self, asked: Mapping[str, str], province: str, district: str, commune: str) -> list[Insurance]:
        """Return who fits the description; raises NotMembers for one that is none."""
        text, kind = asked["ngaySinh"], asked["loaiNgaySinh"]
        right = kind in _KNOWN_DIGITS and len(text) == _KNOWN_DIGITS[kind] and text.isascii() and text.isdigit()
        if not right or asked["isKs"] not in ("0", "1") or asked["gioiTinh"] not in ("1", "2", "3"):
            raise NotMembers
        birth = "-".join(part for part in (text[:4], text[4:6], text[6:]) if part)
        found = []
        for person in await asyncio.to_thread(self._world.find_people, asked["hoTen"], birth):
            insurance = self._world.insurance(person.index)
            if insurance is None or person.birth.text != birth or SEX_CODES[person.sex] != asked["gioiTinh"]:
                continue
            place = _address(insurance, asked["isKs"]).place
            if place is None or place.province != province:
                continue
            if (not district or district == place.district) and (not commune or commune == place.commune):
                found.append(insurance)
        return found


def _address(found: Insurance, of_birth: str) -> Address:
    return found.birth_registration if of_birth == "1" else found.residence


def build(context: Context) -> dict[str, web.Application]:
    """Build the platform's side and the hospital gateway, each with its own account."""
    app = application(context)
    gate = Gate(context.account(NAME))
    desk = _Desk(context.world)
    app.router.add_post("/token", gate.token)
    app.router.add_post(PARTICIPANT, gate.guarded(desk.participant))
    app.router.add_post(FIND, gate.guarded(desk.find))
    app.router.add_post(HOUSEHOLD, gate.guarded(desk.household))
    app.router.add_get("/openapi.json", contract("Bảo hiểm xã hội Việt Nam", _paths()))
    return {NAME: app, health_card.NAME: health_card.build(context, PARAMS)}


def _paths() -> dict[str, Any]:
    verdict = ("trangThai", "errorCode", "errorMessage")
    person = ("hoTen", "ngaySinh", "loaiNgaySinh", "gioiTinh")
    birthplace = ("soSoCu", "maTinhKs", "maHuyenKs", "maXaKs")
    return {
        PARTICIPANT: post_item("Tra cứu theo mã số BHXH", ("maSoBhxh",), (), members((*person, *birthplace, *verdict))),
        FIND: post_item("Tìm mã số theo tiêu chí", *_FIND, members(("maSoBhxh", *verdict))),
        HOUSEHOLD: post_item(
            "Tra cứu thông tin hộ gia đình", *_HOUSEHOLD, members(("maSo", *person, "maHo", "diaChi", *verdict))
        ),
    }


def describe(found: Insurance, person: Person, of_birth: str) -> dict[str, Any] | None:
    """Describe an insured person as the REST face asks; None where the place has no codes."""
    place = _address(found, of_birth).place
    if place is None:
        return None
    return {
        "full_name": unicodedata.normalize("NFC", person.full_name),
        "birth_date": person.birth.text,
        "sex": person.sex,
        "province": place.province,
        "address_kind": "birth-registration" if of_birth == "1" else "household",
    }


def truth(world: World) -> Iterator[Truth]:
    """Yield every insured person by number, by description, by household and by card."""
    for block in world.blocks():
        for found in block.insurances.values():
            person = world.person(found.person)
            yield Truth("participant", {"number": found.number}, participant_truth(found, person))
            yield from _described_truth(world, found, person)
            yield from _card_truth(found, person)


def _described_truth(world: World, found: Insurance, person: Person) -> Iterator[Truth]:
    of_birth = str(person.index % 2)
    request = describe(found, person, of_birth)
    # Who shares name, sex, birth and province with somebody is asked for by the ambiguous case.
    if request is None or not _alone(world, found, person, of_birth):
        return
    place = _address(found, of_birth).place
    precise = dict(request)
    if place is not None and person.index % 3 == 0:
        precise |= {"commune": place.commune} | ({"district": place.district} if place.district else {})
    yield Truth("find-number", precise, {"number": found.number, "status": found.status})
    if found.card is not None and person.index % 3 == 1:
        request["card_number"] = found.card.code
    if found.old_book and person.index % 3 == 2:
        request["book_number"] = found.old_book
    yield Truth("household", request, household_truth(found, person))


def _card_truth(found: Insurance, person: Person) -> Iterator[Truth]:
    if found.card is None:
        return
    birth = person.birth.text if person.birth.day and person.index % 4 else str(person.birth.year)
    who = {"full_name": unicodedata.normalize("NFC", person.full_name), "birth_date": birth}
    for issue in issues(found.card):
        answer = card_truth(found, person, found.card, issue)
        yield Truth("health-card", {"card_number": issue.code, **who}, answer)
    first = card_truth(found, person, found.card, issues(found.card)[0])
    yield Truth("health-card", {"card_number": found.number, **who}, first)
    if person.personal_id is not None:
        yield Truth("health-card", {"personal_id": person.personal_id, **who}, first)


def _alone(world: World, found: Insurance, person: Person, of_birth: str) -> bool:
    """Tell whether nobody else fits the description of this insured person."""
    place = _address(found, of_birth).place
    alike = (
        insurance
        for one in world.find_people(person.full_name, person.birth.text)
        if one.sex == person.sex and one.birth == person.birth and (insurance := world.insurance(one.index))
    )
    there = [_address(insurance, of_birth).place for insurance in alike]
    return sum(other is not None and place is not None and other.province == place.province for other in there) == 1


def cases(world: World) -> Sequence[Case]:
    """Name the insured people who show what callers must handle."""
    nobody, twin = world.cases["no-insurance"].number, world.cases["ambiguous"].people[0]
    aged, dead = world.cases["year-only-birth"].people[0], world.cases["deceased"].people[0]
    born, died, same = (world.insurance(person.index) for person in (aged, dead, twin))
    if nobody is None or born is None or died is None or died.card is None or same is None:
        raise AssertionError("every world has these cases")
    either = describe(same, twin, "1")
    if either is None:
        raise AssertionError("both were born at the same place")
    stranger = either | {"sex": "male" if twin.sex == "female" else "female"}
    card = {
        "card_number": died.card.code,
        "full_name": unicodedata.normalize("NFC", dead.full_name),
        "birth_date": str(dead.birth.year),
    }
    return (
        Case("participant", "no-record", {"number": nobody}, 404, "no-record"),
        Case("participant", "year-only-birth", {"number": born.number}),
        Case("participant", "deceased", {"number": died.number}),
        Case("find-number", "ambiguous", either, 409, "ambiguous"),
        Case("find-number", "no-record", stranger, 404, "no-record"),
        Case("household", "no-record", stranger, 404, "no-record"),
        Case("health-card", "warning", card, code="card-revoked"),
        Case("health-card", "no-record", card | {"card_number": nobody}, 404, "no-record"),
        Case("health-card", "other-name", card | {"full_name": "Không Phải Tên Này"}, 404, "no-record"),
    )


REGISTRY: Final = Registry(
    name=NAME, signs=False, contract="/openapi.json", build=build, truth=truth, cases=cases, params=PARAMS
)
