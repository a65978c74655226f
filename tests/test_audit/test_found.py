"""What the trail finds in questions and answers: every marked value, as what it identifies, and nothing unmarked."""

from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import DATABASES
from schemas.exchange import Operation
from schemas.fields import Branch, Found, Record, Shape, said, shape_of, subjects
from schemas.identifiers import HealthCard, PersonalId, Subject, TaxCode

OPERATIONS = [operation for database in DATABASES for operation in database.operations]
VALUES = st.none() | st.text("0123456789", max_size=40) | st.text(max_size=14)


class Paper(Record):
    """A paper without a mark."""

    title: str | None = said("Tên", "Title", "Ten")


class Member(Record):
    """One person of several."""

    card: HealthCard | None = said("Thẻ", "Card", "The")
    codes: list[TaxCode] = said("Mã", "Codes", "Ma", default=[])
    paper: Paper | None = said("Giấy", "Paper", "Giay")


class Household(Record):
    """People, and what does not identify them."""

    note: str | None = said("Ghi chú", "Note", "GhiChu")
    members: list[Member] = said("Thành viên", "Members", "ThanhVien", default=[])
    head: PersonalId | None = said("Chủ hộ", "Head", "ChuHo")
    owner: Member | None = said("Chủ", "Owner", "Chu")


MEMBERS = st.fixed_dictionaries(
    {}, optional={"card": VALUES, "codes": st.lists(VALUES, max_size=3), "paper": st.none()}
)
HOUSEHOLDS = st.fixed_dictionaries(
    {},
    optional={"note": VALUES, "members": st.lists(MEMBERS, max_size=3), "head": VALUES, "owner": st.none() | MEMBERS},
)


def walked(shape: Shape, data: dict[str, Any]) -> list[tuple[str, str]]:
    """What stands in the data, by a look at each mark and value."""
    found: list[tuple[str, str]] = []
    for branches in (False, True):
        for member in shape.members:
            if isinstance(member, Branch) is not branches:
                continue
            value = data.get(member.name)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(member, Branch):
                    found += walked(member.shape, item or {})
                elif member.subject is not None and item:
                    found.append((member.subject.of(item).kind, item))
    return found


@given(HOUSEHOLDS)
def test_every_marked_value_is_found_as_what_it_identifies(data: dict[str, Any]) -> None:
    shape = shape_of(Household)
    found: list[Found] = [("asked", "tax-code", "found before")]
    subjects(shape, "disclosed")(data, found)
    assert found[1:] == [("disclosed", kind, value) for kind, value in walked(shape, data)]


def test_a_code_that_is_a_number_of_a_person_is_found_as_such() -> None:
    found: list[Found] = []
    subjects(shape_of(Member), "asked")({"codes": ["0100109106", "001090123456"], "card": "0123456789"}, found)
    assert found == [
        ("asked", "social-insurance-number", "0123456789"),
        ("asked", "tax-code", "0100109106"),
        ("asked", "personal-id", "001090123456"),
    ]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_question_is_json_as_it_stands(operation: Operation) -> None:
    # The trail commits to the members of a question as they are, and looks for records in answers only.
    for member in shape_of(operation.question).members:
        assert not isinstance(member, Branch)
        assert not member.many
    for info in operation.question.model_fields.values():
        kinds = set(get_args(info.annotation)) or {info.annotation}
        for kind in kinds - {type(None)}:
            inner = get_args(kind)[0] if get_origin(kind) is not Literal and get_args(kind) else kind
            assert inner in (str, int, bool) or get_origin(inner) is Literal or isinstance(inner, str), info


def test_the_marks_of_the_rules_are_all_of_some_length() -> None:
    # `subjects` asks a mark about a value of so many characters that some value of as many digits is another thing.
    for kind in ("tax-code", "health-card", "identity-document", "officer", "personal-id", "household"):
        assert Subject(kind).of("0" * 32) == Subject(kind)
