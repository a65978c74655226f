"""The binding for XML over HTTP whose answers carry an enveloped signature (profile of the land database, ours)."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from adapters.proof import means, provenance, rejected
from adapters.site import Site
from adapters.transport import Message, Reply
from adapters.xml_answers import payload_reader, refuse_parts
from schemas.exchange import Answer, Exchange, Operation
from schemas.fields import shape_of
from schemas.ids import new_id
from security.signature import Rejected
from security.xml import XmlRefused
from security.xml_signature import verify_enveloped


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedXml:
    """An XML document asked and answered; the root of the answer is signed and carries `requestId` and `issuedAt`.

    `contract` is the XSD file of both, `request` and `answer` the (namespace, name) of the roots; the rest as in Soap.
    """

    contract: str
    path: str
    request: tuple[str, str]
    answer: tuple[str, str]
    record: str = ""
    given: tuple[Given, ...] = ()
    verdict: str = ""
    accepted: frozenset[str] = frozenset()
    protocol: Literal["REST/XML"] = "REST/XML"

    def compile(self, operation: Operation, site: Site) -> Codec:
        """Compile the codec of an operation whose answers are signed XML."""
        decode = payload_reader(
            operation, self.contract, self.answer, record=self.record, verdict=self.verdict, accepted=self.accepted
        )
        texts = texts_of(shape_of(operation.question))
        name, endpoint = site.name, site.endpoint
        given = given_texts(self.given, name, endpoint)
        held = means(site)
        # Java, .NET and Santuario sign documents with inclusive C14N unless they are told otherwise.
        policy = replace(held.policy, inclusive_c14n=True)
        opening = f'<{self.request[1]} xmlns="{self.request[0]}" requestId="'
        headers = {"Content-Type": "application/xml; charset=utf-8", "Accept": "application/xml"}

        def write(exchange: Exchange) -> tuple[Message, Expected]:
            asked = Asked(exchange, endpoint, new_id())
            inside = xml_of(given(asked) + texts(exchange.question))
            body = f'{opening}{asked.message_id}">{inside}</{self.request[1]}>'
            return Message("POST", self.path, headers, body.encode()), Expected(asked.message_id)

        def read(reply: Reply, expected: Expected) -> Answer:
            check_status(name, reply, operation.faults)
            try:
                refuse_parts(reply)
                verified = verify_enveloped(reply.body, policy, held.trust, request_id=expected.message_id)
                data, notices = decode(verified.element, expected.message_id)
            except Rejected as error:
                raise rejected(error) from None
            except (Unreadable, XmlRefused) as error:
                raise unreadable(error) from None
            return Answer(data, tuple(notices), provenance(verified))

        return Codec(write, read, as_xml=True)
