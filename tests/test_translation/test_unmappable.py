"""What cannot be carried over is refused before anything is asked, with operation, place and reason: never guessed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.contract_check import check_contracts, hold_to_contracts
from adapters.soap import Soap
from adapters.tax import DATABASE as TAX
from config.settings import ConfigurationError
from schemas.fields import Question, Record, said
from schemas.forms import BOOLEAN, DECIMAL, INTEGER, ISO_DATE, LOCAL_INSTANT, codes, flag
from security.contracts import contract_path
from tests.test_translation.foreign import (
    XML_KINDS,
    Part,
    Thing,
    Version,
    binding_of,
    contract_file,
    database_of,
    wsdl,
)

ASK = '<xs:element name="So" type="xs:string"/>'
TEN = '<xs:element name="Ten" type="xs:string"/>'


class Named(Record):
    """A name."""

    name: str | None = said("a", "a", "Ten")


class Names(Record):
    """Several names."""

    names: list[str] = said("a", "a", "Ten", default=[])


class Marked(Record):
    """A mark."""

    mark: str | None = said("a", "a", "@dau")


class Between(Record):
    """A name inside something."""

    name: str | None = said("a", "a", "Trong/Ten")


class Inside(Record):
    """A part."""

    part: Part | None = said("a", "a", "Phan")


class Joined(Record):
    """One value of two texts."""

    day: str | None = said("a", "a", ("Ngay", "Nam"), replace(ISO_DATE, arity=2))


def types(inside: str, attributes: str = "", beside: str = "", ask: str = ASK) -> str:
    """The types of a contract whose thing has these elements and attributes."""
    thing = f"<xs:complexType><xs:sequence>{inside}</xs:sequence>{attributes}</xs:complexType>"
    return f"""{beside}
  <xs:element name="Hoi"><xs:complexType><xs:sequence>{ask}</xs:sequence></xs:complexType></xs:element>
  <xs:element name="HoiResponse"><xs:complexType><xs:sequence>
    <xs:element name="Thu" minOccurs="0">{thing}</xs:element></xs:sequence></xs:complexType></xs:element>
  <xs:element name="Loi"><xs:complexType><xs:sequence><xs:element name="MaLoi" type="xs:string"/></xs:sequence>
  </xs:complexType></xs:element>"""


def judged(text: str, answer: type[Record] = Named, question: type[Question] | None = None) -> set[tuple[str, str]]:
    """What is found against a declaration that reads `answer` by this contract."""
    binding = replace(binding_of("soap-1.1"), wsdl=contract_file(text))
    database = database_of(binding, answer, **({} if question is None else {"question": question}))
    found = check_contracts([database])
    assert {(one.database, one.operation) for one in found} <= {("foreign", "thing")}
    if found:
        with pytest.raises(ConfigurationError) as refused:
            hold_to_contracts([database])
        for one in found:
            assert f"foreign/thing: {one.place}: {one.text}" in str(refused.value)
    return {(one.place, one.text) for one in found}


def complains(found: set[tuple[str, str]], place: str, says: str) -> None:
    assert any(at == place and says in text for at, text in found), found


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_contract_that_the_other_tests_speak_can_be_mapped(version: Version) -> None:
    for kind in XML_KINDS:
        hold_to_contracts([database_of(binding_of(kind), Thing)])
    assert judged(wsdl(types(TEN))) == set()


SIMPLE = """<xs:element name="Ten"><xs:complexType><xs:simpleContent><xs:extension base="{base}">
  <xs:attribute name="loai"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>"""
NARROWED = '<xs:element name="Ten"><xs:simpleType>%s</xs:simpleType></xs:element>'
MAPPABLE: dict[str, str] = {
    "choice": f'<xs:choice>{TEN}<xs:element name="Khac" type="xs:string"/></xs:choice>',
    "group": '<xs:group ref="f:Nhom"/>',
    "more-by-other-namespaces": f'{TEN}<xs:any namespace="##other" processContents="lax" minOccurs="0"/>',
    "text-with-attributes": SIMPLE.format(base="xs:string"),
    "derived-text-with-attributes": SIMPLE.format(base="f:Gia"),
    "global-element": '<xs:element ref="f:Ten"/>',
    "union": NARROWED % '<xs:union memberTypes="xs:int xs:boolean"/>',
    "list": NARROWED % '<xs:list itemType="xs:int"/>',
    "base64": '<xs:element name="Ten" type="xs:base64Binary"/>',
    "any-simple-type": '<xs:element name="Ten" type="xs:anySimpleType"/>',
}
BESIDE = f"""<xs:group name="Nhom"><xs:sequence>{TEN}</xs:sequence></xs:group><xs:element name="Ten" type="xs:string"/>
  <xs:complexType name="Gia"><xs:simpleContent>
  <xs:extension base="xs:decimal"><xs:attribute name="tien"/></xs:extension></xs:simpleContent></xs:complexType>"""


@pytest.mark.parametrize("case", MAPPABLE)
def test_what_can_be_mapped(case: str) -> None:
    assert judged(wsdl(types(MAPPABLE[case], beside=BESIDE))) == set()


MIXED = """<xs:element name="%s"><xs:complexType mixed="true"><xs:sequence>
  <xs:element name="Ten" type="xs:string"/></xs:sequence></xs:complexType></xs:element>"""
AT = "HoiResponse/Thu/Ten (name)"
UNMAPPABLE: dict[str, tuple[str, type[Record], str, str]] = {
    "no-place": ('<xs:element name="Khac" type="xs:string"/>', Named, "Thu/Ten (name)", "no element Ten"),
    "only-a-wildcard": ("<xs:any/>", Named, "Thu/Ten (name)", "no element Ten"),
    "no-attribute": (TEN, Marked, "Thu/@dau (mark)", "no such attribute"),
    "element-where-a-text-is-read": (MIXED % "Ten", Named, "Thu/Ten (name)", "one has text"),
    "text-where-a-record-is-read": (TEN.replace("Ten", "Phan"), Inside, "Thu/Phan (part)", "one has text"),
    "anything": ('<xs:element name="Ten" type="xs:anyType"/>', Named, AT, "hold anything"),
    "no-type": ('<xs:element name="Ten"/>', Named, AT, "hold anything"),
    "qualified-name": ('<xs:element name="Ten" type="xs:QName"/>', Named, AT, "qualified name"),
    "default": (
        '<xs:element name="Ten" type="xs:string" default="VN"/>', Named, AT, "means 'VN'",
    ),
    "fixed": ('<xs:element name="Ten" type="xs:string" fixed="VN"/>', Named, AT, "means 'VN'"),
    "mixed-record": (MIXED % "Phan", Inside, "HoiResponse/Thu/Phan (part)", "mixes text with elements"),
    "mixed-between": (MIXED % "Trong", Between, "HoiResponse/Thu/Trong/Ten (name)", "mixes text with elements"),
    "many-for-one": (
        '<xs:element name="Ten" type="xs:string" maxOccurs="2"/>', Named, "Thu/Ten (name)", "may occur many times",
    ),
    "twice-for-one": (f'{TEN}<xs:element name="B"/>{TEN}', Named, "Thu/Ten (name)", "may occur many times"),
    "many-choices-for-one": (
        f'<xs:choice maxOccurs="9">{TEN}</xs:choice>', Named, "Thu/Ten (name)", "may occur many times",
    ),
    "one-for-many": (TEN, Names, "Thu/Ten (names)", "may occur once"),
    "replaceable": ('<xs:element ref="f:Dau"/>', Named, "Thu/Ten (name)", "no element Ten"),
    "half-unknown": (
        '<xs:element name="Ngay"/><xs:element name="Nam" type="xs:string"/>',
        Joined, "HoiResponse/Thu/Ngay (day)", "hold anything",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNMAPPABLE)
def test_a_place_that_cannot_be_read_for_certain_is_named(case: str) -> None:
    inside, answer, place, says = UNMAPPABLE[case]
    beside = '<xs:element name="Dau" type="xs:string"/>'
    complains(judged(wsdl(types(inside, beside=beside)), answer), place, says)


def test_elements_that_others_may_replace_are_not_read() -> None:
    beside = """<xs:element name="Ten" type="xs:string" abstract="%s"/>
      <xs:element name="TenMoi" type="xs:string" substitutionGroup="f:Ten"/>"""
    for abstract in ("true", "false"):
        found = judged(wsdl(types('<xs:element ref="f:Ten"/>', beside=beside % abstract)))
        complains(found, "HoiResponse/Thu/Ten (name)", "may be replaced by other elements")


@pytest.mark.parametrize(
    ("use", "sound"), [('default="a"', False), ('fixed="a"', False), ('fixed="a" use="required"', True)]
)
def test_attributes_that_mean_something_by_their_absence_are_not_read(use: str, sound: bool) -> None:
    found = judged(wsdl(types(TEN, f'<xs:attribute name="dau" type="xs:string" {use}/>')), Marked)
    assert not found if sound else {at for at, _ in found} == {"HoiResponse/Thu/@dau (mark)"}


FORMS: dict[str, tuple[Any, str, str]] = {
    "codes": (codes({"1": "open"}), '<xs:enumeration value="1"/><xs:enumeration value="2"/>', "'2'"),
    "flag": (flag("Y", "N"), '<xs:enumeration value="Y"/><xs:enumeration value="K"/>', "'K'"),
    "boolean-words": (flag("1", "0"), "xs:boolean", "'true', 'false'"),
    "boolean": (BOOLEAN, "xs:boolean", ""),
    "date": (ISO_DATE, "xs:date", ""),
    "year": (ISO_DATE, "xs:gYear", ""),
    "date-in-another-form": (LOCAL_INSTANT, "xs:date", "'2024-02-29'"),
    "moment-for-a-date": (ISO_DATE, "xs:dateTime", "'2024-02-29T10:11:12+07:00'"),
    "amount": (DECIMAL, "xs:decimal", ""),
    "floating-amount": (DECIMAL, "xs:double", "'1.5E2'"),
    "count": (INTEGER, "xs:int", ""),
    "fraction-for-a-count": (INTEGER, "xs:decimal", "'1.5'"),
    "derived-floating-amount": (DECIMAL, "f:float", "'1.5E2'"),
    "derived-fraction-for-a-count": (INTEGER, "f:decimal", "'1.5'"),
    "derived-boolean": (flag("1", "0"), "f:boolean", "'true', 'false'"),
    "derived-date": (ISO_DATE, "f:date", ""),
}


@pytest.mark.parametrize("case", FORMS)
def test_values_that_a_form_has_no_word_for_are_named(case: str) -> None:
    form, kind, unknown = FORMS[case]

    class Formed(Record):
        """A value in a form."""

        name: str | None = said("a", "a", "Ten", form)

    beside = ""
    if kind.startswith(("xs:", "f:")):
        element = f'<xs:element name="Ten" type="{kind}"/>'
        base = kind.removeprefix("f:")
        beside = f'<xs:simpleType name="{base}"><xs:restriction base="xs:{base}"/></xs:simpleType>' * (base != kind)
    else:
        restriction = f'<xs:restriction base="xs:string">{kind}</xs:restriction>'
        element = f'<xs:element name="Ten"><xs:simpleType>{restriction}</xs:simpleType></xs:element>'
    found = judged(wsdl(types(element, beside=beside)), Formed)
    if unknown:
        complains(found, "HoiResponse/Thu/Ten (name)", f"may be {unknown} in the contract, which the declared form")
    else:
        assert found == set()


NARROW: dict[str, tuple[Any, str, str]] = {
    "amount-by-pattern": (DECIMAL, '"xs:double"><xs:pattern value="[0-9]{1,20}"/>', "binary floating point"),
    "amount-within-bounds": (DECIMAL, '"xs:float"><xs:minInclusive value="0"/>', "binary floating point"),
    "boolean-within-a-pattern": (flag("1", "0"), '"xs:boolean"><xs:pattern value="0|1"/>', ""),
    "count-without-fraction": (INTEGER, '"xs:decimal"><xs:fractionDigits value="0"/>', ""),
    "count-of-one-digit": (INTEGER, '"xs:decimal"><xs:totalDigits value="1"/>', ""),
    "count-within-bounds": (INTEGER, '"xs:int"><xs:minInclusive value="100"/>', ""),
    "date-by-pattern": (LOCAL_INSTANT, '"xs:string"><xs:pattern value="[0-9]{14}"/>', ""),
}


@pytest.mark.parametrize("case", NARROW)
def test_only_values_that_a_narrowed_type_still_has_are_asked_for(case: str) -> None:
    form, restriction, says = NARROW[case]

    class Formed(Record):
        """A value in a form."""

        name: str | None = said("a", "a", "Ten", form)

    found = judged(wsdl(types(NARROWED % f"<xs:restriction base={restriction}</xs:restriction>")), Formed)
    if says:
        complains(found, "HoiResponse/Thu/Ten (name)", says)
    else:
        assert found == set()


AMOUNT = '<xs:simpleType name="SoTien"><xs:restriction base="xs:%s">'


@pytest.mark.parametrize("base", ["float", "double"])
def test_amounts_of_the_tax_register_are_no_floating_point_numbers(base: str, tmp_path: Path) -> None:
    text = contract_path("tax.wsdl").read_text(encoding="utf-8")
    assert AMOUNT % "string" in text
    changed = tmp_path / "tax.wsdl"
    changed.write_text(text.replace(AMOUNT % "string", AMOUNT % base), encoding="utf-8")
    operations = []
    for operation in TAX.operations:
        binding = operation.binding
        assert isinstance(binding, Soap)
        operations.append(replace(operation, binding=replace(binding, wsdl=str(changed))))
    with pytest.raises(ConfigurationError, match=r"tax/obligations: \S+/TongPhaiNop \(total_assessed\): .* floating"):
        hold_to_contracts([replace(TAX, wsdl=str(changed), operations=tuple(operations))])


class Coded(Question):
    """A question by a code."""

    number: str = said("a", "a", "So", codes({"1": "one", "2": "two"}), required=True)


class Maybe(Question):
    """A question that may be empty."""

    number: str | None = said("a", "a", "So")


ASKED: dict[str, tuple[str, type[Question], str, str]] = {
    "no-place": ('<xs:element name="Khac" minOccurs="0"/>', Maybe, "Hoi/So (number)", "no such element"),
    "nothing-fills-it": (f'{ASK}<xs:element name="B" type="xs:string"/>', Coded, "Hoi/B", "it is never sent"),
    "not-always-filled": (ASK, Maybe, "Hoi/So", "only sent sometimes"),
    "attribute-never-sent": (
        SIMPLE.replace("Ten", "So").replace('"loai"', '"loai" use="required"').format(base="xs:string"),
        Coded, "Hoi/So (number)", "requires its attribute loai",
    ),
    "code-that-is-none-there": (
        (NARROWED % '<xs:restriction base="xs:int"><xs:enumeration value="1"/></xs:restriction>').replace("Ten", "So"),
        Coded, "Hoi/So (number)", "is written as '2'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_what_a_question_cannot_say_is_named(case: str) -> None:
    ask, question, place, says = ASKED[case]
    complains(judged(wsdl(types(TEN, ask=ask)), Named, question), place, says)


_BODY = '<wsdl:output><soap:body use="literal"/></wsdl:output>'
_PARTS = """<wsdl:output xmlns:m="http://schemas.xmlsoap.org/wsdl/mime/"><m:multipartRelated>
  <m:part><soap:body use="literal"/></m:part><m:part><m:content part="p" type="image/png"/></m:part>
  </m:multipartRelated></wsdl:output>"""
BINDINGS: dict[str, tuple[dict[str, str], str, str]] = {
    "rpc": ({'style="document"': 'style="rpc"'}, "request", "no document/literal operation"),
    "encoded": ({'use="literal"': 'use="encoded"'}, "request", "binds it as encoded"),
    "other-version": ({"wsdl/soap/": "wsdl/soap12/"}, "request", "no document/literal operation of a SOAP 1.1 binding"),
    "header": (
        {"<wsdl:input><soap:body": '<wsdl:input><soap:header message="f:Loi" part="p" use="literal"/><soap:body'},
        "request", "wants the header Loi",
    ),
    "several-parts": (
        {' element="f:Hoi"/>': ' element="f:Hoi"/><wsdl:part name="q" element="f:Loi"/>'},
        "request", "as its one part",
    ),
    "answer-of-a-type": (
        {'element="f:HoiResponse"': 'type="xs:string"'}, "answer", "is in the contract",
    ),
    "one-way": ({'<wsdl:output message="f:Dap"/>': "", _BODY: ""}, "answer", "one-way"),
    "attachments": ({_BODY: _PARTS}, "answer", "MIME parts"),
    "elsewhere": ({"http://h/hoi": "http://h/khac"}, "path", "/khac is in the contract"),
    "other-action": ({"urn:hoi": "urn:khac"}, "action", "'urn:khac' is in the contract"),
    "no-fault": ({'name="MaLoi"': 'name="Ma"'}, "fault (MaLoi)", "no fault of the contract"),
}  # fmt: skip


@pytest.mark.parametrize("case", BINDINGS)
def test_a_binding_that_is_not_spoken_is_named(case: str) -> None:
    changes, place, says = BINDINGS[case]
    text = wsdl(types(TEN))
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    complains(judged(text), place, says)


def test_a_type_that_is_nowhere_is_a_finding_and_no_crash() -> None:
    (found,) = judged(wsdl(types('<xs:element name="Ten" type="f:Khong"/>')))
    assert "cannot be read" in found[1]
    assert "Khong" in found[1]


def test_neighbours_are_read_too(tmp_path: Path) -> None:
    other = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:foreign:1">
      <xs:simpleType name="Ma"><xs:restriction base="xs:string"><xs:enumeration value="9"/></xs:restriction>
      </xs:simpleType></xs:schema>"""
    (tmp_path / "chung.xsd").write_text(other)
    element = '<xs:element name="Ten" type="f:Ma"/>'
    text = wsdl(types(element, beside='<xs:include schemaLocation="chung.xsd"/>'))
    (tmp_path / "a.wsdl").write_text(text)

    class Formed(Record):
        """A code."""

        name: str | None = said("a", "a", "Ten", codes({"1": "open"}))

    binding = replace(binding_of("soap-1.1"), wsdl=str(tmp_path / "a.wsdl"))
    (found,) = check_contracts([database_of(binding, Formed)])
    assert (found.place, "'9'" in found.text) == ("HoiResponse/Thu/Ten (name)", True)
