"""What PR-MESS 4.0 asks of a SOAP request, rule by rule; `read_request` is all that others need of it.

The rules come from the protocol document; the last parts of error codes are those of the message parser of X-Road 7.8.
Where only the document knows a rule, the nearest code stands in for it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from lxml import etree

from tests.test_xroad.double.vocabulary import (
    BODY,
    ENVELOPE,
    FAULT,
    HEADER,
    IDENTIFIERS,
    REPRESENTATION,
    REQUEST_HASH,
    SOAP,
    XROAD,
    Identifier,
    Unreadable,
    Violation,
    characters,
    elements,
    local,
    namespace,
    parse,
    user_and_issue,
)

PLAIN = ("id", "userId", "issue", "protocolVersion", "requestHash")
COMPOUND = ("client", "service", "securityServer")
CLIENT_PARTS = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
SERVICE_PARTS = (*CLIENT_PARTS, "serviceCode", "serviceVersion")
SERVER_PARTS = (*CLIENT_PARTS[:3], "serverCode")
OPTIONAL = ("subsystemCode", "serviceVersion")
SERIALISED = ("text/xml", "application/xop+xml")


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """A request that could be read: its bytes as they were posted, and what its headers say."""

    envelope: bytes
    content_type: str
    soap_action: str | None
    header: etree._Element
    client: Identifier
    service: Identifier
    id: str
    wrapper: str

    def fields(self) -> list[etree._Element]:
        """The X-Road header fields in their order."""
        return xroad_fields(self.header)


def xroad_fields(header: etree._Element) -> list[etree._Element]:
    """The header blocks of X-Road's namespaces, without the server's own `requestHash`."""
    ours = (XROAD, REPRESENTATION)
    return [each for each in elements(header) if namespace(each) in ours and each.tag != REQUEST_HASH]


def read_request(
    envelope: bytes, content_type: str | None, soap_action: str | None
) -> tuple[SoapRequest | None, list[Violation]]:
    """Read a request and name every rule it breaks; the request is None when too little of it could be read."""
    found = [*_media(content_type, envelope), *_action(soap_action)]
    try:
        root = parse(envelope)
    except Unreadable as error:
        return None, [*found, Violation("xml", str(error), "invalid_soap")]
    if root.tag != ENVELOPE:
        return None, [*found, Violation("envelope", str(root.tag), "invalid_soap")]
    header, body = _parts(root, found)
    wrapper = _wrapper(body, found)
    if header is None:
        return None, found
    found += _fields(header)
    client = _identifier(header, "client", CLIENT_PARTS, ("MEMBER", "SUBSYSTEM"), found)
    service = _identifier(header, "service", SERVICE_PARTS, ("SERVICE",), found)
    _identifier(header, "securityServer", SERVER_PARTS, ("SERVER",), found)
    if service and wrapper is not None and service.service != wrapper:
        found.append(Violation("wrapper-name", f"{wrapper} is not {service.service}", "inconsistent_headers"))
    if client is None or service is None or wrapper is None:
        return None, found
    number = header.findtext(f"{{{XROAD}}}id") or ""
    return SoapRequest(envelope, content_type or "", soap_action, header, client, service, number, wrapper), found


def media_type(value: str) -> tuple[str, str | None]:
    """Type and charset of a Content-Type, both in lower case."""
    message = Message()
    message["Content-Type"] = value
    charset = message.get_param("charset")
    return message.get_content_type(), str(charset).lower() if charset else None


def encoding_of(value: str, document: bytes) -> Iterator[Violation]:
    """PR-MESS 2.6: the charset said, or UTF-8, is what the document is written in."""
    charset = media_type(value)[1]
    try:
        said = codecs.lookup(charset or "utf-8").name
    except LookupError:
        yield Violation("charset", f"{charset} is none", "invalid_content_type")
        return
    declared = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)", document)
    inside = declared.group(1).decode() if declared else "utf-8"
    try:
        document.decode(said)
        agrees = codecs.lookup(inside).name == said
    except (LookupError, UnicodeDecodeError):
        agrees = False
    if not agrees:
        yield Violation("charset", f"said {said}, written in {inside} or something else")


def _media(value: str | None, document: bytes) -> Iterator[Violation]:
    if value is None:
        yield Violation("media-type", "none is said", "invalid_request")
    elif media_type(value)[0] not in SERIALISED:
        # Attachments (multipart/related) are X-Road's, not this double's: nothing here sends them.
        yield Violation("media-type", value, "invalid_content_type")
    else:
        yield from encoding_of(value, document)


def _action(value: str | None) -> Iterator[Violation]:
    if value in (None, "", '""'):
        return
    assert value is not None
    if len(value) < 3 or not (value.startswith('"') and value.endswith('"')) or not _is_uri(value[1:-1]):
        yield Violation("soap-action", value, "invalid_soap_action")


def _is_uri(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return re.fullmatch(r"[!#-;=?-\[\]_a-z~%]*", text, re.IGNORECASE) is not None


def _parts(root: etree._Element, found: list[Violation]) -> tuple[etree._Element | None, etree._Element | None]:
    names = [str(each.tag) for each in elements(root)]
    headers, bodies = root.findall(HEADER), root.findall(BODY)
    if not headers:
        found.append(Violation("header-missing", "no Header", "missing_header"))
    if len(headers) > 1:
        found.append(Violation("header-count", f"{len(headers)} Headers", "duplicate_header_field"))
    if not bodies:
        found.append(Violation("body-missing", "no Body", "missing_body"))
    if len(bodies) > 1:
        found.append(Violation("body-count", f"{len(bodies)} Bodies", "invalid_body"))
    rest = [name for name in names if name not in (HEADER, BODY)]
    if rest or names != sorted(names, key=(HEADER, BODY, *rest).index):
        found.append(Violation("envelope-children", f"{names}", "invalid_soap"))
    return (headers[0] if headers else None), (bodies[0] if bodies else None)


def _wrapper(body: etree._Element | None, found: list[Violation]) -> str | None:
    if body is None:
        return None
    children = elements(body)
    if len(children) != 1:
        found.append(Violation("body-children", f"{len(children)} children of Body", "invalid_body"))
        return None
    if children[0].tag == FAULT:
        found.append(Violation("body-fault", "a Fault is no request", "invalid_body"))
        return None
    found += literal(body)
    return local(children[0])


def literal(body: etree._Element) -> Iterator[Violation]:
    """PR-MESS 2.3, document/literal: no encoding style anywhere from the envelope to the body's content."""
    for each in (*body.iterancestors(), *body.iter(etree.Element)):
        if each.get(f"{{{SOAP}}}encodingStyle") is not None:
            yield Violation("literal", f"encodingStyle on {local(each)}")
    texts = [body.text, *(child.tail for child in body)]
    if any(text and text.strip() for text in texts):
        yield Violation("literal", "text beside the wrapper")


