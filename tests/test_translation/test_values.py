"""Values of a foreign source arrive as it meant them: empty is not missing, text no number, nothing is trimmed.

The cases are those in which other gateways are known to fail (SOAP to JSON converters above all).
"""

import json
import re
from typing import Any
from xml.sax.saxutils import escape

import pytest

from schemas.errors import UpstreamUnreadable
from schemas.exchange import Answer
from tests.test_translation.foreign import KINDS, XML_KINDS, Kind, expected, read, same

TEXTS = {
    "zeros": "00",
    "number": "001090123456",
    "power": "1e5",
    "hexadecimal": "0x1F",
    "truth": "true",
    "null": "null",
    "spaces-inside": "a  b   c",
    "spaces-around": "  a ",
    "tabs": "\ta\tb",
    "lines": "a\nb\n",
    "returns": "a\r\nb\rc",
    "marks": "a & b < c > \"d\" 'e' ]]>",
    "escaped-already": "&amp;lt; &#65;",
    "NFC": "Nguy\u1ec5n",
    "NFD": "Nguye\u0302\u0303n",
    "mixed-forms": "Nguye\u0302\u0303n Th\u1ecb \u0110\u0323",
    "beyond-the-first-plane": "\U00020bb7\U0001f600",
    "no-break-space": "\u00a0a\u00a0",
    "next-line": "a\u0085b\u2028c",
    "zero-width": "a\u200bb\ufeffc",
    "delete": "a\u007fb",
    "private": "\ue000",
    "long": "Đ" * 5000,
}


def written(kind: Kind, text: str) -> str:
    """The name as a source of this kind writes it."""
    if kind == "rest":
        return f'"Ten": {json.dumps(text, ensure_ascii=False)}'
    said = escape(text, {"\r": "&#13;"})
    return f"<Ten>{said}</Ten>"


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_text_arrives_byte_for_byte(kind: Kind, name: str) -> None:
    text = TEXTS[name]
    same(await read(kind, written(kind, text)), expected(kind, name=text))


@pytest.mark.parametrize("kind", XML_KINDS)
async def test_line_ends_are_those_of_xml(kind: Kind) -> None:
    # XML 1.0, section 2.11: a parser gives LF for CR LF and CR as they stand; whoever means them writes references.
    same(await read(kind, "<Ten>a\r\nb\rc</Ten>"), expected(kind, name="a\nb\nc"))


