"""What a security server can import: a right description passes, each rule catches the one that breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.test_xroad.double.messages import spoiled
from tests.test_xroad.double.openapi_import import import_openapi
from tests.test_xroad.double.vocabulary import XROAD
from tests.test_xroad.double.wsdl_import import LARGEST, NotImportable, WsdlService, import_wsdl

URL = "https://lgsp.example/openapi.json"
FIELDS = ("client", "service", "id", "protocolVersion")
BOUND = "".join(f'<soap:header message="t:Fields" part="{name}" use="literal"/>' for name in FIELDS)
N = '<xs:element name="n" type="xs:string"/>'
WSDL = f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xrd="{XROAD}" xmlns:t="urn:people" targetNamespace="urn:people">
<types><xs:schema targetNamespace="urn:people" elementFormDefault="qualified">
<xs:element name="Find"><xs:complexType><xs:sequence><xs:element name="name" type="xs:string"/></xs:sequence>
</xs:complexType></xs:element>
<xs:element name="FindResponse" type="t:Found"/>
<xs:complexType name="Found"><xs:sequence>{N}</xs:sequence></xs:complexType>
</xs:schema></types>
<message name="Find"><part name="parameters" element="t:Find"/></message>
<message name="FindResponse"><part name="parameters" element="t:FindResponse"/></message>
<message name="Fields">{"".join(f'<part name="{name}" element="xrd:{name}"/>' for name in FIELDS)}</message>
<portType name="People"><operation name="Find"><documentation><xrd:title>Tìm người</xrd:title></documentation>
<input message="t:Find"/><output message="t:FindResponse"/></operation></portType>
<binding name="People11" type="t:People"><soap:binding style="document"
 transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Find"><soap:operation soapAction="urn:people/Find"/><xrd:version>v1</xrd:version>
<input><soap:body use="literal"/>{BOUND}</input><output><soap:body use="literal" parts="parameters"/></output>
</operation></binding>
<service name="PeopleService"><port name="People11" binding="t:People11">
<soap:address location="https://lgsp.example/soap/people"/></port></service></definitions>""".encode()
PORT = '<port name="People11" binding="t:People11">\n<soap:address location="https://lgsp.example/soap/people"/></port>'


def test_a_right_wsdl_gives_its_services() -> None:
    assert import_wsdl(WSDL) == [
        WsdlService("Find", "v1", "Tìm người", "https://lgsp.example/soap/people", "urn:people/Find", FIELDS)
    ]


def test_version_title_and_action_may_be_missing() -> None:
    plain = spoiled(WSDL, "<xrd:version>v1</xrd:version>", "")
    plain = spoiled(plain, "<documentation><xrd:title>Tìm người</xrd:title></documentation>", "")
    (service,) = import_wsdl(spoiled(plain, '<soap:operation soapAction="urn:people/Find"/>', ""))
    assert (service.version, service.title, service.action) == (None, None, "")


def renamed(new: str) -> Callable[[bytes], bytes]:
    return lambda good: (
        good.replace(b'"Find"', f'"{new}"'.encode())
        .replace(b"FindR", f"{new}R".encode())
        .replace(b"t:Find", f"t:{new}".encode())
    )


