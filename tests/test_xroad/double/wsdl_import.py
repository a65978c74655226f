"""Whether a security server's administrator can import a WSDL, and what services come of it.

    services = import_wsdl(document)       # raises NotImportable, whose `rule` names what is broken

Three sources, told apart by `NotImportable.source`: "importer" is what the server of X-Road 7.8 itself refuses
(WsdlParser, ServiceDescriptionService, strict identifier checks as they are the default since 7.3), "document" is
PR-MESS 3.2, which the server does not check but services and their askers break without, and "wsdl" is WSDL 1.1 and
this double's own caution. What the importer lets pass was tried with the library it reads by, wsdl4j 1.6.3: operations
bound twice and ports of SOAP 1.2 are listed, bindings that cannot be found give no services and no error.
Not looked at: the schemas themselves, which a server checks only where the optional validator (Apache CXF's) is
installed; and documents imported by the WSDL, which the server does not follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree
from yarl import URL

from tests.test_xroad.double.vocabulary import ALLOWED, XROAD, Unreadable, elements, local, parse

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP_BINDINGS = ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/")
TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
LARGEST = 10 * 1024 * 1024
RESERVED = (
    *("listClients", "listMethods", "allowedMethods", "getWsdl", "getOpenAPI"),
    *("getSecurityServerMetrics", "getSecurityServerOperationalData", "getSecurityServerHealthData"),
)
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")


class NotImportable(Exception):
    """The description breaks a rule."""

    def __init__(self, rule: str, text: str, source: str = "importer") -> None:
        super().__init__(f"{rule} ({source}): {text}")
        self.rule, self.text, self.source = rule, text, source


@dataclass(frozen=True, slots=True)
class WsdlService:
    """One service as the server lists it; `headers` are the X-Road fields that the binding names."""

    code: str
    version: str | None
    title: str | None
    url: str
    action: str
    headers: tuple[str, ...]


def import_wsdl(document: bytes) -> list[WsdlService]:
    """Read a WSDL as a server does; raise `NotImportable`."""
    if len(document) > LARGEST:
        raise NotImportable("size", f"{len(document)} bytes")
    try:
        root = parse(document)
    except Unreadable as error:
        raise NotImportable("xml", str(error), "wsdl" if "document type" in str(error) else "importer") from error
    if root.tag != f"{{{WSDL}}}definitions":
        raise NotImportable("definitions", str(root.tag))
    ports = list(_ports(root))
    if len(ports) != 1:
        # The server takes several and keeps one service of each name, of whichever port came last.
        raise NotImportable("one-port", f"{len(ports)} ports of SOAP over HTTP", "document")
    port, binding = ports[0]
    url = _url(port)
    types = _named(root, "portType", binding.get("type", ""), binding)
    operations = [each for each in elements(binding) if each.tag == f"{{{WSDL}}}operation"]
    _unique("portType", [each for each in elements(types) if each.tag == f"{{{WSDL}}}operation"], "importer")
    _unique("binding", operations, "document")
    if not operations:
        raise NotImportable("operations", "none", "document")
    return [_service(root, types, each, url) for each in operations]


def _ports(root: etree._Element) -> Iterator[tuple[etree._Element, etree._Element]]:
    for port in root.iterfind(f"{{{WSDL}}}service/{{{WSDL}}}port"):
        binding = _named(root, "binding", port.get("binding", ""), port)
        for extension in elements(binding):
            uri = etree.QName(extension).namespace
            if local(extension) != "binding" or uri not in SOAP_BINDINGS:
                continue
            if uri != SOAP_BINDINGS[0]:
                # The server would list it, but what it forwards are envelopes of SOAP 1.1.
                raise NotImportable("soap-1.1", f"{port.get('name')} is of SOAP 1.2", "document")
            if extension.get("style", "document") != "document":
                raise NotImportable("document-style", str(extension.get("style")), "document")
            if extension.get("transport") == TRANSPORT:
                yield port, binding


def _url(port: etree._Element) -> str:
    address = port.find(f"{{{SOAP_BINDINGS[0]}}}address")
    location = (address.get("location") or "") if address is not None else ""
    try:
        host = URL(location).raw_host or ""
    except ValueError:
        host = ""
    if not location.startswith(("http://", "https://")) or not HOST.fullmatch(host):
        raise NotImportable("service-url", location or "none")
    return location


def _named(root: etree._Element, kind: str, name: str, at: etree._Element) -> etree._Element:
    prefix, _, plain = name.rpartition(":")
    if at.nsmap.get(prefix or None) != root.get("targetNamespace"):
        raise NotImportable("same-document", f"{kind} {name} is not in this document's namespace", "document")
    found = [each for each in root.iterfind(f"{{{WSDL}}}{kind}") if each.get("name") == plain]
    if len(found) != 1:
        raise NotImportable("reference", f"{len(found)} {kind} named {name}", "wsdl")
    return found[0]


def _unique(where: str, operations: list[etree._Element], source: str) -> None:
    names = [each.get("name") for each in operations]
    if len(set(names)) < len(names):
        raise NotImportable("unique-operations", f"{where}: {names}", source)


def _service(root: etree._Element, types: etree._Element, operation: etree._Element, url: str) -> WsdlService:
    code = operation.get("name") or ""
    version = _text(operation, f"{{{XROAD}}}version")
    for part in (code, version):
        if part is not None and not ALLOWED.fullmatch(part):
            raise NotImportable("identifier", f"{part!r}")
    if code in RESERVED:
        raise NotImportable("reserved", code)
    abstract = next((each for each in elements(types) if each.get("name") == code), None)
    if abstract is None:
        raise NotImportable("reference", f"operation {code} is not in the portType", "wsdl")
    title = _text(abstract, f"{{{WSDL}}}documentation/{{{XROAD}}}title")
    said = operation.find(f"{{{SOAP_BINDINGS[0]}}}operation")
    if said is not None and said.get("style", "document") != "document":
        raise NotImportable("document-style", f"{code}: {said.get('style')}", "document")
    headers = tuple(name for way in ("input", "output") for name in _literal(root, operation, way))
    _wrapped(root, abstract, "input", code)
    _wrapped(root, abstract, "output", f"{code}Response")
    action = (said.get("soapAction") or "") if said is not None else ""
    return WsdlService(code, version, title, url, action, headers)


def _text(element: etree._Element, path: str) -> str | None:
    found = element.findtext(path)
    return found.strip() if found is not None else None


def _literal(root: etree._Element, operation: etree._Element, way: str) -> Iterator[str]:
    """The binding of one direction; give the X-Road header fields that it names."""
    bound = operation.find(f"{{{WSDL}}}{way}")
    body = bound.find(f"{{{SOAP_BINDINGS[0]}}}body") if bound is not None else None
    if bound is None or body is None:
        raise NotImportable("body-binding", f"{operation.get('name')} {way}", "document")
    if body.get("use") != "literal" or set(body.keys()) - {"use", "parts"}:
        raise NotImportable("literal", f"{operation.get('name')} {way}: {body.items()}", "document")
    for header in bound.iterfind(f"{{{SOAP_BINDINGS[0]}}}header"):
        message = _named(root, "message", header.get("message", ""), header)
        part = next((each for each in elements(message) if each.get("name") == header.get("part")), None)
        if part is None or header.get("use") != "literal":
            raise NotImportable("header-binding", f"{operation.get('name')}: {header.items()}", "wsdl")
        prefix, _, name = (part.get("element") or "").rpartition(":")
        if part.nsmap.get(prefix or None) == XROAD:
            yield name


def _wrapped(root: etree._Element, operation: etree._Element, way: str, expected: str) -> None:
    """One part, of an element of the right name, that is a sequence of elements (PR-MESS 2.3 and 3.2)."""
    abstract = operation.find(f"{{{WSDL}}}{way}")
    if abstract is None:
        raise NotImportable("one-way", f"{operation.get('name')} has no {way}", "document")
    parts = elements(_named(root, "message", abstract.get("message", ""), abstract))
    if len(parts) != 1:
        raise NotImportable("one-part", f"{expected}: {len(parts)} parts", "document")
    prefix, _, name = (parts[0].get("element") or "").rpartition(":")
    if not name:
        raise NotImportable("element-part", f"{expected}: {parts[0].items()}", "document")
    if name != expected:
        raise NotImportable("wrapper-name", f"{name} is not {expected}", "document")
    uri = parts[0].nsmap.get(prefix or None)
    for schema in root.iterfind(f"{{{WSDL}}}types/{{{SCHEMA}}}schema"):
        for element in schema.iterfind(f"{{{SCHEMA}}}element"):
            if schema.get("targetNamespace") == uri and element.get("name") == name:
                _sequence(schema, element, name)
                return
    raise NotImportable("wrapper-element", f"{{{uri}}}{name} is nowhere declared", "document")


def _sequence(schema: etree._Element, element: etree._Element, name: str) -> None:
    kind = element.find(f"{{{SCHEMA}}}complexType")
    if kind is None and element.get("type"):
        plain = element.get("type", "").rpartition(":")[2]
        kind = next((each for each in schema if each.get("name") == plain and local(each) == "complexType"), None)
    inside = [local(each) for each in elements(kind)] if kind is not None else ["nothing"]
    if [each for each in inside if each != "annotation"] not in ([], ["sequence"]):
        raise NotImportable("sequence", f"{name}: {inside}", "document")
