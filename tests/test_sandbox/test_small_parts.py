"""The small pure parts: forms and value types that these registries brought, tampering, what missing looks like."""

from datetime import date, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree
from pydantic import TypeAdapter, ValidationError

from sandbox.contracts import Breach, Contract
from sandbox.soap import tamper
from sandbox.wire import XSI, Writer
from schemas.forms import CAPITALS, DAY_OR_YEAR, FULL_NAME, LOCAL_INSTANT, Unmapped
from schemas.population import MatchQuestion, PersonQuestion
from schemas.tax import ObligationsQuestion
from schemas.values import Day, PartialDate
from security.xml import canonical, parse

DATES = st.dates(date(1000, 1, 1)).flatmap(
    lambda day: st.sampled_from((f"{day:%Y-%m-%d}", f"{day:%Y-%m}", f"{day.year}"))
)
WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1)


@given(DATES)
def test_a_date_in_two_places_comes_back_as_it_was(text: str) -> None:
    day, year = DAY_OR_YEAR.write(text)
    assert (day is None) == (len(text) == 4)
    assert DAY_OR_YEAR.read(day, year) == text


@pytest.mark.parametrize(
    ("day", "year", "said"),
    [
        (None, None, None),
        ("", "", None),
        (" ", None, None),
        ("", "1950", "1950"),
        ("19500203", "1951", "1950-02-03"),
        ("195002", None, "1950-02"),
    ],
)
def test_the_more_exact_place_counts(day: str | None, year: str | None, said: str | None) -> None:
    assert DAY_OR_YEAR.read(day, year) == said


@pytest.mark.parametrize("text", ["19500230", "1950023", "50", "19501301", "0000", "١٩٥٠"])
def test_a_day_that_never_was_is_a_notice(text: str) -> None:
    with pytest.raises(Unmapped):
        DAY_OR_YEAR.read(text, None)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("Nguyễn", "Văn", "An"), "Nguyễn Văn An"),
        (("Nguyễn", "", "An"), "Nguyễn An"),
        ((None, None, " Y  Ban "), " Y  Ban "),
        ((None, " ", None), None),
        ((None, None, None), None),
        (("", None, None), ""),
    ],
)
def test_a_name_is_joined_of_what_is_known(parts: tuple[str | None, ...], said: str | None) -> None:
    assert FULL_NAME.read(*parts) == said


@given(WORDS)
def test_a_whole_name_stays_byte_for_byte(text: str) -> None:
    assume(not text.isspace())
    assert FULL_NAME.read(*FULL_NAME.write(text)) == text
    assert CAPITALS.read(text) == text
    assert CAPITALS.write(text) == (text.upper(),)


@given(st.datetimes(datetime(1000, 1, 1)))
def test_an_instant_keeps_its_clock_and_says_its_offset(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    text = moment.strftime("%Y%m%d%H%M%S").rjust(14, "0")
    said = LOCAL_INSTANT.read(text)
    assert said == f"{moment.isoformat()}+07:00"
    assert LOCAL_INSTANT.write(said) == (text,)


@pytest.mark.parametrize("text", ["20250230000000", "20250101240000", "2025-01-01", "2025010100000"])
def test_an_impossible_instant_is_a_notice(text: str) -> None:
    with pytest.raises(Unmapped):
        LOCAL_INSTANT.read(text)


@given(DATES)
def test_dates_that_exist_are_taken(text: str) -> None:
    assert TypeAdapter(PartialDate).validate_python(text) == text


@pytest.mark.parametrize(
    "text", ["", "2025-02-29", "2025-13", "2025-1-1", "20250101", "2025-01-01T00:00", "2025-01-01\n", "٢٠٢٥", "0000"]
)
def test_dates_that_do_not_exist_are_refused(text: str) -> None:
    for kind in (PartialDate, Day):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)


def test_a_day_is_whole() -> None:
    assert TypeAdapter(Day).validate_python("2024-02-29") == "2024-02-29"
    with pytest.raises(ValidationError):
        TypeAdapter(Day).validate_python("2024-02")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"full_name": "An"},
        {"birth_date": "1990"},
        {"personal_id": "001090000001", "old_id_card": "123456789"},
        {"personal_id": "001 090 000 001"},
        {"personal_id": "٠٠١٠٩٠٠٠٠٠٠١"},
        {"personal_id": "001090000001", "note": "x"},
        {"full_name": "An\x00", "birth_date": "1990"},
    ],
)
def test_a_person_must_be_meant_clearly(body: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PersonQuestion.model_validate(body)


def test_a_claim_needs_exactly_one_number_and_a_time_its_order() -> None:
    for body in ({"full_name": "An"}, {"personal_id": "001090000001", "old_id_card": "123456789"}):
        with pytest.raises(ValidationError):
            MatchQuestion.model_validate(body)
    with pytest.raises(ValidationError):
        ObligationsQuestion.model_validate({"tax_code": "0100109106", "due_from": "2025-02-01", "due_to": "2025-01-31"})


@given(st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), st.text("ab01 <&\"'é", max_size=8), min_size=1), WORDS)
def test_tampering_changes_one_character_and_nothing_else(members: dict[str, str], before: str) -> None:
    writer = Writer("urn:x", "")
    root = writer.root("Answer", MaYeuCau="r1")
    for name, value in members.items():
        writer.text(root, name, value)
    payload = canonical(root)
    frame = f"<e>{''.join(c for c in before if c.isalnum())}".encode()
    message = frame + payload + b"</e>"
    altered = tamper(message, payload)
    assert len(altered) == len(message)
    assert sum(one != other for one, other in zip(message, altered, strict=True)) == 1
    assert altered.startswith(frame)
    assert canonical(parse(altered)[0]) != payload


def test_the_same_record_is_missing_values_in_the_same_manner() -> None:
    manners = set()
    for key in map(str, range(50)):
        made = []
        for _ in range(2):
            writer = Writer("urn:x", key)
            root = writer.root("R")
            writer.text(root, "A", None, blank=True)
            writer.text(root, "B", "")
            made.append(canonical(root))
        assert made[0] == made[1]
        first = root[0]
        manners.add(
            "nil" if first.get(f"{{{XSI}}}nil") else first.text if etree.QName(first).localname == "A" else "out"
        )
        assert root.findtext("{urn:x}B") == ""
    assert manners == {"nil", " ", "out"}


def test_a_contract_knows_its_own_namespaces_only() -> None:
    contract = Contract("population.wsdl")
    with pytest.raises(Breach):
        contract.check(parse(b"<a/>"))
    assert b"http://sandbox:1/dancu" in contract.published("http://sandbox:1")
