"""What an opening has to be for a commitment of an entry to count as opened, whole or by one of its fields."""

import json
from hashlib import sha256
from typing import Any

import pytest

from security.audit.canonical import canonical
from tests.test_verify_audit.made import b64
from tools.verify_audit import Run

SALTS = [bytes([n]) * 32 for n in range(3)]
FIELDS = [("/name", "Ánh"), ("/children/0", {"b": 1, "a": None}), ("/alive", True)]
LEAVES = [
    sha256(salt + canonical([pointer, value])).digest() for salt, (pointer, value) in zip(SALTS, FIELDS, strict=True)
]
STATED = {
    "data": b64(sha256(SALTS[0] + b"x").digest()),
    "question": b64(sha256(SALTS[1] + b"").digest()),
    "fields": b64(sha256(b"".join(LEAVES)).digest()),
}
DATA: dict[str, Any] = {"name": "data", "salt": b64(SALTS[0]), "content": b64(b"x")}
CLOSED = [
    ("note", "data: this commitment is not opened here"),
    ("note", "question: this commitment is not opened here"),
]


def field(which: int, **changed: object) -> dict[str, Any]:
    pointer, value = FIELDS[which]
    shown = {"pointer": pointer, "value": value, "salt": b64(SALTS[which]), "place": which}
    return {**shown, "leaves": [b64(leaf) for leaf in LEAVES], **changed}


def said(*opened: dict[str, Any], stated: dict[str, str] = STATED, **document: object) -> list[tuple[str, str]]:
    raw = json.dumps({"format": "lgsp-openings/1", "openings": opened, **document}).encode()
    return facts(stated, raw)


def facts(stated: dict[str, str], raw: bytes | None) -> list[tuple[str, str]]:
    run = Run({}, 1)
    run.attempt("f", run.openings, dict(stated), raw)
    return [(kind, text) for kind, _, text in run.facts]


def test_what_is_opened_is_named_and_what_is_not_too() -> None:
    opened = [("holds", "data: the content that the entry commits to")]
    assert said(DATA) == [*opened, CLOSED[1], ("note", "fields: this commitment is not opened here")]
    question = {"name": "question", "salt": b64(SALTS[1]), "content": ""}
    more = [("holds", "question: the content that the entry commits to")]
    assert said(question, DATA, stated={name: STATED[name] for name in ("data", "question")}) == [*more, *opened]
    nothing = [*CLOSED, ("note", "fields: this commitment is not opened here")]
    assert said() == facts(STATED, None) == nothing
    assert facts({}, None) == []


def test_a_field_is_shown_with_its_value() -> None:
    values = ['/name is "Ánh"', '/children/0 is {"a":null,"b":1}', "/alive is true"]
    expected = [("holds", f"field {each}: as the entry commits to") for each in values]
    for place in range(3):
        assert said(field(place)) == [expected[place], *CLOSED]
    assert said(field(2), field(0), field(1)) == [expected[2], expected[0], expected[1], *CLOSED]
    assert said(DATA, field(1)) == [("holds", "data: the content that the entry commits to"), expected[1], CLOSED[1]]


SHORT = [b64(leaf) for leaf in LEAVES[:2]]
NOT_FIELDS: dict[str, dict[str, Any]] = {
    "value": field(0, value="Anh"),
    "number-for-true": field(2, value=1),
    "pointer": field(0, pointer="/alias"),
    "salt": field(0, salt=b64(SALTS[1])),
    "place": field(0, place=1),
    "beyond": field(0, place=3),
    "leaf-gone": field(0, leaves=SHORT),
    "swapped": field(0, leaves=[b64(LEAVES[n]) for n in (0, 2, 1)]),
    "more": field(0, leaves=[*(b64(leaf) for leaf in LEAVES), b64(bytes(32))]),
    "none": field(0, leaves=[]),
}


@pytest.mark.parametrize("name", NOT_FIELDS)
def test_a_field_is_exactly_what_was_committed_to(name: str) -> None:
    opened = NOT_FIELDS[name]
    text = f"fields, {opened['pointer']}: NOT the content that the entry commits to, or its salt is missing"
    assert said(opened) == [("fails", text)]


def test_no_field_is_opened_twice_or_at_another_place() -> None:
    text = "fields, /name: NOT the content that the entry commits to, or its salt is missing"
    assert said(field(0), field(0))[1:] == [("fails", text)]
    # Twice in the list of hashes, so that its second place has the right one as well.
    leaves = [LEAVES[0], LEAVES[1], LEAVES[0]]
    stated = {"fields": b64(sha256(b"".join(leaves)).digest())}
    first, second = (field(0, leaves=[b64(leaf) for leaf in leaves], place=place) for place in (0, 2))
    assert [kind for kind, _ in said(second, stated=stated)] == ["holds"]
    assert said(first, second, stated=stated)[1:] == [("fails", text)]
    # An entry that commits to no fields has none to open.
    assert said(field(0), stated={}) == [("fails", text)]


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({**DATA, "more": 1}, "the members must be name, salt, content"),
    "no-content": ({"name": "data", "salt": b64(SALTS[0])}, "the members must be name, salt, content"),
    "short-salt": ({**DATA, "salt": b64(bytes(31))}, "malformed: base64"),
    "content": ({**DATA, "content": "x"}, "it cannot be read: "),
    "field": (field(0, name="fields"), "the members must be pointer, value, salt, place, leaves"),
    "negative": (field(0, place=-3), "malformed: index, size"),
    "leaf": (field(0, leaves=[b64(leaf[:31]) for leaf in LEAVES]), "malformed: base64"),
    "salt": (field(0, salt=b64(bytes(33))), "malformed: base64"),
}


@pytest.mark.parametrize("name", ODD)
def test_openings_are_read_strictly(name: str) -> None:
    opened, text = ODD[name]
    ((kind, told),) = said(opened)
    assert kind == "unreadable"
    assert told.startswith(text)


def test_openings_have_one_format() -> None:
    assert said(format="lgsp-openings/2") == [("unreadable", "malformed: openings.json, format")]
    assert said(more=1) == [("unreadable", "the members must be format, openings")]
    assert facts(STATED, b'{"format":"lgsp-openings/1"}') == [("unreadable", "the members must be format, openings")]


def test_content_is_opened_once_under_its_own_name() -> None:
    for opened in ({**DATA, "content": b64(b"y")}, {**DATA, "salt": b64(SALTS[1])}, {**DATA, "name": "answer"}):
        text = f"{opened['name']}: NOT the content that the entry commits to, or its salt is missing"
        assert said(opened) == [("fails", text)]
    assert said(DATA, DATA)[1][0] == "fails"
    # The hash of all fields does not pass for a content of its own.
    assert said({"name": "fields", "salt": b64(LEAVES[0]), "content": b64(b"".join(LEAVES[1:]))})[0][0] == "fails"
