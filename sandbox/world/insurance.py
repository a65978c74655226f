"""Social and health insurance of one block's people."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

from sandbox.world.chance import Dice, Numbering, years_later
from sandbox.world.holdings import HealthInsuranceCard, Insurance, InsuranceStatus
from sandbox.world.model import REFERENCE_DAY, Person

_HOSPITALS = (
    ("001", "Bệnh viện Đa khoa tỉnh"),
    ("015", "Trung tâm Y tế khu vực"),
    ("107", "Bệnh viện Đa khoa Phúc Hưng"),
    ("090", "Trạm Y tế"),
)


def insurances(seed: int, numbering: Numbering, people: Mapping[int, Person]) -> dict[int, Insurance]:
    """The participants of one block by index; nobody without a personal number, not all with one."""
    found = {}
    for index, person in people.items():
        dice = Dice(seed, "insurance", index)
        if person.personal_id is not None and (index < 20 or dice.chance(0.93)):
            found[index] = _insurance(dice, numbering, person)
    return found


def _insurance(dice: Dice, numbering: Numbering, person: Person) -> Insurance:
    province = person.birth_place.place or person.permanent.place
    where = province.province if province else "01"
    number = f"{where}{dice.digits(2)}{numbering.of(person.index)}"
    status = _status(dice, person)
    return Insurance(
        number=number,
        old_book=dice.pick((None, "", f"{dice.digits(7)}", f"{dice.digits(10)}")),
        person=person.index,
        status=status,
        household_code=f"{person.household}0" if person.household else None,
        residence=person.permanent,
        birth_registration=person.birth_place,
        card=_card(dice, number, status, person) if dice.chance(0.94) or person.index < 20 else None,
    )


def _status(dice: Dice, person: Person) -> InsuranceStatus:
    if person.death is not None:
        return "ended"
    if REFERENCE_DAY.year - person.birth.year > 61:
        return "retired"
    return "paused" if dice.chance(0.1) else "participating"


def _card(dice: Dice, number: str, status: InsuranceStatus, person: Person) -> HealthInsuranceCard:
    age = REFERENCE_DAY.year - person.birth.year
    group = (
        "TE" if age < 6 else "HS" if age < 18 else "HT" if status == "retired" else dice.pick(("DN", "HC", "GD", "CN"))
    )
    benefit = "1" if group == "TE" else dice.pick(("2", "3", "4", "4", "4", "5"))
    place = person.permanent.place
    province = place.province if place else "01"
    code = f"{group}{benefit}{province}{number}"
    result: Literal["000", "003", "010", "110"] = "000"
    if person.death is not None:
        result = "110"
    elif dice.chance(0.04):
        result = "010"
    elif dice.chance(0.04):
        result = "003"
    start = date(2025 if result == "000" else 2023, dice.number(1, 12), 1)
    start = max(start, person.birth.earliest)
    hospital, name = dice.pick(_HOSPITALS)
    return HealthInsuranceCard(
        code=code,
        prints_number_only=dice.chance(0.6),
        valid_from=start,
        valid_to=years_later(start, 2 if result == "000" else 1) - timedelta(days=1),
        hospital=f"{province}{hospital}",
        hospital_name=name,
        five_years_on=date(2026 + dice.number(0, 4), dice.number(1, 12), 1) if dice.chance(0.7) else None,
        result=result,
        replaced_by=f"{group}{1 + int(benefit) % 5}{province}{number}" if result == "003" else None,
    )
