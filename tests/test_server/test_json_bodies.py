"""Strict JSON: agrees with the standard library on what it takes, and says where it finds what it refuses."""

import json
import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from routes.flaws import flaws_of, to_pointer
from routes.strict_json import MAX_DEPTH, MAX_INTEGER, parse_json
from schemas.errors import Malformed

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


def refusal(body: bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        parse_json(body)
    return caught.value


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_takes_what_json_writes(value: Any, ascii_only: bool, indent: int | None) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert parse_json(written.encode()) == json.loads(written)


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]",:\\u0dD8 123e-.tNnI'), max_size=30).map(str.encode))
def test_never_more_lenient_than_json(body: bytes) -> None:
    try:
        value = parse_json(body)
    except Malformed:
        return
    assert value == json.loads(body)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", ""),
        (b"\xff", ""),
        (b"\xef\xbb\xbf{}", ""),
        ('{"a": 1}'.encode("utf-16"), ""),
        (b"{'a': 1}", ""),
        (b'{"a": 1,}', ""),
        (b'{"a": 1} x', ""),
        (b'{"a": "tab\there"}', ""),
        (b'{"a": NaN}', "/a"),
        (b'{"a": [1, -Infinity]}', "/a/1"),
        (b'{"a": {"b": 1, "b": 1}}', "/a/b"),
        (b'{"a": 1, "\\u0061": 2}', "/a"),
        (b'{"x/y~z": 1e999}', "/x~1y~0z"),
        (b'{"a": ' + b"9" * 5000 + b"}", "/a"),
        (b'{"a": 9007199254740992}', "/a"),
        (b'{"a": "\\u0000"}', "/a"),
        (b'[{"a": "x\\ud800y"}]', "/0/a"),
        (b'{"\\udfff": 1}', ""),
        (b'{"a\\u0000": {"b": 1}}', ""),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
        (b"[" * 100_000 + b"]" * 100_000, ""),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_refuses_with_a_pointer(body: bytes, pointer: str) -> None:
    error = refusal(body)
    assert [flaw.pointer for flaw in error.flaws] == [pointer]
    assert error.flaws[0].detail.vi
    assert error.flaws[0].detail.en


def test_depth_is_capped_exactly() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    error = refusal(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    assert error.flaws[0].pointer == "/0" * MAX_DEPTH
    assert parse_json(json.dumps(["[" * 100, {"{": "{{{"}]).encode())


def test_surrogate_pairs_and_large_floats_pass() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "😀"
    assert parse_json(b"1e308") == 1e308
    assert math.isclose(parse_json(b"0.1"), 0.1)


def test_no_refusal_quotes_a_value() -> None:
    for body in (b'{"a": "001085012345', b'{"a": 001085012345}', b'{"a": "001085012345\\u0000"}'):
        error = refusal(body)
        assert "001085012345" not in repr((error.detail, error.flaws))


def test_pointers_escape_and_end() -> None:
    assert to_pointer(("a/b", 0, "~")) == "/a~1b/0/~0"
    assert len(to_pointer(("x" * 1000,))) == 256
    assert to_pointer(("\ud800",)) == "/?"
    assert to_pointer(("subject", "079046291792", 1)) == "/subject/[masked]/1"
    assert to_pointer(("079 046 291 792", "contents-2026", 79046291792)) == "/[masked]/contents-2026/79046291792"


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    commune: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, StringConstraints(min_length=2, max_length=4)]
    sex: Literal["male", "female"] = "male"
    count: Annotated[int, Field(ge=1, le=9)] = 1
    places: list[Place] = []

    @field_validator("name")
    @classmethod
    def _no_bang(cls, value: str) -> str:
        if "!" in value:
            raise ValueError("holds an exclamation mark")
        return value


def test_pydantic_complaints_become_bilingual_flaws() -> None:
    body = {
        "name": "secret-name",
        "sex": "secret",
        "count": 10,
        "places": [{"commune": "0A001"}, {"commune": 5}, {}],
        "a/b": "secret",
    }
    with pytest.raises(ValidationError) as caught:
        Question.model_validate(body)
    flaws = {flaw.pointer: flaw.detail for flaw in flaws_of(caught.value)}
    assert {pointer: detail.en for pointer, detail in flaws.items()} == {
        "/name": "is longer than 4 characters",
        "/sex": "must be one of: 'male' or 'female'",
        "/count": "must be at most 9",
        "/places/0/commune": "does not have the required form",
        "/places/1/commune": "must be a string",
        "/places/2/commune": "is required",
        "/a~1b": "is not part of the contract",
    }
    assert flaws["/name"].vi == "dài hơn 4 ký tự"
    assert "secret" not in repr(flaws)


def test_our_own_validators_are_quoted_others_not() -> None:
    with pytest.raises(ValidationError) as caught:
        Question.model_validate({"name": "a!"})
    assert [flaw.detail.en for flaw in flaws_of(caught.value)] == ["holds an exclamation mark"]

    class Wrong(BaseModel):
        when: str

        @field_validator("when")
        @classmethod
        def _decode(cls, value: str) -> str:
            return value.encode().decode("ascii")

    with pytest.raises(ValidationError) as caught:
        Wrong.model_validate({"when": "Nguyễn"})
    assert [flaw.detail.en for flaw in flaws_of(caught.value)] == ["is not valid"]
    assert [flaw.pointer for flaw in flaws_of(caught.value, ("lines", 3))] == ["/lines/3/when"]


def test_a_flood_of_flaws_is_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        Question.model_validate({f"x{number}": 1 for number in range(500)})
    assert len(flaws_of(caught.value)) == 50
