"""Canonical JSON: one encoding per value, refusal of what has none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.audit.canonical import JSON, canonical

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_reading_gives_the_value_back_and_writing_again_the_bytes(value: JSON) -> None:
    encoded = canonical(value)
    assert json.loads(encoded) == value
    assert canonical(json.loads(encoded)) == encoded


@given(st.dictionaries(st.text(st.characters(codec="ascii")), st.integers(0, 9)))
def test_order_of_insertion_does_not_matter(value: dict[str, int]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


def test_example_of_the_specification() -> None:
    # RFC 8785 section 3.2.2, without its numbers, which the gateway does not use.
    value = {"string": '€$\x0f\nA\'B"\\\\"/', "literals": [None, True, False]}
    assert canonical(value) == '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), 2**53, -(2**53), "\ud800", {"é": 1}, {1: 2}, b"x", {"a": [{"b": 0.5}]}, {1, 2}]
)
def test_what_has_no_canonical_form_is_refused(value: JSON) -> None:
    with pytest.raises(ValueError):
        canonical(value)
