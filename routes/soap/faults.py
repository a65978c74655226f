"""Errors as SOAP faults of both versions (thông báo lỗi SOAP): pure functions, as `routes.errors.problem` is for REST.

SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4 and part 2 section 7.5.2 (status codes). The detail holds one
`Problem` of the gateway's schema, except where SOAP 1.1 forbids a detail: for an error of a header block.
"""

from __future__ import annotations

from typing import Final

from routes.language import Language
from routes.rendering import in_language, wait_of
from routes.soap.answers import DECLARED, element, receipt_members, told
from routes.soap.envelopes import BadEncoding, NotUnderstood, VersionMismatch
from routes.soap.names import CONTENT_TYPES, GATEWAY
from routes.soap.shared_types import BLOCKS
from routes.soap.wsdl import Version
from schemas.errors import Flaw, GatewayError
from security.soap_plain import SOAP

_BLOCK_OF: Final = {block.header: block.name for block in BLOCKS if block.header}
# What belongs to HTTP itself and has no meaning without its status: who asks, and what kind of body came.
_HTTP_STATUSES: Final = frozenset({401, 405, 413, 415})


def content_type(version: Version) -> str:
    """Return the media type of an envelope that we send."""
    return f"{CONTENT_TYPES[version]}; charset=utf-8"


def fault(
    error: GatewayError, version: Version, *, request_id: str, language: Language, base_url: str
) -> tuple[int, bytes]:
    """Return the HTTP status and the Fault element, which is its own exclusive C14N.

    Every fault is 500 in SOAP 1.1 (Basic Profile 1.1, R1126) but for what HTTP itself has to say; in SOAP 1.2 those
    that blame the sender are 400.
    """
    detail = _problem(error, request_id, language, base_url)
    side = "client" if error.blame == "client" else "server"
    special = _special(error, version)
    if version == "1.1":
        code = special or ("Client" if side == "client" else "Server")
        inside = (
            f"<faultcode>f:{code}</faultcode>"
            f"<faultstring>{told(_said(error, language))}</faultstring>"
            f"{'' if special == 'MustUnderstand' else f'<detail>{detail}</detail>'}"
        )
        status = error.status if error.status in _HTTP_STATUSES else 500
    else:
        code = special or ("Sender" if side == "client" else "Receiver")
        reasons = "".join(
            f'<f:Text xml:lang="{each}">{told(_said(error, each))}</f:Text>' for each in _preferred_first(language)
        )
        inside = (
            f"<f:Code><f:Value>f:{code}</f:Value></f:Code><f:Reason>{reasons}</f:Reason><f:Detail>{detail}</f:Detail>"
        )
        status = error.status if error.status in _HTTP_STATUSES else 400 if code == "Sender" else 500
    return status, f'<f:Fault xmlns:f="{SOAP[version]}">{inside}</f:Fault>'.encode()


def header_of(error: GatewayError, version: Version) -> str:
    """Return the header blocks that go with a fault (SOAP 1.2 part 1, sections 5.4.7 and 5.4.8)."""
    if version == "1.1":
        return ""
    if isinstance(error, NotUnderstood):
        namespace, _, name = error.block[1:].rpartition("}")
        return (
            f'<f:NotUnderstood xmlns:f="{SOAP["1.2"]}" xmlns:n="{_attribute(namespace)}" '
            f'qname="n:{_attribute(name)}"></f:NotUnderstood>'
        )
    if isinstance(error, VersionMismatch):
        supported = "".join(
            f'<f:SupportedEnvelope xmlns:e="{SOAP[each]}" qname="e:Envelope"></f:SupportedEnvelope>'
            for each in ("1.2", "1.1")
        )
        return f'<f:Upgrade xmlns:f="{SOAP["1.2"]}">{supported}</f:Upgrade>'
    return ""


def _attribute(value: str) -> str:
    return told(value).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")


def _special(error: GatewayError, version: Version) -> str | None:
    if isinstance(error, VersionMismatch):
        return "VersionMismatch"
    if isinstance(error, NotUnderstood):
        return "MustUnderstand"
    if isinstance(error, BadEncoding) and version == "1.2":
        return "DataEncodingUnknown"
    return None


def _preferred_first(language: Language) -> tuple[Language, Language]:
    return ("en", "vi") if language == "en" else ("vi", "en")


def _said(error: GatewayError, language: Language) -> str:
    title, detail = in_language(language, error.title), in_language(language, error.detail)
    return f"{error.code}: {title}" if title == detail else f"{error.code}: {title}. {detail}"


def _problem(error: GatewayError, request_id: str, language: Language, base_url: str) -> str:
    members = problem_members(error, request_id=request_id, language=language, base_url=base_url, declared="")
    return f'<g:Problem xmlns:g="{GATEWAY}">{members}</g:Problem>'


def problem_members(
    error: GatewayError, *, request_id: str, language: Language, base_url: str, declared: str = DECLARED
) -> str:
    """Return the members of a problem; `declared` is empty where the declaration of their prefix is in scope."""
    wait = wait_of(error)
    said = {
        "type": f"{base_url}/problems/{error.code}",
        "title": in_language(language, error.title),
        "status": str(error.status),
        "detail": in_language(language, error.detail),
        "code": error.code,
        "retryable": "true" if error.retryable else "false",
        "requestId": request_id,
        "reason": error.reason,
        "retryAfter": None if wait is None else str(wait),
    }
    inside = {name: told(value) for name, value in said.items() if value is not None}
    if error.flaws:
        inside["errors"] = "".join(_flaw(flaw, language) for flaw in error.flaws)
    if error.exchange_id is not None:
        inside["exchange"] = element("id", error.exchange_id)
    if error.receipt is not None:
        inside["receipt"] = receipt_members(error.receipt, error.proof, "")
    return "".join(f"<g:{name}{declared}>{value}</g:{name}>" for name, value in inside.items())


def _flaw(flaw: Flaw, language: Language) -> str:
    parts = [element("pointer", flaw.pointer), element("detail", in_language(language, flaw.detail))]
    # What came as a header block is named as one; `fields`, a parameter of REST, is one here.
    named = flaw.header or (flaw.parameter and flaw.parameter.capitalize())
    if named is not None:
        parts.append(element("header", _BLOCK_OF.get(named, named)))
    return f"<g:item>{''.join(parts)}</g:item>"