def _fields(header: etree._Element) -> Iterator[Violation]:
    seen: dict[str, int] = {}
    for each in elements(header):
        name = local(each)
        if namespace(each) == XROAD:
            seen[name] = seen.get(name, 0) + 1
            if name not in PLAIN + COMPOUND:
                yield Violation("header-unknown", name)
            elif name in PLAIN and elements(each):
                yield Violation("header-value", f"{name} has children", "invalid_xml")
        elif name in PLAIN + COMPOUND:
            yield Violation("header-namespace", f"{name} in {namespace(each)!r}")
    for name, times in seen.items():
        if times > 1:
            yield Violation("header-repeated", f"{name} {times} times", "duplicate_header_field")
    for name in ("client", "service", "id", "protocolVersion"):
        if name not in seen:
            yield Violation("header-missing", name, "missing_header_field")
    if "requestHash" in seen:
        yield Violation("request-hash", "a request carries none")
    texts = {name: header.findtext(f"{{{XROAD}}}{name}") for name in PLAIN}
    if texts["protocolVersion"] not in (None, "4.0"):
        yield Violation("protocol-version", f"{texts['protocolVersion']!r}", "invalid_protocol_version")
    if texts["id"] is not None and not texts["id"].strip():
        yield Violation("id-empty", "id says nothing", "missing_header_field")
    yield from user_and_issue(texts["userId"], texts["issue"])


def _identifier(
    header: etree._Element, name: str, parts: tuple[str, ...], types: tuple[str, ...], found: list[Violation]
) -> Identifier | None:
    element = header.find(f"{{{XROAD}}}{name}")
    if element is None:
        return None
    kind = element.get(f"{{{IDENTIFIERS}}}objectType")
    if kind not in types:
        found.append(Violation("object-type", f"{name}: {kind!r}", "invalid_xml"))
    known = {f"{{{IDENTIFIERS}}}{part}" for part in parts}
    names = [local(each) for each in elements(element) if each.tag in known]
    strange = [str(each.tag) for each in elements(element) if each.tag not in known]
    if strange:
        found.append(Violation("identifier-children", f"{name}: {strange}", "invalid_xml"))
    if len(set(names)) < len(names):
        found.append(Violation("identifier-repeated", f"{name}: {names}", "duplicate_header_field"))
    if names != sorted(names, key=parts.index):
        found.append(Violation("identifier-order", f"{name}: {names}", "invalid_xml"))
    values = {part: element.findtext(f"{{{IDENTIFIERS}}}{part}") for part in parts}
    lacking = [part for part, value in values.items() if value == "" or (value is None and part not in OPTIONAL)]
    if lacking:
        found.append(Violation("identifier-parts", f"{name} lacks {lacking}", "internal_error"))
        return None
    if name == "client" and kind in types and (kind == "SUBSYSTEM") != (values["subsystemCode"] is not None):
        found.append(Violation("object-type", f"client: {kind} with {names}", "invalid_xml"))
    identifier = Identifier(*(values[part] for part in parts))  # type: ignore[arg-type]
    found += characters(name, identifier)
    return identifier
