"""The civil status registry, read by hand over a real socket, against the world."""

from typing import Any
from xml.etree import ElementTree

import pytest

from sandbox.world.world import World

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
BIRTH = "/apiHoTichTuPhap/traCuuKhaiSinh"
MARRIAGE = "/apiHoTichTuPhap/traCuuKetHon"
DEATH = "/apiHoTichTuPhap/traCuuKhaiTu"
MARITAL = "/apiHoTichTuPhap/traCuuTinhTrangHonNhan"


def _records(found: Any) -> list[ElementTree.Element]:
    assert (found["trangThai"], found["maLoi"]) == ("1", "")
    root = ElementTree.fromstring(found["data"].encode())
    assert root.tag == "hotich"
    return root.findall("hoso")


def _text(record: ElementTree.Element, path: str) -> str | None:
    element = record.find(path)
    if element is None or element.get(NIL) == "true":
        return None
    return element.text or ""


def _iso(text: str | None) -> str | None:
    return None if text is None else "-".join(reversed(text.split("/")))


async def test_every_birth_is_answered_as_the_world_has_it(client: Any, world: World) -> None:
    headers = await client.bearer("civil-status")
    ways_of_missing = set()
    for block in world.blocks():
        for index, held in block.births.items():
            person = world.person(index)
            if person.personal_id is None:
                continue
            body = {"maDonVi": "1010", "module": "KS", "soDinhDanh": person.personal_id}
            status, found = await client.post("civil-status", BIRTH, headers, body)
            assert status == 200
            (record,) = _records(found)
            assert _text(record, "so") == held.entry.number
            assert _text(record, "trangSo") == held.entry.page
            assert _text(record, "ghiChu") == held.entry.note
            assert _text(record, "nksHoTen") == held.full_name
            assert _text(record, "nksSoDDCN") == person.personal_id
            assert _iso(_text(record, "nksNgaySinh")) == held.birth.text
            assert _text(record, "nksGioiTinh") == ("1" if held.sex == "male" else "2")
            place = held.birth_place.place
            assert _text(record, "nksNoiSinh/maTinh") == (place.province if place else None)
            for prefix, parent in (("me", held.mother), ("cha", held.father)):
                assert _text(record, f"{prefix}HoTen") == (parent.who.full_name if parent else None)
                assert _text(record, f"{prefix}SoDDCN") == (parent.who.personal_id if parent else None)
            if held.entry.page is None:
                ways_of_missing.add(record.find("trangSo") is None)
    assert ways_of_missing == {True, False}


async def test_marriages_are_the_same_from_both_sides(client: Any, world: World) -> None:
    headers = await client.bearer("civil-status")
    husband, wife = world.cases["married"].people
    answers = []
    for person in (husband, wife):
        body = {"maDonVi": "1010", "module": "KH", "soDinhDanh": person.personal_id}
        _, found = await client.post("civil-status", MARRIAGE, headers, body)
        answers.append(found["data"])
    assert answers[0] == answers[1]
    (record,) = _records(found)
    assert _text(record, "chongSoDDCN") == husband.personal_id
    assert _text(record, "voSoDDCN") == wife.personal_id
    assert _text(record, "huyKetHon") == "0"


async def test_death_and_widowhood_agree(client: Any, world: World) -> None:
    headers = await client.bearer("civil-status")
    dead, left = world.cases["deceased"].people[0], world.cases["widowed"].people[0]
    body = {"maDonVi": "1010", "module": "KT", "soDinhDanh": dead.personal_id}
    _, found = await client.post("civil-status", DEATH, headers, body)
    (death,) = _records(found)
    body = {"maDonVi": "1010", "module": "HN", "soDinhDanh": left.personal_id}
    _, found = await client.post("civil-status", MARITAL, headers, body)
    (state,) = _records(found)
    assert _text(state, "tinhTrangHonNhan") == "4"
    assert _text(state, "voChongSoDDCN") == dead.personal_id
    assert _text(state, "tuNgay") == _text(death, "nktNgayChet")


async def test_a_name_may_bring_several_records(client: Any, world: World) -> None:
    one, other = world.cases["ambiguous"].people
    body = {"maDonVi": "1010", "module": "KS", "hoTen": one.full_name.upper(), "ngaySinh": one.birth.text}
    _, found = await client.post("civil-status", BIRTH, await client.bearer("civil-status"), body)
    assert {_text(record, "nksSoDDCN") for record in _records(found)} == {one.personal_id, other.personal_id}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"maDonVi": "1"}, "106"),
        ({"module": "KT"}, "302"),
        ({"soDinhDanh": "001999999999"}, "201"),
        ({"soDinhDanh": "'; --"}, "201"),
        ({"hoTen": "Nguyễn Văn An"}, "500"),
        ({"soDinhDanh": "", "hoTen": "Nguyễn Văn An"}, "500"),
        ({"soDinhDanh": "", "hoTen": "Nguyễn Văn An", "ngaySinh": "01/01/1980"}, "500"),
        ({"soDinhDanh": ""}, "500"),
        ({"soDinhDanh": 1085012345}, "500"),
        ({"soDinhDanh": None}, "500"),
        ({"maHoSo": "1"}, "500"),
        ({"maDonVi": ""}, "500"),
    ],
)
async def test_what_is_no_question_has_an_error_code(
    client: Any, world: World, change: dict[str, Any], error: str
) -> None:
    body = {"maDonVi": "1010", "module": "KS", "soDinhDanh": world.person(0).personal_id} | change
    status, found = await client.post("civil-status", BIRTH, await client.bearer("civil-status"), body)
    assert status == 200
    assert (found["trangThai"], found["maLoi"], found["data"]) == ("0", error, "")
