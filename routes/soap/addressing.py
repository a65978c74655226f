"""What WS-Addressing in a question has to say where it must be understood: nothing that the contract does not say.

WS-Addressing 1.0 (W3C Recommendation, 9 May 2006), core section 3 and SOAP binding section 6, and the submission of
August 2004 that some stacks still send. The answer goes back the way the question came and has no such headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from schemas.errors import Flaw, Malformed, Text
from security.soap_addressed import authority_of
from security.xml import WHITESPACE, Element

_ANONYMOUS: Final = {
    "http://www.w3.org/2005/08/addressing": "http://www.w3.org/2005/08/addressing/anonymous",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing": (
        "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
    ),
}
"""Where an answer goes that goes back over the connection, by the namespace that says so."""
ADDRESSING: Final = frozenset(
    f"{{{namespace}}}{name}"
    for namespace in _ANONYMOUS
    for name in ("To", "Action", "MessageID", "ReplyTo", "FaultTo", "From")
)
"""The header blocks that are understood, in Clark notation."""

_TWICE: Final = Text("khối Header xuất hiện nhiều lần", "occurs more than once among the header blocks")
_ELSEWHERE: Final = Text("không phải địa chỉ của cổng này", "is no address of this gateway")
_NOT_BACK: Final = Text(
    "chỉ nhận địa chỉ anonymous: câu trả lời đi theo chính kết nối của câu hỏi",
    "must hold the anonymous address alone: the answer goes back over the connection of the question",
)
_ANOTHER_ACTION: Final = Text(
    "nêu thao tác khác với phần tử trong Body", "names another operation than the element in the Body"
)


def check_addresses(blocks: Iterable[Element], addressed: Callable[[str], bool] | None) -> None:
    """Raise Malformed where a block occurs twice, the message goes to somebody else or the answer should go elsewhere.

    `blocks` are those that are understood. `addressed` tells whether an authority, in lower case and without a default
    port, is ours; None where the way says to whom the message goes.
    """
    seen: set[str] = set()
    for block in blocks:
        if block.tag not in ADDRESSING:
            continue
        namespace, _, name = str(block.tag)[1:].rpartition("}")
        if name in seen:
            raise _wrong(name, _TWICE)
        seen.add(name)
        if name == "To" and addressed is not None and not addressed(authority_of(_text(block))):
            raise _wrong(name, _ELSEWHERE)
        if name in ("ReplyTo", "FaultTo"):
            told = [_text(address) for address in block.iterfind(f"{{{namespace}}}Address")]
            if told != [_ANONYMOUS[namespace]]:
                raise _wrong(name, _NOT_BACK)


def check_action(blocks: Iterable[Element], action: str) -> None:
    """Raise Malformed where an understood `wsa:Action` is another than that of the operation."""
    for block in blocks:
        if block.tag in ADDRESSING and str(block.tag).endswith("}Action") and _text(block) != action:
            raise _wrong("Action", _ANOTHER_ACTION)


def _text(block: Element) -> str:
    return (block.text or "").strip(WHITESPACE)


def _wrong(name: str, why: Text) -> Malformed:
    return Malformed(Text(f"wsa:{name}: {why.vi}", f"wsa:{name}: {why.en}"), flaws=[Flaw("", why, header=name)])
