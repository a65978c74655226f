"""The population database of the sandbox (CSDL quốc gia về dân cư): SOAP 1.1, signed both ways, hashed Basic log-in.

What is ours in this profile is said in `schemas.population`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
import unicodedata
import uuid
from base64 import b64decode
from collections.abc import Callable, Mapping
from copy import deepcopy

from aiohttp import web

from sandbox import population_truth
from sandbox.contracts import Contract
from sandbox.population_records import NAMESPACE as ANSWERED
from sandbox.population_records import SEX, write_citizen, written
from sandbox.registry import Account, Context, Registry
from sandbox.soap import Refusal, SoapService, soap_application
from sandbox.wire import Writer
from sandbox.world.model import Person
from sandbox.world.world import World
from security.xml import Element

NAME = "population"
PATH = "/dancu"
ASKED = "http://dancuquocgia.bca"
RELATION = "http://gtel.vn/qldc"
INTEGRATIONS: Mapping[str, tuple[str, ...]] = {
    "TraCuuThongTinCongDan": ("037",),
    "XacThucThongTinCongDan": ("003", "033"),
    "XacMinhThongTinNhanThan": ("037",),
}
"""MaTichHop of each operation; that of the last is ours."""

_KINSHIP = {"father": "01", "mother": "02", "spouse": "03", "child": "04", "representative": "05", "household": "06"}
_SKEW = 300.0


class _People:
    """Answers the three questions from the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def look_up(self, question: Element) -> Element:
        """TraCuuThongTinCongDan: everybody who agrees with all that was asked."""
        asked = _members(question)
        _check_integration(question, asked)
        if not ({"SoDinhDanh", "SoCMND"} & asked.keys() or {"HoVaTen", "birth"} <= asked.keys()):
            raise Refusal("SaiCuPhap", "neither a number nor name and birth date")
        writer = Writer(ANSWERED, "")
        collection = writer.root("CongdanCollection", MaYeuCau=asked["MaYeuCau"])
        for number, person in enumerate(await self._found(asked), 1):
            write_citizen(self._world, collection, person, number)
        return collection

    async def authenticate(self, question: Element) -> Element:
        """XacThucThongTinCongDan: which claims agree, and nothing else."""
        asked = _members(question)
        _check_integration(question, asked)
        person = self._numbered(asked)
        writer = Writer(ANSWERED, person.personal_id or "" if person else "")
        answer = writer.root("XacThucThongTinCongDanResponse", MaYeuCau=asked["MaYeuCau"])
        writer.text(answer, "TonTai", "true" if person else "false")
        if person is None:
            return answer
        verdict = writer.below(answer, "KetQuaXacThuc")
        held: tuple[tuple[str, str, Callable[[str], bool | None]], ...] = (
            ("HoVaTen", "HoVaTen", lambda claim: _same_name(claim, person.full_name)),
            ("NgayThangNamSinh", "birth", lambda claim: claim == written(person.birth)),
            ("GioiTinh", "GioiTinh", lambda claim: claim == SEX[person.sex]),
            ("QuocTich", "QuocTich", lambda claim: claim == person.nationality),
            ("SoSoHoKhau", "SoSoHoKhau", lambda claim: None if not person.household else claim == person.household),
        )
        for element, member, agrees in held:
            said = agrees(asked[member]) if member in asked else None
            writer.text(verdict, element, None if said is None else str(said).lower())
        return answer

    async def relate(self, question: Element) -> Element:
        """XacMinhThongTinNhanThan: what the second person is to the first, or whether a claim about it is true."""
        asked = _members(question)
        _check_integration(question, asked)
        person = self._world.person_by_id(asked["SoDinhDanh"])
        other = self._world.person_by_id(asked["SoDinhDanhNguoiThan"])
        writer = Writer(RELATION, asked["SoDinhDanh"])
        answer = writer.root("XacMinhThongTinNhanThanResponse", MaYeuCau=asked["MaYeuCau"])
        writer.text(answer, "TonTai", "true" if person and other else "false")
        if person is None or other is None:
            return answer
        known = [_KINSHIP[name] for name in _relations(person, other)]
        claimed = asked.get("QuanHe")
        shown = (claimed if claimed in known else None) if claimed else next(iter(known), None)
        writer.text(answer, "KetQua", "true" if shown else "false")
        writer.text(answer, "QuanHe", shown)
        return answer

    def about_somebody_else(self, question: Element) -> Element:
        """The same kind of question about another person, under another MaYeuCau."""
        other = deepcopy(question)
        somebody = next(
            one
            for one in map(self._world.person, range(self._world.people))
            if one.personal_id and one.old_id_card and one.personal_id != (question.findtext("{*}SoDinhDanh") or "")
        )
        for child in list(other):
            name = str(child.tag).rpartition("}")[2]
            if name == "MaYeuCau":
                child.text = str(uuid.uuid4())
            elif name == "SoDinhDanh":
                child.text = somebody.personal_id
            elif name == "SoCMND":
                child.text = somebody.old_id_card
            elif name in ("HoVaTen", "NgayThangNamSinh") and question.tag == f"{{{ASKED}}}TraCuuThongTinCongDan":
                other.remove(child)
        if not {str(child.tag).rpartition("}")[2] for child in other} & {"SoDinhDanh", "SoCMND"}:
            number = Writer(ASKED, "")
            number.text(other, "SoDinhDanh", somebody.personal_id)
        return other

    def _numbered(self, asked: Mapping[str, str]) -> Person | None:
        if "SoDinhDanh" in asked:
            return self._world.person_by_id(asked["SoDinhDanh"])
        return self._world.person_by_old_card(asked["SoCMND"]) if "SoCMND" in asked else None

    async def _found(self, asked: Mapping[str, str]) -> tuple[Person, ...]:
        birth = _dashed(asked.get("birth", ""))
        if not {"SoDinhDanh", "SoCMND"} & asked.keys():
            # The first search by name may wait for the index of a large world.
            return await asyncio.to_thread(self._world.find_people, asked["HoVaTen"], birth)
        person = self._numbered(asked)
        if person is None or ("HoVaTen" in asked and not _same_name(asked["HoVaTen"], person.full_name)):
            return ()
        agrees = person.birth.text == birth or person.birth.text.startswith(f"{birth}-" if birth else "")
        return (person,) if agrees else ()


