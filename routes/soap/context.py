"""What a caller says beside its question: header blocks of the gateway, or the HTTP headers that say the same.

Of a signing caller only signed blocks count (contract, section 3), so that nobody on the way can add a purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from routes.soap.names import GATEWAY
from routes.soap.record_reader import NIL, TRUE
from routes.soap.shared_types import BLOCKS, Block
from schemas.errors import Flaw, Invalid, Malformed, Text
from security.xml import WHITESPACE, Element

_TWICE = Text("khối Header xuất hiện nhiều lần", "occurs more than once among the header blocks")
_NESTED = Text("phải là văn bản", "must be text")
_UNKNOWN = Text("Trục không có khối Header này", "The gateway knows no such header block")
_DIFFERS = Text(
    "tiêu đề HTTP và khối Header nói khác nhau",
    "the HTTP header and the header block say different things",
)
_UNSIGNED = Text(
    "bên gọi đã ký phải nêu điều này trong khối Header được ký, không phải tiêu đề HTTP",
    "a caller who signs has to say this in a signed header block, not in an HTTP header",
)
_NOT_PRINTABLE = Text("Giá trị phải là ASCII in được", "The value must be printable ASCII")
# A proxy may put an id of its own on a request that has none: it is passed over.
_OF_PROXIES: Final = "X-Request-Id"


class Said(NamedTuple):
    """What goes into the exchange; None where nothing was said."""

    purpose: str | None
    dossier: str | None
    officer: str | None
    fields: tuple[str, ...] | None
    request_id: str | None
    receipt: str | None


def said_in(blocks: Iterable[Element], headers: Mapping[str, str], *, signed: bool) -> Said:
    """Read the blocks of our namespace among `blocks`, and the HTTP headers; raises Malformed, Invalid."""
    found: dict[str, str] = {}
    for block in blocks:
        namespace, _, name = str(block.tag)[1:].rpartition("}")
        if namespace != GATEWAY:
            continue
        if name not in _NAMES:
            raise Malformed(_UNKNOWN)
        if name in found:
            raise _malformed(_TWICE, name)
        if len(block):
            raise _malformed(_NESTED, name)
        if block.get(NIL, "").strip() not in TRUE:
            found[name] = (block.text or "").strip(WHITESPACE)
    values: dict[str, str | None] = {}
    # A block that a tool sends empty says as little as one that it leaves out; but whoever asks for fewer fields and
    # names none is told so, as over REST.
    for known in BLOCKS:
        over_http = headers.get(known.header) if known.header else None
        in_block = found.get(known.name)
        if over_http is not None:
            _check_agreement(known, over_http, in_block, signed)
        value = in_block or (None if signed else over_http)
        if value is not None and not (value.isascii() and value.isprintable()):
            raise Invalid(flaws=[Flaw("", _NOT_PRINTABLE, header=known.name)])
        values[known.name] = value
    fields = found.get("Fields")
    return Said(
        values["Purpose"],
        values["Dossier"],
        values["Officer"],
        None if fields is None else tuple(part.strip() for part in fields.split(",")),
        values["RequestId"],
        values["Receipt"],
    )


_NAMES: Final = frozenset(block.name for block in BLOCKS)


def _check_agreement(block: Block, over_http: str, in_block: str | None, signed: bool) -> None:
    if in_block and in_block != over_http.strip():
        raise _malformed(_DIFFERS, block.name)
    if not in_block and signed and block.header != _OF_PROXIES:
        raise _malformed(_UNSIGNED, block.header)


def _malformed(why: Text, name: str) -> Malformed:
    return Malformed(
        Text(f"{name}: {why.vi}", f"{name}: {why.en}"),
        flaws=[Flaw("", why, header=name)],
    )