def swap(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda good: spoiled(good, old, new)


def cut(start: str, end: str) -> Callable[[bytes], bytes]:
    return lambda good: good[: good.index(start.encode())] + good[good.index(end.encode()) :]


NAMED = 'People"><operation name='
BOUND_OPERATION = '<operation name="Find"><soap:operation'
OPERATION = '<input message="t:Find"/><output message="t:FindResponse"/></operation>'
WSDL_RULES: dict[str, tuple[str, str, Callable[[bytes], bytes]]] = {
    "too large": ("size", "importer", lambda good: good + b" " * LARGEST),
    "cut off": ("xml", "importer", lambda good: good[:-2]),
    "document type": ("xml", "wsdl", swap("?>", "?><!DOCTYPE definitions>")),
    "wsdl 2.0": ("definitions", "importer", swap("http://schemas.xmlsoap.org/wsdl/\"", 'http://www.w3.org/ns/wsdl"')),
    "two ports": ("one-port", "document", swap(PORT, PORT + PORT.replace("People11\"", 'Other"', 1))),
    "no port": ("one-port", "document", swap(PORT, "")),
    "another transport": ("one-port", "document", swap("soap/http", "soap/smtp")),
    "soap 1.2": ("soap-1.1", "document", swap("org/wsdl/soap/\"", 'org/wsdl/soap12/"')),
    "rpc": ("document-style", "document", swap('style="document"', 'style="rpc"')),
    "rpc operation": ("document-style", "document", swap('"urn:people/Find"', '"urn:people/Find" style="rpc"')),
    "no address": ("service-url", "importer", swap("https://lgsp.example/soap/people", "")),
    "ftp": ("service-url", "importer", swap("https://lgsp.example", "ftp://lgsp.example")),
    "host": ("service-url", "importer", swap("lgsp.example/soap", "lgsp_1.example/soap")),
    "elsewhere": ("same-document", "document", swap('binding="t:People11"', 'binding="xrd:People11"')),
    "no such port type": ("reference", "wsdl", swap('type="t:People"', 'type="t:Persons"')),
    "not in the port type": ("reference", "wsdl", swap(f'{NAMED}"Find"', f'{NAMED}"Seek"')),
    "twice bound": ("unique-operations", "document", swap("</binding>", '<operation name="Find"/></binding>')),
    "overloaded": ("unique-operations", "importer", swap(OPERATION, f'{OPERATION}<operation name="Find">{OPERATION}')),
    "nothing bound": ("operations", "document", cut(BOUND_OPERATION, "</binding>")),
    "underscore": ("identifier", "importer", renamed("Find_Person")),
    "version": ("identifier", "importer", swap(">v1<", ">v 1<")),
    "reserved": ("reserved", "importer", renamed("listMethods")),
    "encoded": ("literal", "document", swap('<soap:body use="literal"/>', '<soap:body use="encoded"/>')),
    "body namespace": ("literal", "document", swap('body use="literal"/>', 'body use="literal" namespace="urn:x"/>')),
    "no body": ("body-binding", "document", swap('<soap:body use="literal"/>', "")),
    "no such header": ("header-binding", "wsdl", swap('part="id" use', 'part="number" use')),
    "one way": ("one-way", "document", swap('<output message="t:FindResponse"/>', "")),
    "two parts": ("one-part", "document", swap('element="t:Find"/>', 'element="t:Find"/><part name="b"/>')),
    "typed part": ("element-part", "document", swap('element="t:Find"', 'type="xs:string"')),
    "other wrapper": ("wrapper-name", "document", swap('element="t:FindResponse"', 'element="t:FindAnswer"')),
    "undeclared wrapper": ("wrapper-element", "document", swap('<xs:element name="Find">', '<xs:element name="Seek">')),
    "choice": ("sequence", "document", swap(f"<xs:sequence>{N}</xs:sequence>", f"<xs:choice>{N}</xs:choice>")),
}  # fmt: skip


@pytest.mark.parametrize("case", WSDL_RULES)
def test_each_rule_catches_the_wsdl_that_breaks_it(case: str) -> None:
    rule, source, spoil = WSDL_RULES[case]
    with pytest.raises(NotImportable) as caught:
        import_wsdl(spoil(WSDL))
    assert (caught.value.rule, caught.value.source) == (rule, source)


def openapi() -> dict[str, Any]:
    answers = {"200": {"description": "Có"}}
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "LGSP", "version": "1"},
        "servers": [{"url": "https://lgsp.example/base"}],
        "paths": {
            "/v1/me": {"get": {"operationId": "me", "responses": answers}},
            "/v1/person/{id}": {
                "parameters": [{"$ref": "#/components/parameters/id"}],
                "post": {"operationId": "person", "responses": answers},
            },
        },
        "components": {"parameters": {"id": number}},
    }


