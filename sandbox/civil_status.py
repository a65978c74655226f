"""The simulated civil status registry, behind the platform: `apiHoTichTuPhap`, POST, with XML inside JSON.

An answer is {trangThai, maLoi, moTaLoi, data}: 1 with records in `data`, or 0 with one of the published error codes.
Somebody asked for by name and birth may be several: then `data` holds as many records.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from aiohttp import web
from lxml import etree

from sandbox.civil_records import birth_element, death_element, marital_element, marriage_element
from sandbox.civil_truth import birth_truth, death_truth, marital_truth, marriage_truth
from sandbox.ngsp import Gate, NotMembers, contract, json_object, members, post_item, texts
from sandbox.registry import Case, Context, Registry, Truth, application
from sandbox.world.model import Person
from sandbox.world.world import World
from security.xml import Element

NAME: Final = "civil-status"
AGENCY: Final = "1010"
ERRORS: Final = {
    "106": "AGENCY_ID_INCORRECT",
    "201": "RECORD_NOT_FOUND",
    "302": "DATA_TYPE_INVALID",
    "500": "DATA_INCORRECT",
}
_ALWAYS: Final = ("maDonVi", "module")
_KEYS: Final = ("soDinhDanh", "hoTen", "ngaySinh")
_BIRTH: Final = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", re.ASCII)

Finder = Callable[[World, Person], Element | None]


def _birth(world: World, person: Person) -> Element | None:
    found = world.birth(person.index)
    return None if found is None else birth_element(found, person)


def _marriage(world: World, person: Person) -> Element | None:
    held = world.marriages(person.index)
    return marriage_element(held[-1]) if held else None


def _death(world: World, person: Person) -> Element | None:
    found = world.death(person.index)
    return None if found is None else death_element(found, person)


def _marital(world: World, person: Person) -> Element | None:
    return marital_element(world.marital_state(person.index), person)


SERVICES: Final[Mapping[str, tuple[str, str, Finder]]] = {
    "traCuuKhaiSinh": ("KS", "Tra cứu khai sinh", _birth),
    "traCuuKetHon": ("KH", "Tra cứu kết hôn", _marriage),
    "traCuuKhaiTu": ("KT", "Tra cứu khai tử", _death),
    "traCuuTinhTrangHonNhan": ("HN", "Tra cứu tình trạng hôn nhân", _marital),
}


def _refuse(code: str) -> web.Response:
    return web.json_response({"trangThai": "0", "maLoi": code, "moTaLoi": ERRORS[code], "data": ""})


def _answer(records: Iterable[Element]) -> web.Response:
    root = etree.Element("hotich")
    root.extend(records)
    if not len(root):
        return _refuse("201")
    text = '<?xml version="1.0" encoding="UTF-8"?>' + etree.tostring(root, encoding="unicode")
    return web.json_response({"trangThai": "1", "maLoi": "", "moTaLoi": "", "data": text})


def _service(world: World, module: str, find: Finder) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        try:
            asked = texts(await json_object(request), _ALWAYS, _KEYS)
        except NotMembers:
            return _refuse("500")
        if asked["maDonVi"] != AGENCY:
            return _refuse("106")
        if asked["module"] != module:
            return _refuse("302")
        if bool(asked["soDinhDanh"]) == bool(asked["hoTen"] or asked["ngaySinh"]):
            return _refuse("500")
        if asked["soDinhDanh"]:
            person = world.person_by_id(asked["soDinhDanh"])
            people = [] if person is None else [person]
        elif asked["hoTen"] and _BIRTH.fullmatch(asked["ngaySinh"]):
            named = await asyncio.to_thread(world.find_people, asked["hoTen"], asked["ngaySinh"])
            people = [one for one in named if one.birth.text == asked["ngaySinh"]]
        else:
            return _refuse("500")
        return _answer(record for person in people if (record := find(world, person)) is not None)

    return handle


def build(context: Context) -> dict[str, web.Application]:
    """Build the one application of this source."""
    app = application(context)
    gate = Gate(context.account(NAME))
    app.router.add_post("/token", gate.token)
    paths = {}
    answer = members(("trangThai", "maLoi", "moTaLoi", "data"))
    for name, (module, title, find) in SERVICES.items():
        path = f"/apiHoTichTuPhap/{name}"
        app.router.add_post(path, gate.guarded(_service(context.world, module, find)))
        paths[path] = post_item(title, _ALWAYS, _KEYS, answer)
    app.router.add_get("/openapi.json", contract("Cơ sở dữ liệu hộ tịch điện tử", paths))
    return {NAME: app}


def _question(person: Person) -> dict[str, str]:
    if person.personal_id is not None and person.index % 5:
        return {"personal_id": person.personal_id}
    return {"full_name": unicodedata.normalize("NFC", person.full_name), "birth_date": person.birth.text}


def _alone(world: World, person: Person) -> bool:
    """Tell whether this is the only person of the name and birth date."""
    alike = world.find_people(person.full_name, person.birth.text)
    return [one.index for one in alike if one.birth == person.birth] == [person.index]


def truth(world: World) -> Iterator[Truth]:
    """Yield every record, asked for by number and at times by name."""
    for block in world.blocks():
        for index, person in block.people.items():
            question = _question(person)
            if "personal_id" in question or _alone(world, person):
                if (born := block.births.get(index)) is not None:
                    yield Truth("birth", question, birth_truth(born, person))
                if (dead := block.deaths.get(index)) is not None:
                    yield Truth("death", question, death_truth(dead, person))
            if person.personal_id is not None:
                by_number = {"personal_id": person.personal_id}
                state = block.marital[index]
                yield Truth("marital-status", by_number, marital_truth(state, person))
                if state.marriage is not None:
                    yield Truth("marriage", by_number, marriage_truth(state.marriage))


def cases(world: World) -> Sequence[Case]:
    """Name the people who show what callers must handle."""
    nobody = world.cases["nobody"].number
    twin = world.cases["ambiguous"].people[0]
    by_name = {"full_name": unicodedata.normalize("NFC", twin.full_name), "birth_date": twin.birth.text}

    def ask(case: str) -> dict[str, str | None]:
        return {"personal_id": world.cases[case].people[0].personal_id}

    return (
        Case("birth", "no-record", {"personal_id": nobody}, 404, "no-record"),
        Case("birth", "ambiguous", by_name, 409, "ambiguous"),
        Case("birth", "year-only-birth", ask("year-only-birth")),
        Case("birth", "name-change", ask("name-change")),
        Case("birth", "warning", ask("number-of-other-sex"), code="personal-id-sex"),
        Case("death", "deceased", ask("deceased")),
        Case("death", "no-record", ask("single"), 404, "no-record"),
        Case("marriage", "married", ask("married")),
        Case("marriage", "no-record", ask("single"), 404, "no-record"),
        Case("marital-status", "widowed", ask("widowed")),
        Case("marital-status", "divorced", ask("divorced")),
        Case("marital-status", "no-record", {"personal_id": nobody}, 404, "no-record"),
    )


REGISTRY: Final = Registry(
    name=NAME,
    signs=False,
    contract="/openapi.json",
    build=build,
    truth=truth,
    cases=cases,
    params={"maDonVi": AGENCY},
)
