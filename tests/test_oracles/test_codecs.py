"""Every declared answer, in XML and in JSON, against a reading that knows nothing of compiled codecs.

What a source says is drawn as a tree; the document is written from it, and what must be read is told by it.
"""

from random import Random
from typing import Any

import pytest

from adapters import DATABASES
from adapters.bindings import Rest, read_json
from adapters.codecs import Unreadable, json_decoder, lookup, xml_decoder
from schemas.exchange import Notice
from schemas.fields import Record, said, shape_of
from schemas.forms import DECIMAL
from security.elements import accept_unsigned, children_of
from tests.test_oracles.spoken import SPACE, Source, Tree, bytes_of, json_of, xml_of

SHAPES = {f"{database.name}/{one.name}": shape_of(one.answer) for database in DATABASES for one in database.operations}
JSON = {
    f"{database.name}/{one.name}"
    for database in DATABASES
    for one in database.operations
    if isinstance(one.binding, Rest)
}


def ordered(notices: list[Notice]) -> list[tuple[str, str, str]]:
    return sorted((notice.code, notice.pointer, notice.detail) for notice in notices)


@pytest.mark.parametrize("name", SHAPES)
def test_xml_is_read_as_it_was_said(name: str) -> None:
    shape = SHAPES[name]
    decode = xml_decoder(shape, SPACE)
    checked = xml_decoder(shape, SPACE, checked=True)
    for seed in range(60):
        random = Random(seed)
        source = Source(shape, random)
        opening = f'<root xmlns="{SPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        document = f"{opening}{xml_of(source, 'record', random)}</root>".encode()
        (record,) = children_of(accept_unsigned(document))
        data, notices = decode(record)
        assert data == source.data, seed
        assert ordered(notices) == ordered(source.notices), seed
        assert checked(record) == (data, notices), seed


@pytest.mark.parametrize("name", sorted(JSON))
def test_json_is_read_as_it_was_said(name: str) -> None:
    shape = SHAPES[name]
    decode = json_decoder(shape)
    for seed in range(60):
        random = Random(seed)
        source = Source(shape, random)
        data, notices = decode(read_json(bytes_of(json_of(source, random), random)))
        assert data == source.data, seed
        assert ordered(notices) == ordered(source.notices), seed


class Part(Record):
    """A part."""

    text: str | None = said("a", "a", "t")


class Whole(Record):
    """One member of each kind."""

    text: str | None = said("a", "a", "text")
    deep: str | None = said("a", "a", "a/b", DECIMAL)
    words: list[str] = said("a", "a", "words", default=[])
    part: Part | None = said("a", "a", "part")
    parts: list[Part] = said("a", "a", "list/part", default=[])


def read_xml(inside: str, *, checked: bool) -> Any:
    opening = f'<r xmlns="{SPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    decode = xml_decoder(shape_of(Whole), SPACE, checked=checked)
    return decode(accept_unsigned(f"{opening}{inside}</r>".encode()))


def read_text(body: str) -> Any:
    return json_decoder(shape_of(Whole))(read_json(body.encode()))


NOTHING = {"text": None, "deep": None, "words": [], "part": None, "parts": []}


@pytest.mark.parametrize(
    ("inside", "read"),
    [
        ("", {}),
        ("<text/>", {"text": ""}),
        ("<text></text>", {"text": ""}),
        ("<text><![CDATA[]]></text>", {"text": ""}),
        ("<text> </text>", {}),
        ('<text xsi:nil="true"/>', {}),
        ('<text xsi:nil="false">a</text>', {"text": "a"}),
        ("<text> a </text>", {"text": " a "}),
        ("<text>a<![CDATA[ & b]]> c</text>", {"text": "a & b c"}),
        ("<text>&#x110;&amp;</text>", {"text": "Đ&"}),
        ("<text>e\u0302</text>", {"text": "e\u0302"}),
        ("<a><b>1.50</b></a>", {"deep": "1.50"}),
        ("<a xsi:nil='true'/>", {}),
        ("<a>text<c/></a>", {}),
        ("<words>a</words>", {"words": ["a"]}),
        ("<words>a</words><text>x</text><words/><words xsi:nil='1'/>", {"words": ["a", ""], "text": "x"}),
        ("<part/>", {}),
        ("<part><other/></part>", {"part": {"text": None}}),
        ("<part><t>1</t></part>", {"part": {"text": "1"}}),
        ("<list/>", {}),
        ("<list><part/><part><t>1</t></part><part xsi:nil='true'/></list>", {"parts": [{"text": "1"}]}),
        ('<text xmlns="urn:other">a</text>', {}),
        ('<text xmlns="urn:other"><text/></text><text>a</text>', {"text": "a"}),
        ("<new/><new><text/></new><text>a</text>", {"text": "a"}),
        ("<new/><words>a</words><a><b> </b></a><text>\u00a0\n</text>", {"words": ["a"]}),
        ("<text>-</text><a><b/></a>", {"text": "-"}),
        ("\n <part>\n <t>\n</t></part>\n <text/>", {"part": {"text": None}, "text": ""}),
        ("<list>\n<new/><part><t/></part>\n<part a='1'/></list>", {"parts": [{"text": ""}, {"text": None}]}),
    ],
)
@pytest.mark.parametrize("checked", [False, True])
def test_xml_says(inside: str, read: Tree, checked: bool) -> None:
    assert read_xml(inside, checked=checked) == (NOTHING | read, [])


