"""Civil status records (hộ tịch) of one block: births, marriages, deaths, and what they say of marital status."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

from sandbox.world import names, places
from sandbox.world.chance import Dice, years_later
from sandbox.world.families import Union
from sandbox.world.model import (
    REFERENCE_DAY,
    Address,
    BirthRecord,
    DeathRecord,
    Entry,
    MaritalState,
    MarriageRecord,
    Parent,
    Person,
    Place,
    Relative,
)
from sandbox.world.people import Registrar

_SIGNERS = ("Chủ tịch", "Phó Chủ tịch")
_NOTES = (None, None, None, None, "", "Sao lục từ sổ gốc")


class Clerk:
    """Writes the civil status books for the people of one block."""

    def __init__(self, seed: int, registrar: Registrar, people: Mapping[int, Person]) -> None:
        self._seed = seed
        self._registrar = registrar
        self._people = people

    def births(self) -> dict[int, BirthRecord]:
        """Birth records by index of the child; some people born before 1965 have none."""
        return {
            index: self._birth(person)
            for index, person in self._people.items()
            if person.birth.year >= 1965 or index < 20 or Dice(self._seed, "book", index).chance(0.4)
        }

    def marriages(self, unions: Sequence[Union]) -> tuple[MarriageRecord, ...]:
        """Marriage records in the order in which the marriages were made."""
        return tuple(self._marriage(union) for union in unions)

    def deaths(self) -> dict[int, DeathRecord]:
        """Death records by index of the deceased."""
        return {index: record for index, person in self._people.items() if (record := self._death(person)) is not None}

    def states(self, marriages: Sequence[MarriageRecord]) -> dict[int, MaritalState]:
        """The marital status of everybody, by index."""
        latest: dict[int, MarriageRecord] = {}
        for marriage in sorted(marriages, key=lambda record: record.effective_on):
            for one in (marriage.husband.index, marriage.wife.index):
                if one is not None:
                    latest[one] = marriage
        return {index: _state(person, latest.get(index)) for index, person in self._people.items()}

    def _birth(self, person: Person) -> BirthRecord:
        dice = Dice(self._seed, "birth-record", person.index)
        known = person.birth.earliest
        late = person.birth.day is None or dice.chance(0.1)
        earliest = max(known + timedelta(days=90), date(known.year + 1, 1, 1)) if late else known + timedelta(days=1)
        on = dice.day(earliest, max(earliest, years_later(known, 12)) if late else known + timedelta(days=59))
        on = min(on, REFERENCE_DAY)
        father, mother = (self._parent(dice, who) for who in (person.father, person.mother))
        declarant, relation = dice.pick(((person.father, "Cha"), (person.mother, "Mẹ"), (person.mother, "Mẹ")))
        place = person.birth_place.place or person.permanent.place
        return BirthRecord(
            entry=self._entry(dice, on, place, "2" if late else "1"),
            child=person.index,
            full_name=person.former_names[0].full_name if person.former_names else person.full_name,
            sex=person.sex,
            birth=person.birth,
            birth_words=names.date_words(person.birth),
            birth_place=person.birth_place,
            hometown=person.hometown,
            ethnicity=person.ethnicity,
            nationality=person.nationality,
            father=father,
            mother=mother,
            declarant=declarant,
            declarant_relation=relation if declarant else None,
        )

    def _parent(self, dice: Dice, who: Relative | None) -> Parent | None:
        if who is None:
            return None
        if who.index is not None:
            return Parent(who, self._people[who.index].permanent)
        stated = dice.chance(0.5)
        return Parent(who, Address(dice.pick(places.places_before()), names.detail(dice)) if stated else None)

    def _marriage(self, union: Union) -> MarriageRecord:
        dice = Dice(self._seed, "marriage", union.husband or 0, union.wife or 0)
        known = self._people[union.husband if union.husband is not None else union.wife or 0]
        others = years_later(known.birth.earliest, dice.number(-3, 3))
        husband, wife = (
            self._registrar.relative(one) if one is not None else self._registrar.stranger(dice, sex, others)
            for one, sex in ((union.husband, "male" if union.husband is None else known.sex), (union.wife, "female"))
        )
        place = places.of_day(known.permanent.place or places.reused(), union.on)
        court = None
        if union.ending == "divorce" and union.ended_on is not None:
            court = f"Quyết định số {dice.number(1, 400)}/{union.ended_on.year}/QĐST-HNGĐ"
        return MarriageRecord(
            entry=self._entry(dice, union.on, place, "1"),
            husband=husband,
            wife=wife,
            effective_on=union.on,
            husband_count=1 if dice.chance(0.93) else 2,
            wife_count=1 if dice.chance(0.94) else 2,
            ended_on=union.ended_on,
            ending=union.ending,
            ending_document=court,
        )

    def _death(self, person: Person) -> DeathRecord | None:
        if person.death is None:
            return None
        dice = Dice(self._seed, "death-record", person.index)
        on = dice.day(person.death.day + timedelta(days=1), person.death.day + timedelta(days=15))
        place = places.of_day(person.permanent.place or places.reused(), on)
        noticed = dice.chance(0.7)
        family = [who for who in (person.spouse, *self._survivors(person)) if who is not None]
        return DeathRecord(
            entry=self._entry(dice, on, place, "1"),
            deceased=person.index,
            full_name=person.full_name,
            death=person.death,
            notice_number=f"{dice.number(1, 300)}/GBT" if noticed else None,
            notice_on=person.death.day if noticed else None,
            notice_issuer=f"Trạm y tế {place.commune_name}" if noticed else None,
            declarant=family[0] if family else None,
        )

    def _survivors(self, person: Person) -> list[Relative]:
        return [
            self._registrar.relative(other.index)
            for other in self._people.values()
            if other.death is None and any(up and up.index == person.index for up in (other.father, other.mother))
        ]

    def _entry(self, dice: Dice, on: date, place: Place | None, kind: Literal["1", "2", "3"]) -> Entry:
        place = place or places.reused()
        return Entry(
            number=str(dice.number(1, 380)),
            book=f"{dice.number(1, 4):02d}/{on.year}",
            page=str(dice.number(1, 200)) if dice.chance(0.7) else None,
            registered_on=on,
            office=f"Ủy ban nhân dân {place.commune_name}, {place.province_name}",
            kind=kind,
            signer=names.full_name(dice, dice.pick(("male", "female"))),
            signer_title=dice.pick(_SIGNERS),
            clerk=names.full_name(dice, "female") if dice.chance(0.8) else None,
            note=dice.pick(_NOTES),
        )


def _state(person: Person, marriage: MarriageRecord | None) -> MaritalState:
    since = None if marriage is None else marriage.effective_on
    if marriage is not None and person.marital in ("divorced", "widowed"):
        since = marriage.ended_on
    return MaritalState(person.index, person.marital, since, marriage)
