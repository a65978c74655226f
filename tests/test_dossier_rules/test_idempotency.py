"""Keys of requests that may be sent again: bare or quoted, the same key both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.dossiers.idempotency import IdempotencyKey, KeyMissing, KeyUnreadable, key_from_header

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)


def quoted(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(printable)
def test_quoted_is_the_same_key_as_in_json(key: str) -> None:
    assert key_from_header([quoted(key)]) == key
    assert TypeAdapter(IdempotencyKey).validate_python(quoted(key)) == key


@given(printable.filter(lambda key: not key.startswith('"')))
def test_a_bare_key_in_json_is_what_it_is(key: str) -> None:
    assert TypeAdapter(IdempotencyKey).validate_python(key) == key


@given(printable.filter(lambda key: key == key.strip(" ") and not key.startswith('"')))
def test_bare_is_the_same_key_as_quoted(key: str) -> None:
    assert key_from_header([key]) == key_from_header([quoted(key)]) == key


@pytest.mark.parametrize("values", [[], [""], [" \t"], ['""'], ["", ""]])
def test_no_key_is_missing(values: list[str]) -> None:
    with pytest.raises(KeyMissing):
        key_from_header(values)


@pytest.mark.parametrize(
    "values",
    [["a", "a"], ["a", ""], ['"a'], ['"'], ['"a"b"'], ['"a";x=1'], ['"a\\b"'], ['"a\\"'], ["a" * 256],
     ['"' + "a" * 256 + '"'], ["khóa"], ['"khóa"'], ["a\x7f"], ["a\tb"], ["a\nb"]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_key_is_refused_without_repeating_it(values: list[str]) -> None:
    with pytest.raises(KeyUnreadable) as caught:
        key_from_header(values)
    assert all(len(value) < 2 or value not in str(caught.value) for value in values)


def test_the_longest_key_and_one_with_marks_inside() -> None:
    assert key_from_header(["a" * 255]) == key_from_header(['"' + "a" * 255 + '"']) == "a" * 255
    assert key_from_header(['"' + '\\"' * 255 + '"']) == '"' * 255
    assert key_from_header([' a"b\\c ']) == 'a"b\\c'
    for key in ("", "a" * 256, "khóa", "a\n"):
        with pytest.raises(ValidationError):
            TypeAdapter(IdempotencyKey).validate_python(key)


@given(st.lists(st.text(max_size=20), max_size=3))
def test_any_header_is_a_key_or_is_refused(values: list[str]) -> None:
    try:
        key = key_from_header(values)
    except (KeyMissing, KeyUnreadable):
        return
    assert 1 <= len(key) <= 255
    assert key.isascii()
    assert key.isprintable()
