"""Families: who exists, who is whose child and spouse, and who lives with whom - before any registry describes them."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from sandbox.world import names
from sandbox.world.chance import Dice, years_later
from sandbox.world.model import REFERENCE_DAY, Ending, PartialDate, Relation
from schemas.codes.persons import MaritalStatus, Sex

BLOCK = 20
"""People are made in blocks of this many, each from the seed and the block's number alone."""

Twist = Literal[
    "number-of-other-sex",
    "number-of-other-year",
    "born-abroad",
    "no-number",
    "name-change",
    "decomposed",
    "spaces",
    "markup",
    "zeros",
    "empty",
    "missing",
]


@dataclass(slots=True)
class Draft:
    """A person in the making; people are referred to by index, `twists` are what is unusual about the records."""

    index: int
    sex: Sex
    born: date
    surname: str
    middle: str
    given: str
    precision: Literal["day", "month", "year"] = "day"
    marital: MaritalStatus = "single"
    father: int | None = None
    mother: int | None = None
    spouse: int | None = None
    died: date | None = None
    relation: Relation = "head"
    twists: frozenset[Twist] = frozenset()

    @property
    def birth(self) -> PartialDate:
        """The birth date as far as it is known."""
        return PartialDate(
            self.born.year,
            self.born.month if self.precision != "year" else None,
            self.born.day if self.precision == "day" else None,
        )

    @property
    def full_name(self) -> str:
        """The whole name in NFC."""
        return " ".join(part for part in (self.surname, self.middle, self.given) if part)

    def age(self, day: date = REFERENCE_DAY) -> int:
        """Completed years on `day`."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


@dataclass(slots=True)
class Union:
    """A marriage in the making; None stands for somebody outside this world."""

    husband: int | None
    wife: int | None
    on: date
    ended_on: date | None = None
    ending: Ending | None = None


@dataclass(slots=True)
class Families:
    """The people of one block in order of index, the houses they live in (lists of the living), and their marriages."""

    people: list[Draft] = field(default_factory=list)
    houses: list[list[int]] = field(default_factory=list)
    unions: list[Union] = field(default_factory=list)


class Builder:
    """Adds people, couples and children to a block, keeping ages, names and references in agreement."""

    def __init__(self, dice: Dice, first: int) -> None:
        self.dice = dice
        self.made = Families()
        self._first = first

    def person(self, sex: Sex, youngest: int, oldest: int, surname: str | None = None) -> Draft:
        """A new person whose age on the reference day lies between the two, years included."""
        middle, given = names.personal_name(self.dice, sex)
        first_day = years_later(REFERENCE_DAY, -oldest - 1) + timedelta(days=1)
        draft = Draft(
            index=self._first + len(self.made.people),
            sex=sex,
            born=self.dice.day(first_day, years_later(REFERENCE_DAY, -youngest)),
            surname=surname or names.surname(self.dice),
            middle=middle,
            given=given,
        )
        self.made.people.append(draft)
        return draft

    def house(self, *members: Draft) -> None:
        """Let the living of these people share a house; the first of them is its head."""
        self.made.houses.append([member.index for member in members if member.died is None])

    def marry(self, husband: Draft, wife: Draft) -> Union:
        """Marry two people on a day when both were old enough."""
        union = Union(husband.index, wife.index, self._wedding(husband.born, wife.born))
        husband.spouse, wife.spouse = wife.index, husband.index
        husband.marital = wife.marital = "married"
        self.made.unions.append(union)
        return union

    def divorce(self, person: Draft, union: Union | None = None) -> None:
        """Divorce a person: from the marriage given, or from somebody outside this world."""
        if union is None:
            on = self._wedding(person.born, person.born)
            male = person.sex == "male"
            union = Union(person.index if male else None, None if male else person.index, on)
            self.made.unions.append(union)
        union.ended_on, union.ending = self.dice.day(union.on + timedelta(days=400), REFERENCE_DAY), "divorce"
        for one in self.made.people:
            if one.index in (union.husband, union.wife):
                one.spouse, one.marital = None, "divorced"

    def bury(self, person: Draft, union: Union | None, earliest: date) -> None:
        """Let a person die on a day after `earliest`; the surviving spouse is widowed."""
        person.died = self.dice.day(max(earliest, date(2005, 1, 1)), REFERENCE_DAY - timedelta(days=20))
        person.spouse = None
        if union is not None:
            union.ended_on, union.ending = person.died, "death"
            for one in self.made.people:
                if one.index in (union.husband, union.wife) and one is not person:
                    one.spouse, one.marital = None, "widowed"

    def children(self, count: int, father: Draft | None, mother: Draft, since: date, until: date) -> list[Draft]:
        """Up to so many children born between the two days, a year and more apart, before the mother was 46."""
        born, latest, found = since, min(until, years_later(mother.born, 46)), []
        for _ in range(count):
            born = self.dice.day(born + timedelta(days=300), born + timedelta(days=1500))
            if born > latest:
                break
            named = father if father is not None and self.dice.chance(0.93) else mother
            child = self.person(self.dice.pick(("male", "female")), 0, 1, named.surname)
            child.born, child.mother, child.father = born, mother.index, father.index if father else None
            child.relation = "child"
            found.append(child)
        return found

    def _wedding(self, one: date, other: date) -> date:
        of_age = max(years_later(one, 20), years_later(other, 18))
        return self.dice.day(
            of_age + timedelta(days=30), min(years_later(of_age, 9), REFERENCE_DAY - timedelta(days=500))
        )


def families(dice: Dice, first: int, size: int) -> Families:
    """An ordinary block of exactly `size` people with indexes from `first` on."""
    build = Builder(dice, first)
    while (room := size - len(build.made.people)) > 0:
        if room >= 3 and dice.chance(0.62):
            _couple(build, room)
        elif room >= 2 and dice.chance(0.35):
            _widowed(build, room)
        elif room >= 2 and dice.chance(0.4):
            _lone_mother(build, room)
        else:
            _alone(build)
    for person in build.made.people:
        person.precision = _precision(dice, person)
        person.twists = _twists(dice, person)
    return build.made


def _couple(build: Builder, room: int) -> None:
    dice = build.dice
    husband = build.person("male", 24, 78)
    age = husband.age()
    wife = build.person("female", max(21, age - 9), max(23, age + 3))
    union = build.marry(husband, wife)
    wife.relation = "spouse"
    elders: list[Draft] = []
    if room >= 6 and age < 50 and dice.chance(0.35):
        elders = _elders(build, husband)
        room -= 2
    wanted = min(dice.number(0, 3), room - 2)
    young = build.children(wanted, husband, wife, union.on, REFERENCE_DAY - timedelta(days=3))
    build.house(husband, wife, *young, *elders)


def _elders(build: Builder, son: Draft) -> list[Draft]:
    mother = build.person("female", son.age() + 21, son.age() + 32)
    father = build.person("male", mother.age(), mother.age() + 8, son.surname)
    union = build.marry(father, mother)
    union.on = min(union.on, son.born - timedelta(days=300))
    union.on = max(union.on, years_later(mother.born, 18), years_later(father.born, 20))
    mother.relation, father.relation = "mother", "father"
    son.mother, son.father = mother.index, father.index
    if build.dice.chance(0.4):
        build.bury(father, union, years_later(son.born, 20))
    return [father, mother]


def _widowed(build: Builder, room: int) -> None:
    left = build.person("female", 45, 88)
    gone = build.person("male", left.age(), left.age() + 9)
    union = build.marry(gone, left)
    young = build.children(min(build.dice.number(0, 2), room - 2), gone, left, union.on, date(2004, 1, 1))
    build.bury(gone, union, max((child.born for child in young), default=union.on) + timedelta(days=30))
    build.house(left, *young)


def _lone_mother(build: Builder, room: int) -> None:
    mother = build.person("female", 27, 58)
    if build.dice.chance(0.7):
        build.divorce(mother)
    since = years_later(mother.born, 21)
    build.house(mother, *build.children(min(2, room - 1), None, mother, since, REFERENCE_DAY - timedelta(days=3)))


def _alone(build: Builder) -> None:
    person = build.person(build.dice.pick(("male", "female")), 20, 75)
    if person.age() > 30 and build.dice.chance(0.3):
        build.divorce(person)
    build.house(person)


def _precision(dice: Dice, person: Draft) -> Literal["day", "month", "year"]:
    draw = dice.number(0, 99)
    if person.born.year < 1960:
        return "year" if draw < 12 else "month" if draw < 17 else "day"
    return "year" if draw == 0 and person.born.year < 1985 else "day"


_RARE: tuple[Twist, ...] = (
    "number-of-other-sex",
    "number-of-other-year",
    "born-abroad",
    "name-change",
    "name-change",
    "decomposed",
    "spaces",
    "markup",
    "zeros",
    "empty",
    "missing",
)


def _twists(dice: Dice, person: Draft) -> frozenset[Twist]:
    if person.born.year < 1955 and dice.chance(0.02):
        return frozenset(("no-number",))
    return frozenset((dice.pick(_RARE),)) if dice.chance(0.08) else frozenset()
