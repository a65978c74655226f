"""What becomes of a provider's SOAP answer in a security server, and what PR-MESS 4.0 asks of that answer.

`answer_violations(request, answer)` names every broken rule; `carried(request, answer)` is what a server makes of it:
the answer with `requestHash` behind `id`, the provider's Fault as it stands, or an error code.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from lxml import etree

from tests.test_xroad.double.soap_request import (
    SERIALISED,
    SoapRequest,
    encoding_of,
    literal,
    media_type,
    xroad_fields,
)
from tests.test_xroad.double.vocabulary import (
    BODY,
    ENVELOPE,
    FAULT,
    HEADER,
    IDENTIFIERS,
    REQUEST_HASH,
    SHA512,
    SOAP,
    XROAD,
    Unreadable,
    Violation,
    elements,
    local,
    namespace,
    parse,
)

MANDATORY = ("protocolVersion", "client", "id", "service")
FAULT_CHILDREN = ("faultcode", "faultstring", "faultactor", "detail")


@dataclass(frozen=True, slots=True)
class SoapAnswer:
    """An answer over HTTP: what a provider gave, or what the double carried to the asker."""

    status: int
    content_type: str | None
    body: bytes


class Refused(Exception):
    """The server puts a technical error in place of the answer; `code` in the spelling of 7.8."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def request_hash(request: SoapRequest) -> str:
    """Base64 of SHA-512 over the bytes as posted, byte order mark included (`SoapMessageImpl.getHash`)."""
    return base64.b64encode(hashlib.sha512(request.envelope).digest()).decode()


def carried(request: SoapRequest, answer: SoapAnswer, *, foreign_wrapper: bool = False) -> SoapAnswer:
    """Carry an answer as both servers do; raise `Refused` where they answer with an error of their own.

    `foreign_wrapper` lets answers pass that are not named after the service, which no server does.
    """
    provider = "server.serverproxy.service_failed"
    if answer.status not in (200, 500):
        raise Refused(f"{provider}.http_error", f"Server responded with error {answer.status}")
    if answer.content_type is None or media_type(answer.content_type)[0] not in SERIALISED:
        raise Refused(f"{provider}.invalid_content_type", f"Invalid content type: {answer.content_type}")
    try:
        root = parse(answer.body)
    except Unreadable as error:
        raise Refused(f"{provider}.invalid_soap", str(error)) from error
    if root.tag != ENVELOPE:
        raise Refused(f"{provider}.invalid_soap", "envelope missing")
    body = root.find(BODY)
    if body is not None and body.find(FAULT) is not None:
        return SoapAnswer(200, "text/xml;charset=utf-8", answer.body)
    header = root.find(HEADER)
    if header is None:
        raise Refused(f"{provider}.missing_header", "header missing")
    for name in MANDATORY:
        if header.find(f"{{{XROAD}}}{name}") is None:
            raise Refused(f"{provider}.missing_header_field", f"Required field '{name}' is missing")
    if body is None:
        raise Refused(f"{provider}.missing_body", "body missing")
    if len(elements(body)) != 1:
        raise Refused(f"{provider}.invalid_body", "body must have exactly one child element")
    # The parser compares only how the name begins; that it ends with `Response` is the document's rule.
    named = foreign_wrapper or local(elements(body)[0]).startswith(request.service.service or "")
    if not named:
        raise Refused(f"{provider}.inconsistent_headers", "service code does not match in header and body")
    if {str(each.tag): value(each) for each in xroad_fields(header)} != {
        str(each.tag): value(each) for each in request.fields()
    }:
        raise Refused("server.clientproxy.service_failed.inconsistent_response", "not consistent with the request")
    return SoapAnswer(200, answer.content_type, with_hash(answer.body, request_hash(request)))


def value(element: etree._Element) -> object:
    """What a field says: its text as it is, or its object type and parts in their order."""
    children = elements(element)
    if not children:
        return element.text or ""
    parts = [(str(each.tag), each.text or "") for each in children]
    return element.get(f"{{{IDENTIFIERS}}}objectType"), parts


