"""How a SOAP message is answered: what is known of that while it is read, and the envelope around the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from routes.soap.wsdl import Version
from security.answer_signing import AnswerSigner
from security.soap_plain import SOAP

# PHP takes a body for SOAP only if it begins with a declaration.
_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(slots=True)
class Reply:
    """What the answer to a message needs; filled in as far as the message was understood.

    `echo` are header blocks that are repeated as they came, `confirms` the SignatureValue (base64) of a caller who
    signed and therefore gets a signed answer. `database` and `operation` say what was asked, for the evidence.
    """

    version: Version = "1.1"
    echo: bytes = b""
    confirms: str | None = None
    database: str | None = None
    operation: str | None = None
    purpose: str | None = None
    full_receipt: bool = False


REPLY: Final = web.RequestKey("soap_reply", Reply)


def plain_envelope(payload: bytes, version: Version, header: bytes = b"") -> bytes:
    """Return an unsigned envelope around the one element of its Body."""
    blocks = b"<env:Header>%b</env:Header>" % header if header else b""
    return b'%b<env:Envelope xmlns:env="%b">%b<env:Body>%b</env:Body></env:Envelope>' % (
        _DECLARATION,
        SOAP[version].encode(),
        blocks,
        payload,
    )


async def envelope(payload: bytes, reply: Reply, signer: AnswerSigner, header: bytes = b"") -> bytes:
    """Return the envelope of an answer, signed where the caller signed; raises SigningUnavailable."""
    blocks = reply.echo + header
    if reply.confirms is None:
        return plain_envelope(payload, reply.version, blocks)
    return _DECLARATION + await signer.sign(payload, reply.version, reply.confirms, blocks)
