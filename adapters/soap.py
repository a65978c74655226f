"""The SOAP binding: document/literal over SOAP 1.1 or 1.2, signed by WS-Security where the operation says so.

zeep reads the same contracts in `lgsp check` and in the tests; here the envelope is joined from compiled text, and the
answer goes parse → verify → XSD → decode on one tree.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal

from adapters.bindings import (
    Asked,
    Codec,
    Expected,
    Given,
    check_status,
    given_texts,
    unreadable,
)
from adapters.codecs import Unreadable
from adapters.encoding import texts_of, xml_of
from adapters.envelopes import Fault, fault_of, payload_of
from adapters.proof import means, provenance, rejected, unsigned
from adapters.site import Site
from adapters.transport import Message, Reply
from adapters.xml_answers import payload_reader, refuse_parts
from adapters.xroad_soap import SoapRoad
from schemas.errors import ClientError, GatewayError, Text, UpstreamRefused, UpstreamUnavailable
from schemas.exchange import Answer, Exchange, Operation, Provenance
from schemas.fields import shape_of
from schemas.ids import new_id
from security.elements import accept_unsigned
from security.signature import Rejected, Trusted
from security.signature_key import KeySilent
from security.soap_signature import SOAP, verify_soap
from security.soap_signing import sign_soap_parts
from security.xml import Limits, XmlRefused

Seal = Callable[[bytes, bytes], tuple[bytes, str | None]]
"""Puts a payload and header blocks into an envelope, signed where the source wants that.

