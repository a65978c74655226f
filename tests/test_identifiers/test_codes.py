"""Agency, dossier and procedure codes, provinces and communes with their time."""

import io
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas import identifiers as ids
from schemas.codes import agencies, communes, persons, provinces, statuses


def accepts(kind: Any, value: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("code", ["G12.18", "G09.20", "H29.85", "H26", "000.00.04.G18", "000.00.00.H30", "G24.ABC.1"])
def test_agency_codes_of_both_forms(code: str) -> None:
    assert accepts(ids.AgencyCode, code)


@pytest.mark.parametrize(
    "code", ["", "g12", "G1", "G12.", "G12..18", "G12.ă", "0.00.04.G18", "G12." + "1" * 40, "G12 "]
)
def test_what_is_no_agency_code(code: str) -> None:
    assert not accepts(ids.AgencyCode, code)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("000.00.18.G12", "G12.18"),
        ("000.00.00.H30", "H30"),
        ("012.03.04.H30", "H30.04.03.012"),
        ("012.00.04.H30", "H30.04.012"),
        ("012.00.00.H30", "H30.012"),
    ],
)
def test_the_two_forms_of_an_agency_code(old: str, new: str) -> None:
    assert agencies.new_agency_code(old) == new
    assert agencies.old_agency_code(new) == old


two, three = st.integers(0, 99).map("{:02d}".format), st.integers(0, 999).map("{:03d}".format)
old_codes = st.builds("{}.{}.{}.{}{}".format, three, two, two, st.sampled_from("ABGHK"), two)


@given(old_codes)
def test_old_to_new_and_back_is_the_same_code(old: str) -> None:
    try:
        new = agencies.new_agency_code(old)
    except ValueError:
        assert old.split(".")[2] == "00" != old.split(".")[1]
        return
    assert accepts(ids.AgencyCode, new)
    assert agencies.old_agency_code(new) == old


@given(st.from_regex(r"\A[A-Z][0-9]{2}(\.[A-Z0-9]{1,3}){0,4}\Z"))
def test_new_to_old_and_back_is_the_same_code(new: str) -> None:
    try:
        old = agencies.old_agency_code(new)
    except ValueError:
        return
    assert agencies.new_agency_code(old) == new


@pytest.mark.parametrize(
    ("code", "agency", "day", "sequence"),
    [
        ("000.00.04.G18-190523-0001", "000.00.04.G18", date(2019, 5, 23), "0001"),
        ("G09.20-20260609-0092637", "G09.20", date(2026, 6, 9), "0092637"),
        ("H26-240229-12345", "H26", date(2024, 2, 29), "12345"),
    ],
)
def test_a_dossier_code_tells_agency_day_and_number(code: str, agency: str, day: date, sequence: str) -> None:
    assert agencies.dossier_code_parts(code) == agencies.DossierCodeParts(agency, day, sequence)
    assert accepts(ids.DossierCode, code)


@pytest.mark.parametrize(
    "code",
    [
        "H26-230229-0001",
        "H26-191301-0001",
        "H26-00000101-0001",
        "H26-1905230-0001",
        "H26-190523-001",
        "H26-190523-00000001",
        "190523-0001",
        "H26-19٠523-0001",
        "H26-190523-0001\n",
        "H26." + "1" * 40 + "-190523-0001",
    ],
)
def test_what_is_no_dossier_code(code: str) -> None:
    assert not accepts(ids.DossierCode, code)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(0, 9_999_999))
def test_every_day_makes_a_dossier_code(day: date, number: int) -> None:
    for written in (day.strftime("%y%m%d"), day.strftime("%Y%m%d")):
        assert agencies.dossier_code_parts(f"H30-{written}-{number:04d}").day == day


@pytest.mark.parametrize(
    ("code", "good"),
    [
        ("1.005129", True),
        ("2.002492.000.00.00.H22", True),
        ("1.00512", False),
        ("10.005129", False),
        ("1.005129.", False),
    ],
)
def test_procedure_codes(code: str, good: bool) -> None:
    assert accepts(ids.ProcedureCode, code) is good


