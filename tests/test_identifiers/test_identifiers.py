"""Identifiers: what is accepted, what is refused, and that a refusal never repeats the value."""

import unicodedata
from typing import Annotated, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas import identifiers as ids

DIGITS = "0123456789"


def accepts(kind: Any, value: object) -> bool:
    try:
        return bool(TypeAdapter(kind).validate_python(value) == value)
    except ValidationError:
        return False


ACCEPTED = [
    (ids.PersonalId, "001203000001"),
    (ids.PersonalId, "999999999999"),
    (ids.OldIdCard, "012345678"),
    (ids.EnterpriseCode, "0100109106-001"),
    (ids.EnterpriseCode, "0100109106999"),
    (ids.TaxCode, "001203000001"),
    (ids.SocialInsuranceNumber, "0123456789"),
    (ids.HealthCard, "HS4010123456789"),
    (ids.HealthCard, "0123456789"),
    (ids.LandCertificateSerial, "BĐ 123456"),
    (ids.LandCertificateSerial, "AA00000001"),
    (ids.SheetNumber, "007"),
    (ids.ParcelNumber, "12A"),
    (ids.ProvinceCode, "10"),
    (ids.CommuneCode, "26740"),
    (ids.OfficerId, "a.b_c-d@e"),
    (ids.RequestText, " Nguyễn Văn Ấn "),
]
REFUSED = [
    (ids.PersonalId, "00120300000"),
    (ids.PersonalId, "0012030000011"),
    (ids.PersonalId, 1203000001),
    (ids.OldIdCard, "0123456789"),
    (ids.EnterpriseCode, "0100109106-000"),
    (ids.EnterpriseCode, "0100109107"),
    (ids.EnterpriseCode, "001203000001"),
    (ids.TaxCode, "01001091060"),
    (ids.TaxCode, "0100109106--001"),
    (ids.SocialInsuranceNumber, "HS4010123456789"),
    (ids.HealthCard, "HS6010123456789"),
    (ids.HealthCard, "hs4010123456789"),
    (ids.HealthCard, "\u212as4010123456789"),
    (ids.LandCertificateSerial, "BĐ  123456"),
    (ids.LandCertificateSerial, "BĐ 1234567"),
    (ids.SheetNumber, ""),
    (ids.ProvinceCode, "03"),
    (ids.CommuneCode, "760"),
    (ids.OfficerId, "a" * 65),
    (ids.OfficerId, "cán-bộ"),
    (ids.RequestText, "a\x00b"),
    (ids.RequestText, ""),
]


@pytest.mark.parametrize(("kind", "value"), ACCEPTED)
def test_a_right_value_passes_unchanged(kind: Any, value: str) -> None:
    assert accepts(kind, value)


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_a_wrong_value_is_refused(kind: Any, value: object) -> None:
    assert not accepts(kind, value)


DISGUISES = [
    lambda value: " " + value,
    lambda value: value + " ",
    lambda value: value + "\n",
    lambda value: value + "\x00",
    lambda value: value[:4] + " " + value[4:],
    lambda value: value.translate({ord(d): 0x0660 + int(d) for d in DIGITS}),
    lambda value: value.translate({ord(d): 0xFF10 + int(d) for d in DIGITS}),
    lambda value: value.translate({ord(d): 0x1D7CE + int(d) for d in DIGITS}),
]


@pytest.mark.parametrize("disguise", range(len(DISGUISES)))
@pytest.mark.parametrize(("kind", "value"), [pair for pair in ACCEPTED if pair[0] is not ids.RequestText])
def test_blanks_and_foreign_digits_are_refused(kind: Any, value: str, disguise: int) -> None:
    assert not any(accepts(kind, wrong) for wrong in [DISGUISES[disguise](value)] if wrong != value)


@given(st.text(min_size=1), st.sampled_from([kind for kind, _ in ACCEPTED]))
def test_no_refusal_repeats_the_value(value: str, kind: Any) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as refusal:
        for error in refusal.errors(include_input=False, include_url=False, include_context=False):
            assert len(value) < 4 or value not in error["msg"]


def test_text_is_refused_for_exactly_the_characters_that_mean_nothing() -> None:
    for number in range(0x30000):
        character = chr(number)
        composed = unicodedata.normalize("NFC", f"a{character}")
        try:
            assert ids.check_plain(f"a{character}") == composed
            refused = False
        except ValueError:
            refused = True
        assert refused == any(unicodedata.category(each) in ("Cc", "Cs", "Cn") for each in composed)


@pytest.mark.parametrize("nine", ["", "01001091", "0100109106"])
def test_a_check_digit_is_made_of_nine_digits(nine: str) -> None:
    with pytest.raises(ValueError, match="nine digits"):
        ids.check_digit(nine)


