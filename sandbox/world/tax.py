"""Taxpayers of one block: its enterprises, their branches, and people by their personal number."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from sandbox.world import cases
from sandbox.world.chance import Dice
from sandbox.world.holdings import Branch, Enterprise, EnterpriseStatus, Obligation, Taxpayer
from sandbox.world.model import REFERENCE_DAY, Address, Person, Place

_ITEMS = {
    "enterprise": (
        ("1701", "Thuế giá trị gia tăng"),
        ("1052", "Thuế thu nhập doanh nghiệp"),
        ("2863", "Lệ phí môn bài"),
    ),
    "person": (("1001", "Thuế thu nhập cá nhân"), ("1601", "Thuế sử dụng đất phi nông nghiệp")),
}
_STATUS: Mapping[EnterpriseStatus, tuple[str, ...]] = {
    "active": ("00", "00", "00", "00", "02", "06", "09"),
    "suspended": ("05",),
    "dissolving": ("03",),
    "dissolved": ("01",),
    "bankrupt": ("07",),
}
_ADULT = 18


def taxpayers(seed: int, owned: Sequence[Enterprise], people: Mapping[int, Person]) -> list[Taxpayer]:
    """The taxpayers of one block: enterprises, then branches, then people, in order."""
    found = [_of_enterprise(seed, enterprise) for enterprise in owned]
    found += [_of_branch(seed, enterprise, branch) for enterprise in owned for branch in enterprise.branches]
    for index, person in people.items():
        dice = Dice(seed, "taxpayer", index)
        adult = REFERENCE_DAY.year - person.birth.year > _ADULT
        if person.personal_id is not None and adult and (index < 20 or dice.chance(0.75)):
            found.append(_of_person(dice, person, person.personal_id))
    return found


def _of_enterprise(seed: int, enterprise: Enterprise) -> Taxpayer:
    dice = Dice(seed, "taxpayer", enterprise.code)
    status = "00" if enterprise.internal_id % 1000 == 0 else dice.pick(_STATUS[enterprise.status])
    return _taxpayer(
        dice,
        enterprise.code,
        "enterprise",
        enterprise.name,
        status,
        enterprise.founded_on,
        enterprise.address.place,
        enterprise.address.street,
    )


def _of_branch(seed: int, enterprise: Enterprise, branch: Branch) -> Taxpayer:
    dice = Dice(seed, "taxpayer", branch.code)
    status = dice.pick(_STATUS[branch.status])
    return _taxpayer(
        dice,
        branch.code,
        "branch",
        branch.name,
        status,
        branch.founded_on,
        branch.address.place,
        branch.address.street,
        parent=enterprise.code,
    )


def _of_person(dice: Dice, person: Person, code: str) -> Taxpayer:
    trades = person.index == cases.HOUSEHOLD_BUSINESS or (person.death is None and dice.chance(0.06))
    registered = dice.day(date(max(person.birth.year + 18, 2008), 1, 1), date(2025, 12, 31))
    if person.death is not None:
        status, registered = "01", min(registered, person.death.day)
    else:
        status = dice.pick(("00", "00", "00", "00", "04"))
    return _taxpayer(
        dice,
        code,
        "household-business" if trades else "person",
        person.full_name,
        status,
        registered,
        person.permanent.place,
        person.permanent.detail,
        person=person,
        business_name=f"Hộ kinh doanh {person.full_name}" if trades else None,
    )


def _taxpayer(
    dice: Dice,
    code: str,
    kind: Literal["enterprise", "branch", "person", "household-business"],
    name: str,
    status: str,
    registered: date,
    place: Place | None,
    detail: str | None,
    *,
    person: Person | None = None,
    parent: str | None = None,
    business_name: str | None = None,
) -> Taxpayer:
    closed = None
    if status == "01":
        closed = person.death.day if person and person.death else dice.day(registered, REFERENCE_DAY)
    province = place.province if place else "01"
    return Taxpayer(
        code=code,
        kind=kind,
        type_code={"enterprise": "0100", "branch": "0110", "household-business": "0310", "person": "0300"}[kind],
        name=name,
        business_name=business_name,
        person=person.index if person else None,
        parent=parent,
        status=status,
        authority=f"{province}{'00' if kind == 'enterprise' else '01'}",
        authority_name=f"Thuế {place.province_name if place else 'Hà Nội'}",
        registered_on=registered,
        closed_on=closed,
        address=Address(place, detail),
        obligations=_obligations(dice, kind, registered, closed),
    )


def _obligations(dice: Dice, kind: str, registered: date, closed: date | None) -> tuple[Obligation, ...]:
    items = _ITEMS["enterprise" if kind in ("enterprise", "branch") else "person"]
    last = closed or REFERENCE_DAY
    found = []
    for year in range(max(registered.year, last.year - 2), last.year):
        for item, title in items:
            if dice.chance(0.7):
                quarter = dice.number(1, 4)
                period, due = dice.pick(
                    (
                        (f"{year}", date(year + 1, 3, 31)),
                        (f"{year}-Q{quarter}", date(year + quarter // 4, quarter % 4 * 3 + 1, 30)),
                        (f"{year}-{quarter + 5:02d}", date(year, quarter + 6, 20)),
                    )
                )
                found.append(_obligation(dice, period, item, title, due))
    return tuple(found)


def _obligation(dice: Dice, period: str, item: str, title: str, due: date) -> Obligation:
    assessed = (
        Decimal(dice.number(0, 9_000_000_000)) / 100 if dice.chance(0.3) else Decimal(dice.number(1, 90_000) * 1000)
    )
    paid = dice.pick((assessed, assessed, assessed, Decimal(0), assessed + 1000))
    penalty = Decimal(dice.number(1, 900_000)) if paid == 0 else Decimal(0)
    cents = Decimal("0.01")
    return Obligation(
        period=period,
        item=item,
        title=title,
        due_on=due,
        assessed=str(assessed.quantize(cents)),
        paid=str(paid.quantize(cents)),
        penalty=str(penalty.quantize(cents)),
        outstanding=str((assessed + penalty - paid).quantize(cents)),
    )
