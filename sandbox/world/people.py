"""Turns the families of a block into the persons and households that the registries know."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Literal

from sandbox.world import cases, names, places
from sandbox.world.chance import Dice, Numbering, years_later
from sandbox.world.families import Draft, Families
from sandbox.world.model import REFERENCE_DAY, Address, Death, FormerName, Household, Person, Place, Relative
from schemas.codes.persons import ETHNICITIES, BloodGroup, Sex

_CAUSES = ("Bệnh già", "Bệnh tim mạch", "Tai nạn giao thông", "Ung thư", "Đột quỵ", "", None)
_ABROAD = (("US", "Houston"), ("FR", "Paris"), ("KR", "Seoul"), ("JP", "Osaka"), ("LA", "Viêng Chăn"))
_NOTES = (None, None, None, None, None, "", "Đã cập nhật từ hồ sơ gốc", "Chờ bổ sung giấy tờ")
_BLOOD: tuple[BloodGroup | None, ...] = ("O", "O", "B", "A", "AB", None, None, None)


@dataclass(frozen=True, slots=True)
class Numberings:
    """The serial numbers of people's identifiers: each kind has its own permutation."""

    personal_id: Numbering
    id_card: Numbering
    social_insurance: Numbering
    household: Numbering


@dataclass(frozen=True, slots=True)
class Home:
    """Where a household lives: the place of before the merger and the detail within it."""

    place: Place
    detail: str


