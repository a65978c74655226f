"""WS-I Basic Profile 1.1 on the contracts, the rules that a machine can check, each under its number.

The profile knows SOAP 1.1 only: what it says of `soap:` extensions is checked on that port. Of the SOAP 1.2 port the
same holds by analogy (WSDL 1.1 Binding Extension for SOAP 1.2).
"""

import re

import pytest
from lxml import etree

from tests.test_soap_contract.golden import contracts
from tests.test_soap_contract.test_contract import XS, schema

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAPS = {
    "1.1": "{http://schemas.xmlsoap.org/wsdl/soap/}",
    "1.2": "{http://schemas.xmlsoap.org/wsdl/soap12/}",
}
# Attributes and, in this order, children of the elements of WSDL 1.1 that are used here (wsdl:documentation apart).
FORM = {
    "definitions": ({"name", "targetNamespace"}, ["types", "message", "portType", "binding", "service"]),
    "types": (set(), []),
    "message": ({"name"}, ["part"]),
    "part": ({"name", "element"}, []),
    "portType": ({"name"}, ["operation"]),
    "binding": ({"name", "type"}, ["operation"]),
    "operation": ({"name"}, ["input", "output", "fault"]),
    "input": ({"message"}, []),
    "output": ({"message"}, []),
    "fault": ({"name", "message"}, []),
    "service": ({"name"}, ["port"]),
    "port": ({"name", "binding"}, []),
    "documentation": (set(), []),
}
Element = etree._Element


@pytest.fixture(params=sorted(contracts()))
def contract(request: pytest.FixtureRequest) -> Element:
    return etree.fromstring(contracts()[request.param])


def qname(place: Element, text: str | None) -> str:
    assert text is not None
    prefix, _, local = text.rpartition(":")
    return f"{{{place.nsmap[prefix or None]}}}{local}"


def test_r2028_wsdl_elements_are_as_the_schema_of_wsdl_has_them(contract: Element) -> None:
    for element in contract.iter(f"{WSDL}*"):
        name = etree.QName(element).localname
        attributes, order = FORM[name]
        own = {each for each in map(str, element.attrib) if not each.startswith("{") or name == "documentation"}
        assert own <= attributes, (name, own)
        children = [etree.QName(each).localname for each in element.iterchildren(f"{WSDL}*")]
        kinds = [each for each in children if each != "documentation"]
        assert children.count("documentation") <= 1
        assert "documentation" not in children[1:]
        assert [each for each in order for other in kinds if other == each] == kinds


def test_r2001_r2007_nothing_is_imported(contract: Element) -> None:
    """Neither the description nor its schemas name another document (R2001-R2009 hold of themselves)."""
    assert list(contract.iter(f"{WSDL}import")) == []
    assert not [each for each in contract.iter(f"{XS}import", f"{XS}include") if each.get("schemaLocation")]


def test_r2003_schemas_are_imported_from_within_schemas(contract: Element) -> None:
    for one in contract.iter(f"{XS}import"):
        parent = one.getparent()
        assert parent is not None
        assert parent.tag == f"{XS}schema"
        # R2101, R2102: what it names is in this very description.
        schema(contract, one.get("namespace", ""))


def test_r2105_schemas_have_a_target_namespace(contract: Element) -> None:
    found = [each.get("targetNamespace") for each in contract.findall(f"{WSDL}types/{XS}schema")]
    assert all(found)
    assert len(found) == len(set(found))


def test_r2023_r2102_names_are_of_imported_namespaces(contract: Element) -> None:
    for inside in contract.iter(f"{XS}schema"):
        imported = {each.get("namespace") for each in inside.findall(f"{XS}import")}
        known = {inside.get("targetNamespace"), "http://www.w3.org/2001/XMLSchema", *imported}
        for element in inside.iter(f"{XS}element", f"{XS}restriction", f"{XS}extension"):
            for attribute in ("type", "ref", "base"):
                if element.get(attribute):
                    assert qname(element, element.get(attribute))[1:].partition("}")[0] in known


def test_r2110_r2112_no_soap_encoding_arrays(contract: Element) -> None:
    text = etree.tostring(contract).decode()
    assert "schemas.xmlsoap.org/soap/encoding" not in text
    assert "arrayType" not in text
    assert not re.search('name="ArrayOf', text)


def test_r4001_r4002_r4005_it_is_utf8_without_tricks(contract: Element) -> None:
    """Their encoding is UTF-8 (R4002, R4003) and their version 1.0 (R4004); no processing instruction, no DTD."""
    for text in contracts().values():
        assert re.match(rb"""<\?xml version=['"]1\.0['"] encoding=['"](?i:utf-8)['"]\?>""", text)
        text.decode("utf-8")
        assert b"<!DOCTYPE" not in text
        assert text.count(b"<?") == 1


def test_r2204_r2206_parts_of_messages_are_elements(contract: Element) -> None:
    elements = {
        f"{{{inside.get('targetNamespace')}}}{each.get('name')}"
        for inside in contract.iter(f"{XS}schema")
        for each in inside.findall(f"{XS}element")
    }
    parts = contract.findall(f"{WSDL}message/{WSDL}part")
    assert parts
    for part in parts:
        assert part.get("type") is None
        assert qname(part, part.get("element")) in elements


