"""Messages of callers and what is read out of the answers, with nothing of the gateway's own code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lxml import etree

SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
MEDIA = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}
GATEWAY = "urn:lgsp:gateway:1"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
VERSIONS = ("1.1", "1.2")
ENVELOPES = {
    version: b'<e:Envelope xmlns:e="%b"><e:Body>%%b</e:Body></e:Envelope>' % uri.encode()
    for version, uri in SOAP.items()
}


def envelope(payload: str, version: str = "1.1", blocks: str = "", *, header: bool | None = None) -> bytes:
    """An envelope with header blocks; the prefix `e` is that of SOAP, `g` that of the gateway."""
    shown = f"<e:Header>{blocks}</e:Header>" if (blocks if header is None else header) else ""
    text = f'<e:Envelope xmlns:e="{SOAP[version]}" xmlns:g="{GATEWAY}">{shown}<e:Body>{payload}</e:Body></e:Envelope>'
    return text.encode()


def person(inside: str) -> str:
    return f'<Person xmlns="urn:lgsp:population:1">{inside}</Person>'


@dataclass(frozen=True)
class Fault:
    """A fault as a client reads it; `problem` has the texts of the detail by name, lists as lists."""

    code: str
    text: str
    problem: dict[str, Any]
    blocks: tuple[etree._Element, ...]
    body: etree._Element


def told(place: etree._Element) -> Any:
    """Elements as text, lists of `item` as lists, others as objects; nil as None."""
    if place.get(f"{XSI}nil") == "true":
        return None
    children = list(place)
    if children and all(etree.QName(each).localname == "item" for each in children):
        return [told(each) for each in children]
    if children:
        return {etree.QName(each).localname: told(each) for each in children}
    return place.text or ""


def fault_of(document: bytes, version: str) -> Fault:
    """Read a fault by the rules of its version."""
    assert document.startswith(b"<?xml"), document[:80]
    root = etree.fromstring(document)
    soap = f"{{{SOAP[version]}}}"
    assert root.tag == f"{soap}Envelope", root.tag
    header, body = root.find(f"{soap}Header"), root.find(f"{soap}Body")
    assert body is not None
    (fault,) = body
    assert fault.tag == f"{soap}Fault", fault.tag
    names = [each.tag for each in fault]
    if version == "1.1":
        # Unqualified, in this order (SOAP 1.1, section 4.4 and its schema).
        assert names in (["faultcode", "faultstring"], ["faultcode", "faultstring", "detail"])
        code, text, detail = fault.findtext("faultcode"), fault.findtext("faultstring"), fault.find("detail")
    else:
        assert names in ([f"{soap}Code", f"{soap}Reason"], [f"{soap}Code", f"{soap}Reason", f"{soap}Detail"])
        code, detail = fault.findtext(f"{soap}Code/{soap}Value"), fault.find(f"{soap}Detail")
        texts = fault.findall(f"{soap}Reason/{soap}Text")
        languages = [each.get("{http://www.w3.org/XML/1998/namespace}lang") for each in texts]
        assert sorted(map(str, languages)) == ["en", "vi"]
        text = texts[0].text
    assert code is not None
    assert text
    prefix, _, local = code.partition(":")
    assert fault.nsmap[prefix] == SOAP[version]
    problem = {}
    if detail is not None:
        (inside,) = detail
        assert inside.tag == f"{{{GATEWAY}}}Problem"
        problem = told(inside)
    return Fault(local, text, problem, tuple(() if header is None else header), fault)


def answer_of(document: bytes, version: str) -> etree._Element:
    """The wrapper of an answer."""
    assert document.startswith(b"<?xml"), document[:80]
    root = etree.fromstring(document)
    soap = f"{{{SOAP[version]}}}"
    body = root.find(f"{soap}Body")
    assert root.tag == f"{soap}Envelope"
    assert body is not None
    (wrapper,) = body
    assert wrapper.tag != f"{soap}Fault", document
    return wrapper


def names(elements: Iterable[etree._Element]) -> list[str]:
    return [etree.QName(each).localname for each in elements]