def test_sixty_three_provinces_became_thirty_four() -> None:
    assert len(provinces.PROVINCES_BEFORE) == 63
    assert len(provinces.PROVINCES_SINCE) == 34
    assert set(provinces.MERGED_INTO) == set(provinces.PROVINCES_BEFORE)
    assert set(provinces.MERGED_INTO.values()) == set(provinces.PROVINCES_SINCE)


def test_a_province_code_changes_its_name_with_the_day() -> None:
    assert provinces.province_name("15", date(2025, 6, 30)) == "Yên Bái"
    assert provinces.province_name("15", date(2025, 7, 1)) == "Lào Cai"
    assert provinces.province_name("10", date(2025, 6, 30)) == "Lào Cai"
    assert provinces.province_name("10", date(2025, 7, 1)) is None
    assert provinces.MERGED_INTO["10"] == "15"


def test_a_reused_commune_code_means_another_commune() -> None:
    sample = communes.sample_communes()
    before, since = sample.on("26740", date(2025, 6, 30)), sample.on("26740", date(2025, 7, 1))
    assert before is not None
    assert since is not None
    assert (before.title, before.district, since.title, since.district) == (
        "Phường Bến Nghé",
        "760",
        "Phường Sài Gòn",
        None,
    )
    assert sample.successors(before) == (since,)
    assert before in sample.predecessors(since)
    assert sample.successors(since) == ()
    assert sample.on("26740", date(1900, 1, 1)) is None


def test_every_sample_commune_lies_in_a_province_of_its_time_and_has_a_successor() -> None:
    sample = communes.sample_communes()
    for commune in sample:
        assert commune.province in provinces.provinces_on(commune.valid_from)
        assert commune.synthetic is (commune.code >= "90000")
        ended = commune.valid_to is not None
        assert bool(sample.successors(commune)) is ended
        assert (commune.district is not None) is ended
        assert {later.province for later in sample.successors(commune)} <= {provinces.MERGED_INTO[commune.province]}


def test_old_to_new_is_many_to_many() -> None:
    sample = communes.sample_communes()
    assert any(len(sample.successors(commune)) > 1 for commune in sample)
    assert any(len(sample.predecessors(commune)) > 1 for commune in list(sample)[:20])


HEADER = ",".join(communes.COLUMNS)


@pytest.mark.parametrize(
    "row",
    [
        "2674,2025-07-01,,phường,A,79,,,,0",
        "26740,2025-7-1,,phường,A,79,,,,0",
        "26740,2025-07-01,,phường,,79,,,,0",
        "26740,2025-07-01,,phường,A,079,,,,0",
        "26740,2025-07-01",
        "٢6740,2025-07-01,,phường,A,79,,,,0",
        "26740,2025-07-01,,phường,A,79,,,,0\n26740,2026-07-01,,phường,B,79,,,,0",
        "26740,2004-01-01,2025-07-01,phường,A,79,760,Quận 1,26740,0\n26740,2025-07-01,,phường,B,79,,,,0",
    ],
)
def test_a_wrong_commune_table_is_refused(row: str) -> None:
    with pytest.raises(ValueError):
        communes.read_communes(io.StringIO(f"{HEADER}\n{row}\n"))


def test_a_commune_table_without_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="columns"):
        communes.read_communes(io.StringIO("code,name\n26740,A\n"))


def test_a_full_list_loads_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "communes.csv"
    path.write_text(f"\ufeff{HEADER}\n00004,2025-07-01,,phường,Ba Đình,01,,,,0\n", encoding="utf-8")
    loaded = communes.load_communes(path)
    assert [commune.title for commune in loaded] == ["Phường Ba Đình"]


def test_the_code_lists_are_complete() -> None:
    assert list(persons.ETHNICITIES) == [f"{number:02d}" for number in range(1, 55)]
    assert len(set(persons.ETHNICITIES.values())) == 54
    assert list(statuses.TAX_STATUSES) == ["00", "01", "02", "03", "04", "05", "06", "07", "09"]
    assert len({status.slug for status in statuses.TAX_STATUSES.values()}) == 9


@given(st.integers(-400, 400))
def test_no_day_without_provinces(shift: int) -> None:
    day = provinces.MERGER + timedelta(days=shift)
    assert len(provinces.provinces_on(day)) == (63 if shift < 0 else 34)
