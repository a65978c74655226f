"""A database that the project has never seen, behind each kind of source, and the sources: bytes on a socket.

The sources are written as their own people would write them: what they send is spelled out, nothing of the gateway
helps to make it.
"""

import asyncio
import atexit
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Literal

import pytest

from adapters.bindings import Rest, XmlInJson
from adapters.schemes import NoLogin
from adapters.soap import Soap
from config.settings import Endpoint
from schemas.errors import GatewayError, NoRecord, Text, UpstreamUnreadable
from schemas.exchange import Answer, Database, Operation
from schemas.fields import Question, Record, said
from schemas.forms import BOOLEAN, DECIMAL, INTEGER, ISO_DATE, codes
from schemas.values import Decimal, PartialDate
from tests.test_oracles.asking import gateway_to
from tests.test_resilience.doubles import request

SPACE = "urn:foreign:1"
ENVELOPE = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
XSI = "http://www.w3.org/2001/XMLSchema-instance"
MEDIA = {"1.1": b"text/xml; charset=utf-8", "1.2": b"application/soap+xml; charset=utf-8"}
TITLE = Text("Thử", "Trial")
Version = Literal["1.1", "1.2"]
Kind = Literal["soap-1.1", "soap-1.2", "xml-in-json", "rest"]
XML_KINDS: tuple[Kind, ...] = ("soap-1.1", "soap-1.2", "xml-in-json")
KINDS: tuple[Kind, ...] = (*XML_KINDS, "rest")


class Ask(Question):
    """Whoever has this number."""

    number: str = said("Số", "Number", "So", required=True)


class Part(Record):
    """A part of a thing."""

    name: str | None = said("Tên", "Name", "Ten")
    amount: Decimal | None = said("Số tiền", "Amount", "SoTien", DECIMAL)


class Flat(Record):
    """One member of each kind that declarations know, but an attribute, which JSON has not."""

    name: str | None = said("Tên", "Name", "Ten")
    amount: Decimal | None = said("Số tiền", "Amount", "SoTien", DECIMAL)
    count: int | None = said("Số lượng", "Count", "SoLuong", INTEGER)
    valid: bool | None = said("Hiệu lực", "Whether it is valid", "HieuLuc", BOOLEAN)
    day: PartialDate | None = said("Ngày", "Day", "Ngay", ISO_DATE)
    status: str | None = said("Trạng thái", "Status", "TrangThai", codes({"1": "open", "2": "closed"}))
    office: str | None = said("Cơ quan", "Office", "CoQuan/Ma")
    part: Part | None = said("Phần", "Part", "Phan")
    parts: list[Part] = said("Các phần", "Parts", "DanhSach/Muc", default=[])
    labels: list[str] = said("Nhãn", "Labels", "Nhan", default=[])


class Thing(Flat):
    """The same with an attribute."""

    mark: str | None = said("Dấu", "Mark", "@dau")


NOTHING: dict[str, Any] = {
    "name": None,
    "amount": None,
    "count": None,
    "valid": None,
    "day": None,
    "status": None,
    "office": None,
    "part": None,
    "parts": [],
    "labels": [],
}

TYPES = """
  <xs:complexType name="Phan"><xs:sequence>
    <xs:element name="Ten" type="xs:string" minOccurs="0" nillable="true"/>
    <xs:element name="SoTien" type="xs:string" minOccurs="0" nillable="true"/>
  </xs:sequence></xs:complexType>
  <xs:complexType name="PhanRong"><xs:complexContent><xs:extension base="f:Phan"><xs:sequence>
    <xs:element name="GhiChu" type="xs:string" minOccurs="0"/>
  </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
  <xs:complexType name="Thu"><xs:sequence>
    <xs:element name="Ten" type="xs:string" minOccurs="0" nillable="true"/>
    <xs:element name="SoTien" type="xs:string" minOccurs="0" nillable="true"/>
    <xs:element name="SoLuong" type="xs:string" minOccurs="0" nillable="true"/>
    <xs:element name="HieuLuc" type="xs:boolean" minOccurs="0" nillable="true"/>
    <xs:element name="Ngay" type="xs:string" minOccurs="0" nillable="true"/>
    <xs:element name="TrangThai" type="xs:string" minOccurs="0" nillable="true"/>
    <xs:element name="CoQuan" minOccurs="0" nillable="true"><xs:complexType><xs:sequence>
      <xs:element name="Ma" type="xs:string" minOccurs="0" nillable="true"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Phan" type="f:Phan" minOccurs="0" nillable="true"/>
    <xs:element name="DanhSach" minOccurs="0" nillable="true"><xs:complexType><xs:sequence>
      <xs:element name="Muc" type="f:Phan" minOccurs="0" maxOccurs="unbounded" nillable="true"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Nhan" type="xs:string" minOccurs="0" maxOccurs="unbounded" nillable="true"/>
    <xs:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence><xs:attribute name="dau" type="xs:string"/></xs:complexType>
  <xs:element name="Hoi"><xs:complexType><xs:sequence>
    <xs:element name="So" type="xs:string"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="HoiResponse"><xs:complexType><xs:sequence>
    <xs:element name="Ma" type="xs:string" minOccurs="0"/>
    <xs:element name="Thu" type="f:Thu" minOccurs="0" maxOccurs="unbounded" nillable="true"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="Loi"><xs:complexType><xs:sequence>
    <xs:element name="MaLoi" type="xs:string"/>
  </xs:sequence></xs:complexType></xs:element>
"""