def answer_violations(request: SoapRequest, answer: SoapAnswer) -> Iterator[Violation]:
    """Name every rule that a provider's answer breaks."""
    if answer.status not in (200, 500):
        # 401 or 415 with a Fault is HTTP's way, but a server reads no body of such an answer.
        yield Violation("answer-status", f"{answer.status}", "http_error")
    if answer.content_type is None or media_type(answer.content_type)[0] != "text/xml":
        yield Violation("answer-media-type", f"{answer.content_type}", "invalid_content_type")
    else:
        yield from encoding_of(answer.content_type, answer.body)
    try:
        root = parse(answer.body)
    except Unreadable as error:
        yield Violation("answer-xml", str(error), "invalid_soap")
        return
    names = [str(each.tag) for each in elements(root)]
    if root.tag != ENVELOPE or names not in ([HEADER, BODY], [BODY]):
        yield Violation("answer-envelope", f"{root.tag} with {names}", "invalid_soap")
        return
    body = root.find(BODY)
    assert body is not None
    yield from literal(body)
    fault = body.find(FAULT)
    if (fault is not None) != (answer.status == 500):
        yield Violation("answer-fault-status", f"{answer.status} {'with' if fault is not None else 'without'} a Fault")
    if fault is not None:
        yield from _fault(body, fault)
    else:
        yield from _headers(request, root.find(HEADER))
        yield from _answered(request, body)


def _fault(body: etree._Element, fault: etree._Element) -> Iterator[Violation]:
    names = [str(each.tag) for each in elements(fault)]
    if len(elements(body)) != 1:
        yield Violation("fault-alone", f"{len(elements(body))} children of Body", "invalid_body")
    if names not in [
        [*FAULT_CHILDREN[:2], *more] for more in ([], ["faultactor"], ["detail"], ["faultactor", "detail"])
    ]:
        yield Violation("fault-children", f"{names}")
    code = (fault.findtext("faultcode") or "").strip()
    prefix = code.rpartition(":")[0]
    if not code or (prefix and prefix not in fault.nsmap):
        yield Violation("fault-code", f"{code!r}")
    elif prefix and fault.nsmap[prefix] == SOAP and local_code(code) not in (
        "VersionMismatch", "MustUnderstand", "Client", "Server",
    ):  # fmt: skip
        yield Violation("fault-code", f"{code} is none of SOAP 1.1")
    if not (fault.findtext("faultstring") or "").strip():
        yield Violation("fault-string", "empty")


def local_code(code: str) -> str:
    """The first part of a fault code, without prefix."""
    return code.rpartition(":")[2].partition(".")[0]


def _headers(request: SoapRequest, header: etree._Element | None) -> Iterator[Violation]:
    if header is None:
        yield Violation("answer-header", "none", "missing_header")
        return
    if header.find(REQUEST_HASH) is not None:
        yield Violation("answer-request-hash", "the provider's server makes it")
    asked, answered = request.fields(), xroad_fields(header)
    wanted, got = [str(each.tag) for each in asked], [str(each.tag) for each in answered]
    if sorted(wanted) != sorted(got):
        lost, more = set(wanted) - set(got), set(got) - set(wanted)
        code = "missing_header_field" if lost else "inconsistent_response"
        yield Violation("answer-header-fields", f"lost {lost}, added {more}, of {len(wanted)} {len(got)}", code)
    elif wanted != got:
        yield Violation("answer-header-order", f"{got}")
    said = {str(each.tag): value(each) for each in asked}
    for each in answered:
        if str(each.tag) in said and value(each) != said[str(each.tag)]:
            yield Violation("answer-header-value", f"{local(each)}: {value(each)}", "inconsistent_response")
    names = {local(each) for each in asked}
    for each in elements(header):
        if namespace(each) != XROAD and local(each) in names and str(each.tag) not in wanted:
            yield Violation("answer-header-namespace", f"{each.tag}")


