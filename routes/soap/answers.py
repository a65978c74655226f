"""From an answer to the wrapper that carries it: `data`, what is said about the exchange, the receipt.

What is written is its own exclusive C14N, so that it can be signed as it stands. Compiled once for each operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from adapters.encoding import UNWRITABLE, escape
from routes.soap.names import GATEWAY, camel, camel_path, camel_pointer, element_of, namespace
from routes.soap.types import ITEM
from schemas.exchange import Answer, Data, Database, Notice, Operation, Provenance
from schemas.fields import Branch, Shape, shape_of
from schemas.receipt import Receipt
from security.audit.entries import instant

_special: Final = re.compile("[&<>\r]").search
_NIL: Final = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true">'
DECLARED: Final = f' xmlns:g="{GATEWAY}"'
"""Stands on members of the gateway's namespace in an element of another: exclusive C14N declares a prefix where it is
used first."""

Write = Callable[[Any], str]
"""Writes the inside of an element; never called with None."""
WriteAnswer = Callable[[str, Answer, Sequence[bytes] | None], bytes]
"""Writes the wrapper of an answer; the texts are the exchange's id and, where asked for, the inclusion proof."""


def text(value: str) -> str:
    """Return character data of a value that XML can hold."""
    return escape(value) if _special(value) else value


def told(value: str) -> str:
    """Return character data of what the gateway says itself; what XML cannot hold is replaced by U+FFFD."""
    # Most of it is words, numbers and base64.
    return value if value.isalnum() else text(UNWRITABLE.sub("\ufffd", value))


def element(name: str, value: str | None, prefix: str = "g:") -> str:
    """Return an element of text, nil for None."""
    name = prefix + name
    return f"<{name}{_NIL}</{name}>" if value is None else f"<{name}>{told(value)}</{name}>"


def _member(name: str, value: str) -> str:
    return f"<g:{name}{DECLARED}>{told(value)}</g:{name}>"


def answer_writer(database: Database, operation: Operation) -> WriteAnswer:
    """Compile the writer of an operation's answers."""
    wrapper = f"{element_of(operation)}Response"
    opening = f'<{wrapper} xmlns="{namespace(database.name)}"><data>'
    named = f"{_member('database', database.name)}{_member('operation', operation.name)}"
    write_data = record_writer(shape_of(operation.answer))

    def write(exchange_id: str, answer: Answer, proof: Sequence[bytes] | None) -> bytes:
        about = (
            f"</data><exchange><g:id{DECLARED}>{exchange_id}</g:id>{named}"
            f"<g:answeredAt{DECLARED}>{instant(datetime.now(UTC))}</g:answeredAt>"
            f"{_fields(answer.fields)}{_warnings(answer.warnings, wrapper)}{_signature(answer.provenance)}</exchange>"
        )
        receipt = "" if answer.receipt is None else f"<receipt>{receipt_members(answer.receipt, proof)}</receipt>"
        return f"{opening}{write_data(answer.data)}{about}{receipt}</{wrapper}>".encode()

    return write


def record_writer(shape: Shape) -> Callable[[Data], str]:
    """Compile the writer of a record: a member that is missing is left out, one that is None is nil."""
    members = [(member.name, *_tags(camel(member.name)), _inside(member)) for member in shape.members]

    def write(data: Data) -> str:
        parts: list[str] = []
        for name, opening, closing, nil, inside in members:
            if name in data:
                value = data[name]
                if value is None:
                    parts.append(nil)
                elif inside is not None:
                    parts += (opening, inside(value), closing)
                elif type(value) is not str:
                    parts += (opening, _plain(value), closing)
                elif _special(value):
                    parts += (opening, escape(value), closing)
                else:
                    parts += (opening, value, closing)
        return "".join(parts)

    return write


def _tags(name: str) -> tuple[str, str, str]:
    return f"<{name}>", f"</{name}>", f"<{name}{_NIL}</{name}>"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return text(str(value))


def _inside(member: Any) -> Write | None:
    """Return what writes the inside of a member, None where it is a value."""
    write = record_writer(member.shape) if isinstance(member, Branch) else None
    if not member.many:
        return write
    opening, closing, nil = _tags(ITEM)

    def items(values: Sequence[Any]) -> str:
        return "".join(
            nil if value is None else f"{opening}{write(value) if write is not None else _plain(value)}{closing}"
            for value in values
        )

    return items


# A grant's fields and a registry's certificate are the same for thousands of answers.
@lru_cache(maxsize=1024)
def _fields(fields: tuple[str, ...]) -> str:
    return f"<g:fields{DECLARED}>{''.join(element(ITEM, camel_path(path)) for path in fields)}</g:fields>"


def _warnings(warnings: Sequence[Notice], wrapper: str) -> str:
    if not warnings:
        return f"<g:warnings{DECLARED}></g:warnings>"
    items = [
        f"<g:item>{element('code', one.code)}{element('pointer', f'/{wrapper}{camel_pointer(one.pointer)}')}"
        f"{element('detail', one.detail)}</g:item>"
        for one in warnings
    ]
    return f"<g:warnings{DECLARED}>{''.join(items)}</g:warnings>"


def _signature(proven: Provenance | None) -> str:
    if proven is None:
        return f"<g:signature{DECLARED}{_NIL}</g:signature>"
    vouched = _proven(proven.status, proven.signer, proven.certificate, proven.domain, proven.revocation)
    return f"<g:signature{DECLARED}>{vouched}<g:signedAt>{instant(proven.signed_at)}</g:signedAt></g:signature>"


@lru_cache(maxsize=256)
def _proven(status: str, signer: str, certificate: str, domain: str | None, revocation: str | None) -> str:
    said = {"status": status, "signer": signer, "certificate": certificate, "domain": domain, "revocation": revocation}
    return "".join(element(name, value) for name, value in said.items())


def receipt_members(receipt: Receipt, proof: Sequence[bytes] | None, declared: str = DECLARED) -> str:
    """Return the members of a receipt; `declared` is empty where the declaration of their prefix is in scope."""
    shown: Mapping[str, Any] = receipt.as_json(proof)
    parts = []
    for name, value in shown.items():
        if isinstance(value, list):
            parts.append(f"<g:{name}{declared}>{''.join(element(ITEM, item) for item in value)}</g:{name}>")
        else:
            inside = f"{declared}{_NIL}" if value is None else f"{declared}>{told(str(value))}"
            parts.append(f"<g:{name}{inside}</g:{name}>")
    return "".join(parts)
