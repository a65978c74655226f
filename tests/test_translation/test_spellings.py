"""Whatever a thing is and however its source spells it, one and the same is read, by every kind of source."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.bindings import Codec, Expected
from adapters.site import Site
from adapters.transport import Reply
from config.settings import Endpoint
from schemas.errors import GatewayError
from tests.test_translation import writer
from tests.test_translation.foreign import ENVELOPE, KINDS, Flat, Kind, Thing, binding_of, database_of

Tree = dict[str, Any]

# What XML can hold (XML 1.0, section 2.2), those that give trouble more often than others.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda letter: letter >= " " or letter in "\t\n\r"
) | st.sampled_from("\t\n\r &<>\"']e\u0302\u0323đ\u00a0\u0085\u2028\ufeff\U00020bb7")
texts = st.text(characters, max_size=15) | st.sampled_from(
    [
        "00",
        "001090123456",
        "1e5",
        "0x1F",
        "true",
        "null",
        "-0",
        "1E400",
        "0.10",
        " a  b ",
        "]]>",
        "12345678901234567890",
    ]
)
amounts = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,12})?", fullmatch=True)
days = st.dates().filter(lambda day: day.year >= 1000).map(str)
# An element or object that says nothing at all is a way of saying that there is none, tested on its own.
parts = st.fixed_dictionaries({"name": texts, "amount": st.none() | amounts})
things = st.fixed_dictionaries(
    {
        "name": texts,
        "amount": st.none() | amounts,
        "count": st.none() | st.integers(-(10**15) + 1, 10**15 - 1),
        "valid": st.none() | st.booleans(),
        "day": st.none() | days | days.map(lambda day: day[:7]) | days.map(lambda day: day[:4]),
        "status": st.none() | st.sampled_from(["open", "closed"]),
        "office": st.none() | texts,
        "part": st.none() | parts,
        "parts": st.lists(parts, max_size=3),
        "labels": st.lists(texts, max_size=3),
        "mark": st.none() | texts,
    }
)


# Drawn as a whole: a spelling takes hundreds of choices, and hypothesis would keep an account of each.
seeds = st.integers(0, 2**32).map(Random)


def codec_of(kind: Kind) -> Codec:
    operation = database_of(binding_of(kind), Flat if kind == "rest" else Thing).operations[0]
    binding: Any = operation.binding
    codec: Codec = binding.compile(operation, Site("foreign", Endpoint(url="http://127.0.0.1:1")))
    return codec


def spelled(kind: Kind, thing: Tree, random: Random) -> bytes:
    if kind == "rest":
        return writer.rest(thing, random)
    if kind == "xml-in-json":
        document = f"<kq>{writer.xml(thing, random, '')[0]}</kq>"
        return json.dumps({"data": document}, ensure_ascii=random.random() < 0.5).encode()
    return writer.soap(thing, random, ENVELOPE[kind.removeprefix("soap-")])


def heard(value: Any) -> Any:
    """The same, where white space alone says nothing."""
    if isinstance(value, str):
        return None if value and value.isspace() else value
    if isinstance(value, list):
        return [heard(item) for item in value]
    return {name: heard(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_does_not_depend_on_how_it_is_spelled(kind: Kind) -> None:
    codec = codec_of(kind)
    members = list((Flat if kind == "rest" else Thing).model_fields)

    @settings(max_examples=300, deadline=None)
    @given(things, seeds)
    def agree(thing: Tree, random: Random) -> None:
        body = spelled(kind, thing, random)
        answer = codec.read(Reply(200, {}, body), Expected("m"))
        told = {name: value for name, value in thing.items() if kind != "rest" or name != "mark"}
        assert answer.data == heard(told), body
        assert list(answer.data) == members
        assert answer.warnings == ()

    agree()


@pytest.mark.parametrize("kind", KINDS)
def test_a_spelling_that_was_cut_or_spoilt_is_read_alike_or_refused(kind: Kind) -> None:
    """No byte lost or changed makes half an answer of a whole one: it is refused, or something whole is read."""
    codec = codec_of(kind)
    members = set((Flat if kind == "rest" else Thing).model_fields)

    @settings(max_examples=200, deadline=None)
    @given(things, seeds)
    def holds(thing: Tree, random: Random) -> None:
        body = spelled(kind, thing, random)
        place = random.randrange(len(body))
        try:
            assert codec.read(Reply(200, {}, body[:place]), Expected("m")).data.keys() == members
            assert not body[place:].strip()
        except GatewayError:
            pass
        try:
            spoilt = body[:place] + bytes([random.randrange(256)]) + body[place + 1 :]
            assert codec.read(Reply(200, {}, spoilt), Expected("m")).data.keys() == members
        except GatewayError:
            pass

    holds()
