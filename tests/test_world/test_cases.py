"""The hard cases are in every world, and the text of the world is as difficult as real text."""

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.world.model import PartialDate, Person
from sandbox.world.names import date_words, number_words
from sandbox.world.world import World
from schemas.codes.communes import sample_communes
from schemas.codes.provinces import MERGER
from schemas.identifiers import check_enterprise_code, check_personal_id, check_tax_code, personal_id_mismatches

worlds = st.builds(World, st.integers(0, 2**40), st.integers(20, 30))


def mismatches(person: Person) -> list[str]:
    assert person.personal_id is not None
    return personal_id_mismatches(person.personal_id, person.sex, person.birth.text)


@given(worlds)
@settings(max_examples=20, deadline=None)
def test_every_world_has_the_people_of_the_cases(world: World) -> None:
    one = {name: case.people[0] for name, case in world.cases.items() if case.people}
    husband, wife = world.cases["married"].people
    assert husband.spouse is not None
    assert husband.spouse.index == wife.index
    assert one["minor"].representative is not None
    assert one["single"].marital == "single"
    assert one["widowed"].marital == "widowed"
    assert one["deceased"].death is not None
    assert world.death(one["deceased"].index) is not None
    assert len(one["year-only-birth"].birth.text) == 4
    assert len(one["year-month-birth"].birth.text) == 7
    former_husband, former_wife = reversed(world.cases["divorced"].people)
    assert {former_husband.marital, former_wife.marital} == {"divorced"}
    marriage = world.marital_state(former_wife.index).marriage
    assert marriage is not None
    assert (marriage.husband.index, marriage.ending) == (former_husband.index, "divorce")
    assert one["name-change"].former_names
    assert one["old-card-only"].personal_id is None
    assert one["old-card-only"].old_id_card is not None
    assert mismatches(one["number-of-other-sex"]) == ["personal-id-sex"]
    assert mismatches(one["number-of-other-year"]) == ["personal-id-year"]
    assert mismatches(one["born-abroad"]) == ["personal-id-place"]
    first, second = world.cases["ambiguous"].people
    assert set(world.find_people(first.full_name, first.birth.text)) >= {first, second}
    assert (first.sex, first.birth_place.place) == (second.sex, second.birth_place.place)
    assert first.personal_id != second.personal_id


@given(worlds)
@settings(max_examples=20, deadline=None)
def test_every_world_has_the_text_of_the_cases(world: World) -> None:
    one = {name: case.people[0] for name, case in world.cases.items() if case.people}
    decomposed = one["decomposed-text"]
    assert not unicodedata.is_normalized("NFC", decomposed.note or "")
    assert unicodedata.is_normalized("NFD", decomposed.full_name)
    assert decomposed in world.find_people(unicodedata.normalize("NFC", decomposed.full_name), decomposed.birth.text)
    detail = one["spaces"].current.detail
    assert detail is not None
    assert detail.strip() != detail
    assert all(sign in (one["markup"].note or "") for sign in "&<>\"'")
    assert (one["leading-zeros"].note or "").startswith("0")
    assert (one["empty-text"].note, one["empty-text"].other_name, one["empty-text"].current.detail) == ("", "", "")
    missing = one["missing-fields"]
    assert (missing.note, missing.other_name, missing.ethnicity, missing.blood_group) == (None, None, None, None)


@given(worlds)
@settings(max_examples=20, deadline=None)
def test_every_world_has_the_things_of_the_cases(world: World) -> None:
    cases = world.cases
    one, several = cases["one-representative"].enterprise, cases["several-representatives"].enterprise
    assert one is not None
    assert several is not None
    assert (len(one.representatives), len(several.representatives)) == (1, 3)
    assert "&" in several.name
    branch, business = cases["branch"].taxpayer, cases["household-business"].taxpayer
    assert branch is not None
    assert business is not None
    assert (len(branch.code), branch.parent) == (14, one.code)
    assert (business.kind, business.code) == ("household-business", cases["household-business"].people[0].personal_id)
    merged, padded = cases["merged-commune"].parcel, cases["padded-parcel"].parcel
    assert merged is not None
    assert padded is not None
    assert merged.old_key is not None
    assert merged.key.commune == merged.old_key.commune == "26740"
    communes = sample_communes()
    assert communes.on("26740", MERGER) != communes.versions("26740")[0]
    assert padded.key != padded.key.canonical()
    assert cases["household-business"].name == "household-business"


