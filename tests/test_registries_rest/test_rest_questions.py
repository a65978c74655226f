"""What may be asked of enterprise, social insurance and civil status, and how it is written for the source."""

from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.encoding import Texts, texts_of, xml_of
from schemas.civil_status import BirthQuestion, DeathQuestion, MarriageQuestion
from schemas.enterprise import EnterpriseQuestion, RegistrationStatusQuestion
from schemas.fields import Question, shape_of
from schemas.forms import Unmapped
from schemas.social_insurance import BIRTH, FindNumberQuestion, HealthCardQuestion, ParticipantQuestion

PARTIAL = st.dates(min_value=date(1000, 1, 1)).flatmap(
    lambda day: st.sampled_from([day.isoformat(), day.isoformat()[:7], day.isoformat()[:4]])
)


@given(PARTIAL)
def test_births_survive_the_way_to_the_source_and_back(birth: str) -> None:
    text, kind = BIRTH.write(birth)
    assert BIRTH.read(text, kind) == birth
    assert kind in ("0", "1", "2")


@given(st.dates(min_value=date(1000, 1, 1)))
def test_digits_beyond_what_is_known_do_not_count(day: date) -> None:
    text = day.strftime("%Y%m%d").rjust(8, "0")
    assert BIRTH.read(text, "1") == text[:4]
    assert BIRTH.read(text, "2") == f"{text[:4]}-{text[4:6]}"


@given(st.none() | st.text(max_size=10), st.none() | st.text(max_size=2))
def test_no_birth_is_guessed(text: str | None, kind: str | None) -> None:
    with suppress(Unmapped):
        found = BIRTH.read(text, kind)
        assert found is None or (isinstance(found, str) and found.replace("-", "") in (text or ""))


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("19500231", "0", "unreadable-value"),
        ("1950", "0", "unreadable-value"),
        ("195", "1", "unreadable-value"),
        ("195002311", "1", "unreadable-value"),
        ("19501301", "2", "unreadable-value"),
        ("19500101", "3", "unmapped-code"),
        ("١٩٥٠", "1", "unreadable-value"),
    ],
)
def test_births_that_are_none(text: str, kind: str, code: str) -> None:
    with pytest.raises(Unmapped) as caught:
        BIRTH.read(text, kind)
    assert caught.value.code == code


PERSON = {"full_name": "Nguyễn Văn An", "birth_date": "1980-05"}
NUMBER = {"personal_id": "001080012345"}


@pytest.mark.parametrize("question", [BirthQuestion, DeathQuestion])
@pytest.mark.parametrize(
    ("body", "right"),
    [
        (NUMBER, True),
        (PERSON, True),
        (NUMBER | PERSON, False),
        ({"full_name": "Nguyễn Văn An"}, False),
        ({"birth_date": "1980-05"}, False),
        (NUMBER | {"birth_date": "1980-05"}, False),
        ({}, False),
        ({"personal_id": "00108001234"}, False),
        ({"personal_id": " 01080012345"}, False),
        (PERSON | {"birth_date": "1980-02-30"}, False),
        (PERSON | {"full_name": "a\x00b"}, False),
        (NUMBER | {"extra": "1"}, False),
    ],
)
def test_a_person_is_named_in_one_way(question: type[Question], body: dict[str, Any], right: bool) -> None:
    if right:
        question.model_validate(body)
    else:
        with pytest.raises(ValidationError):
            question.model_validate(body)


CARD = {"card_number": "DN4797912345678", "full_name": "Nguyễn Văn An", "birth_date": "1980-05-09"}


@pytest.mark.parametrize(
    ("change", "written"),
    [
        ({}, ("DN4797912345678", "09/05/1980")),
        ({"birth_date": "1980"}, ("DN4797912345678", "1980")),
        ({"card_number": "7912345678"}, ("7912345678", "09/05/1980")),
        ({"card_number": None, "personal_id": "001080012345"}, ("001080012345", "09/05/1980")),
    ],
)
def test_a_card_is_asked_for_by_one_key(change: dict[str, Any], written: tuple[str, str]) -> None:
    question = HealthCardQuestion.model_validate(CARD | change)
    texts = {path[0]: text for path, text in texts_of(shape_of(HealthCardQuestion))(question)}
    assert (texts["maThe"], texts["ngaySinh"]) == written


@pytest.mark.parametrize(
    "change",
    [
        {"birth_date": "1980-05"},
        {"birth_date": "09/05/1980"},
        {"personal_id": "001080012345"},
        {"card_number": None},
        {"card_number": "DN9797912345678"},
        {"card_number": "dn4797912345678"},
    ],
)
def test_other_cards_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HealthCardQuestion.model_validate(CARD | change)


def test_a_search_is_written_in_the_words_of_the_source() -> None:
    question = FindNumberQuestion.model_validate(
        {
            "full_name": "Nguye\u0302\u0303n Va\u0306n An",
            "birth_date": "1980-05",
            "sex": "female",
            "province": "79",
            "commune": "26740",
            "address_kind": "household",
        }
    )
    assert texts_of(shape_of(FindNumberQuestion))(question) == [
        (("hoTen",), "Nguyễn Văn An"),
        (("ngaySinh",), "198005"),
        (("loaiNgaySinh",), "2"),
        (("gioiTinh",), "2"),
        (("maTinhKs",), "79"),
        (("maXaKs",), "26740"),
        (("isKs",), "0"),
    ]


@pytest.mark.parametrize(
    ("texts", "written"),
    [
        ([], ""),
        ([(("a",), "")], "<a></a>"),
        ([(("a",), "%s & %(a)d"), (("b",), "x")], "<a>%s &amp; %(a)d</a><b>x</b>"),
        (
            [(("a", "b"), "<1>"), (("a", "c"), "\r"), (("d",), "]]>")],
            "<a><b>&lt;1&gt;</b><c>&#xD;</c></a><d>]]&gt;</d>",
        ),
        ([(("a", "b"), "1"), (("c",), "2"), (("a", "d"), "3")], "<a><b>1</b></a><c>2</c><a><d>3</d></a>"),
        ([(("a", "b", "c"), "1"), (("a", "d"), "2")], "<a><b><c>1</c></b><d>2</d></a>"),
    ],
)
def test_texts_stand_in_their_elements(texts: Texts, written: str) -> None:
    assert xml_of(texts) == written


@pytest.mark.parametrize("code", ["0100109106", "0100109106-001", "0100109106001"])
def test_enterprise_codes(code: str) -> None:
    assert EnterpriseQuestion.model_validate({"code": code})


@pytest.mark.parametrize(
    ("question", "body"),
    [
        (EnterpriseQuestion, {"code": "0100109107"}),
        (EnterpriseQuestion, {"code": "001080012345"}),
        (EnterpriseQuestion, {"code": 100109106}),
        (RegistrationStatusQuestion, {"journal_number": "١٢"}),
        (RegistrationStatusQuestion, {"journal_number": "12 "}),
        (RegistrationStatusQuestion, {"journal_number": "12\n"}),
        (RegistrationStatusQuestion, {"journal_number": ""}),
        (ParticipantQuestion, {"number": "791234567"}),
        (MarriageQuestion, PERSON),
    ],
)
def test_other_identifiers_are_refused(question: type[Question], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        question.model_validate(body)
