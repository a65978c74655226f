"""Answers that a broken or hostile security server would give, made out of right ones.

Others use them by name through `ConsumerServer.misbehave`; `SOAP_KINDS` and `REST_KINDS` list what there is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from lxml import etree

from tests.test_xroad.double.rest_message import Headers
from tests.test_xroad.double.soap_answer import with_hash
from tests.test_xroad.double.soap_request import xroad_fields
from tests.test_xroad.double.vocabulary import BODY, HEADER, REQUEST_HASH, XROAD, elements, local, parse

FAULT_CODE = "test_failed"
FAULT_TEXT = "Không đọc được tham số"
# In place of an answer, or with the connection; the same for both protocols.
COMMON = ("fault", "close-connection", "close-midway", "not-a-message")


def _header(root: etree._Element) -> etree._Element:
    header = root.find(HEADER)
    assert header is not None, "a Fault has no header to damage"
    return header


def _reorder(root: etree._Element) -> None:
    header = _header(root)
    fields = xroad_fields(header)
    header.insert(header.index(fields[0]), fields[-1])


def _drop(root: etree._Element) -> None:
    header = _header(root)
    optional = [each for each in xroad_fields(header) if local(each) in ("userId", "issue")]
    header.remove((optional or xroad_fields(header))[-1])


def _change(root: etree._Element) -> None:
    field = root.find(f"{HEADER}/{{{XROAD}}}id")
    assert field is not None
    field.text = f"{field.text}x"


def _change_service(root: etree._Element) -> None:
    code = next(each for each in root.iter(etree.Element) if local(each) == "serviceCode")
    code.text = f"{code.text}Other"


def _wrong_namespace(root: etree._Element) -> None:
    field = root.find(f"{HEADER}/{{{XROAD}}}id")
    assert field is not None
    field.tag = "{http://x-road.eu/xsd/x-road.xsd}id"


def _repeat(root: etree._Element) -> None:
    header = _header(root)
    header.append(parse(etree.tostring(xroad_fields(header)[-1], method="c14n", exclusive=True)))


def _wrong_wrapper(root: etree._Element) -> None:
    elements(root.find(BODY))[0].tag = "{urn:other}OtherResponse"  # type: ignore[arg-type]


def _nontechnical(root: etree._Element) -> None:
    wrapper = elements(root.find(BODY))[0]  # type: ignore[arg-type]
    for child in list(wrapper):
        wrapper.remove(child)
    fault = etree.SubElement(wrapper, "fault")
    etree.SubElement(fault, "faultCode").text = FAULT_CODE
    etree.SubElement(fault, "faultString").text = FAULT_TEXT


def _no_hash(root: etree._Element) -> None:
    header = _header(root)
    for field in header.findall(REQUEST_HASH):
        header.remove(field)


_DAMAGES: dict[str, Callable[[etree._Element], None]] = {
    "reorder-headers": _reorder,
    "drop-header": _drop,
    "change-value": _change,
    "change-service": _change_service,
    "wrong-namespace": _wrong_namespace,
    "repeated-response-header": _repeat,
    "wrong-wrapper": _wrong_wrapper,
    "nontechnical-fault": _nontechnical,
    "no-request-hash": _no_hash,
}
SOAP_KINDS = (*COMMON, *_DAMAGES, "wrong-request-hash")
WRONG_HASH = base64.b64encode(bytes(64)).decode()


def damaged_soap(kind: str, document: bytes) -> bytes:
    """The right answer, spoiled in the named way."""
    if kind == "wrong-request-hash":
        return with_hash(document, WRONG_HASH)
    root = parse(document)
    _DAMAGES[kind](root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


REST_KINDS = (
    *COMMON,
    "drop-header",
    "change-value",
    "change-service",
    "wrong-request-hash",
    "no-request-hash",
    "repeated-response-header",
    "nontechnical-fault",
    "error-without-x-road-error",
)
_HIT = {
    "drop-header": "x-road-id",
    "change-value": "x-road-id",
    "repeated-response-header": "x-road-id",
    "change-service": "x-road-service",
    "wrong-request-hash": "x-road-request-hash",
    "no-request-hash": "x-road-request-hash",
}


def damaged_rest(kind: str, status: int, headers: Headers, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """The right answer, spoiled; `nontechnical-fault` is the provider's own 405 under X-Road headers."""
    if kind == "nontechnical-fault":
        said = {"status": 405, "error": FAULT_CODE, "message": FAULT_TEXT}
        kept = [each for each in headers if each[0].lower() != "content-type"]
        kept.append(("Content-Type", "application/json;charset=utf-8"))
        return 405, kept, json.dumps(said, ensure_ascii=False).encode()
    result: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower() != _HIT[kind]:
            result.append((name, value))
        elif kind == "repeated-response-header":
            result += [(name, value), (name, f"{value}x")]
        elif kind == "wrong-request-hash":
            result.append((name, WRONG_HASH))
        elif kind.startswith("change"):
            result.append((name, f"{value}x"))
    return status, result, body