@given(worlds)
@settings(max_examples=20, deadline=None)
def test_nobody_is_really_nobody(world: World) -> None:
    number = {name: case.number or "" for name, case in world.cases.items()}
    assert world.person_by_id(check_personal_id(number["nobody"])) is None
    assert personal_id_mismatches(number["nobody"], None, None) == []
    assert world.enterprise(check_enterprise_code(number["no-enterprise"])) is None
    assert world.taxpayer(check_tax_code(number["no-enterprise"])) is None
    assert len(number["no-insurance"]) == 10
    assert world.insurance_by_number(number["no-insurance"]) is None
    assert world.certificate(number["no-certificate"]) is None
    key = world.cases["no-parcel"].key
    assert key is not None
    assert world.parcel(key) is None
    assert world.parcel_by_old_key(key) is None


def test_optional_text_is_absent_empty_and_present_somewhere() -> None:
    blocks = list(World(1, 800).blocks())
    people = [one for block in blocks for one in block.people.values()]
    enterprises = [one for block in blocks for one in block.enterprises]
    parcels = [one for block in blocks for one in block.parcels]
    columns = {
        "note": [one.note for one in people],
        "other name": [one.other_name for one in people],
        "hometown": [one.hometown.detail for one in people],
        "foreign name": [one.foreign_name for one in enterprises],
        "short name": [one.short_name for one in enterprises],
        "barcode": [one.certificate.barcode for one in parcels if one.certificate],
        "parcel note": [one.note for one in parcels],
    }
    for column, values in columns.items():
        assert {None, ""} < set(values), column


def test_every_tax_status_of_a_business_and_every_card_result_occurs() -> None:
    blocks = list(World(4, 6000).blocks())
    statuses = {one.status for block in blocks for one in block.taxpayers}
    assert statuses == {"00", "01", "02", "03", "04", "05", "06", "07", "09"}
    results = {one.card.result for block in blocks for one in block.insurances.values() if one.card}
    assert results == {"000", "003", "010", "110"}


def test_areas_keep_trailing_zeros_and_add_up() -> None:
    parcels = [one for block in World(6, 800).blocks() for one in block.parcels]
    assert any(one.area.endswith("0") and "." in one.area for one in parcels)
    for parcel in parcels:
        total = sum((Decimal(purpose.area) for purpose in parcel.purposes), Decimal(0))
        assert abs(total - Decimal(parcel.area)) <= Decimal("0.1")


def test_what_is_owed_adds_up() -> None:
    owed = [one for block in World(6, 800).blocks() for payer in block.taxpayers for one in payer.obligations]
    assert any(one.outstanding.startswith("-") for one in owed)
    for one in owed:
        assert Decimal(one.outstanding) == Decimal(one.assessed) + Decimal(one.penalty) - Decimal(one.paid)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "một"),
        (10, "mười"),
        (11, "mười một"),
        (15, "mười lăm"),
        (21, "hai mươi mốt"),
        (25, "hai mươi lăm"),
        (30, "ba mươi"),
        (1900, "một nghìn chín trăm"),
        (1985, "một nghìn chín trăm tám mươi lăm"),
        (2000, "hai nghìn"),
        (2005, "hai nghìn không trăm linh năm"),
        (2010, "hai nghìn không trăm mười"),
    ],
)
def test_numbers_in_words(number: int, words: str) -> None:
    assert number_words(number) == words


def test_dates_in_words_say_only_what_is_known() -> None:
    assert date_words(PartialDate(2005, 6, 1)) == "Ngày một, tháng sáu, năm hai nghìn không trăm linh năm"
    assert date_words(PartialDate(1950)) == "Năm một nghìn chín trăm năm mươi"
