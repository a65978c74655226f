"""What is true of the population database, said in the words of the gateway's own API and taken from the world alone.

Nothing here knows how the source writes its messages: this is what the gateway's codecs are checked against.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from sandbox.registry import Case, Truth
from sandbox.world.model import Address, Person, Relative
from sandbox.world.world import World

_ABSENT = "079099999999"
# Beyond this many people the index of names takes too long to make for a few sentences.
_SEARCHABLE = 20_000


def truth(world: World) -> Iterator[Truth]:
    """Yield a few sentences about every person: by number, by card, claims true and false, relations."""
    for index in range(world.people):
        person = world.person(index)
        key = _key(person)
        record = _record(world, person)
        yield Truth("person", key, record)
        if person.personal_id and person.old_id_card and index % 4 == 1:
            yield Truth("person", {"old_id_card": person.old_id_card}, record)
        if index % 5 == 2:
            yield Truth("person", {**key, "full_name": _composed(person), "birth_date": person.birth.text}, record)
        if index % 10 == 3 and index < 200 and world.people <= _SEARCHABLE:
            search = {"full_name": _composed(person), "birth_date": person.birth.text}
            if len(world.find_people(*search.values())) == 1:
                yield Truth("person", search, record)
        yield from _matches(person, world.person((index + 1) % world.people), key)
        if person.personal_id:
            yield from _relations(world, person)


def cases(world: World) -> list[Case]:
    """Return the people whom every caller has to be able to handle."""
    held = world.cases
    twin = held["ambiguous"].people[0]
    changed = held["name-change"].people[0]
    mismatches = (
        ("number-of-other-sex", "personal-id-sex"),
        ("number-of-other-year", "personal-id-year"),
        ("born-abroad", "personal-id-place"),
    )
    return [
        Case("person", "no-record", {"personal_id": _nobody(world)}, 404, "no-record"),
        Case("person", "ambiguous", {"full_name": _composed(twin), "birth_date": twin.birth.text}, 409, "ambiguous"),
        Case(
            "person",
            "disagreeing-name",
            {**_key(twin), "full_name": "Không Phải Người Này"},
            404,
            "no-record",
        ),
        *(
            Case("person", name, _key(held[name].people[0]))
            for name in ("deceased", "year-only-birth", "year-month-birth", "minor", "old-card-only", "decomposed-text")
        ),
        Case("person", "name-change", {**_key(changed), "full_name": _composed(changed)}),
        Case(
            "person",
            "former-name",
            {**_key(changed), "full_name": unicodedata.normalize("NFC", changed.former_names[-1].full_name)},
            404,
            "no-record",
        ),
        *(
            Case("person", "warning" if not number else name, _key(held[name].people[0]), 200, code)
            for number, (name, code) in enumerate(mismatches)
        ),
        Case("match", "nobody", {"personal_id": _nobody(world), "full_name": "Không Có Ai"}),
    ]


def _nobody(world: World) -> str:
    """A number of right shape that nobody has."""
    return next(
        number for number in (f"0790995{tail:05d}" for tail in range(100_000)) if world.person_by_id(number) is None
    )


def _key(person: Person) -> dict[str, str]:
    if person.personal_id:
        return {"personal_id": person.personal_id}
    return {"old_id_card": person.old_id_card or _ABSENT[:9]}


def _composed(person: Person) -> str:
    return unicodedata.normalize("NFC", person.full_name)


def _said(value: str | None) -> str | None:
    """Null for a blank, as for what is missing; empty text stays empty."""
    return None if value is not None and value.isspace() else value


def _record(world: World, person: Person) -> dict[str, Any]:
    return {
        "data_as_of": f"{person.updated_on.isoformat()}T00:00:00+07:00",
        "note": _said(person.note),
        "personal_id": person.personal_id,
        "old_id_card": person.old_id_card,
        "full_name": person.full_name,
        "other_name": _said(person.other_name),
        "sex": person.sex,
        "birth_date": person.birth.text,
        "death_date": person.death.day.isoformat() if person.death else None,
        "ethnicity": person.ethnicity,
        "religion": person.religion,
        "nationality": person.nationality,
        "marital_status": person.marital,
        "blood_group": person.blood_group,
        "birth_registration_place": _place(person.birth_place),
        "hometown": _place(person.hometown),
        "permanent_residence": _place(person.permanent),
        "current_residence": _place(person.current),
        "father": _relative(person.father),
        "mother": _relative(person.mother),
        "spouse": _relative(person.spouse),
        "representative": _relative(person.representative),
        "head_of_household": _head(world, person),
        "household_number": person.household,
    }


def _place(address: Address) -> dict[str, str | None]:
    place = address.place
    return {
        "province": place.province if place else None,
        "district": place.district if place else None,
        "commune": place.commune if place else None,
        "detail": _said(address.detail),
        "country": address.country,
    }


def _relative(relative: Relative | None) -> dict[str, str | None] | None:
    if relative is None:
        return None
    return {
        "full_name": relative.full_name,
        "nationality": relative.nationality,
        "personal_id": relative.personal_id,
        "old_id_card": relative.old_id_card,
    }


def _head(world: World, person: Person) -> dict[str, str | None] | None:
    household = world.household(person.household) if person.household else None
    if household is None:
        return None
    head = world.person(household.head)
    return {
        "relation": person.relation,
        "full_name": head.full_name,
        "personal_id": head.personal_id,
        "old_id_card": head.old_id_card,
    }


def _matches(person: Person, other: Person, key: dict[str, str]) -> Iterator[Truth]:
    nothing = dict.fromkeys(("full_name", "birth_date", "sex", "nationality", "household_number"))
    everything = {
        "full_name": _composed(person).lower(),
        "birth_date": person.birth.text,
        "sex": person.sex,
        "nationality": "VN",
        "household_number": person.household or "000000000",
    }
    yield Truth(
        "match",
        {**key, **everything},
        {
            "exists": True,
            **dict.fromkeys(everything, True),
            "nationality": person.nationality == "VN",
            "household_number": True if person.household else None,
        },
    )
    yield Truth(
        "match",
        {**key, "full_name": _composed(other), "birth_date": other.birth.text},
        {
            "exists": True,
            **nothing,
            "full_name": _composed(other).upper() == _composed(person).upper(),
            "birth_date": other.birth.text == person.birth.text,
        },
    )


def _relations(world: World, person: Person) -> Iterator[Truth]:
    near = {
        "father": person.father,
        "mother": person.mother,
        "spouse": person.spouse,
        "representative": person.representative,
    }
    first: dict[str, str] = {}
    for name, relative in near.items():
        if relative is None or relative.index is None or relative.personal_id is None:
            continue
        first.setdefault(relative.personal_id, name)
        pair = {"personal_id": person.personal_id, "relative_id": relative.personal_id}
        yield Truth("relation", {**pair, "relation": name}, {"exists": True, "related": True, "relation": name})
    for number, name in first.items():
        pair = {"personal_id": person.personal_id, "relative_id": number}
        yield Truth("relation", pair, {"exists": True, "related": True, "relation": name})
        if name != "spouse":
            yield Truth(
                "relation", {**pair, "relation": "spouse"}, {"exists": True, "related": False, "relation": None}
            )
            back = {"personal_id": number, "relative_id": person.personal_id}
            yield Truth("relation", back, {"exists": True, "related": True, "relation": "child"})
    stranger = world.person((person.index + world.people // 2) % world.people)
    if stranger.personal_id and _unrelated(person, stranger):
        pair = {"personal_id": person.personal_id, "relative_id": stranger.personal_id}
        yield Truth("relation", pair, {"exists": True, "related": False, "relation": None})


def _unrelated(person: Person, other: Person) -> bool:
    kin = [
        one.index for who in (person, other) for one in (who.father, who.mother, who.spouse, who.representative) if one
    ]
    return (
        person.index not in kin
        and other.index not in kin
        and (not person.household or person.household != other.household)
    )
