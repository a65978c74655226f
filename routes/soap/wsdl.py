"""WSDL 1.1 documents of the SOAP face, generated from the declarations (hợp đồng dịch vụ SOAP).

Document/literal wrapped with one port for each SOAP version, or one port alone, which is all that some importers take
(X-Road's reads SOAP 1.1 only). Rules: WSDL 1.1; WS-I Basic Profile 1.1, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from lxml import etree

from routes.openapi_models import pascal
from routes.soap.names import GATEWAY, action_of, element_of, namespace
from routes.soap.shared_types import BLOCKS, SAID_ALONG, gateway_schema
from routes.soap.types import XS, add_models, document, name_types, record_type, xs
from schemas.errors import Text
from schemas.exchange import Database
from security.xml import Element

WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
SOAP_BINDINGS: Final = {
    "1.1": "http://schemas.xmlsoap.org/wsdl/soap/",
    "1.2": "http://schemas.xmlsoap.org/wsdl/soap12/",
}
_HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
_ADDRESSING: Final = "http://www.w3.org/2006/05/addressing/wsdl"
Version = Literal["1.1", "1.2"]
VERSIONS: Final[tuple[Version, ...]] = ("1.1", "1.2")


class Described(NamedTuple):
    """An operation as a contract names it: the element of its request, and its title."""

    element: str
    title: Text


def database_wsdl(database: Database, public_url: str, versions: Sequence[Version] = VERSIONS) -> bytes:
    """Return the contract of a database, with a port for each of `versions`; raises ConfigurationError."""
    schema = schema_of(database.name)
    add_models(schema, "t", database)
    for operation in database.operations:
        add_response(schema, element_of(operation), f"t:{record_type(operation.answer)}")
    operations = [Described(element_of(operation), operation.title) for operation in database.operations]
    about = Text(
        f"{database.title.vi} ({database.owner.vi})",
        f"{database.title.en} ({database.owner.en})",
    )
    return contract(database.name, about, schema, operations, public_url, versions)


def schema_of(service: str) -> Element:
    """Return an empty schema for the messages of a service; the prefix `t` is bound to their namespace, `g` to ours."""
    schema = etree.Element(
        f"{{{XS}}}schema",
        {"targetNamespace": namespace(service), "elementFormDefault": "qualified", "version": "1"},
        nsmap={"xs": XS, "t": namespace(service), "g": GATEWAY},
    )
    xs(schema, "import", namespace=GATEWAY)
    return schema


def add_response(schema: Element, element: str, type_: str) -> None:
    """Append the wrapper of an answer: `data` of this type, what is said about the exchange, the receipt."""
    response = xs(schema, "element", name=f"{element}Response")
    inside = xs(xs(response, "complexType"), "sequence")
    document(
        xs(inside, "element", name="data", type_=type_),
        "Dữ liệu được cung cấp",
        "What was told: absent is not granted or not asked, nil is that the source has none",
    )
    for name, type_, text in SAID_ALONG:
        document(xs(inside, "element", name=name, type_=type_), text.vi, text.en)


def contract(
    service: str,
    about: Text,
    schema: Element,
    operations: Sequence[Described],
    public_url: str,
    versions: Sequence[Version],
) -> bytes:
    """Return the WSDL of a service over the schema of its messages."""
    prefixes = {f"soap{version.replace('.', '')}": SOAP_BINDINGS[version] for version in versions}
    name = pascal(service)
    root = etree.Element(
        f"{{{WSDL}}}definitions",
        {"name": name, "targetNamespace": namespace(service)},
        nsmap={"wsdl": WSDL, **prefixes, "wsaw": _ADDRESSING, "xs": XS, "t": namespace(service), "g": GATEWAY},
    )
    _documented(root, about)
    types = _wsdl(root, "types")
    types.append(gateway_schema())
    name_types(schema, "t")
    types.append(schema)
    headers = _wsdl(root, "message", name="Headers")
    for block in BLOCKS:
        _wsdl(headers, "part", name=block.name, element=f"g:{block.name}")
    _wsdl(_wsdl(root, "message", name="Problem"), "part", name="fault", element="g:Problem")
    for operation in operations:
        for suffix in ("", "Response"):
            message = _wsdl(root, "message", name=f"{operation.element}{suffix or 'Request'}")
            _wsdl(message, "part", name="parameters", element=f"t:{operation.element}{suffix}")
    _port_type(root, name, service, operations)
    for version in versions:
        _binding(root, name, service, operations, version)
    service_element = _wsdl(root, "service", name=f"{name}Service")
    for version in versions:
        port = _wsdl(service_element, "port", name=f"{name}{_suffix(version)}", binding=f"t:{name}{_suffix(version)}")
        address = etree.SubElement(port, f"{{{SOAP_BINDINGS[version]}}}address")
        address.set("location", f"{public_url}/soap/{service}")
    etree.indent(root, space=" ")
    return etree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suffix(version: Version) -> str:
    return f"Soap{version.replace('.', '')}"


def _wsdl(parent: Element, name: str, /, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{WSDL}}}{name}", attributes)


def _documented(place: Element, text: Text) -> None:
    """Say what it is: WSDL 1.1 takes one documentation for each element, without attributes, for both languages."""
    _wsdl(place, "documentation").text = f"{text.vi} · {text.en}"


def _port_type(root: Element, name: str, service: str, operations: Sequence[Described]) -> None:
    port_type = _wsdl(root, "portType", name=f"{name}Port")
    for operation in operations:
        place = _wsdl(port_type, "operation", name=operation.element)
        _documented(place, operation.title)
        # Mono's svcutil takes the action of a message from here alone.
        action = action_of(service, operation.element)
        for direction, message, suffix in (("input", "Request", ""), ("output", "Response", "Response")):
            heard = _wsdl(place, direction, message=f"t:{operation.element}{message}")
            heard.set(f"{{{_ADDRESSING}}}Action", f"{action}{suffix}")
        _wsdl(place, "fault", name="Problem", message="t:Problem")


def _binding(root: Element, name: str, service: str, operations: Sequence[Described], version: Version) -> None:
    soap = f"{{{SOAP_BINDINGS[version]}}}"
    binding = _wsdl(root, "binding", name=f"{name}{_suffix(version)}", type=f"t:{name}Port")
    etree.SubElement(binding, f"{soap}binding", {"style": "document", "transport": _HTTP})
    for operation in operations:
        place = _wsdl(binding, "operation", name=operation.element)
        action = action_of(service, operation.element)
        etree.SubElement(place, f"{soap}operation", {"soapAction": action, "style": "document"})
        asked = _wsdl(place, "input")
        for block in BLOCKS:
            etree.SubElement(asked, f"{soap}header", {"message": "t:Headers", "part": block.name, "use": "literal"})
        etree.SubElement(asked, f"{soap}body", {"use": "literal"})
        etree.SubElement(_wsdl(place, "output"), f"{soap}body", {"use": "literal"})
        etree.SubElement(_wsdl(place, "fault", name="Problem"), f"{soap}fault", {"name": "Problem", "use": "literal"})
