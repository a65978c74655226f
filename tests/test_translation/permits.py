"""Permits of one office by one contract and of another by another: the two declarations, their WSDLs, one permit."""

from typing import Any

from zeep.wsdl import Document

from adapters.soap import Soap
from schemas.exchange import Database
from schemas.fields import Question, Record, said
from schemas.forms import BOOLEAN, DAY_MONTH_YEAR, DECIMAL, INTEGER, ISO_DATE, codes, flag
from schemas.values import Decimal, PartialDate
from tests.test_translation.foreign import SPACE, XSI, Files, contract_file, database_of


class Part(Record):
    """A part of a permit."""

    name: str | None = said("a", "a", "Ten")
    amount: Decimal | None = said("a", "a", "SoTien", DECIMAL)


class Permit(Record):
    """A permit as the first contract has it: elements below each other, dates as ISO has them."""

    number: str | None = said("a", "a", "So")
    holder: str | None = said("a", "a", "ChuGiayPhep/Ten")
    issued: PartialDate | None = said("a", "a", "NgayCap", ISO_DATE)
    pages: int | None = said("a", "a", "SoTrang", INTEGER)
    valid: bool | None = said("a", "a", "HieuLuc", BOOLEAN)
    status: str | None = said("a", "a", "TrangThai", codes({"1": "open", "2": "closed"}))
    parts: list[Part] = said("a", "a", "DanhSach/Muc", default=[])


class OtherPart(Record):
    """The same part: names are other, the amount is an attribute."""

    name: str | None = said("a", "a", "label/text")
    amount: Decimal | None = said("a", "a", "@amount", DECIMAL)


class OtherPermit(Record):
    """The same permit as another office has it: other names, other codes, attributes, flat, lists without a wrapper."""

    number: str | None = said("a", "a", "@no")
    holder: str | None = said("a", "a", "holderName")
    issued: PartialDate | None = said("a", "a", "meta/issue/date", DAY_MONTH_YEAR)
    pages: int | None = said("a", "a", "meta/pages", INTEGER)
    valid: bool | None = said("a", "a", "isValid", flag("Y", "N"))
    status: str | None = said("a", "a", "state", codes({"OPEN": "open", "DONE": "closed"}))
    parts: list[OtherPart] = said("a", "a", "item", default=[])


class OtherAsk(Question):
    """The same question for the other office."""

    number: str = said("Số", "Number", "key/value", required=True)


def document(soap: str, form: str, space: str, types: str) -> str:
    """A WSDL with one operation."""
    return f"""<d:definitions xmlns:d="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/{soap}/"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:f="{space}" targetNamespace="{space}">
  <d:types><xs:schema targetNamespace="{space}" elementFormDefault="{form}">{types}</xs:schema></d:types>
  <d:message name="I"><d:part name="p" element="f:Hoi"/></d:message>
  <d:message name="O"><d:part name="p" element="f:HoiResponse"/></d:message>
  <d:portType name="P"><d:operation name="Hoi"><d:input message="f:I"/><d:output message="f:O"/></d:operation>
  </d:portType>
  <d:binding name="B" type="f:P"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <d:operation name="Hoi"><s:operation soapAction=""/><d:input><s:body use="literal"/></d:input>
    <d:output><s:body use="literal"/></d:output></d:operation></d:binding>
  <d:service name="S"><d:port name="P" binding="f:B"><s:address location="http://h/hoi"/></d:port></d:service>
</d:definitions>"""


FIRST = """<xs:element name="Hoi"><xs:complexType><xs:sequence><xs:element name="So" type="xs:string"/></xs:sequence>
  </xs:complexType></xs:element>
<xs:element name="HoiResponse"><xs:complexType><xs:sequence><xs:element name="GiayPhep" minOccurs="0"><xs:complexType>
 <xs:sequence><xs:element name="So" type="xs:string"/>
  <xs:element name="ChuGiayPhep"><xs:complexType><xs:sequence><xs:element name="Ten" type="xs:string" minOccurs="0"
    nillable="true"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="NgayCap" type="xs:string" nillable="true"/><xs:element name="SoTrang" type="xs:int" minOccurs="0"/>
  <xs:element name="HieuLuc" type="xs:boolean" nillable="true"/><xs:element name="TrangThai" minOccurs="0">
    <xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="1"/><xs:enumeration value="2"/>
    </xs:restriction></xs:simpleType></xs:element>
  <xs:element name="DanhSach" minOccurs="0"><xs:complexType><xs:sequence><xs:element name="Muc" minOccurs="0"
    maxOccurs="unbounded"><xs:complexType><xs:sequence><xs:element name="Ten" type="xs:string" nillable="true"/>
    <xs:element name="SoTien" type="xs:decimal" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
 </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>"""

