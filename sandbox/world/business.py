"""Enterprises of one block, registered and owned by its people."""

from collections.abc import Sequence
from datetime import date

from sandbox.world import cases, names, places
from sandbox.world.chance import Dice, Numbering
from sandbox.world.holdings import (
    Activity,
    Branch,
    DossierStatus,
    Enterprise,
    EnterpriseStatus,
    EnterpriseType,
    Member,
    Registration,
    RegistryAddress,
    Representative,
)
from sandbox.world.model import REFERENCE_DAY, Person, Place
from schemas.identifiers import check_digit

SLOTS = 2
"""Enterprises a block can have at most."""

_ACTIVITIES = (
    ("0111", "Trồng lúa"),
    ("0322", "Nuôi trồng thủy sản nội địa"),
    ("1071", "Sản xuất các loại bánh từ bột"),
    ("4101", "Xây dựng nhà để ở"),
    ("4620", "Bán buôn nông, lâm sản nguyên liệu (trừ gỗ, tre, nứa) và động vật sống"),
    ("4933", "Vận tải hàng hóa bằng đường bộ"),
    ("5610", "Nhà hàng và các dịch vụ ăn uống phục vụ lưu động"),
    ("6201", "Lập trình máy vi tính"),
    ("6810", "Kinh doanh bất động sản, quyền sử dụng đất thuộc chủ sở hữu, chủ sử dụng hoặc đi thuê"),
    ("7020", "Hoạt động tư vấn quản lý"),
)
_WORDS = (
    ("An Phát", "An Phat"),
    ("Hưng Thịnh", "Hung Thinh"),
    ("Đại Thành", "Dai Thanh"),
    ("Việt Đức", "Viet Duc"),
    ("Minh Khôi", "Minh Khoi"),
    ("Phúc Lộc", "Phuc Loc"),
    ("Sông Hồng", "Song Hong"),
    ("Tây Nguyên Xanh", "Green Highlands"),
    ("Cửu Long", "Cuu Long"),
    ("Trường Sơn", "Truong Son"),
)
_FORMS: dict[EnterpriseType, tuple[str, str]] = {
    "single-member-llc": ("Công ty TNHH Một thành viên", "One Member Company Limited"),
    "multi-member-llc": ("Công ty TNHH", "Company Limited"),
    "joint-stock": ("Công ty Cổ phần", "Joint Stock Company"),
    "private": ("Doanh nghiệp tư nhân", "Private Enterprise"),
}
_POSITIONS = ("Giám đốc", "Tổng giám đốc", "Chủ tịch Hội đồng thành viên", "Chủ tịch Hội đồng quản trị")


_DOSSIER_STATUSES: tuple[DossierStatus, ...] = (
    "approved",
    "approved",
    "approved",
    "processing",
    "supplement",
    "refused",
)


def enterprises(
    seed: int, block: int, codes: Numbering, journal: Numbering, people: Sequence[Person]
) -> list[Enterprise]:
    """The enterprises of one block; the first block always has one with one representative and one with several."""
    adults = [one for one in people if one.death is None and REFERENCE_DAY.year - one.birth.year >= 26]
    found = []
    for slot in range(SLOTS):
        dice = Dice(seed, "enterprise", block, slot)
        if block == 0:
            run_by = [people[index] for index in (cases.ONE_REPRESENTATIVE, cases.SEVERAL_REPRESENTATIVES)[slot]]
        elif adults and dice.chance(0.5 if slot == 0 else 0.15):
            drawn = [dice.pick(adults) for _ in range(dice.pick((1, 1, 1, 2, 3)))]
            run_by = list({one.index: one for one in drawn}.values())
        else:
            continue
        found.append(_enterprise(dice, block * SLOTS + slot, codes, journal, run_by))
    return found