def wsdl(types: str = TYPES, version: Version = "1.1", form: str = "qualified") -> str:
    """A WSDL as people write them, with one operation `Hoi` and its answer `HoiResponse`."""
    soap = {"1.1": "http://schemas.xmlsoap.org/wsdl/soap/", "1.2": "http://schemas.xmlsoap.org/wsdl/soap12/"}[version]
    return f"""<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="{soap}"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:f="{SPACE}" targetNamespace="{SPACE}">
  <wsdl:types><xs:schema targetNamespace="{SPACE}" elementFormDefault="{form}">{types}</xs:schema></wsdl:types>
  <wsdl:message name="Hoi"><wsdl:part name="p" element="f:Hoi"/></wsdl:message>
  <wsdl:message name="Dap"><wsdl:part name="p" element="f:HoiResponse"/></wsdl:message>
  <wsdl:message name="Loi"><wsdl:part name="p" element="f:Loi"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="Hoi"><wsdl:input message="f:Hoi"/><wsdl:output message="f:Dap"/>
    <wsdl:fault name="Loi" message="f:Loi"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="f:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="Hoi"><soap:operation soapAction="urn:hoi"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>
      <wsdl:fault name="Loi"><soap:fault name="Loi" use="literal"/></wsdl:fault>
    </wsdl:operation></wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="P" binding="f:B"><soap:address location="http://h/hoi"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>"""


@cache
def folder() -> Path:
    """Where the foreign contracts of this process lie."""
    made = Path(mkdtemp(prefix="lgsp-foreign-"))
    atexit.register(rmtree, made)
    return made


@cache
def contract_file(text: str, suffix: str = ".wsdl") -> str:
    """The name of a contract file with this text."""
    path = folder() / f"{abs(hash(text))}{suffix}"
    path.write_text(text, encoding="utf-8")
    return str(path)


class Files:
    """zeep's way to files, and to nothing else."""

    def load(self, url: str) -> bytes:
        return Path(url).read_bytes()


FAULTS: dict[str, type[GatewayError]] = {"01": NoRecord, "http-204": NoRecord}


def binding_of(kind: Kind) -> Any:
    """How the thing is asked for at a source of this kind."""
    if kind == "rest":
        return Rest(method="POST", path="/hoi", record="Thu")
    if kind == "xml-in-json":
        return XmlInJson(method="POST", path="/hoi", root="kq", record="Thu")
    version: Version = "1.1" if kind == "soap-1.1" else "1.2"
    return Soap(
        version=version,
        wsdl=contract_file(wsdl(version=version)),
        path="/hoi",
        action="urn:hoi",
        request=(SPACE, "Hoi"),
        answer=(SPACE, "HoiResponse"),
        record="Thu",
        fault="MaLoi",
    )


def database_of(
    binding: Any, answer: type[Record] = Thing, question: type[Question] = Ask, faults: Any = None
) -> Database:
    """A database with the one operation `thing`."""
    operation = Operation(
        name="thing",
        title=TITLE,
        question=question,
        answer=answer,
        binding=binding,
        faults=FAULTS if faults is None else faults,
    )
    return Database(
        name="foreign",
        title=TITLE,
        owner=TITLE,
        operations=(operation,),
        wsdl=getattr(binding, "wsdl", ""),
        logins={"foreign": NoLogin()},
    )