WAYS = {
    "CDATA": "<Ten><![CDATA[a & <b>]]></Ten>",
    "CDATA-in-two": "<Ten><![CDATA[a &]]><![CDATA[ <b>]]></Ten>",
    "CDATA-beside-text": "<Ten>a <![CDATA[&]]> &lt;b&gt;</Ten>",
    "decimal-references": "<Ten>a &#38; &#60;b&#62;</Ten>",
    "hexadecimal-references": "<Ten>a &#x26; &#x3c;b&#X3E;</Ten>".replace("X", "x"),
    "entities": "<Ten>a &amp; &lt;b&gt;</Ten>",
    "spaces-in-tags": "<Ten  >a &amp; &lt;b&gt;</Ten\n>",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", XML_KINDS)
async def test_a_text_is_the_same_however_it_is_spelled(kind: Kind, way: str) -> None:
    same(await read(kind, WAYS[way]), expected(kind, name="a & <b>"))


@pytest.mark.parametrize("spelled", [r'"a & <b>"', r'"\u0061 \u0026 <b>"', r'"a \u0026 \u003Cb\u003e"'])
async def test_a_json_text_is_the_same_however_it_is_spelled(spelled: str) -> None:
    same(await read("rest", f'"Ten": {spelled}'), expected("rest", name="a & <b>"))


ABSENT: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("", {}),
    "empty": ("<Ten></Ten>", {"name": ""}),
    "empty-tag": ("<Ten/>", {"name": ""}),
    "empty-CDATA": ("<Ten><![CDATA[]]></Ten>", {"name": ""}),
    "blank": ("<Ten> \n</Ten>", {}),
    "nil": ("<Ten xsi:nil='true'/>", {}),
    "nil-as-1": ("<Ten xsi:nil='1'/>", {}),
    "nil-with-white-space": ("<Ten xsi:nil=' true '/>", {}),
    "nil-with-end-tag": ("<Ten xsi:nil='true'></Ten>", {}),
    "nil-by-another-prefix": (
        "<Ten xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>",
        {},
    ),
    "not-nil": ("<Ten xsi:nil='false'>a</Ten>", {"name": "a"}),
    "not-nil-as-0": ("<Ten xsi:nil='0'/>", {"name": ""}),
    "nil-record": ("<Phan xsi:nil='true'/>", {}),
    "nil-record-with-white-space": ("<Phan xsi:nil='\ttrue'/>", {}),
    "empty-record": ("<Phan/>", {}),
    "record-of-empty-text": ("<Phan><Ten/></Phan>", {"part": {"name": "", "amount": None}}),
    "record-of-nil": ("<Phan><Ten xsi:nil='true'/></Phan>", {"part": {"name": None, "amount": None}}),
    "nil-between": ("<CoQuan xsi:nil='true'/>", {}),
    "empty-between": ("<CoQuan/>", {}),
    "nil-list": ("<DanhSach xsi:nil='true'/>", {"parts": []}),
    "empty-list": ("<DanhSach/>", {"parts": []}),
    "list-of-one": ("<DanhSach><Muc><Ten>a</Ten></Muc></DanhSach>", {"parts": [{"name": "a", "amount": None}]}),
    "list-of-two": (
        "<DanhSach><Muc><Ten>a</Ten></Muc><Muc><Ten/></Muc></DanhSach>",
        {"parts": [{"name": "a", "amount": None}, {"name": "", "amount": None}]},
    ),
    "nil-in-list": (
        "<DanhSach><Muc xsi:nil='true'/><Muc><Ten>b</Ten></Muc><Muc xsi:nil=' 1 '/></DanhSach>",
        {"parts": [{"name": "b", "amount": None}]},
    ),
    "texts-of-one": ("<Nhan>a</Nhan>", {"labels": ["a"]}),
    "texts": ("<Nhan>a</Nhan><Nhan/><Nhan>00</Nhan>", {"labels": ["a", "", "00"]}),
    "empty-amount": ("<SoTien/>", {}),
    "empty-code": ("<TrangThai/>", {}),
}


@pytest.mark.parametrize("case", ABSENT)
@pytest.mark.parametrize("kind", XML_KINDS)
async def test_missing_empty_nil_and_lists_in_xml(kind: Kind, case: str) -> None:
    inside, members = ABSENT[case]
    answer = await read(kind, inside, " dau='d'")
    same(answer, expected(kind, **members, mark="d"))
    assert answer.warnings == ()


JSON: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ('"x": 1', {}),
    "empty": ('"Ten": ""', {"name": ""}),
    "blank": ('"Ten": " "', {}),
    "null": ('"Ten": null', {}),
    "null-record": ('"Phan": null', {}),
    "empty-text-for-record": ('"Phan": ""', {}),
    "empty-list-for-record": ('"Phan": []', {}),
    "list-of-one-for-record": ('"Phan": [{"Ten": "a"}]', {"part": {"name": "a", "amount": None}}),
    "null-list": ('"DanhSach": null', {"parts": []}),
    "empty-list": ('"DanhSach": {"Muc": []}', {"parts": []}),
    "empty-text-for-list": ('"DanhSach": ""', {"parts": []}),
    "record-for-list": ('"DanhSach": {"Muc": {"Ten": "a"}}', {"parts": [{"name": "a", "amount": None}]}),
    "list-of-one": ('"DanhSach": {"Muc": [{"Ten": "a"}]}', {"parts": [{"name": "a", "amount": None}]}),
    "texts": ('"Nhan": ["a", "", "00"]', {"labels": ["a", "", "00"]}),
    "text-for-list": ('"Nhan": "a"', {"labels": ["a"]}),
}