@pytest.mark.parametrize(
    "inside",
    [
        "<text>a</text><text>a</text>",
        "<text/><text/>",
        "<a><b>1</b></a><a><b>1</b></a>",
        "<text><b/></text>",
        "<text xsi:nil='true'><b/></text>",
        "<part><t>1</t></part><part><t>1</t></part>",
        "<words><a/></words>",
    ],
)
@pytest.mark.parametrize("checked", [False, True])
def test_xml_that_contradicts_the_declaration_is_refused(inside: str, checked: bool) -> None:
    with pytest.raises(Unreadable):
        read_xml(inside, checked=checked)


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("{}", {}),
        (" \t\r\n{} \t\r\n", {}),
        ('\ufeff {"text": "\ufeff"}', {"text": "\ufeff"}),
        ('{"text": null}', {}),
        ('{"text": ""}', {"text": ""}),
        ('{"text": "  "}', {}),
        ('{"text": 0.10}', {"text": "0.10"}),
        ('{"text": 1e400}', {"text": "1e400"}),
        ('{"text": false}', {"text": "false"}),
        ('{"text": "e\\u0302"}', {"text": "e\u0302"}),
        ('{"a": {"b": -0.0}}', {"deep": "-0.0"}),
        ('{"a": [{"b": "1"}]}', {"deep": "1"}),
        ('{"a": null}', {}),
        ('{"a": ""}', {}),
        ('{"a": []}', {}),
        ('{"words": "a"}', {"words": ["a"]}),
        ('{"words": ["a", ""]}', {"words": ["a", ""]}),
        ('{"part": {"t": "1"}}', {"part": {"text": "1"}}),
        ('{"part": [{"t": "1"}]}', {"part": {"text": "1"}}),
        ('{"part": ""}', {}),
        ('{"part": []}', {}),
        ('{"list": {"part": {"t": "1"}}}', {"parts": [{"text": "1"}]}),
        ('{"list": [{"part": [{"t": "1"}, {"t": null}]}]}', {"parts": [{"text": "1"}, {"text": None}]}),
    ],
)
def test_json_says(body: str, read: Tree) -> None:
    assert read_text(body) == (NOTHING | read, [])


@pytest.mark.parametrize(
    "body",
    [
        '{"text": {}}',
        '{"text": []}',
        '{"text": ["a"]}',
        '{"words": [null]}',
        '{"words": [["a"]]}',
        '{"part": "x"}',
        '{"part": [{"t": "1"}, {"t": "1"}]}',
        '{"part": 1}',
        '{"a": "x"}',
        '{"a": 1}',
        '{"a": true}',
        '{"a": [{"b": "1"}, {"b": "1"}]}',
        '{"list": {"part": [null]}}',
        '{"text": "a", "text": "a"}',
        '{"text": NaN}',
        '{"text": "\\ud800"}',
        "",
        " ",
        "{} {}",
        "{},",
        "\u00a0{}",
        "\v{}",
        "{}\f",
        "\ufeff\ufeff{}",
        " \ufeff{}",
    ],
)
def test_json_that_contradicts_the_declaration_is_refused(body: str) -> None:
    with pytest.raises(Unreadable):
        read_text(body)


def test_lookup_follows_names() -> None:
    assert lookup({"a": {"b": 1}}, ()) == {"a": {"b": 1}}
    assert lookup({"a": {"b": [1]}}, ("a", "b")) == [1]
    assert lookup([{"a": "x"}], ("a",)) == "x"
    assert lookup({"a": {}}, ("a", "b")) is None