@pytest.mark.parametrize("code", ["0100109106", "0100233488", "0100112437", "0314409058", "0300588569", "0101243150"])
def test_published_enterprise_codes_have_the_right_check_digit(code: str) -> None:
    assert accepts(ids.EnterpriseCode, code)
    assert accepts(ids.TaxCode, code)


@given(st.text(DIGITS, min_size=9, max_size=9))
def test_exactly_one_tenth_digit_is_right_or_none(nine: str) -> None:
    right = [digit for digit in DIGITS if accepts(ids.EnterpriseCode, nine + digit)]
    assert right == ([] if ids.check_digit(nine) is None else [ids.check_digit(nine)])


@given(st.text(DIGITS, min_size=9, max_size=9), st.integers(0, 8), st.integers(1, 9))
def test_one_mistyped_digit_is_always_noticed(nine: str, place: int, shift: int) -> None:
    other = nine[:place] + str((int(nine[place]) + shift) % 10) + nine[place + 1 :]
    assert ids.check_digit(nine) is None or ids.check_digit(nine) != ids.check_digit(other)


@pytest.mark.parametrize(
    ("value", "place", "male", "year", "province"),
    [
        ("001099000001", "001", True, 1999, "01"),
        ("079199000001", "079", False, 1999, "79"),
        ("010203000001", "010", True, 2003, "10"),
        ("096303000001", "096", False, 2003, "96"),
        ("003303000001", "003", False, 2003, None),
        ("115800000001", "115", True, 2300, None),
        ("001999000001", "001", False, 2399, "01"),
    ],
)
def test_a_personal_number_tells_place_sex_and_year(
    value: str, place: str, male: bool, year: int, province: str | None
) -> None:
    parts = ids.personal_id_parts(value)
    assert (parts.place, parts.male, parts.year, parts.province) == (place, male, year, province)


@pytest.mark.parametrize(
    ("value", "sex", "birth", "codes"),
    [
        ("001099000001", "male", "1999-05-01", []),
        ("001099000001", None, None, []),
        ("001099000001", "other", "1999", []),
        ("001099000001", "female", "1999-05", ["personal-id-sex"]),
        ("001099000001", "male", "1998", ["personal-id-year"]),
        ("999099000001", "male", "1999", ["personal-id-place"]),
        ("999199000001", "male", "2001-01-01", ["personal-id-sex", "personal-id-year", "personal-id-place"]),
    ],
)
def test_disagreements_are_named_not_refused(value: str, sex: str | None, birth: str | None, codes: list[str]) -> None:
    assert ids.personal_id_mismatches(value, sex, birth) == codes


def subject(kind: Any) -> ids.Subject:
    return next(mark for mark in get_args(kind) if isinstance(mark, ids.Subject))


@pytest.mark.parametrize(
    ("kind", "value", "name", "personal"),
    [
        (ids.PersonalId, "001099000001", "personal-id", True),
        (ids.OldIdCard, "012345678", "id-card", True),
        (ids.SocialInsuranceNumber, "0123456789", "social-insurance-number", True),
        (ids.HealthCard, "HS4010123456789", "health-card", True),
        (ids.HealthCard, "0123456789", "social-insurance-number", True),
        (ids.TaxCode, "001099000001", "personal-id", True),
        (ids.TaxCode, "0100109106-001", "tax-code", True),
        (ids.EnterpriseCode, "0100109106", "enterprise", False),
        (ids.OfficerId, "nv.an", "officer", False),
        (ids.OfficerId, "012345678", "id-card", True),
        (ids.OfficerId, "001099000001", "personal-id", True),
    ],
)
def test_types_say_whom_they_identify(kind: Any, value: str, name: str, personal: bool) -> None:
    found = subject(kind).of(value)
    assert (found.kind, found.personal) == (name, personal)


def test_the_mark_survives_optional_and_list_types() -> None:
    assert subject(get_args(Annotated[ids.PersonalId, "note"] | None)[0]) == ids.Subject("personal-id")


@given(st.text(max_size=20))
def test_request_text_becomes_nfc_and_keeps_its_blanks(text: str) -> None:
    decomposed = f" Nguye\u0302\u0303n {text} "
    try:
        result = TypeAdapter(ids.RequestText).validate_python(decomposed)
    except ValidationError:
        return
    assert result.startswith(" Nguyễn ")
    assert result.endswith(" ")


def test_json_schema_says_the_pattern() -> None:
    assert TypeAdapter(ids.PersonalId).json_schema()["pattern"] == "^[0-9]{12}$"


def test_parcel_keys_compare_without_leading_zeros() -> None:
    assert ids.ParcelKey("26740", "007", "0").canonical() == ids.ParcelKey("26740", "7", "000").canonical()