def _members(question: Element) -> dict[str, str]:
    """The texts of a question by local name, the birth date under `birth`."""
    found = {}
    for child in question:
        name = str(child.tag).rpartition("}")[2]
        if len(child):
            name, child = "birth", child[0]
        found[name] = child.text or ""
    return found


def _check_integration(question: Element, asked: Mapping[str, str]) -> None:
    if asked["MaTichHop"] not in INTEGRATIONS[str(question.tag).rpartition("}")[2]]:
        raise Refusal("KhongCoQuyen", "MaTichHop is not that of this operation")


def _same_name(claim: str, held: str) -> bool:
    # The source compares in capital letters and sends nothing back, so that small letters never agree.
    return claim == unicodedata.normalize("NFC", held).upper()


def _dashed(digits: str) -> str:
    return "-".join(part for part in (digits[:4], digits[4:6], digits[6:]) if part)


def _relations(person: Person, other: Person) -> list[str]:
    """Everything that `other` is to `person`, the nearest first."""
    held = (("father", person.father), ("mother", person.mother), ("spouse", person.spouse))
    found = [name for name, relative in held if relative and relative.index == other.index]
    if any(parent and parent.index == person.index for parent in (other.father, other.mother)):
        found.append("child")
    if person.representative and person.representative.index == other.index:
        found.append("representative")
    if person.household and person.household == other.household and person.index != other.index:
        found.append("household")
    return found


def _fault(code: str, text: str) -> Element:
    writer = Writer(ANSWERED, "")
    detail = writer.root("LoiDanCu")
    writer.text(detail, "MaLoi", code)
    writer.text(detail, "MoTa", text)
    return detail


def admit(account: Account) -> Callable[[web.Request], None]:
    """Make the check of hashed Basic: user and SHA256(url + user + timestamp + secret), `Timestamp` in milliseconds."""

    def check(request: web.Request) -> None:
        stamp = request.headers.get("Timestamp", "")
        if not (stamp.isascii() and stamp.isdigit()) or abs(int(stamp) / 1000 - time.time()) > _SKEW:
            raise web.HTTPUnauthorized(text="Timestamp is missing or not of now")
        url = f"{request.scheme}://{request.host}{request.path}"
        proof = hashlib.sha256(f"{url}{account.username}{stamp}{account.secret}".encode()).hexdigest()
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        try:
            known = b64decode(told, validate=True).decode()
        except ValueError:
            known = ""
        if scheme != "Basic" or not hmac.compare_digest(known.encode(), f"{account.username}:{proof}".encode()):
            raise web.HTTPUnauthorized(text="unknown user or wrong proof")

    return check


def build(context: Context) -> Mapping[str, web.Application]:
    """Return the one application of this registry."""
    people = _People(context.world)
    service = SoapService(
        name=NAME,
        version="1.1",
        path=PATH,
        contract=Contract("population.wsdl"),
        answers={
            f"{{{ASKED}}}TraCuuThongTinCongDan": people.look_up,
            f"{{{ASKED}}}XacThucThongTinCongDan": people.authenticate,
            f"{{{RELATION}}}XacMinhThongTinNhanThan": people.relate,
        },
        others=people.about_somebody_else,
        fault=_fault,
        codes={
            "syntax": "SaiCuPhap",
            "signature": "SaiChuKy",
            "stranger": "KhongCoQuyen",
            "replay": "TrungYeuCau",
        },
        admit=admit(context.account(NAME)),
    )
    return {NAME: soap_application(context, service)}


REGISTRY = Registry(
    name=NAME,
    signs=True,
    contract=f"{PATH}?wsdl",
    build=build,
    truth=population_truth.truth,
    cases=population_truth.cases,
    params={"MaDVC": "LGSP-SANDBOX", "MaCanBo": "lgsp", "MaDonVi": "000.00.00.H26"},
)
