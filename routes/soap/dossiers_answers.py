"""Answers of `/soap/dossiers`, written from what REST tells (trả lời về hồ sơ); each its own exclusive C14N."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from routes.dossiers.counting import word_of
from routes.dossiers.lines import Line
from routes.language import Language
from routes.soap.answers import receipt_members, record_writer
from routes.soap.dossiers_contract import OFFERED, SERVICE
from routes.soap.faults import problem_members
from routes.soap.names import namespace
from routes.soap.types import ITEM
from schemas.dossiers.views import PushedLine
from schemas.errors import GatewayError
from schemas.fields import shape_of
from schemas.receipt import Receipt
from sync.intake import Taken

WriteShown = Callable[[Mapping[str, Any], str], bytes]
"""Writes the wrapper of an answer: its members, and its receipt as `receipt_of` gives it or nothing."""


def shown_writers() -> dict[str, WriteShown]:
    """Compile the writer of each answer but that to many events, by the element of its request."""
    return {element: _writer(element) for element in OFFERED if element != "PushStatuses"}


def _writer(element: str) -> WriteShown:
    write_members = record_writer(shape_of(OFFERED[element].answer))
    wrapper = f"{element}Response"
    opening = f'<{wrapper} xmlns="{namespace(SERVICE)}">'

    def write(told: Mapping[str, Any], receipt: str) -> bytes:
        return f"{opening}{write_members(dict(told))}{receipt}</{wrapper}>".encode()

    return write


def receipt_of(receipt: Receipt, proof: Sequence[bytes] | None = None) -> str:
    """Return the element `receipt`."""
    return f"<receipt>{receipt_members(receipt, proof)}</receipt>"


def whole_told(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dossier as REST tells it with what was pushed where this face has it: an element has one type alone."""
    return {**told, "deliveries": [_delivery(one) for one in told["deliveries"]]}


def _delivery(told: Mapping[str, Any]) -> dict[str, Any]:
    pushed = {"dossier" if told["kind"] == "registration" else "event": told["event"]}
    return {name: value for name, value in told.items() if name != "event"} | pushed


_line: Final = record_writer(shape_of(PushedLine))


def written_lines(
    lines: Sequence[Line],
    ended: Sequence[Taken | GatewayError],
    *,
    request_id: str,
    language: Language,
    base_url: str,
) -> bytes:
    """Return the answer to many events: what became of each, in order."""
    items: list[str] = []
    for line, result in zip(lines, ended, strict=True):
        told: dict[str, Any] = {"line": line.number, "code": line.code, "key": line.key}
        if isinstance(result, GatewayError):
            members = problem_members(result, request_id=request_id, language=language, base_url=base_url)
            inside = f"{_line(told | {'result': 'refused'})}<problem>{members}</problem>"
        else:
            told |= {"result": word_of(result), "delivery": result.event_id}
            if result.reason is not None:
                told["reason"] = result.reason
            inside = _line(told) + receipt_of(result.receipt)
        items.append(f"<{ITEM}>{inside}</{ITEM}>")
    opening = f'<PushStatusesResponse xmlns="{namespace(SERVICE)}"><results>'
    return f"{opening}{''.join(items)}</results></PushStatusesResponse>".encode()
