"""Many pushes in one request, whichever face they came over: each ends by itself (kết quả từng sự kiện)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from routes.dossiers.counting import Door, count
from schemas.errors import EvidenceUnavailable, GatewayError, Internal
from schemas.exchange import Caller
from sync.intake import Intake, Taken
from sync.pushes import Push

Refused = Callable[[Caller, str, Counter[str]], Awaitable[object]]
"""Leaves evidence of the lines of a group that were refused: caller, request id, how many of each error."""


@dataclass(slots=True)
class Line:
    """One line: what it pushes, or what is wrong with it."""

    number: int
    code: str | None = None
    key: str | None = None
    push: Push | None = None
    error: GatewayError | None = None


async def take_lines(
    intake: Intake,
    caller: Caller,
    request_id: str,
    lines: Sequence[Line],
    refused: Refused,
    *,
    begun: bool,
    door: Door,
) -> list[Taken | GatewayError]:
    """Make at most `GROUP` lines durable in one commit; return what became of each, in order.

    Once the answer has `begun` it can only say line by line what was not taken; before that raises EvidenceUnavailable.
    """
    pushes = [line.push for line in lines if line.push is not None]
    results: dict[str, Taken | GatewayError] = {}
    try:
        if pushes:
            taken = await intake.take(caller, request_id, pushes)
            results = {push.event_id: result for push, result in zip(pushes, taken, strict=True)}
    except EvidenceUnavailable as failure:
        if not begun:
            raise
        results = {push.event_id: failure for push in pushes}
    ended = [line.error or Internal() if line.push is None else results[line.push.event_id] for line in lines]
    count(door, ended)
    errors = Counter(result.code for result in ended if isinstance(result, GatewayError))
    if errors:
        try:
            await refused(caller, request_id, errors)
        except EvidenceUnavailable:
            if not begun:
                raise
    return ended
