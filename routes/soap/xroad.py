"""X-Road on the provider's side: header blocks that are repeated, and the client that they name (X-Road, bên cung cấp).

X-Road Message Protocol 4.0 (PR-MESS): a response repeats all headers of its request, in the same order and with the
same values. Whom they name counts only on connections of a configured security server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from lxml import etree

from schemas.errors import Malformed, Text
from schemas.xroad import IDENTIFIERS, REPRESENTATION, VERSION, XROAD
from security.xml import WHITESPACE, Element

_CLIENT_PARTS: Final = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
_TYPE: Final = f"{{{IDENTIFIERS}}}objectType"
_SINGLE: Final = frozenset({"client", "service", "id", "userId", "issue", "protocolVersion", "securityServer"})


class XRoadHeaders(NamedTuple):
    """What the X-Road blocks of a message say: `client` by its parts, `echo` the blocks as they go into the answer."""

    client: tuple[str, ...]
    service: str
    id: str
    user_id: str | None
    issue: str | None
    echo: bytes


def xroad_headers(blocks: Iterable[Element]) -> XRoadHeaders | None:
    """Read the X-Road blocks among header blocks, None where there is none; raises Malformed for broken ones."""
    ours = [block for block in blocks if str(block.tag).startswith((f"{{{XROAD}}}", f"{{{REPRESENTATION}}}"))]
    if not ours:
        return None
    found: dict[str, Element] = {}
    for block in ours:
        name = str(block.tag).rpartition("}")[2]
        if name in found and name in _SINGLE:
            raise _broken(f"{name} occurs twice", f"{name} xuất hiện hai lần")
        found[name] = block
    for name in ("client", "service", "id", "protocolVersion"):
        if name not in found:
            raise _broken(f"{name} is missing", f"thiếu {name}")
    if _text(found["protocolVersion"]) != VERSION:
        raise _broken("protocolVersion must be 4.0", "protocolVersion phải là 4.0")
    if "requestHash" in found:
        raise _broken("requestHash belongs into responses only", "requestHash chỉ có trong trả lời")
    client = _parts(found["client"])
    if client.keys() - set(_CLIENT_PARTS):
        raise _broken("client is neither member nor subsystem", "client không phải thành viên hay phân hệ")
    if found["client"].get(_TYPE) != ("SUBSYSTEM" if "subsystemCode" in client else "MEMBER"):
        raise _broken("objectType of client is not what its parts are", "objectType của client không khớp thành phần")
    service = _parts(found["service"])
    return XRoadHeaders(
        tuple(client[part] for part in _CLIENT_PARTS if part in client),
        service.get("serviceCode", ""),
        _text(found["id"]),
        *_asker(found),
        _repeated(ours),
    )


def signed_only(headers: XRoadHeaders, signed: Iterable[Element]) -> XRoadHeaders:
    """Return the headers with officer and dossier as the signed blocks of a message say, and not as any other does."""
    found = {str(block.tag).rpartition("}")[2]: block for block in signed if str(block.tag).startswith(f"{{{XROAD}}}")}
    user_id, issue = _asker(found)
    return headers._replace(user_id=user_id, issue=issue)


def _asker(blocks: Mapping[str, Element]) -> tuple[str | None, str | None]:
    """Return userId and issue; an empty one says as little as none."""
    user_id, issue = (_text(blocks[name]) if name in blocks else "" for name in ("userId", "issue"))
    return user_id or None, issue or None


def check_service(headers: XRoadHeaders, operation: str) -> None:
    """Raise Malformed unless the wrapper of the request is named as the service code that was asked for."""
    if headers.service != operation:
        raise _broken(
            "the element of the Body is not named as serviceCode says",
            "phần tử trong Body không trùng serviceCode",
        )


def _repeated(blocks: Sequence[Element]) -> bytes:
    return b"".join(etree.tostring(block, encoding="utf-8", with_tail=False) for block in blocks)


def _parts(identifier: Element) -> dict[str, str]:
    """Return the parts of an identifier (PR-MESS, section 2.1) by name."""
    found: dict[str, str] = {}
    for part in identifier:
        namespace, _, name = str(part.tag)[1:].rpartition("}")
        if namespace != IDENTIFIERS or name in found or len(part):
            raise _broken("an identifier is not built as it must be", "định danh X-Road sai cấu trúc")
        # As it stands: that blanks around a code do not matter is nowhere said.
        found[name] = part.text or ""
    if not {"xRoadInstance", "memberClass", "memberCode"} <= found.keys():
        raise _broken("an identifier lacks a part", "định danh X-Road thiếu thành phần")
    return found


def _text(block: Element) -> str:
    return (block.text or "").strip(WHITESPACE)


def _broken(en: str, vi: str) -> Malformed:
    return Malformed(
        Text(f"Tiêu đề X-Road sai: {vi}", f"The X-Road headers are wrong: {en}"),
        reason="xroad-headers",
    )
