"""What the national portal answers: the verdict of the rules over the whole, and over each element it tells of.

A write is answered with data, whatever the portal said of it, so that its outcome is evidence like any answer. What is
no answer of the portal (network, HTTP, unreadable) is an error, and `adapters.transport.maybe_applied` says whether it
may have acted all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from adapters.bindings import Expected, read_json, unreadable
from adapters.codecs import Decoded, Unreadable, json_decoder
from adapters.portal_login import Generation
from adapters.portal_rules import FIRST, SECOND, UNKNOWN, Call, Rules, Verdict, plain_code
from adapters.presence import records_at, the_one
from adapters.records import Path
from adapters.transport import Reply, Throttled, refusal
from schemas.errors import GatewayError, NoRecord, Text, UpstreamRefused, UpstreamUnavailable
from schemas.exchange import Answer
from schemas.fields import Shape

_LONGEST_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Dialect:
    """What all answers of one generation have in common: the names of code, message and result, and their meaning."""

    code: str
    message: str
    result: str
    rules: Rules
    dossier: str = "MaHoSo"


DIALECTS: Final[Mapping[Generation, Dialect]] = {
    "1": Dialect("error_code", "message", "result", FIRST),
    "2": Dialect("code", "message", "data", SECOND),
}


class Sent(NamedTuple):
    """What has to be known of a question to read its answer: which call it was, the dossier of each element."""

    call: Call
    dossiers: tuple[str, ...] = ()


def told(name: str, dialect: Dialect, reply: Reply, call: Call) -> tuple[Mapping[str, Any], str, str, Verdict]:
    """Read what every answer has: the whole, its code, its message and what they mean.

    Raises what an HTTP status means unless the portal itself explains it, UpstreamUnreadable for what is no answer.
    """
    if reply.status == 401:
        # A fresh log-in was tried.
        return {}, "401", "", Verdict("session", "session-ended")
    error = refusal(name, reply)
    if error is not None and not isinstance(error, UpstreamRefused):
        raise error
    try:
        whole = read_json(reply.body)
        if not isinstance(whole, dict):
            raise Unreadable("the answer is not an object")
        code, message = plain_code(whole.get(dialect.code)), _message(whole.get(dialect.message))
    except Unreadable as flaw:
        raise (error or unreadable(flaw)) from None
    verdict = dialect.rules.verdict(code, message, call)
    if error is not None and verdict.outcome == "applied":
        verdict = Verdict("refused", UNKNOWN)
    return whole, code, message, verdict


def _message(said: Any) -> str:
    return " ".join(said.split())[:_LONGEST_MESSAGE] if isinstance(said, str) else ""


def delivered(name: str, dialect: Dialect) -> Callable[[Reply, Expected], Answer]:
    """Make what reads the answer to a write at the endpoint called `name`."""

    def read(reply: Reply, expected: Expected) -> Answer:
        sent: Sent = expected.asked
        whole, code, message, verdict = told(name, dialect, reply, sent.call)
        data = {
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "source_code": code,
            "message": message or None,
            "elements": _elements(whole.get(dialect.result), sent, dialect),
        }
        return Answer(data)

    return read


def _elements(result: Any, sent: Sent, dialect: Dialect) -> list[dict[str, Any]]:
    """Say of each element sent what the list of results says; nothing where there is no such list.

    It is matched by place where it names the same dossiers in the same order, else by dossier where each is named once.
    """
    if not isinstance(result, list) or not all(isinstance(one, dict) and dialect.code in one for one in result):
        return []
    if not result:
        return []
    named = [name if isinstance(name := one.get(dialect.dossier), str) else None for one in result]
    if len(named) == len(sent.dossiers) and all(
        name in (None, dossier) for name, dossier in zip(named, sent.dossiers, strict=True)
    ):
        told: list[Mapping[str, Any] | None] = list(result)
    else:
        often, asked = Counter(named), Counter(sent.dossiers)
        once = {name: one for name, one in zip(named, result, strict=True) if often[name] == 1}
        told = [once.get(dossier) if asked[dossier] == 1 else None for dossier in sent.dossiers]
    return [_element(one, dossier, sent.call, dialect) for one, dossier in zip(told, sent.dossiers, strict=True)]


def _element(one: Mapping[str, Any] | None, dossier: str, call: Call, dialect: Dialect) -> dict[str, Any]:
    verdict, code, message = Verdict("unclear", "not-told"), None, ""
    if one is not None:
        message = _message(one.get(dialect.message))
        try:
            code = plain_code(one[dialect.code])
        except Unreadable:
            verdict = Verdict("unclear", "no-code")
        else:
            verdict = dialect.rules.verdict(code, message, call)
    return {
        "code": dossier,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "source_code": code,
        "message": message or None,
    }


def found(name: str, dialect: Dialect, shape: Shape, path: Path) -> Callable[[Reply, Expected], Answer]:
    """Make what reads the answer to a reading: the one record at `path`, the whole where that is empty.

    It raises NoRecord, Ambiguous, Throttled for what comes too early, UpstreamUnavailable and UpstreamRefused.
    """
    decode: Callable[[Any], Decoded] = json_decoder(shape)

    def read(reply: Reply, expected: Expected) -> Answer:
        whole, code, _, verdict = told(name, dialect, reply, "read")
        if verdict.outcome != "applied":
            raise failure(verdict, code)
        try:
            data, notices = decode(the_one(records_at(whole, path)) if path else whole)
        except Unreadable as flaw:
            raise unreadable(flaw) from None
        return Answer(data, tuple(notices))

    return read


def failure(verdict: Verdict, code: str) -> GatewayError:
    """Return what a verdict other than `applied` means to whoever read something."""
    if verdict.outcome == "missing":
        return NoRecord()
    shown = code if code.isascii() and len(code) <= 32 and code.lstrip("-").isalnum() else "?"
    detail = Text(f"Cổng trả mã kết quả {shown}", f"The portal's result code is {shown}")
    if verdict.outcome == "busy":
        return Throttled(detail)
    if verdict.outcome == "session":
        return UpstreamUnavailable(detail)
    return UpstreamRefused(detail, reason=verdict.reason)