def _enterprise(dice: Dice, slot: int, codes: Numbering, journal: Numbering, run_by: Sequence[Person]) -> Enterprise:
    kind: EnterpriseType = "joint-stock" if len(run_by) > 1 else dice.pick(tuple(_FORMS))
    code = _code(dice, codes.of(slot))
    words, foreign = dice.pick(_WORDS)
    form, foreign_form = _FORMS[kind]
    suffix = f" {dice.number(2, 99)}" if dice.chance(0.4) else ""
    name = f"{form} {words}{suffix}"
    if slot == 1 or dice.chance(0.03):
        name = f'{form} "{words} & Con" <{dice.number(2, 99)}>'
    place = places.since(run_by[0].permanent.place or places.reused())
    founded = dice.day(date(2001, 1, 1), date(2025, 6, 1))
    founded = max(founded, date(min(max(one.birth.year for one in run_by) + 20, 2025), 6, 1))
    amendments = dice.number(0, 9)
    status: EnterpriseStatus = "active"
    if slot > 1 and dice.chance(0.2):
        status = dice.pick(("suspended", "dissolving", "dissolved", "bankrupt"))
    capital = dice.number(1, 900) * 100_000_000
    representatives = tuple(_representative(dice, one) for one in run_by)
    branches = tuple(
        _branch(dice, code, number, f"{form} {words}{suffix}", founded, run_by[0], status)
        for number in range(1, 1 + (2 if slot == 0 else dice.pick((0, 0, 0, 1, 2))))
    )
    return Enterprise(
        internal_id=20_000_000 + slot,
        internal_code=f"{dice.number(1, 96):02d}E8{slot:06d}",
        code=code,
        name=name,
        foreign_name=dice.pick((None, "", f"{foreign}{suffix} {foreign_form}", f"{foreign}{suffix} {foreign_form}")),
        short_name=dice.pick((None, None, "", f"{foreign.upper()} CO")),
        type=kind,
        status=status,
        founded_on=founded,
        amended_on=dice.day(founded, REFERENCE_DAY) if amendments else None,
        amendments=amendments,
        capital=str(capital),
        address=_address(dice, place),
        activities=_activities(dice),
        members=_members(dice, kind, capital, run_by),
        representatives=representatives,
        branches=branches,
        registration=_registration(dice, journal.of(slot), founded, amendments),
    )


def _code(dice: Dice, serial: str) -> str:
    province = f"{dice.number(1, 63):02d}"
    for free in range(10):
        nine = f"{province}{free}{serial}"
        if (digit := check_digit(nine)) is not None and (free or dice.chance(0.9)):
            return nine + digit
    raise AssertionError("one of ten free digits always leaves a check digit")


def _representative(dice: Dice, person: Person) -> Representative:
    issued = dice.day(date(max(2016, person.birth.year + 15), 1, 1), date(2025, 12, 1))
    return Representative(
        person=person.index,
        full_name=person.full_name,
        sex=person.sex,
        birth=person.birth,
        document=person.personal_id or person.old_id_card or "",
        document_issued_on=issued if dice.chance(0.9) else None,
        nationality=person.nationality,
        position=dice.pick(_POSITIONS),
    )


def _address(dice: Dice, place: Place) -> RegistryAddress:
    street = names.detail(dice) if dice.chance(0.9) else None
    full = ", ".join(part for part in (street, place.commune_name, place.province_name, "Việt Nam") if part)
    return RegistryAddress(
        city_id=100 + int(place.province),
        district_id=1000 + int(places.before(place).district or 0) if int(place.province) % 2 else None,
        ward_id=700_000 + int(place.commune) if dice.chance(0.95) else None,
        street=street,
        full_text=full,
        place=place,
    )


def _activities(dice: Dice) -> tuple[Activity, ...]:
    chosen = {dice.pick(_ACTIVITIES): None for _ in range(dice.number(1, 5))}
    return tuple(Activity(code, name, position == 0) for position, (code, name) in enumerate(chosen))


def _members(dice: Dice, kind: EnterpriseType, capital: int, run_by: Sequence[Person]) -> tuple[Member, ...]:
    if kind in ("single-member-llc", "private"):
        first = run_by[0]
        return (Member(first.index, first.full_name, str(capital), "100.00", "VN"),)
    first, part = run_by[0], dice.number(30, 80)
    others = dice.pick((names.full_name(dice, "male"), "Daewoong Trading Co., Ltd"))
    country = "KR" if others.startswith("Daewoong") else "VN"
    return (
        Member(first.index, first.full_name, str(capital // 100 * part), f"{part}.00", "VN"),
        Member(None, others, str(capital // 100 * (100 - part)), f"{100 - part}.00", country),
    )


def _branch(
    dice: Dice, code: str, number: int, name: str, founded: date, head: Person, status: EnterpriseStatus
) -> Branch:
    place = places.since(dice.pick(places.places_before()))
    return Branch(
        code=f"{code}-{number:03d}",
        name=f"Chi nhánh {name} tại {place.province_name}",
        founded_on=dice.day(founded, REFERENCE_DAY),
        status=status,
        address=_address(dice, place),
        head=_representative(dice, head),
    )


def _registration(dice: Dice, serial: str, founded: date, amendments: int) -> Registration:
    status = dice.pick(_DOSSIER_STATUSES)
    received = dice.day(founded, REFERENCE_DAY) if amendments else founded
    decided = dice.day(received, REFERENCE_DAY) if status in ("approved", "refused") else None
    return Registration(
        journal_no=f"{dice.number(10, 96)}{serial}",
        kind="amendment" if amendments else "new",
        received_on=received,
        status="approved" if not amendments else status,
        decided_on=decided if amendments else received,
        note=dice.pick((None, None, "", "Bổ sung bản sao giấy tờ pháp lý")),
    )