def _answered(request: SoapRequest, body: etree._Element) -> Iterator[Violation]:
    names = [local(each) for each in elements(body)]
    if names != [f"{request.wrapper}Response"]:
        yield Violation("answer-wrapper", f"{names} to {request.wrapper}", "invalid_body")


def with_hash(document: bytes, digest: str) -> bytes:
    """Put `requestHash` behind `id` and take away one that is there, changing no other byte."""
    places = Places(document)
    for start, end, _ in reversed(places.of(REQUEST_HASH)):
        document = document[:start] + document[end:]
    _, end, prefix = Places(document).of(f"{{{XROAD}}}id")[0]
    name, declared = (f"{prefix}:requestHash", f"xmlns:{prefix}") if prefix else ("requestHash", "xmlns")
    field = f'<{name} {declared}="{XROAD}" algorithmId="{SHA512}">{digest}</{name}>'
    return document[:end] + field.encode() + document[end:]


class Places:
    """Where the blocks of the Header stand in the bytes of a UTF-8 document."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._path: list[tuple[str, int, str]] = []
        self._found: list[tuple[str, int, int, str]] = []
        self.header_inside = self.body_start = -1
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.namespace_prefixes = True
        parser.StartElementHandler = lambda name, _: self._start(name, parser.CurrentByteIndex)
        parser.EndElementHandler = lambda _: self._end(parser.CurrentByteIndex)
        parser.Parse(document, True)

    def of(self, tag: str) -> list[tuple[int, int, str]]:
        """Start, end and prefix of every header block of this name."""
        return [(start, end, prefix) for name, start, end, prefix in self._found if name == tag]

    def _start(self, name: str, index: int) -> None:
        uri, _, rest = name.partition(" ")
        label, _, prefix = rest.partition(" ") if rest else (uri, "", "")
        tag = f"{{{uri}}}{label}" if rest else uri
        if tag == HEADER:
            self.header_inside = self._document.index(b">", index) + 1
        elif tag == BODY and len(self._path) == 1:
            self.body_start = index
        self._path.append((tag, index, prefix))

    def _end(self, index: int) -> None:
        tag, start, prefix = self._path.pop()
        if len(self._path) == 2 and self._path[1][0] == HEADER:
            self._found.append((tag, start, self._document.index(b">", index) + 1, prefix))


def repeated(request: SoapRequest, answer: SoapAnswer) -> SoapAnswer:
    """Repeat the request's fields in the answer of a provider that knows nothing of X-Road.

    Bytes are put in and none is changed, so that a signature of the provider's over its Body stays good. An answer
    that is no SOAP 1.1 envelope, a Fault, or that has X-Road fields already comes back as it was.
    """
    try:
        root = parse(answer.body)
    except Unreadable:
        return answer
    header, body = root.find(HEADER), root.find(BODY)
    there = header is not None and xroad_fields(header)
    if root.tag != ENVELOPE or body is None or body.find(FAULT) is not None or there:
        return answer
    fields = b"".join(
        etree.tostring(each, method="c14n", exclusive=True, with_comments=False) for each in request.fields()
    )
    places = Places(answer.body)
    if header is None:
        at, fields = places.body_start, b'<h:Header xmlns:h="%s">%s</h:Header>' % (SOAP.encode(), fields)
    elif answer.body[places.header_inside - 2 : places.header_inside] == b"/>":
        start = answer.body.rindex(b"<", 0, places.header_inside)
        name = answer.body[start + 1 : places.header_inside - 2].split()[0]
        opened = answer.body[: places.header_inside - 2] + b">" + fields + b"</" + name + b">"
        return SoapAnswer(answer.status, answer.content_type, opened + answer.body[places.header_inside :])
    else:
        at = places.header_inside
    return SoapAnswer(answer.status, answer.content_type, answer.body[:at] + fields + answer.body[at:])