@pytest.mark.parametrize("case", JSON)
async def test_missing_empty_null_and_lists_in_json(case: str) -> None:
    inside, members = JSON[case]
    same(await read("rest", inside), expected("rest", **members))


NUMBERS = ("12345678901234567890", "0.10", "1E400", "-0", "0.1000000000000000055511151231257827", "1e-7", "100")


@pytest.mark.parametrize("number", NUMBERS)
async def test_json_numbers_keep_their_digits(number: str) -> None:
    same(await read("rest", f'"Ten": {number}'), expected("rest", name=number))


AMOUNTS = {"12345678901234567890": True, "0.10": True, "-0": True, "1E400": False, "1,5": False, "0x1F": False}


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_amounts_keep_their_digits_or_are_said_to_be_none(kind: Kind, amount: str) -> None:
    written = f'"SoTien": "{amount}"' if kind == "rest" else f"<SoTien>{amount}</SoTien>"
    answer = await read(kind, written)
    same(answer, expected(kind, amount=amount if AMOUNTS[amount] else None))
    warned = [] if AMOUNTS[amount] else [("unreadable-value", "/data/amount", amount)]
    assert [(one.code, one.pointer, one.detail) for one in answer.warnings] == warned


@pytest.mark.parametrize(
    ("text", "count"),
    [("7", 7), ("-12", -12), ("999999999999999", 999999999999999), ("9999999999999999", None), ("1e5", None)],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_counts_that_no_reader_of_json_would_round(kind: Kind, text: str, count: int | None) -> None:
    written = f'"SoLuong": {text}' if kind == "rest" else f"<SoLuong>{text}</SoLuong>"
    answer = await read(kind, written)
    same(answer, expected(kind, count=count))
    assert [one.detail for one in answer.warnings] == ([] if count is not None else [text])


@pytest.mark.parametrize(
    ("text", "valid"),
    [("true", True), ("1", True), ("false", False), ("0", False), (" true ", True), ("\n0\n", False)],
    ids=repr,
)
@pytest.mark.parametrize("kind", KINDS)
async def test_booleans_in_all_spellings(kind: Kind, text: str, valid: bool) -> None:
    written = f'"HieuLuc": {json.dumps(text)}' if kind == "rest" else f"<HieuLuc>{text}</HieuLuc>"
    same(await read(kind, written), expected(kind, valid=valid))


@pytest.mark.parametrize(("text", "valid"), [("true", True), ("false", False), ("1", True), ("0", False)])
async def test_bare_booleans_of_json(text: str, valid: bool) -> None:
    same(await read("rest", f'"HieuLuc": {text}'), expected("rest", valid=valid))


@pytest.mark.parametrize("text", ["TRUE", "Yes", "2", "có"])
@pytest.mark.parametrize("kind", ["xml-in-json", "rest"])
async def test_what_is_no_boolean_is_not_guessed(kind: Kind, text: str) -> None:
    written = f'"HieuLuc": "{text}"' if kind == "rest" else f"<HieuLuc>{text}</HieuLuc>"
    answer = await read(kind, written)
    same(answer, expected(kind))
    assert [(one.code, one.detail) for one in answer.warnings] == [("unmapped-code", text)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-02-29", "2024-02-29"),
        ("2024-02", "2024-02"),
        ("2024", "2024"),
        ("2023-02-29", None),
        ("2024-02-29Z", None),
        ("2024-02-29+07:00", None),
        ("24-02-29", None),
        ("0000", None),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_dates_know_what_they_know(kind: Kind, text: str, day: str | None) -> None:
    written = f'"Ngay": "{text}"' if kind == "rest" else f"<Ngay>{text}</Ngay>"
    answer = await read(kind, written)
    same(answer, expected(kind, day=day))
    assert [(one.code, one.detail) for one in answer.warnings] == ([] if day else [("unreadable-value", text)])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_code_without_a_word_is_null_and_told(kind: Kind) -> None:
    written = '"TrangThai": "01"' if kind == "rest" else "<TrangThai>01</TrangThai>"
    answer = await read(kind, written)
    same(answer, expected(kind))
    assert [(one.code, one.pointer, one.detail) for one in answer.warnings] == [("unmapped-code", "/data/status", "01")]


# JSON can say them and XML 1.0 cannot (section 2.2): a REST caller is given what was said, the SOAP face has to refuse.
ONLY_IN_JSON = ("\u0000", "\u0001", "\u000b", "\u001b", "\ufffe", "\uffff")


@pytest.mark.parametrize("sign", ONLY_IN_JSON, ids=ascii)
async def test_control_characters_of_json_are_kept(sign: str) -> None:
    answer = await read("rest", f'"Ten": {json.dumps(f"a{sign}b")}, "Nhan": [{json.dumps(sign)}]')
    same(answer, expected("rest", name=f"a{sign}b", labels=[None if sign.isspace() else sign]))


async def refused(kind: Kind, inside: str) -> None:
    with pytest.raises(UpstreamUnreadable) as failure:
        await read(kind, inside)
    assert not re.search("Kẻ|gian", str(failure.value))


@pytest.mark.parametrize("sign", ["\\ud800", "\\udc00\\ud800", "\x00", "\x01", "\n"], ids=ascii)
async def test_no_character_is_passed_on_from_json(sign: str) -> None:
    # Lone surrogates, and control characters that RFC 8259, section 7, wants escaped.
    await refused("rest", f'"Ten": "Kẻ{sign}gian"')


@pytest.mark.parametrize("sign", ["&#0;", "&#1;", "&#x1F;", "&#xFFFE;", "&#xD800;", "&nbsp;", "&#x110000;"])
@pytest.mark.parametrize("kind", XML_KINDS)
async def test_no_character_is_passed_on_from_xml(kind: Kind, sign: str) -> None:
    await refused(kind, f"<Ten>Kẻ{sign}gian</Ten>")


@pytest.mark.parametrize("inside", ["<Ten>Kẻ<!-- a -->gian</Ten>", "<!-- a --><Ten/>", "<Ten>Kẻ<?a b?>gian</Ten>"])
@pytest.mark.parametrize("kind", XML_KINDS)
async def test_comments_and_instructions_are_refused_and_never_cut_a_text_short(kind: Kind, inside: str) -> None:
    await refused(kind, inside)


CONTRADICTIONS = {
    "twice": "<Ten>a</Ten><Ten>a</Ten>",
    "element-in-text": "<Ten>a<b/></Ten>",
    "record-twice": "<Phan><Ten/></Phan><Phan><Ten/></Phan>",
    "element-in-nil": "<Ten xsi:nil='true'><b/></Ten>",
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
@pytest.mark.parametrize("kind", XML_KINDS)
async def test_what_contradicts_the_declaration_is_refused(kind: Kind, case: str) -> None:
    await refused(kind, CONTRADICTIONS[case])


@pytest.mark.parametrize(
    "inside",
    ['"Ten": {}', '"Ten": ["a"]', '"Nhan": [["a"]]', '"Phan": 1', '"DanhSach": {"Muc": ["a"]}', '"Ten": 1, "Ten": 2'],
)
async def test_json_that_contradicts_the_declaration_is_refused(inside: str) -> None:
    await refused("rest", inside)


async def test_attributes_are_read_as_xml_normalises_them() -> None:
    answers: list[Answer] = [
        await read(kind, "", f" dau='{text}'")
        for kind in XML_KINDS
        for text in ("00", "&#10;a&#9;", " a&amp;b ", "a\nb")
    ]
    # XML 1.0, section 3.3.3: white space as it stands becomes spaces, references stay.
    assert [answer.data["mark"] for answer in answers] == ["00", "\na\t", " a&b ", "a b"] * len(XML_KINDS)