def changed(**more: Any) -> bytes:
    return json.dumps({**openapi(), **more}).encode()


def test_a_right_document_gives_address_and_endpoints() -> None:
    found = import_openapi(changed(), URL)
    assert found.base_url == "https://lgsp.example/base"
    assert found.endpoints == (("GET", "/v1/me"), ("POST", "/v1/person/*"))
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("servers", "base"),
    [
        pytest.param([], URL, id="none"),
        pytest.param([{"url": "/"}], "https://lgsp.example/", id="relative"),
        pytest.param([{"url": "https://{host}/"}], "https://{host}/", id="with a variable"),
    ],
)
def test_the_address_is_the_first_servers(servers: list[dict[str, str]], base: str) -> None:
    assert import_openapi(changed(servers=servers), URL).base_url == base


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.0"])
def test_these_versions_are_taken(version: str) -> None:
    assert import_openapi(changed(openapi=version), URL).warnings == ()


@pytest.mark.parametrize("version", ["3.1.1", "3.1.2", "3.2.0", "2.0", None])
def test_these_versions_are_refused(version: str | None) -> None:
    with pytest.raises(NotImportable, match="version"):
        import_openapi(changed(openapi=version), URL)


@pytest.mark.parametrize(
    ("rule", "document", "url", "code"),
    [
        pytest.param("protocol", changed(), "file:///openapi.json", "people", id="file"),
        pytest.param("size", changed() + b" " * LARGEST, URL, "people", id="too large"),
        pytest.param("parse", b"{", URL, "people", id="cut off"),
        pytest.param("parse", b"text", URL, "people", id="text"),
        pytest.param("parse", b"[]", URL, "people", id="list"),
        pytest.param("identifier", changed(), URL, "getOpenAPI", id="reserved code"),
        pytest.param("identifier", changed(), URL, "ng_i", id="underscore in code"),
        pytest.param(
            "unique-endpoints",
            changed(paths={"/a/{x}": {"get": {}}, "/a/{y}": {"get": {}}}),
            URL,
            "people",
            id="same endpoint twice",
        ),
    ],
)
def test_each_rule_catches_the_document_that_breaks_it(rule: str, document: bytes, url: str, code: str) -> None:
    with pytest.raises(NotImportable) as caught:
        import_openapi(document, url, code)
    assert caught.value.rule == rule


def test_only_keywords_are_remarked_on_and_not_names_or_data() -> None:
    person = {
        "properties": {"$defs": {"type": "string"}, "sex": {"strange": 1}},
        "anyOf": [{"type": "object"}, {"nullable": True}],
        "default": {"$defs": 1},
        "x-own": 1,
        "$defs": {},
    }
    components = {**openapi()["components"], "schemas": {"Person": person}}
    remarks = [each for each in import_openapi(changed(components=components), URL).warnings if "unexpected" in each]
    assert remarks == [
        f"attribute components.schemas.Person.{where} is unexpected"
        for where in ("sex.strange", "anyOf.1.nullable", "$defs")
    ]


def with_paths(change: Callable[[dict[str, Any]], object]) -> bytes:
    whole = deepcopy(openapi())
    change(whole["paths"])
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param(changed(swagger="2.0"), "attribute swagger is unexpected", id="unknown attribute"),
        pytest.param(changed(info={"title": "x"}), "version", id="no version of the API"),
        pytest.param(
            with_paths(lambda paths: paths["/v1/me"]["get"].update(operationId="person")),
            "repeated",
            id="same name twice",
        ),
        pytest.param(
            with_paths(lambda paths: paths["/v1/person/{id}"].pop("parameters")),
            "parameter id",
            id="undeclared",
        ),
    ],
)
def test_a_document_that_an_administrator_would_have_to_excuse_is_remarked_on(document: bytes, said: str) -> None:
    assert any(said in each for each in import_openapi(document, URL).warnings)