class Registrar:
    """Describes the people of one block; asks the dice of each person and house, so that no record moves another."""

    def __init__(self, seed: int, numberings: Numberings, families: Families) -> None:
        self._seed = seed
        self._numberings = numberings
        self._families = families
        self._drafts: Mapping[int, Draft] = {draft.index: draft for draft in families.people}
        self._homes: dict[int, Home] = {}
        self._heads: dict[int, int] = {}
        self._relatives: dict[int, Relative] = {}
        for members in families.houses:
            home = self._home(members[0])
            for member in members:
                self._homes[member], self._heads[member] = home, members[0]
        for union in families.unions:
            for one, other in ((union.husband, union.wife), (union.wife, union.husband)):
                if one is not None and one not in self._homes and other is not None and other in self._homes:
                    self._homes[one] = self._homes[other]

    def people(self) -> tuple[Person, ...]:
        """The persons in order of index."""
        return tuple(self._person(draft) for draft in self._families.people)

    def households(self, people: Mapping[int, Person]) -> tuple[Household, ...]:
        """The households, each with the permanent address of its head."""
        return tuple(
            Household(
                number=self._household(members[0]),
                head=members[0],
                members=tuple((member, self._drafts[member].relation) for member in members),
                address=people[members[0]].permanent,
            )
            for members in self._families.houses
        )

    def relative(self, index: int) -> Relative:
        """A person of this block as written beside others."""
        if (known := self._relatives.get(index)) is not None:
            return known
        draft = self._drafts[index]
        made = self._relatives[index] = Relative(
            index=index,
            full_name=" ".join(part for part in self._name(draft) if part),
            personal_id=self._personal_id(draft),
            old_id_card=self._id_card(draft),
            sex=draft.sex,
            birth=draft.birth,
            ethnicity=self._ethnicity(draft),
        )
        return made

    def stranger(self, dice: Dice, sex: Sex, born: date, surname: str | None = None) -> Relative:
        """Somebody outside this world, known by name and at most an old identity card that nobody here has."""
        middle, given = names.personal_name(dice, sex)
        parts = (surname or names.surname(dice), middle, given)
        card = f"{dice.number(1, 37):02d}{dice.number(5, 9)}{dice.digits(6)}" if dice.chance(0.5) else None
        return Relative(
            index=None,
            full_name=" ".join(part for part in parts if part),
            personal_id=None,
            old_id_card=card,
            sex=sex,
            birth=dice.pick((Draft(0, sex, born, "", "", "", precision="year").birth, None)),
            ethnicity="01",
        )

    def _person(self, draft: Draft) -> Person:
        dice = Dice(self._seed, "person", draft.index)
        myself = self.relative(draft.index)
        home = self._homes.get(draft.index) or self._home(draft.index)
        surname, middle, given = self._name(draft)
        moved = dice.chance(0.15)
        elsewhere = Home(dice.pick(places.places_before()), names.detail(dice))
        permanent = self._address(
            home, current=Dice(self._seed, "codes", self._heads.get(draft.index, draft.index)).chance(0.6)
        )
        present = self._address(elsewhere if moved else home, current=dice.chance(0.85))
        birth_place, hometown = self._birth_place(draft), self._hometown(draft, home)
        religion, blood = dice.pick(("00", "00", "00", "00", "01", "02", "05", None)), dice.pick(_BLOOD)
        other_name = dice.pick((None, None, None, None, "", f"{draft.given} (Út)"))
        note = dice.pick(_NOTES)
        permanent, present, other_name, note = _textual(draft, permanent, present, other_name, note)
        return Person(
            index=draft.index,
            personal_id=myself.personal_id,
            old_id_card=myself.old_id_card,
            surname=surname,
            middle=middle,
            given=given,
            other_name=other_name,
            former_names=self._former_names(draft),
            sex=draft.sex,
            birth=draft.birth,
            birth_place=birth_place,
            hometown=hometown,
            permanent=permanent,
            current=present,
            ethnicity=myself.ethnicity,
            religion=None if "missing" in draft.twists else religion,
            nationality="VN",
            marital=draft.marital,
            blood_group=None if "missing" in draft.twists else blood,
            father=self._parent(draft, draft.father, "male"),
            mother=self._parent(draft, draft.mother, "female"),
            spouse=None if draft.spouse is None else self.relative(draft.spouse),
            representative=self._representative(draft),
            household=self._household(self._heads[draft.index]) if draft.index in self._heads else None,
            relation=draft.relation if draft.index in self._heads else None,
            death=self._death(draft, home),
            note=note,
            updated_on=dice.day(max(draft.born, draft.died or date(2021, 7, 1), date(2021, 7, 1)), REFERENCE_DAY),
        )

    def _name(self, draft: Draft) -> tuple[str, str, str]:
        form: Literal["NFD", "NFC"] = "NFD" if "decomposed" in draft.twists else "NFC"
        return (
            unicodedata.normalize(form, draft.surname),
            unicodedata.normalize(form, draft.middle),
            unicodedata.normalize(form, draft.given),
        )

    def _home(self, head: int) -> Home:
        dice = Dice(self._seed, "home", head)
        return Home(places.reused() if head == 0 else dice.pick(places.places_before()), names.detail(dice))

    def _address(self, home: Home, *, current: bool) -> Address:
        return Address(places.since(home.place) if current else home.place, home.detail)

    def _birth_place(self, draft: Draft) -> Address:
        if draft.index == cases.SAME_BIRTH[1]:
            draft = self._drafts[cases.SAME_BIRTH[0]]
        dice = Dice(self._seed, "birth", draft.index)
        if "born-abroad" in draft.twists:
            country, city = dice.pick(_ABROAD)
            return Address(None, city, country)
        home = self._homes.get(draft.index) or self._home(draft.index)
        place = home.place if dice.chance(0.6) else dice.pick(places.places_before())
        place = places.of_day(place, draft.born)
        return Address(
            place, dice.pick((None, f"Trạm y tế {place.commune_name}", f"Bệnh viện {place.province_name}", ""))
        )

    def _hometown(self, draft: Draft, home: Home) -> Address:
        dice = Dice(self._seed, "hometown", draft.index)
        place = home.place if dice.chance(0.7) else dice.pick(places.places_before())
        return Address(place, dice.pick((None, None, "", names.detail(dice))))

    def _ethnicity(self, draft: Draft) -> str | None:
        if "missing" in draft.twists:
            return None
        dice = Dice(self._seed, "ethnicity", draft.index if draft.father is None else draft.father)
        return "01" if dice.chance(0.85) else dice.pick(tuple(ETHNICITIES))

    def _personal_id(self, draft: Draft) -> str | None:
        if "no-number" in draft.twists:
            return None
        dice = Dice(self._seed, "number", draft.index)
        place = self._birth_place(draft).place
        where = f"0{place.province}" if place else f"{dice.number(101, 195)}"
        female = (draft.sex == "female") != ("number-of-other-sex" in draft.twists)
        year = draft.born.year - ("number-of-other-year" in draft.twists)
        century = (year - 1900) // 100 * 2 + female
        return f"{where}{century}{year % 100:02d}{self._numberings.personal_id.of(draft.index)}"

    def _id_card(self, draft: Draft) -> str | None:
        dice = Dice(self._seed, "card", draft.index)
        if draft.born.year > 2002 or ("no-number" not in draft.twists and dice.chance(0.2)):
            return None
        return f"{dice.number(1, 37):02d}{dice.number(0, 4)}{self._numberings.id_card.of(draft.index)}"

    def _household(self, head: int) -> str:
        return f"{Dice(self._seed, 'household', head).number(100, 999)}{self._numberings.household.of(head)}"

    def _former_names(self, draft: Draft) -> tuple[FormerName, ...]:
        if "name-change" not in draft.twists:
            return ()
        dice = Dice(self._seed, "former", draft.index)
        middle, given = names.personal_name(dice, draft.sex)
        given = f"{given} Em" if given == draft.given else given
        end = draft.died or REFERENCE_DAY
        on = dice.day(draft.born + (end - draft.born) / 2, end)
        former = " ".join(part for part in (draft.surname, middle, given) if part)
        return (FormerName(former, on, f"{dice.number(1, 900)}/QĐ-UBND"),)

    def _parent(self, draft: Draft, known: int | None, sex: Sex) -> Relative | None:
        if known is not None:
            return self.relative(known)
        dice = Dice(self._seed, "parent", draft.index, sex)
        if dice.chance(0.25):
            return None
        surname = draft.surname if sex == "male" else None
        return self.stranger(dice, sex, years_later(draft.born, -dice.number(20, 38)), surname)

    def _representative(self, draft: Draft) -> Relative | None:
        if draft.age() >= 18 or draft.died is not None:
            return None
        for parent in (draft.father, draft.mother):
            if parent is not None and self._drafts[parent].died is None:
                return self.relative(parent)
        return None

    def _death(self, draft: Draft, home: Home) -> Death | None:
        if draft.died is None:
            return None
        dice = Dice(self._seed, "death", draft.index)
        at = time(dice.number(0, 23), dice.number(0, 59)) if dice.chance(0.7) else None
        place = f"{home.detail}, {places.of_day(home.place, draft.died).commune_name}"
        return Death(draft.died, at, place, dice.pick(_CAUSES))


def _textual(
    draft: Draft, permanent: Address, present: Address, other_name: str | None, note: str | None
) -> tuple[Address, Address, str | None, str | None]:
    """Apply what is unusual about the text of this person's record."""
    twists, detail = draft.twists, present.detail or ""
    if "decomposed" in twists:
        note = unicodedata.normalize("NFD", "Đã đối chiếu giấy tờ")
        detail = unicodedata.normalize("NFD", detail)
    if "spaces" in twists:
        note, detail = "  hai dấu cách ở đầu, một ở cuối ", f" {detail}  "
    if "markup" in twists:
        note, detail = "Khu A & B <cũ>, \"gọi là\" 'Xóm Mới' ]]> &amp;", f'Nhà "{draft.given}" & con, <{detail}>'
    if "zeros" in twists:
        note, detail = "000", f"0012/05, {detail}"
    if "empty" in twists:
        return permanent, Address(present.place, "", present.country), "", ""
    if "missing" in twists:
        return permanent, Address(present.place, None, present.country), None, None
    return permanent, Address(present.place, detail, present.country), other_name, note
