"""Messages as a script without a SOAP library makes and reads them: an envelope with its values, sent by curl."""

import subprocess
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from tests.test_soap_clients.calls import Papers
from tests.test_soap_clients.material import ENVELOPES, GATEWAY, Call, Tree

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
CONTENT_TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """One request and its answer; `inside` is the element in the Body, a fault included."""

    question: str
    status: int
    content_type: str
    body: bytes

    @property
    def inside(self) -> "etree._Element":
        return etree.fromstring(self.body)[-1][0]


def envelope(call: Call) -> str:
    """The request of a call."""
    blocks = "".join(f"<g:{name}>{escape(text)}</g:{name}>" for name, text in call.blocks.items())
    members = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in call.body.items())
    return (
        f'<s:Envelope xmlns:s="{ENVELOPES[call.soap]}"><s:Header xmlns:g="{GATEWAY}">{blocks}</s:Header>'
        f'<s:Body><{call.operation} xmlns="{call.namespace}">{members}</{call.operation}></s:Body></s:Envelope>'
    )


def spoken(call: Call, papers: Papers) -> Spoken:
    """Send a call as an example in a manual would."""
    question = envelope(call)
    command = ["curl", "-sS", "--data-binary", "@-", "-w", r"\n%{http_code} %{content_type}"]
    command += ["-H", f"Content-Type: {CONTENT_TYPES[call.soap]}"]
    if call.soap == "1.1":
        command += ["-H", f'SOAPAction: "{call.namespace}/{call.operation}"']
    for name, text in call.http.items():
        command += ["-H", f"{name}: {text}"]
    if call.basic is not None:
        command += ["-u", ":".join(call.basic)]
    if call.bearer is not None:
        command += ["-H", f"Authorization: Bearer {call.bearer}"]
    if call.tls is not None:
        command += ["--cert", str(papers.certificate), "--key", str(papers.key), "--cacert", str(papers.ca)]
    done = subprocess.run(
        [*command, call.location], input=question.encode(), capture_output=True, timeout=60, check=True
    )
    body, _, said = done.stdout.rpartition(b"\n")
    status, _, content_type = said.decode().partition(" ")
    return Spoken(question, int(status), content_type, body)


def read(element: "etree._Element") -> Any:
    """The content of an element as a tree: None for nil, text for what has no elements in it."""
    if element.get(NIL) is not None:
        return None
    if not len(element):
        return element.text or ""
    names = [etree.QName(child).localname for child in element]
    if set(names) == {"item"}:
        return {"item": [read(child) for child in element]}
    assert len(set(names)) == len(names)
    tree: Tree = {name: read(child) for name, child in zip(names, element, strict=True)}
    return tree
