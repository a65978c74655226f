"""The last steps of every XML answer that follows a contract: XSD, result code, the one record, decoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.bindings import check_verdict, segments
from adapters.codecs import Decoded, Unreadable, xml_decoder
from adapters.presence import filled, the_one
from adapters.proof import rejected
from adapters.transport import Reply
from schemas.errors import GatewayError
from schemas.exchange import Operation
from schemas.fields import shape_of
from security.contracts import contract_schema
from security.elements import elements_at
from security.signature import Rejected, Trusted


def refuse_parts(reply: Reply) -> None:
    """Raise Unreadable for MIME parts (attachments, MTOM), which no operation declares and which are never half read.

    The body tells, since some senders leave out the `type` of their multipart or the multipart altogether: no XML
    document begins as a boundary does (RFC 2046, section 5.1.1).
    """
    if reply.body.startswith((b"--", b"\r\n--")):
        raise Unreadable("the answer has MIME parts (attachments, MTOM) where one XML document is declared")


def payload_reader(
    operation: Operation,
    contract: str,
    answer: tuple[str, str],
    *,
    record: str,
    verdict: str,
    accepted: frozenset[str],
    echo: str = "",
    qualified: bool = True,
) -> Callable[[Trusted, str], Decoded]:
    """Compile a reader of trusted payloads, which takes the id of the question as well.

    It raises Unreadable for what breaks the contract, what `operation.faults` says of a result code that is not among
    `accepted`, NoRecord and Ambiguous, and UpstreamSignatureRejected where the attribute `echo` names another question.
    The rest is as in `Soap`.
    """
    namespace = answer[0] if qualified else ""
    prefix = f"{{{namespace}}}" if namespace else ""
    tag = f"{{{answer[0]}}}{answer[1]}"
    validate = contract_schema(contract).validate
    decode = xml_decoder(shape_of(operation.answer), namespace, checked=True)
    records, codes = segments(record), segments(verdict)
    faults: Mapping[str, type[GatewayError]] = operation.faults

    def read(payload: Trusted, message_id: str) -> Decoded:
        if payload.tag != tag or not validate(payload):
            raise Unreadable("the answer does not follow the XSD")
        if echo and payload.get(echo) != message_id:
            raise rejected(Rejected("not-answer-to-request", "the answer repeats another message id"))
        if codes:
            found = elements_at(payload, codes, prefix)
            check_verdict(found[0].text if found else None, accepted, faults)
        return decode(the_one(filled(elements_at(payload, records, prefix))))

    return read
