"""The ten national statuses and the vocabularies that map to them."""

import tomllib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dossiers.statuses import NATIONAL, Degree
from schemas.dossiers.vocabularies import VOCABULARIES, Meaning, NoMeaning, configured, meaning


def test_the_ten_codes() -> None:
    assert list(NATIONAL) == [str(number) for number in range(1, 11)]
    assert all(code == status.code and status.title.vi and status.title.en for code, status in NATIONAL.items())
    assert {code for code, status in NATIONAL.items() if status.final} == {"3", "7", "10"}


def test_groups_are_those_of_the_statistics() -> None:
    groups = {code: status.group for code, status in NATIONAL.items() if status.group}
    assert groups == {
        "4": "in-progress", "5": "paused", "6": "paused", "8": "paused", "7": "done", "9": "done", "10": "done"
    }  # fmt: skip


def test_the_public_sees_five_degrees_and_no_reasons() -> None:
    degrees = {code: status.degree.slug for code, status in NATIONAL.items()}
    assert degrees == {
        "1": "registered", "2": "accepted", "3": "closed", "4": "in-progress", "5": "in-progress", "6": "in-progress",
        "7": "closed", "8": "in-progress", "9": "resolved", "10": "closed",
    }  # fmt: skip
    assert list(Degree) == sorted(Degree)
    assert all(degree.title.vi != degree.title.en for degree in Degree)
    assert all((status.degree == Degree.CLOSED) == status.final for status in NATIONAL.values())


@pytest.mark.parametrize("code", list(NATIONAL))
def test_national_codes_mean_themselves(code: str) -> None:
    assert meaning(VOCABULARIES, "national", code) == Meaning(code)


@pytest.mark.parametrize(
    ("said", "national"),
    [
        ("đã tiếp nhận hồ sơ", "2"),
        ("Đang xử lý hồ sơ", "4"),
        ("đã xử lý xong hồ sơ và đã có kết quả", "9"),
        ("Đã trả kết quả", "10"),
        ("đã từ chối hồ sơ", "3"),
        ("1", "2"),
        ("2", "4"),
        ("3", "9"),
        ("4", "10"),
        ("5", "3"),
    ],
)
def test_the_five_of_social_insurance(said: str, national: str) -> None:
    assert meaning(VOCABULARIES, "bhxh", said) == Meaning(national)
    assert meaning(VOCABULARIES, "bhxh", unicodedata.normalize("NFD", said)) == Meaning(national)


@pytest.mark.parametrize("raw", ["", "0", "11", "04", " 4", "4 ", "４", "done", "đang xử lý"])
def test_what_is_unknown_is_never_guessed(raw: str) -> None:
    for name in ("national", "bhxh"):
        found = meaning(VOCABULARIES, name, raw)
        assert isinstance(found, NoMeaning)
        assert (found.reason, found.vocabulary, found.raw) == ("unknown-status", name, raw)


def test_an_unknown_vocabulary_is_a_reason_too() -> None:
    found = meaning(VOCABULARIES, "hanoi", "4")
    assert isinstance(found, NoMeaning)
    assert (found.reason, found.raw) == ("unknown-vocabulary", "4")


def test_words_without_a_national_meaning_say_why() -> None:
    for name, raw in (("opencps-example", "unresolved"), ("igate-example", "DA_XOA")):
        found = meaning(VOCABULARIES, name, raw)
        assert isinstance(found, NoMeaning)
        assert found.reason == "no-national-meaning"
        assert found.detail.vi != found.detail.en


def test_every_word_means_a_national_code_or_says_why_not() -> None:
    for vocabulary in VOCABULARIES.values():
        for word in vocabulary.words.values():
            assert word.title.vi
            assert word.title.en
            assert word.national in NATIONAL if word.national else word.reason
    several = [word.code for word in VOCABULARIES["igate-example"].words.values() if word.national == "4"]
    assert several == ["DANG_XU_LY", "CHO_PHE_DUYET"]


def test_a_deployment_adds_its_own_and_words_to_ours() -> None:
    tables = tomllib.loads(
        """
        [vocabularies.lam-dong]
        title = "Một cửa Lâm Đồng"
        codes = { "Đang xử lý" = "4", "HUY" = "" }
        [vocabularies.bhxh]
        codes = { "6" = "8", "2" = "5" }
        [vocabularies.national]
        codes = { "11" = "4" }
        """
    )["vocabularies"]
    found = configured(tables)
    assert found.keys() == VOCABULARIES.keys() | {"lam-dong"}
    assert meaning(found, "lam-dong", unicodedata.normalize("NFD", "Đang xử lý")) == Meaning("4")
    held = meaning(found, "lam-dong", "HUY")
    assert isinstance(held, NoMeaning)
    assert held.reason == "no-national-meaning"
    assert [meaning(found, "bhxh", raw) for raw in ("6", "2", "1")] == [Meaning("8"), Meaning("5"), Meaning("2")]
    assert meaning(found, "national", "11") == Meaning("4")
    assert isinstance(meaning(VOCABULARIES, "bhxh", "6"), NoMeaning)


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ({"Hà Nội": {"codes": {"a": "4"}}}, "vocabularies.Hà Nội: a name"),
        ({"a": {}}, "vocabularies.a.codes"),
        ({"a": {"codes": {}}}, "vocabularies.a.codes"),
        ({"a": 4}, "vocabularies.a: takes"),
        ({"a": {"codes": {"x": "4"}, "owner": "y"}}, "vocabularies.a: takes"),
        ({"a": {"codes": {"x": "4"}, "title": 1}}, "vocabularies.a.title"),
        ({"a": {"codes": {"x": "11"}}}, 'vocabularies.a.codes."x": means'),
        ({"a": {"codes": {"x": 4}}}, 'vocabularies.a.codes."x": means'),
        ({"a": {"codes": {" ": "4"}}}, 'vocabularies.a.codes." ": a status'),
        ({"a": {"codes": {"x" * 101: "4"}}}, "a status has"),
        ({"a": {"codes": {"\u00e1": "4", "a\u0301": "5"}}}, "vocabularies.a.codes: two"),
        ({"national": {"codes": {"4": "5"}}}, 'vocabularies.national.codes."4"'),
        ({"national": {"codes": {"4": ""}}}, 'vocabularies.national.codes."4"'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named_by_its_place(table: dict[str, object], place: str) -> None:
    with pytest.raises(ValueError) as caught:
        configured(table)
    assert place in str(caught.value)


@given(st.text(), st.sampled_from(sorted(VOCABULARIES)))
def test_any_text_has_a_meaning_or_keeps_itself(raw: str, name: str) -> None:
    found = meaning(VOCABULARIES, name, raw)
    assert found.national in NATIONAL if isinstance(found, Meaning) else found.raw == raw
