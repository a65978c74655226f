"""What entries state of other rows, spelled out: the hash of what opens them, the checkpoint before them."""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from security.audit.binding import bound, digest, following, noted, unbound
from security.audit.repeats import After, Told, told
from security.audit.sealing import Sealed

SEALED = Sealed("2026-12", 7, b"row", (b"b" * 16, b"a" * 16))
HASH = b64encode(sha256(b"\x00\x02" + b"a" * 16 + b"b" * 16 + b"row").digest()).decode()
NOTE = b64encode(sha256("mốc\n".encode()).digest()).decode()
BARE = '{"at":"t","id":"i","kind":"k","v":1}'


def test_the_hash_of_what_opens_an_entry_is_over_tags_in_order_and_the_row() -> None:
    assert digest(SEALED.sealed, SEALED.tags) == digest(SEALED.sealed, iter(SEALED.tags[::-1])) == HASH
    assert digest(b"", []) == b64encode(sha256(bytes(2)).digest()).decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BARE, f'{{"at":"t","id":"i","kind":"k","sealed":{{"hash":"{HASH}","slot":7}},"v":1}}'),
        (
            '{"at":"t","kind":"k","subjects":[1],"v":1}',
            f'{{"at":"t","kind":"k","sealed":{{"hash":"{HASH}","slot":7}},"subjects":[1],"v":1}}',
        ),
        # The last of these is the member.
        (
            '{"at":"t","details":{"a":1,"subjects":[2]},"subjects":[1],"v":1}',
            f'{{"at":"t","details":{{"a":1,"subjects":[2]}},"sealed":{{"hash":"{HASH}","slot":7}},"subjects":[1],"v":1}}',
        ),
        # Of a format that this is not.
        ('{"at":"t","v":1,"x":2}', f'{{"at":"t","sealed":{{"hash":"{HASH}","slot":7}},"v":1,"x":2}}'),
        ('{"subjects":[1],"v":1}', f'{{"sealed":{{"hash":"{HASH}","slot":7}},"subjects":[1],"v":1}}'),
    ],
)
def test_an_entry_names_what_opens_it(body: str, expected: str) -> None:
    made = bound(body.encode(), SEALED, subjects='"subjects"' in body)
    assert made.decode() == expected
    assert unbound(made, sealed=True).decode() == body
    assert unbound(made, sealed=False) == made


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BARE, f'{{"after":{{"note":"{NOTE}","size":3}},{BARE[1:]}'),
        # Something that comes before it in the order of names.
        ('{"a":1,"at":"t"}', f'{{"a":1,"after":{{"note":"{NOTE}","size":3}},"at":"t"}}'),
    ],
)
def test_an_entry_names_the_checkpoint_before_it(body: str, expected: str) -> None:
    made = following(body.encode(), 3, "mốc\n")
    assert made.decode() == expected
    assert unbound(made, sealed=False).decode() == unbound(made, sealed=True).decode() == body


def test_subjects_that_an_event_is_about_are_not_those_of_its_entry() -> None:
    body = '{"at":"t","details":{"a":1,"subjects":[2]},"id":"i","v":1}'
    expected = body.replace(',"v":1', f',"sealed":{{"hash":"{HASH}","slot":7}},"v":1')
    assert bound(body.encode(), SEALED, subjects=False).decode() == expected


def test_what_was_named_first_and_what_was_named_then_are_both_taken_back() -> None:
    both = following(bound(BARE.encode(), SEALED, subjects=False), 3, "mốc\n")
    assert unbound(both, sealed=True).decode() == BARE


def test_whatever_stands_in_the_place_of_a_checkpoint_has_a_hash_of_its_own() -> None:
    every = ["mốc\n", "mốc", "", "\udcff", b"", b"m\xe1\xbb\x91c\n", None, 7, 7.0, "7", "None"]
    assert noted(every[0]) == NOTE
    assert len({noted(each) for each in every}) == len(every)


ENTRY = {
    "after": {"note": "n", "size": 3},
    "at": "t",
    "caller": {"agency": "a", "client": "c", "credential": "r"},
    "commitments": {"data": "x"},
    "database": "d",
    "dossier": "f",
    "id": "i",
    "kind": "k",
    "operation": "o",
    "outcome": {"code": "ok", "reason": "r", "status": 200},
    "purpose": "p",
    "request_id": "q",
    "sealed": {"hash": "h", "slot": 7},
    "v": 1,
}
REPEATED = ("i", "t", "k", "c", "d", "o", "p", "f", "ok", "q")
BARE_REPEATED = ("i", "t", "k", *[None] * 7)


def read(entry: Mapping[str, Any]) -> Told:
    return told(json.dumps(entry, separators=(",", ":")).encode())


# What ends with a backslash and a member that entries do not have are for the parser, the rest for the pattern.
@pytest.mark.parametrize("more", [{}, {"zz": "\\"}, {"zz": 1}])
def test_what_an_entry_says(more: Mapping[str, Any]) -> None:
    whole = read({**ENTRY, **more})
    assert whole[:-1] == (REPEATED, True, "h", 7, After(3, "n"))
    assert json.loads(whole.body) == {**ENTRY, **more}
    bare = {**json.loads(BARE), **more}
    assert read(bare)[:-1] == (BARE_REPEATED, False, None, None, None)
    for member in (
        {"commitments": {"data": "x"}},
        {"officer": {"commitment": "x"}},
        {"subjects": [{"commitment": "x", "kind": "y", "role": "asked"}]},
    ):
        assert read(dict(sorted({**bare, **member}.items())))[:-1] == (BARE_REPEATED, True, None, None, None)
    assert not read(dict(sorted({**bare, "officer": "nva"}.items()))).committed


def test_numbers_are_read_to_their_last_digit() -> None:
    entry = {"after": {"note": "n", "size": 10**20}, **json.loads(BARE), "sealed": {"hash": "h", "slot": 4_294_967_296}}
    found = read(dict(sorted(entry.items())))
    assert (found.after, found.slot) == (After(10**20, "n"), 4_294_967_296)


@pytest.mark.parametrize(
    "member",
    [
        {"after": 1},
        {"after": []},
        {"after": "x"},
        {"after": {}},
        {"after": {"size": 3}},
        {"after": {"note": "n"}},
        {"after": {"note": "n", "size": 3, "more": 1}},
        {"after": {"note": "n", "size": "3"}},
        {"after": {"note": "n", "size": 3.0}},
        {"after": {"note": "n", "size": True}},
        {"after": {"note": "n", "size": None}},
        {"after": {"note": None, "size": 3}},
        {"after": {"note": 5, "size": 3}},
        {"sealed": None},
        {"sealed": "h"},
        {"sealed": []},
    ],
)
def test_what_cannot_be_read_of_an_entry_makes_it_none(member: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="audit entry"):
        read(dict(sorted({**json.loads(BARE), **member}.items())))


@pytest.mark.parametrize("body", ["", "[]", "1", "null", '"x"', "{", "{}", '{"at":"t","id":"i","v":1}'])
def test_what_is_no_entry(body: str) -> None:
    with pytest.raises(ValueError):
        told(body.encode())
