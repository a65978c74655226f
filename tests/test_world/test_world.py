"""The generated world: the same for the same seed, the same people everywhere, found by every identifier."""

import os
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from datetime import date
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.world.chance import Numbering
from sandbox.world.model import REFERENCE_DAY, Person
from sandbox.world.world import World
from schemas.codes.provinces import MERGER
from schemas.identifiers import ParcelKey, check_enterprise_code, personal_id_mismatches, personal_id_parts

worlds = st.builds(World, st.integers(0, 2**40), st.integers(20, 120))
some = settings(max_examples=12, deadline=None)

FINGERPRINT = """
import hashlib, sys
from sandbox.world.world import World
digest = hashlib.sha256()
for block in World(int(sys.argv[1]), int(sys.argv[2])).blocks():
    digest.update(repr(block).encode())
print(digest.hexdigest())
"""


def everybody(world: World) -> dict[int, Person]:
    return {index: one for block in world.blocks() for index, one in block.people.items()}


def fingerprint(hash_seed: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo" if hash_seed == "1" else "UTC"}
    command = [sys.executable, "-c", FINGERPRINT, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_world_depends_on_seed_and_people_only() -> None:
    assert fingerprint("1", "7", "90") == fingerprint("2", "7", "90")
    assert fingerprint("1", "7", "90") != fingerprint("1", "8", "90")


@some
@given(worlds, st.data())
def test_the_order_of_questions_changes_nothing(world: World, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, world.people - 1))
    alone = World(world.seed, world.people).person(index)
    assert alone == everybody(world)[index]


@pytest.mark.parametrize("people", [0, 19, 1_000_001])
def test_a_world_has_bounds(people: int) -> None:
    with pytest.raises(ValueError, match="between"):
        World(1, people)


@some
@given(worlds)
def test_it_has_exactly_the_people_asked_for(world: World) -> None:
    people = everybody(world)
    assert list(people) == list(range(world.people))
    assert all(person.index == index for index, person in people.items())
    with pytest.raises(IndexError):
        world.person(world.people)
    with pytest.raises(IndexError):
        world.person(-1)


@some
@given(worlds)
def test_no_identifier_is_given_twice(world: World) -> None:
    blocks = list(world.blocks())
    kinds = {
        "personal": [one.personal_id for block in blocks for one in block.people.values() if one.personal_id],
        "card": [one.old_id_card for block in blocks for one in block.people.values() if one.old_id_card],
        "household": [one.number for block in blocks for one in block.households],
        "insurance": [one.number for block in blocks for one in block.insurances.values()],
        "enterprise": [one.code for block in blocks for one in block.enterprises],
        "journal": [one.registration.journal_no for block in blocks for one in block.enterprises],
        "taxpayer": [one.code for block in blocks for one in block.taxpayers],
        "parcel": [one.key.canonical() for block in blocks for one in block.parcels],
        "old parcel": [one.old_key.canonical() for block in blocks for one in block.parcels if one.old_key],
        "serial": [one.certificate.serial for block in blocks for one in block.parcels if one.certificate],
    }
    for kind, values in kinds.items():
        assert values, kind
        assert len(values) == len(set(values)), kind


def test_people_abroad_are_no_second_holders_of_a_card() -> None:
    people = everybody(World(5, 600)).values()
    cards = {one.old_id_card for one in people}
    strangers = [
        who.old_id_card
        for one in people
        for who in (one.father, one.mother)
        if who is not None and who.index is None and who.old_id_card
    ]
    assert strangers
    assert not cards & set(strangers)


@some
@given(worlds)
def test_everything_is_found_by_its_identifier(world: World) -> None:
    for block in world.blocks():
        for person in block.people.values():
            assert person.personal_id is None or world.person_by_id(person.personal_id) == person
            assert person.old_id_card is None or world.person_by_old_card(person.old_id_card) == person
            assert person in world.find_people(person.full_name.upper(), person.birth.text)
            assert person in world.find_people(unicodedata.normalize("NFC", person.full_name), str(person.birth.year))
        for household in block.households:
            assert world.household(household.number) == household
        for insurance in block.insurances.values():
            assert world.insurance_by_number(insurance.number) == insurance
            if insurance.card is not None:
                assert world.insurance_by_card(insurance.card.code) == insurance
                assert world.insurance_by_card(insurance.number) == insurance
        for enterprise in block.enterprises:
            assert world.enterprise(enterprise.code) == enterprise
            assert world.enterprise_by_journal(enterprise.registration.journal_no) == enterprise
            for branch in enterprise.branches:
                assert world.branch(branch.code) == world.branch(branch.code.replace("-", "")) == branch
        for taxpayer in block.taxpayers:
            assert world.taxpayer(taxpayer.code) == world.taxpayer(taxpayer.code.replace("-", "")) == taxpayer
        for parcel in block.parcels:
            assert world.parcel(parcel.key) == world.parcel(parcel.key.canonical()) == parcel
            assert parcel.old_key is None or world.parcel_by_old_key(parcel.old_key) == parcel
            if parcel.certificate is not None:
                assert world.certificate(parcel.certificate.serial) == (parcel.certificate, parcel)


@some
@given(worlds, st.text(max_size=16) | st.text("0123456789", min_size=6, max_size=15))
def test_nobody_has_an_identifier_that_was_not_given(world: World, value: str) -> None:
    people, blocks = everybody(world), list(world.blocks())
    if value not in {one.personal_id for one in people.values()}:
        assert world.person_by_id(value) is None
    if value not in {one.old_id_card for one in people.values()}:
        assert world.person_by_old_card(value) is None
    if value not in {one.code for block in blocks for one in block.enterprises}:
        assert world.enterprise(value) is None
    for look_up in (world.household, world.insurance_by_number, world.insurance_by_card, world.branch, world.taxpayer):
        assert look_up(f"{value}x") is None
    assert world.enterprise_by_journal(f"{value}x") is None
    assert world.certificate(f"{value}x") is None
    assert world.parcel(ParcelKey("00000", value, value)) is None
    assert world.find_people(value, "1800") == ()


@given(st.integers(), st.text(), st.integers(0, 999_999))
@settings(max_examples=30, deadline=None)
def test_a_numbering_is_turned_back(seed: int, purpose: str, index: int) -> None:
    numbering = Numbering(seed, purpose)
    assert numbering.index(numbering.of(index)) == index


def test_a_numbering_gives_every_number_once() -> None:
    numbering = Numbering(3, "once")
    assert len({numbering.of(index) for index in range(1_000_000)}) == 1_000_000


def test_a_million_people_need_no_preparation() -> None:
    world = World(2, 1_000_000)
    for index in (0, 123_456, 999_999):
        person = world.person(index)
        assert person.personal_id is None or world.person_by_id(person.personal_id) == person
    assert world._block.cache_info().misses <= 4


@some
@given(worlds)
def test_families_agree_with_themselves(world: World) -> None:
    people = everybody(world)
    for person in people.values():
        for relative in filter(None, (person.father, person.mother, person.spouse, person.representative)):
            if relative.index is not None:
                other = people[relative.index]
                assert (relative.full_name, relative.personal_id, relative.old_id_card, relative.sex) == (
                    other.full_name,
                    other.personal_id,
                    other.old_id_card,
                    other.sex,
                )
        assert (person.marital == "married" and person.death is None) == (person.spouse is not None)
        if person.spouse is not None and person.spouse.index is not None:
            back = people[person.spouse.index].spouse
            assert back is not None
            assert back.index == person.index
        for parent, sex in ((person.father, "male"), (person.mother, "female")):
            if parent is not None and parent.index is not None:
                assert parent.sex == sex
                assert people[parent.index].birth.year <= person.birth.year - 15
        assert 0 <= REFERENCE_DAY.year - person.birth.year <= 115
        minor = person.birth.year > REFERENCE_DAY.year - 18
        assert not minor or person.marital == "single"
        if person.death is not None:
            assert person.birth.earliest < person.death.day < REFERENCE_DAY
        for former in person.former_names:
            assert former.full_name != person.full_name
            assert person.birth.earliest <= former.changed_on <= (person.death.day if person.death else REFERENCE_DAY)


def test_children_mostly_bear_their_fathers_name() -> None:
    people = everybody(World(11, 2000))
    pairs = [
        (child.surname, people[child.father.index].surname)
        for child in people.values()
        if child.father is not None and child.father.index is not None
    ]
    same = sum(child == father for child, father in pairs)
    assert len(pairs) > 100
    assert 0.85 < same / len(pairs) < 1


def kin(people: Mapping[int, Person], head: int) -> dict[str, set[int | None]]:
    """The indexes that may stand in each relation to the head of a household."""
    who = people[head]
    couple = {head, who.spouse.index if who.spouse else None} - {None}
    parents = {index: {parent.index for parent in (one.father, one.mother) if parent} for index, one in people.items()}
    return {
        "head": {head},
        "spouse": couple - {head},
        "child": {index for index, of in parents.items() if of & couple},
        "father": {who.father.index if who.father else None},
        "mother": {who.mother.index if who.mother else None},
    }


@some
@given(worlds)
def test_every_living_person_lives_in_one_household(world: World) -> None:
    for block in world.blocks():
        homes = list(chain.from_iterable((member for member, _ in home.members) for home in block.households))
        living = [index for index, person in block.people.items() if person.death is None]
        assert sorted(homes) == living
        for home in block.households:
            assert home.members[0] == (home.head, "head")
            for member, relation in home.members:
                assert (block.people[member].household, block.people[member].relation) == (home.number, relation)
                assert member in kin(block.people, home.head)[relation]
            assert {block.people[member].permanent.place for member, _ in home.members} == {home.address.place}
        for person in block.people.values():
            assert person.death is None or (person.household, person.relation) == (None, None)


@some
@given(worlds)
def test_civil_status_tells_the_same_story(world: World) -> None:
    for index, person in everybody(world).items():
        death, birth, state = world.death(index), world.birth(index), world.marital_state(index)
        assert (death is None) == (person.death is None)
        if death is not None:
            assert death.death == person.death
            assert death.entry.registered_on > death.death.day
        assert person.birth.year < 1965 or birth is not None
        if birth is not None:
            assert (birth.sex, birth.birth, birth.child) == (person.sex, person.birth, index)
            assert birth.full_name == (person.former_names[0].full_name if person.former_names else person.full_name)
            assert person.birth.earliest <= birth.entry.registered_on <= REFERENCE_DAY
            assert (birth.father and birth.father.who) == person.father
            assert (birth.mother and birth.mother.who) == person.mother
        marriages = world.marriages(index)
        assert state.status == person.marital
        assert state.marriage == (marriages[-1] if marriages else None)
        assert bool(marriages) == (person.marital != "single")
        for marriage in marriages:
            assert marriage.husband.sex == "male"
            assert marriage.wife.sex == "female"
            assert (marriage.ended_on is None) == (marriage.ending is None)
            assert marriage.ended_on is None or marriage.effective_on < marriage.ended_on <= REFERENCE_DAY
            assert marriage.effective_on >= date(person.birth.year + 17, 1, 1)
            assert marriage.effective_on <= (person.death.day if person.death else REFERENCE_DAY)


@some
@given(worlds)
def test_personal_numbers_say_what_the_record_says(world: World) -> None:
    mismatches = 0
    for person in everybody(world).values():
        if person.personal_id is None:
            assert person.old_id_card is not None
            continue
        found = personal_id_mismatches(person.personal_id, person.sex, person.birth.text)
        place = person.birth_place.place
        assert ("personal-id-place" in found) == (place is None)
        assert place is None or personal_id_parts(person.personal_id).province == place.province
        mismatches += bool(found)
    assert 3 <= mismatches <= 3 + world.people // 5


@some
@given(worlds)
def test_places_belong_to_their_time(world: World) -> None:
    for person in everybody(world).values():
        for address in (person.birth_place, person.hometown, person.permanent, person.current):
            assert address.place is None or (address.place.district is None) == address.place.current
        if person.birth_place.place is not None:
            assert person.birth_place.place.current == (person.birth.earliest >= MERGER)


@some
@given(worlds)
def test_business_and_tax_are_run_by_these_people(world: World) -> None:
    for block in world.blocks():
        codes = {one.code: one for one in block.taxpayers}
        for enterprise in block.enterprises:
            assert check_enterprise_code(enterprise.code) == enterprise.code
            assert 1 <= len(enterprise.representatives) <= 3
            assert len({one.person for one in enterprise.representatives}) == len(enterprise.representatives)
            for one in enterprise.representatives:
                person = block.people[one.person]
                assert (one.full_name, one.birth, one.sex) == (person.full_name, person.birth, person.sex)
                assert one.document in (person.personal_id, person.old_id_card)
                assert person.death is None
            assert [line.main for line in enterprise.activities].count(True) == 1
            assert codes[enterprise.code].name == enterprise.name
            for branch in enterprise.branches:
                assert check_enterprise_code(branch.code).startswith(f"{enterprise.code}-")
                assert codes[branch.code].parent == enterprise.code
        for taxpayer in block.taxpayers:
            if taxpayer.person is not None:
                assert block.people[taxpayer.person].personal_id == taxpayer.code
                assert block.people[taxpayer.person].full_name == taxpayer.name
            assert (taxpayer.status == "01") == (taxpayer.closed_on is not None)
            assert taxpayer.closed_on is None or taxpayer.registered_on <= taxpayer.closed_on


@some
@given(worlds)
def test_insurance_belongs_to_these_people(world: World) -> None:
    for index, person in everybody(world).items():
        insurance = world.insurance(index)
        if insurance is None:
            continue
        assert insurance.person == index
        assert (insurance.status == "ended") == (person.death is not None)
        if insurance.card is not None:
            assert insurance.card.code[5:] == insurance.number
            assert insurance.card.valid_from <= insurance.card.valid_to
            assert (insurance.card.replaced_by is not None) == (insurance.card.result == "003")
            assert insurance.card.result != "000" or insurance.card.valid_to >= REFERENCE_DAY


@some
@given(worlds)
def test_land_belongs_to_these_people_and_enterprises(world: World) -> None:
    for block in world.blocks():
        enterprises = {one.code: one.name for one in block.enterprises}
        for parcel in block.parcels:
            assert parcel.place.current
            assert parcel.key.commune == parcel.place.commune
            assert (parcel.old_key is None) == (parcel.old_place is None)
            assert parcel.old_place is None or not parcel.old_place.current
            for owner in parcel.owners:
                if owner.person is not None:
                    assert owner.name == block.people[owner.person].full_name
                    assert block.people[owner.person].death is None
                else:
                    assert enterprises[owner.enterprise or ""] == owner.name
            assert parcel.certificate is None or parcel.certificate.parcel == parcel.key