OTHER = """<xs:element name="Hoi"><xs:complexType><xs:sequence><xs:element name="key"><xs:complexType><xs:sequence>
  <xs:element name="value" type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType>
  </xs:element>
<xs:element name="HoiResponse"><xs:complexType><xs:sequence><xs:element name="results"><xs:complexType><xs:sequence>
 <xs:element name="permit" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
  <xs:element name="item" minOccurs="0" maxOccurs="unbounded" nillable="true"><xs:complexType><xs:sequence>
    <xs:element name="label" minOccurs="0"><xs:complexType><xs:sequence><xs:element name="text" type="xs:string"/>
    </xs:sequence></xs:complexType></xs:element></xs:sequence><xs:attribute name="amount" type="xs:decimal"/>
  </xs:complexType></xs:element>
  <xs:choice minOccurs="0"><xs:element name="state"><xs:simpleType><xs:restriction base="xs:token">
    <xs:enumeration value="OPEN"/><xs:enumeration value="DONE"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="noState" type="xs:string"/></xs:choice>
  <xs:element name="holderName" type="xs:string" minOccurs="0"/>
  <xs:element name="isValid" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="Y"/>
    <xs:enumeration value="N"/></xs:restriction></xs:simpleType></xs:element>
  <xs:element name="meta" minOccurs="0"><xs:complexType><xs:all><xs:element name="issue" minOccurs="0"><xs:complexType>
    <xs:sequence><xs:element name="date" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="pages" type="xs:int" minOccurs="0"/></xs:all></xs:complexType></xs:element>
 </xs:sequence><xs:attribute name="no" type="xs:string"/></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>"""


def _soap(version: Any, text: str, space: str, record: str, *, qualified: bool) -> Soap:
    return Soap(
        version=version,
        wsdl=contract_file(text),
        path="/hoi",
        action="",
        request=(space, "Hoi"),
        answer=(space, "HoiResponse"),
        record=record,
        qualified=qualified,
    )


OTHER_SPACE = "http://permits.example/2019/ws"


def _other(version: Any, form: str) -> Database:
    text = document("soap12" if version == "1.2" else "soap", form, OTHER_SPACE, OTHER)
    binding = _soap(version, text, OTHER_SPACE, "results/permit", qualified=form == "qualified")
    return database_of(binding, OtherPermit, OtherAsk)


def _first(version: Any, form: str, space: str = SPACE) -> Database:
    text = document("soap12" if version == "1.2" else "soap", form, space, FIRST)
    return database_of(_soap(version, text, space, "GiayPhep", qualified=form == "qualified"), Permit)


DATABASES: dict[str, Database] = {
    "qualified": _first("1.1", "qualified"),
    "unqualified": _first("1.1", "unqualified"),
    "another-namespace-and-version": _first("1.2", "qualified", "urn:x:2"),
    "other-names": _other("1.2", "qualified"),
    "other-names-unqualified": _other("1.1", "unqualified"),
}

INSIDE = (
    "<GiayPhep><So>001</So><ChuGiayPhep><Ten> Đỗ &amp; Con </Ten></ChuGiayPhep><NgayCap>2024-02</NgayCap>"
    "<SoTrang>7</SoTrang><HieuLuc>1</HieuLuc><TrangThai>2</TrangThai><DanhSach><Muc><Ten/><SoTien>0.10</SoTien></Muc></DanhSach>"
    "</GiayPhep>"
)
OTHER_INSIDE = (
    '<results><permit no="001"><item amount="0.10"><label><text/></label></item><state>DONE</state>'
    "<holderName> Đỗ &amp; Con </holderName><isValid>Y</isValid><meta><pages>7</pages>"
    "<issue><date>02/2024</date></issue></meta></permit></results>"
)
ANSWERS = {
    "qualified": f'<HoiResponse xmlns="{SPACE}">{INSIDE}</HoiResponse>',
    "unqualified": f'<n:HoiResponse xmlns:n="{SPACE}">{INSIDE}</n:HoiResponse>',
    "another-namespace-and-version": f'<HoiResponse xmlns="urn:x:2">{INSIDE}</HoiResponse>',
    "other-names": f'<HoiResponse xmlns="{OTHER_SPACE}">{OTHER_INSIDE}</HoiResponse>',
    "other-names-unqualified": f'<a:HoiResponse xmlns:a="{OTHER_SPACE}">{OTHER_INSIDE}</a:HoiResponse>',
}
DATA = {
    "number": "001",
    "holder": " Đỗ & Con ",
    "issued": "2024-02",
    "pages": 7,
    "valid": True,
    "status": "closed",
    "parts": [{"name": "", "amount": "0.10"}],
}
BARE = {
    "qualified": f'<HoiResponse xmlns="{SPACE}" xmlns:xsi="{XSI}"><GiayPhep><So>1</So><ChuGiayPhep/>'
    '<NgayCap xsi:nil="1"/><HieuLuc xsi:nil="true"/></GiayPhep></HoiResponse>',
    "other-names": f'<HoiResponse xmlns="{OTHER_SPACE}"><results><permit no="1"><noState/></permit></results>'
    "</HoiResponse>",
}


def binding_of(database: Database) -> Soap:
    """The binding of its one operation."""
    binding = database.operations[0].binding
    assert isinstance(binding, Soap)
    return binding


def read_by_zeep(binding: Soap) -> Any:
    """The contract as zeep knows it."""
    return Document(binding.wsdl, Files())