@dataclass
class Source:
    """Answers every question with the same bytes, or with what is made of it, and keeps the questions."""

    answer: bytes | Callable[[bytes], bytes]
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heard.append(await request(reader))
                writer.write(self.answer if isinstance(self.answer, bytes) else self.answer(self.heard[-1]))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(source: Source) -> AsyncIterator[str]:
    server = await asyncio.start_server(source.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def http(body: bytes, media: bytes = b"text/xml; charset=utf-8", status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    """A whole HTTP answer; `more` are whole header lines."""
    kind = b"Content-Type: " + media + b"\r\n" if media else b""
    return b"HTTP/1.1 %s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (status, kind, more, len(body), body)


async def asked(
    database: Database, answer: bytes | Callable[[bytes], bytes], number: str = "1", **endpoint: Any
) -> Answer:
    """What the gateway makes of these bytes of a source; raises what the caller would be told."""
    source = Source(answer)
    async with (
        listening(source) as url,
        gateway_to(database, Endpoint.model_validate({"url": url, **endpoint})) as gateway,
    ):
        return await gateway.ask("thing", {"number": number})


def envelope(payload: str, version: str = "1.1", header: str = "") -> bytes:
    """A payload in an envelope with the prefix that most stacks take."""
    space = ENVELOPE[version]
    head = f"<soap:Header>{header}</soap:Header>" if header else ""
    return f'<soap:Envelope xmlns:soap="{space}">{head}<soap:Body>{payload}</soap:Body></soap:Envelope>'.encode()


def payload(inside: str, attributes: str = "") -> str:
    """An answer with one thing that holds this."""
    return f'<HoiResponse xmlns="{SPACE}" xmlns:xsi="{XSI}"><Thu{attributes}>{inside}</Thu></HoiResponse>'


def xml_answer(kind: Kind, inside: str, attributes: str = "") -> bytes:
    """The HTTP answer in which a source of this kind says what an element of a thing holds."""
    if kind == "xml-in-json":
        document = f'<kq xmlns:xsi="{XSI}"><Thu{attributes}>{inside}</Thu></kq>'
        return http(json.dumps({"data": document}, ensure_ascii=False).encode(), b"application/json")
    version = kind.removeprefix("soap-")
    return http(envelope(payload(inside, attributes), version), MEDIA[version])


async def read(kind: Kind, inside: str, attributes: str = "", **endpoint: Any) -> Answer:
    """What is read where an element of a thing holds this; for `rest`, the members of its object as JSON."""
    if kind == "rest":
        body = f'{{"Thu": {{{inside}}}}}'.encode()
        return await asked(database_of(binding_of(kind), Flat), http(body, b"application/json"), **endpoint)
    return await asked(database_of(binding_of(kind)), xml_answer(kind, inside, attributes), **endpoint)


def expected(kind: Kind, **members: Any) -> dict[str, Any]:
    """The data of a thing of which only this is known, in the order of declaration."""
    return NOTHING | ({} if kind == "rest" else {"mark": None}) | members


def same(answer: Answer, data: dict[str, Any]) -> None:
    """The JSON of the answer is, byte for byte, that of `data`."""
    assert json.dumps(answer.data, ensure_ascii=False).encode("utf-8", "surrogatepass") == json.dumps(
        data, ensure_ascii=False
    ).encode("utf-8", "surrogatepass")


def kind_of(version: Version) -> Kind:
    """The kind of a source that speaks this version of SOAP."""
    return "soap-1.1" if version == "1.1" else "soap-1.2"


async def told(version: Version, answer: bytes, **endpoint: Any) -> Any:
    """What is read of an HTTP answer to a SOAP question."""
    return await asked(database_of(binding_of(kind_of(version))), answer, **endpoint)


async def taken(version: Version, answer: bytes, **members: Any) -> None:
    """Hold what is read of an HTTP answer to a thing of which this is known, by default its name `a`."""
    same(await told(version, answer), expected("soap-1.1", **(members or {"name": "a"})))


async def refused(
    version: Version, answer: bytes, says: str = "", kind: type[GatewayError] = UpstreamUnreadable
) -> None:
    """Hold that an HTTP answer to a SOAP question is refused, as `kind`, with these words."""
    with pytest.raises(kind) as failure:
        await told(version, answer)
    assert type(failure.value) is kind
    assert says in failure.value.detail.en