def test_r2201_r2210_a_body_has_one_part(contract: Element) -> None:
    messages = {each.get("name"): each.findall(f"{WSDL}part") for each in contract.findall(f"{WSDL}message")}
    for operation in contract.findall(f"{WSDL}portType/{WSDL}operation"):
        for way in operation.iterchildren(f"{WSDL}input", f"{WSDL}output", f"{WSDL}fault"):
            assert len(messages[etree.QName(qname(way, way.get("message"))).localname]) == 1


def test_r2303_r2304_operations_are_request_and_response_under_unique_names(contract: Element) -> None:
    for port_type in contract.findall(f"{WSDL}portType"):
        names = [each.get("name") for each in port_type.findall(f"{WSDL}operation")]
        assert len(names) == len(set(names))
        for operation in port_type.findall(f"{WSDL}operation"):
            kinds = [etree.QName(each).localname for each in operation if each.tag != f"{WSDL}documentation"]
            assert kinds == ["input", "output", "fault"]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_r2701_r2705_bindings_are_document_literal_over_http(contract: Element, version: str) -> None:
    soap = SOAPS[version]
    (binding,) = (each for each in contract.findall(f"{WSDL}binding") if each.find(f"{soap}binding") is not None)
    (said,) = binding.findall(f"{soap}binding")
    assert said.get("transport") == "http://schemas.xmlsoap.org/soap/http"
    assert said.get("style") == "document"
    assert {each.get("style") for each in binding.iter(f"{soap}operation")} == {"document"}
    # R2706, R2707: use is literal wherever something is said of it; R2716: document-literal names no namespace.
    for each in binding.iter(f"{soap}body", f"{soap}header", f"{soap}fault", f"{soap}headerfault"):
        assert each.get("use") == "literal"
        assert each.get("namespace") is None
        assert each.get("encodingStyle") is None
        assert each.get("parts") is None


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_r2718_r2723_bindings_are_of_the_whole_port_type(contract: Element, version: str) -> None:
    soap = SOAPS[version]
    (binding,) = (each for each in contract.findall(f"{WSDL}binding") if each.find(f"{soap}binding") is not None)
    port_type = contract.find(f"{WSDL}portType")
    assert port_type is not None
    assert qname(binding, binding.get("type")) == f"{{{contract.get('targetNamespace')}}}{port_type.get('name')}"
    for ours, theirs in zip(binding.findall(f"{WSDL}operation"), port_type.findall(f"{WSDL}operation"), strict=True):
        assert ours.get("name") == theirs.get("name")
        # R2721, R2754, R2740: each fault is bound, and the extension has its name.
        bound = {
            each.get("name"): [one.get("name") for one in each.iter(f"{soap}fault")]
            for each in ours.findall(f"{WSDL}fault")
        }
        assert bound == {each.get("name"): [each.get("name")] for each in theirs.findall(f"{WSDL}fault")}


def test_r2710_operations_differ_on_the_wire(contract: Element) -> None:
    elements = [
        part.get("element")
        for message in contract.findall(f"{WSDL}message")
        for part in message.findall(f"{WSDL}part")
        if message.get("name", "").endswith("Request")
    ]
    assert len(elements) == len(set(elements)) > 0


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_r2744_actions_name_the_operation(contract: Element, version: str) -> None:
    soap = SOAPS[version]
    actions = [each.get("soapAction") for each in contract.iter(f"{soap}operation")]
    names = [each.get("name") for each in contract.findall(f"{WSDL}portType/{WSDL}operation")]
    assert actions == [f"{contract.get('targetNamespace')}/{name}" for name in names]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_r2720_headers_name_one_part_of_a_message(contract: Element, version: str) -> None:
    parts = {
        each.get("name"): {part.get("name") for part in each.findall(f"{WSDL}part")}
        for each in contract.findall(f"{WSDL}message")
    }
    headers = list(contract.iter(f"{SOAPS[version]}header"))
    assert headers
    for header in headers:
        assert header.get("part") in parts[etree.QName(qname(header, header.get("message"))).localname]


def test_r2401_ports_are_of_the_soap_binding(contract: Element) -> None:
    bindings = {each.get("name") for each in contract.findall(f"{WSDL}binding")}
    ports = contract.findall(f"{WSDL}service/{WSDL}port")
    assert [etree.QName(qname(port, port.get("binding"))).localname for port in ports] == list(
        dict.fromkeys(each.get("name") for each in contract.findall(f"{WSDL}binding"))
    )
    assert len(ports) == len(bindings)
    # R2711: no two ports at one address but by another binding, which SOAP versions are.
    assert all(len(list(port)) == 1 for port in ports)


def test_r2800_schemas_are_of_xml_schema_1_0(contract: Element) -> None:
    """Nothing of XML Schema 1.1, and every schema is one (R2801)."""
    used = {etree.QName(each).localname for each in contract.iter(f"{XS}*")}
    assert not used & {"assert", "assertion", "alternative", "override", "openContent", "explicitTimezone"}
