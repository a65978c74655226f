"""Envelopes of callers: which version, what is in them, and what the rules of SOAP say about that (phong bì SOAP).

SOAP 1.1 (W3C Note, 8 May 2000) sections 4 and 6; SOAP 1.2 part 1 (W3C Recommendation, 27 April 2007) sections 2, 3 and
5; WS-I Basic Profile 1.1, section 3. Nothing here knows a caller or an operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp.helpers import parse_mimetype

from routes.soap.addressing import ADDRESSING
from routes.soap.names import CONTENT_TYPES, GATEWAY
from routes.soap.shared_types import BLOCKS
from routes.soap.wsdl import Version
from schemas.errors import Flaw, Malformed, Text, UnsupportedMediaType
from schemas.xroad import REPRESENTATION, XROAD
from security.soap_plain import SOAP
from security.xml import MESSAGE, WHITESPACE, Element, Limits, XmlRefused, blank, parse, without_comments

_UNSIGNED: Final[Limits] = replace(MESSAGE, comments=True)
_VERSIONS: Final[Mapping[str, Version]] = {f"{{{SOAP['1.1']}}}Envelope": "1.1", f"{{{SOAP['1.2']}}}Envelope": "1.2"}
_OURS: Final = {
    "1.1": frozenset({"", "http://schemas.xmlsoap.org/soap/actor/next"}),
    "1.2": frozenset({"", f"{SOAP['1.2']}/role/next", f"{SOAP['1.2']}/role/ultimateReceiver"}),
}
# SOAP 1.1 has 0 and 1 alone, but stacks that write a boolean are as clear.
_MUST: Final = {"0": False, "false": False, "1": True, "true": True}
# Names of header blocks that are understood here, and beginnings of such names.
_GATEWAY: Final = f"{{{GATEWAY}}}"
_XROAD: Final = (f"{{{XROAD}}}", f"{{{REPRESENTATION}}}")
_BLOCKS: Final = frozenset(_GATEWAY + block.name for block in BLOCKS)

_MEDIA = Text(
    "Nội dung phải là text/xml (SOAP 1.1) hoặc application/soap+xml (SOAP 1.2), mã UTF-8",
    "The body must be text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2) in UTF-8",
)
_ATTACHMENTS = Text(
    "Không thao tác nào dùng tệp đính kèm: gửi phong bì SOAP trần, không MTOM, không multipart",
    "No operation uses attachments: send the bare SOAP envelope, no MTOM, no multipart",
)


class VersionMismatch(Malformed):
    """The envelope is not of a SOAP version that this address takes, or not of the one its media type says."""


class NotUnderstood(Malformed):
    """A header block has to be understood and is not; `block` is its qualified name in Clark notation."""

    block: str = ""


class BadEncoding(Malformed):
    """The message says that it follows an encoding; contracts here are literal."""


@dataclass(frozen=True, slots=True)
class Message:
    """What an envelope holds: header blocks that are meant for us, and the one element of the Body."""

    version: Version
    blocks: tuple[Element, ...]
    payload: Element


def version_of(content_types: Sequence[str]) -> Version:
    """Return the SOAP version of a media type; raises UnsupportedMediaType."""
    kind = parse_mimetype(content_types[0].replace("\t", " ") if len(content_types) == 1 else "")
    media = f"{kind.type}/{kind.subtype}" + (f"+{kind.suffix}" if kind.suffix else "")
    if kind.type == "multipart" or media == "application/xop+xml":
        raise UnsupportedMediaType(_ATTACHMENTS, flaws=[_media(_ATTACHMENTS)])
    # Without a charset RFC 3023 meant US-ASCII, which nobody did; X-Road says UTF-8 as XML does.
    if kind.parameters.get("charset", "utf-8").strip('"').lower() in ("utf-8", "utf8"):
        for version, known in CONTENT_TYPES.items():
            if media == known:
                return "1.1" if version == "1.1" else "1.2"
    raise UnsupportedMediaType(_MEDIA, flaws=[_media(_MEDIA)])


def _media(why: Text) -> Flaw:
    return Flaw("", why, header="Content-Type")


def action_in(version: Version, headers: Mapping[str, str]) -> str:
    """Return the action that a request names, without quotes; empty where it names none."""
    if version == "1.1":
        action = headers.get("SOAPAction", "")
    else:
        action = parse_mimetype(headers.get("Content-Type", "")).parameters.get("action", "")
    return action.strip().strip('"')


def read_unsigned(document: bytes, version: Version) -> Message:
    """Read the envelope of a caller who does not sign; raises Malformed and its kinds."""
    try:
        root = without_comments(parse(document, _UNSIGNED))
    except XmlRefused as refused:
        raise unreadable(refused) from None
    header, body = parts_of(root, version)
    return Message(version, tuple(understood(blocks_of(header), version)), payload_of(body))


def check_envelope(document: bytes, version: Version) -> None:
    """Raise Malformed and its kinds where it is the envelope of a signed message that is wrong; not for broken XML."""
    try:
        root = parse(document)
    except XmlRefused:
        return
    header, body = parts_of(root, version)
    for block in blocks_of(header):
        _namespaced(block)
    payload_of(body)


def unreadable(refused: XmlRefused) -> Malformed:
    """Say why a document is not read; nothing of its content is repeated."""
    return Malformed(
        Text(f"Không đọc được XML ({refused.detail})", f"The XML cannot be read: {refused.detail}"),
        reason=refused.reason,
    )


def parts_of(root: Element, version: Version) -> tuple[Element | None, Element]:
    """Return Header, where there is one, and Body of an envelope; raises Malformed and its kinds."""
    found = _VERSIONS.get(str(root.tag))
    if found != version:
        if str(root.tag).rpartition("}")[2] != "Envelope":
            raise Malformed(Text("Nội dung không phải phong bì SOAP", "The body is no SOAP envelope"))
        raise VersionMismatch(
            Text(
                f"Phong bì không thuộc SOAP {version} như Content-Type nói",
                f"The envelope is not of SOAP {version}, as its Content-Type says",
            ),
            reason="version-mismatch",
        )
    soap = f"{{{SOAP[version]}}}"
    children = list(root)
    tags = [child.tag for child in children]
    if tags not in ([f"{soap}Body"], [f"{soap}Header", f"{soap}Body"]) or not _element_only(root):
        raise Malformed(
            Text(
                "Phong bì chỉ gồm Header (nếu có) rồi Body",
                "The envelope holds a Header, where there is one, and then the Body, and nothing else",
            )
        )
    _check_encoding(root, version)
    return (children[0] if len(children) == 2 else None), children[-1]


def _check_encoding(root: Element, version: Version) -> None:
    style = f"{{{SOAP[version]}}}encodingStyle"
    for place in (root, root[0], *root[-1].iter("*")):
        if place.get(style, "").strip() not in ("", f"{SOAP['1.2']}/encoding/none"):
            raise BadEncoding(
                Text(
                    "Thông điệp theo hợp đồng là literal, không dùng encodingStyle",
                    "Messages of the contract are literal: encodingStyle is not used",
                ),
                reason="encoding-style",
            )


def blocks_of(header: Element | None) -> list[Element]:
    """Return the blocks of a Header; raises Malformed for one that holds text."""
    if header is None:
        return []
    if not _element_only(header):
        raise Malformed(Text("Header chỉ được chứa phần tử", "The Header may hold elements only"))
    return list(header)


def understood(blocks: Iterable[Element], version: Version) -> list[Element]:
    """Return the header blocks that are meant for us; raises NotUnderstood for one that must be and is not, Malformed.

    What is meant for another actor (SOAP 1.1) or role (SOAP 1.2) is passed over, and so is WS-Addressing that need not
    be understood.
    """
    soap = f"{{{SOAP[version]}}}"
    receiver = f"{soap}{'actor' if version == '1.1' else 'role'}"
    ours = []
    for block in blocks:
        name = _namespaced(block)
        if block.get(receiver, "").strip() not in _OURS[version]:
            continue
        must = _MUST.get(block.get(f"{soap}mustUnderstand", "0").strip(WHITESPACE))
        if must is None:
            raise Malformed(
                Text("Giá trị mustUnderstand không phải 0 hoặc 1", "A value of mustUnderstand is neither 0 nor 1")
            )
        # One in our namespace that we do not have is refused with its own reason, unless it must be understood.
        known = name in _BLOCKS or name.startswith(_XROAD) or (must and name in ADDRESSING)
        if known or (name.startswith(_GATEWAY) and not must):
            ours.append(block)
        elif must:
            failure = NotUnderstood(
                Text(
                    "Có khối Header bắt buộc phải hiểu (mustUnderstand) mà trục không hiểu",
                    "A header block must be understood (mustUnderstand) and is not",
                ),
                reason="must-understand",
            )
            failure.block = name
            raise failure
    return ours


def _namespaced(block: Element) -> str:
    name = str(block.tag)
    if not name.startswith("{"):
        raise Malformed(
            Text("Khối Header phải có không gian tên", "A header block must be of a namespace, and one is of none")
        )
    return name


def payload_of(body: Element) -> Element:
    """Return the only element of the Body; raises Malformed."""
    children = list(body)
    if len(children) != 1 or not _element_only(body):
        raise Malformed(
            Text(
                "Body phải chứa đúng một phần tử: tên thao tác",
                "The Body must hold exactly one element: the operation",
            ),
            reason="empty-body" if not children else None,
        )
    return children[0]


def _element_only(place: Element) -> bool:
    return blank(place.text) and all(blank(child.tail) for child in place)
