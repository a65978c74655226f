"""JSON is read strictly and written canonically, as the gateway does and RFC 8785 says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.audit.canonical import canonical as gateways
from tests.test_verify_audit.made import b64, refusal
from tools.verify_audit import Unreadable, canonical, has_members, hashes, number, read_json, unpacked

PLAIN = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner), max_leaves=20
)


@given(VALUES)
def test_the_canonical_form_is_the_gateways(value: object) -> None:
    encoded = canonical(value)
    assert encoded == gateways(value)  # type: ignore[arg-type]
    assert canonical(read_json(encoded)) == encoded


def test_names_are_sorted_by_utf_16_as_in_the_example_of_the_standard() -> None:
    # RFC 8785 section 3.2.3.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(read_json(canonical(dict.fromkeys(names)))) == [
        "\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33",
    ]  # fmt: skip


def test_few_characters_are_escaped() -> None:
    # RFC 8785 section 3.2.2.2.
    assert canonical('\u20ac$\u000f\nA\'B"\\\\"/\u007f\b') == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f\\b"'.encode()


@pytest.mark.parametrize(
    "text", ["1.0", "1e2", "-0", "9007199254740992", "-9007199254740992", "NaN", "Infinity", "9" * 9999]
)
def test_numbers_that_the_gateway_does_not_write_are_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="number"):
        read_json(f'{{"a":{text}}}'.encode())


def test_the_largest_integers_are_read() -> None:
    assert read_json(b"[9007199254740991,-9007199254740991,0]") == [2**53 - 1, 1 - 2**53, 0]


NOT_JSON = {
    "name-twice": b'{"a":1,"a":1}',
    "inner-name-twice": b'{"a":{"b":1,"b":2}}',
    "trailing": b'{"a":1}x',
    "empty": b"",
    "not-utf-8": b"\xff",
    "utf-16": '{"a":1}'.encode("utf-16"),
    "byte-order-mark": b'\xef\xbb\xbf{"a":1}',
    "quotes": b"{'a':1}",
    "control": b'{"a":"\n"}',
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_strict_json_is_refused(raw: bytes) -> None:
    with pytest.raises((Unreadable, ValueError)):
        read_json(raw)


@pytest.mark.parametrize("text", ["QQ", "QQ=", "QR==", "Q Q=", "QQ==\n", "-_-_", "é", 5, None, ["QQ=="]])
def test_base64_has_one_spelling(text: object) -> None:
    with pytest.raises((Unreadable, ValueError)):
        unpacked(text)
    assert unpacked("QQ==") == b"A"


def test_bytes_have_the_size_that_is_asked_for() -> None:
    assert unpacked(b64(bytes(32)), 32) == bytes(32)
    for size in (0, 31, 33):
        assert refusal(unpacked, b64(bytes(size)), 32) == "malformed: base64"
    assert unpacked("") == b""
    assert refusal(unpacked, None) == "malformed: base64"


def test_a_proof_has_at_most_128_hashes() -> None:
    one = b64(bytes(32))
    assert hashes([one] * 128) == [bytes(32)] * 128
    for wrong in ([one] * 129, {one: 1}, "", None):
        assert refusal(hashes, wrong) == "malformed: proof"
    for wrong in ([b64(bytes(31))], [b64(bytes(33))], [None]):
        assert refusal(hashes, wrong) == "malformed: base64"


def test_sizes_and_indexes_are_integers_from_0_on() -> None:
    assert [number(each) for each in (0, 1, 2**53 - 1)] == [0, 1, 2**53 - 1]
    for wrong in (-1, True, "1", None, 1.0):
        assert refusal(number, wrong) == "malformed: index, size"


def test_members_are_those_that_are_known() -> None:
    for right in ({"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}):
        has_members(right, ("a", "b"), ("c",))
    for wrong in ({"a": 1}, {"a": 1, "c": 3}, {"a": 1, "b": 2, "d": 4}, ["a", "b"], "ab", None):
        assert refusal(has_members, wrong, ("a", "b"), ("c",)) == "the members must be a, b"


def test_what_is_refused_is_named() -> None:
    assert refusal(read_json, b'{"a":1,"a":1}') == "malformed: JSON, a name twice"
    assert refusal(read_json, b"[1.5]").startswith("the JSON has a number")