Returns the envelope and the signature's value.
"""

# Whom a fault can blame (SOAP 1.1, section 4.4.1; SOAP 1.2, section 5.4.6).
_SIDES = frozenset(
    {"Client", "Server", "Sender", "Receiver", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"}
)

Open = Callable[[Reply, Expected], tuple[Trusted, Provenance | None]]
"""Gets the payload out of an envelope, verified where the source signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soap:
    """One operation of a WSDL.

    `request` and `answer` are the (namespace, name) of the two payloads, `record` the path of the record in the
    answer, `echo` the attribute of the answer that repeats our message id, `verdict` and `accepted` the path and the
    good values of a result code in the answer, `fault` the element of a fault's detail with the source's own code.
    `qualified` says whether the elements inside the payloads are in its namespace (`elementFormDefault`; JAX-WS leaves
    them without one unless it is told otherwise).
    """

    version: Literal["1.1", "1.2"]
    wsdl: str
    path: str
    action: str
    request: tuple[str, str]
    answer: tuple[str, str]
    record: str = ""
    given: tuple[Given, ...] = ()
    echo: str = ""
    verdict: str = ""
    accepted: frozenset[str] = frozenset()
    fault: str = ""
    qualified: bool = True

    @property
    def protocol(self) -> str:
        """Name of the protocol for the catalogue."""
        return f"SOAP {self.version}"

    def compile(self, operation: Operation, site: Site) -> Codec:
        """Compile the codec of an operation of a WSDL."""
        decode = payload_reader(
            operation,
            self.wsdl,
            self.answer,
            record=self.record,
            verdict=self.verdict,
            accepted=self.accepted,
            echo=self.echo,
            qualified=self.qualified,
        )
        name, endpoint = site.name, site.endpoint
        given = given_texts(self.given, name, endpoint)
        texts = texts_of(shape_of(operation.question))
        # The payload's text is its own exclusive C14N: one namespace, no attributes.
        mark, prefix = ("", "") if self.qualified else (":q", "q:")
        opening = f'<{prefix}{self.request[1]} xmlns{mark}="{self.request[0]}">'
        closing = f"</{prefix}{self.request[1]}>"
        seal, unseal, thread = self._signed(site) if operation.signed else self._unsigned(site.limits)
        headers = self._headers()
        road = SoapRoad.of(site, operation.name, self.version, self.request[1])
        # A security server has one address for every SOAP service.
        path = self.path if road is None else "/"

        def write(exchange: Exchange) -> tuple[Message, Expected]:
            message_id = new_id()
            asked = Asked(exchange, endpoint, message_id)
            inside = xml_of(given(asked) + texts(exchange.question))
            blocks = b"" if road is None else road.headers(asked)
            envelope, signature = seal(f"{opening}{inside}{closing}".encode(), blocks)
            posted = b"" if road is None else envelope
            return Message("POST", path, headers, envelope), Expected(message_id, signature, posted)

        def read(reply: Reply, expected: Expected) -> Answer:
            # Some stacks send their faults with HTTP 200 (SOAP 1.1 wants 500).
            if reply.status != 200 or b"Fault" in reply.body:
                self._raise_fault(reply, operation, road)
                check_status(name, reply, operation.faults)
            try:
                refuse_parts(reply)
                payload, proven = unseal(reply, expected)
                if road is not None:
                    road.check(reply.body, expected.posted, payload, operation.faults)
                data, notices = decode(payload, expected.message_id)
            except (Unreadable, XmlRefused) as error:
                raise unreadable(error) from None
            return Answer(data, tuple(notices), proven)

        return Codec(write, read, thread, as_xml=True)

    def _headers(self) -> dict[str, str]:
        if self.version == "1.1":
            return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{self.action}"', "Accept": "text/xml"}
        media = "application/soap+xml"
        action = f'; action="{self.action}"' if self.action else ""
        return {"Content-Type": f"{media}; charset=utf-8{action}", "Accept": media}

    def _signed(self, site: Site) -> tuple[Seal, Open, Executor | None]:
        held = means(site, frozenset({self.version}))

        def seal(payload: bytes, blocks: bytes) -> tuple[bytes, str | None]:
            try:
                signed = sign_soap_parts(payload, held.key, version=self.version, unsigned_headers=blocks)
            except KeySilent:
                raise unsigned(site.name) from None
            return signed.envelope, signed.signature_value

        def unseal(reply: Reply, expected: Expected) -> tuple[Trusted, Provenance | None]:
            try:
                verified = verify_soap(reply.body, held.policy, held.trust, confirms=expected.signature)
            except Rejected as error:
                raise rejected(error) from None
            return verified.element, provenance(verified)

        return seal, unseal, held.key.thread

    def _unsigned(self, limits: Limits) -> tuple[Seal, Open, Executor | None]:
        opening = f'<env:Envelope xmlns:env="{SOAP[self.version]}">'.encode()
        closing = b"</env:Body></env:Envelope>"

        def seal(payload: bytes, blocks: bytes) -> tuple[bytes, str | None]:
            header = b"<env:Header>%b</env:Header>" % blocks if blocks else b""
            return b"%b%b<env:Body>%b%b" % (opening, header, payload, closing), None

        def unseal(reply: Reply, expected: Expected) -> tuple[Trusted, Provenance | None]:
            return payload_of(accept_unsigned(reply.body, limits), self.version), None

        return seal, unseal, None

    def _raise_fault(self, reply: Reply, operation: Operation, road: SoapRoad | None) -> None:
        """Raise what a SOAP fault means; nothing happens if the body is none.

        A fault is seldom signed: it may say that we were refused or that the source is ill, never anything about data.
        """
        try:
            fault = fault_of(accept_unsigned(reply.body))
        except XmlRefused:
            return
        if fault is None:
            return
        if road is not None:
            road.raise_fault(fault.element)
        side, own = self._fault_codes(fault)
        # Nobody signed it: of its text only words that we know already are repeated.
        shown = own if own in operation.faults else side if side in _SIDES else "?"
        detail = Text(f"Nguồn trả lỗi SOAP {shown}", f"The source answered SOAP fault {shown}")
        declared: type[GatewayError] | None = operation.faults.get(own)
        if declared is not None and not issubclass(declared, ClientError):
            raise declared(detail)
        raise (UpstreamUnavailable if side in ("Server", "Receiver") else UpstreamRefused)(detail)

    def _fault_codes(self, found: Fault) -> tuple[str, str]:
        """Return the side that a fault blames (Client, Server, Sender, Receiver) and the source's own code."""
        version, fault = found
        if version == "1.1":
            code, detail = fault.findtext("faultcode") or "", fault.find("detail")
        else:
            prefix = f"{{{SOAP[version]}}}"
            code, detail = fault.findtext(f"{prefix}Code/{prefix}Value") or "", fault.find(f"{prefix}Detail")
        own = ""
        for element in detail.iter() if detail is not None else ():
            if str(element.tag).rpartition("}")[2] == self.fault:
                own = element.text or ""
        return code.strip().rpartition(":")[2].partition(".")[0], own.strip()
