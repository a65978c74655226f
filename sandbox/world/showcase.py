"""The hard cases of a world by name, for tests, tours and the test persons published to callers."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.world.block import Block
from sandbox.world.cases import HOUSEHOLD_BUSINESS
from sandbox.world.holdings import Enterprise, Parcel, Taxpayer
from sandbox.world.model import Person
from schemas.codes.provinces import PROVINCES_BEFORE
from schemas.identifiers import ParcelKey, check_digit


@dataclass(frozen=True, slots=True)
class Case:
    """One hard case: what it is about, and the people and things of the world that show it.

    `number` (or `key` of a parcel) has the right shape and belongs to nobody, for the cases of nonexistence.
    """

    name: str
    about: str
    people: tuple[Person, ...] = ()
    enterprise: Enterprise | None = None
    taxpayer: Taxpayer | None = None
    parcel: Parcel | None = None
    number: str | None = None
    key: ParcelKey | None = None


PEOPLE: Mapping[str, tuple[tuple[int, ...], str]] = {
    "married": ((0, 1), "a married couple with a child at home"),
    "minor": ((2,), "a child with a legal representative"),
    "widowed": ((3,), "the surviving spouse of the deceased"),
    "year-only-birth": ((3,), "only the year of birth is known"),
    "deceased": ((4,), "a person who died, with a death record"),
    "year-month-birth": ((5,), "year and month of birth are known, the day is not"),
    "divorced": ((5, 13), "two people divorced from each other"),
    "name-change": ((6,), "the name was changed; the birth record has the earlier one"),
    "single": ((6,), "never married"),
    "old-card-only": ((7,), "no personal number, only an old identity card"),
    "number-of-other-sex": ((8,), "the personal number says the other sex: lawful, to be warned of"),
    "number-of-other-year": ((9,), "the personal number says another year of birth: lawful, to be warned of"),
    "born-abroad": ((10,), "the personal number names a country instead of a province: lawful, to be warned of"),
    "ambiguous": ((11, 12), "two people of the same name, sex, birth date and place of birth"),
    "household-business": ((14,), "a household business, whose tax code is the personal number"),
    "decomposed-text": ((15,), "name and address in decomposed Unicode"),
    "spaces": ((16,), "text that begins and ends with spaces"),
    "markup": ((17,), "text with ampersand, quotes and angle brackets"),
    "leading-zeros": ((18,), "text that would lose leading zeros as a number"),
    "empty-text": ((19,), "optional text is sent, but empty"),
    "missing-fields": ((2,), "optional values are not sent at all"),
}
"""Cases that are people: the indexes they have in every world, and what they are about."""


def collect(first: Block) -> Mapping[str, Case]:
    """The cases that the first block of every world holds."""
    found = {
        name: Case(name, about, tuple(first.people[index] for index in indexes))
        for name, (indexes, about) in PEOPLE.items()
    }
    one, several = first.enterprises
    trader = first.people[HOUSEHOLD_BUSINESS]
    business = next(payer for payer in first.taxpayers if payer.person == HOUSEHOLD_BUSINESS)
    branch = next(payer for payer in first.taxpayers if payer.kind == "branch")
    about = PEOPLE["household-business"][1]
    things = (
        Case("household-business", about, (trader,), taxpayer=business),
        Case("one-representative", "an enterprise with one legal representative", enterprise=one),
        Case("several-representatives", "an enterprise with three, and mark-up in its name", enterprise=several),
        Case("branch", "a branch, whose code has 13 digits", enterprise=one, taxpayer=branch),
        Case("merged-commune", "a parcel whose commune code means another commune now", parcel=first.parcels[0]),
        Case("padded-parcel", "a parcel whose numbers begin with zeros", parcel=first.parcels[1]),
        Case("nobody", "a personal number that nobody has", number=_other_person(first.people[0])),
        Case("no-enterprise", "an enterprise code that no enterprise has", number=_other_enterprise(one.code)),
        Case("no-insurance", "an insurance number that nobody has", number=_other_insurance(first)),
        Case("no-parcel", "a parcel key that no parcel has", key=_other_parcel(first.parcels[0].key)),
        Case("no-certificate", "a certificate serial that was never printed", number=_other_serial(first.parcels[0])),
    )
    return found | {case.name: case for case in things}


# Serial digits belong to one thing only, so a number that keeps them and differs elsewhere belongs to nobody.


def _other_person(person: Person) -> str:
    number = person.personal_id or ""
    return next(f"0{place}{number[3:]}" for place in PROVINCES_BEFORE if f"0{place}" != number[:3])


def _other_enterprise(code: str) -> str:
    nines = (f"{province:02d}{code[2:9]}" for province in range(1, 64) if f"{province:02d}" != code[:2])
    return next(f"{nine}{digit}" for nine in nines if (digit := check_digit(nine)) is not None)


def _other_insurance(first: Block) -> str:
    number = first.insurances[0].number
    return next(f"{place}{number[2:]}" for place in PROVINCES_BEFORE if place != number[:2])


def _other_parcel(key: ParcelKey) -> ParcelKey:
    return ParcelKey("90101" if key.commune != "90101" else "90103", key.sheet, key.parcel)


def _other_serial(parcel: Parcel) -> str:
    digits = parcel.certificate.serial[-6:] if parcel.certificate else "000000"
    return f"ZZ {digits}"
