"""What a grown log is filled with: every fourth entry an answered look-up with its sealed opening, the others tokens.

Runs in a process of its own beside the one that writes; everything is made by the functions that make it in an
exchange, only the messages that are committed to are shorter than real ones (a commitment has one size).
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from schemas.ids import new_id
from security.audit.entries import Caller, Evidence, Outcome, Secrets, Subject
from security.audit.merkle import leaf_hash

_FIELDS = ("tax_code", "kind", "name", "status", "tax_office", "registered_on", "address", "representatives")
_MESSAGE = b"<Envelope/>"
_LOOK_UP_EVERY = 4
_SIGNER = {"signer": "sha256:" + "5f" * 32}


class Draft(NamedTuple):
    """One entry ready to be numbered; `repeated` is what its row repeats of it, `secrets` what opens it."""

    repeated: tuple[str | None, ...]
    body: bytes
    leaf: bytes
    secrets: Secrets | None


class Span(NamedTuple):
    """Entries `first` to `first + entries - 1`; entry n happened at `begin + n * step` (POSIX seconds)."""

    first: int
    entries: int
    begin: float
    step: float


def drafted(span: Span, callers: Sequence[Caller]) -> list[Draft]:
    """Make the entries of a span."""
    # Nothing of it is garbage before it was handed over: looking for cycles only costs time.
    gc.disable()
    return [_draft(number, span, callers) for number in range(span.first, span.first + span.entries)]


def draft_of(evidence: Evidence) -> Draft:
    """Do what `AuditLog.record` does with evidence before it waits for its commit."""
    body, repeated, secrets = evidence.written()
    return Draft(repeated, body, leaf_hash(body), secrets)


def _draft(number: int, span: Span, callers: Sequence[Caller]) -> Draft:
    at = datetime.fromtimestamp(span.begin + number * span.step, UTC)
    # Neighbours in the log are of different callers.
    caller = callers[number * 7919 % len(callers)]
    if number % _LOOK_UP_EVERY:
        return draft_of(Evidence(new_id(), "token", at, caller, request_id=new_id(), outcome=Outcome("ok", 200)))
    return draft_of(look_up(number, at, caller))


def look_up(number: int, at: datetime, caller: Caller) -> Evidence:
    """The evidence of an answered question number `number`."""
    tax_code = f"{number % 10**10:010}"
    return Evidence(
        new_id(),
        "exchange",
        at,
        caller,
        database="tax",
        operation="taxpayer",
        purpose="dossier-processing",
        dossier="000.00.00.H26-260105-0001",
        officer="can.bo",
        request_id=new_id(),
        outcome=Outcome("ok", 200),
        fields=_FIELDS,
        duration_ms=number % 50,
        endpoint="tax",
        attempts=1,
        question=b'{"tax_code":"%b"}' % tax_code.encode(),
        data=b'{"data":"%b"}' % tax_code.encode(),
        request_messages=[_MESSAGE],
        answer_messages=[_MESSAGE],
        subjects=[
            Subject("asked", "tax-code", tax_code),
            Subject("disclosed", "personal-id", f"0{number % 10**11:011}"),
        ],
        details=_SIGNER,
    )
