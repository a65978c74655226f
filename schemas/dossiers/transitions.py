"""Which status may follow which (chuyển trạng thái hồ sơ), and what becomes of one that may not.

The portal publishes no table of transitions. This one is the gateway's own, drawn from what clients of the portal do:

| from | to |
|---|---|
| none yet | as from 1, and 1 itself |
| 1 newly registered | 2 3 5 7 |
| 2 accepted | 4 5 6 7 8 9 |
| 4 being processed | 5 6 7 8 9 |
| 5 supplement requested | 2 4 7 8 |
| 6 payment requested | 4 7 8 9 |
| 8 processing stopped | 4 7 |
| 9 processing finished | 10 |
| 3, 7, 10 | nothing: they are ends |

A status that is not in its row is `skipped` when the table leads to it by steps that never lower the degree of
completion, otherwise `reversed`; after an end it is `after-end`. `10` without a `9` before it is, besides,
`returned-while-unresolved`. The same status in another event is `repeated`: the next unit or officer has taken over,
which the portal lists as a step of its own (the same event once more is a duplicate and never gets here).

| | strict | warn | off |
|---|---|---|---|
| in the table | delivered | delivered | delivered |
| repeated | delivered, flagged | delivered, flagged | delivered, flagged |
| skipped, a predecessor missing | delivered, flagged | delivered, flagged | delivered, flagged |
| skipped otherwise | quarantine | delivered, flagged | delivered, flagged |
| reversed | quarantine | delivered, flagged | delivered, flagged |
| after an end | quarantine | quarantine | delivered, flagged |

Flags are recorded in every mode; a mode decides only about the quarantine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

from schemas.dossiers.statuses import NATIONAL, NEWLY_REGISTERED, RETURNED

Mode = Literal["strict", "warn", "off"]
Action = Literal["deliver", "quarantine"]
Flag = Literal["skipped", "reversed", "repeated", "returned-while-unresolved", "after-end"]

ALLOWED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "1": frozenset({"2", "3", "5", "7"}),
        "2": frozenset({"4", "5", "6", "7", "8", "9"}),
        "3": frozenset(),
        "4": frozenset({"5", "6", "7", "8", "9"}),
        "5": frozenset({"2", "4", "7", "8"}),
        "6": frozenset({"4", "7", "8", "9"}),
        "7": frozenset(),
        "8": frozenset({"4", "7"}),
        "9": frozenset({"10"}),
        "10": frozenset(),
    }
)
"""The table above, without the row of dossiers that have no status yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a status: `deliver` it, or `quarantine` with a reason.

    `flags` are in a fixed order; `reason` is the flag that kept it back, as `transition-` and its name.
    """

    action: Action
    flags: tuple[Flag, ...] = ()
    reason: str | None = None


def judge(current: str | None, new: str, mode: Mode, *, lost: bool = False) -> Outcome:
    """Judge a national status against the one that the portal holds, or will hold once everything before it is sent.

    `current` is None where it has none; `lost` tells that a predecessor was waited for in vain. Raises KeyError for a
    code that is not national.
    """
    flags = _flags(current, new)
    held = _held(flags, mode, lost)
    return Outcome("quarantine", flags, f"transition-{held}") if held else Outcome("deliver", flags)


def _held(flags: tuple[Flag, ...], mode: Mode, lost: bool) -> Flag | None:
    """The flag for which this mode keeps a status back."""
    if mode == "off" or not flags or flags[0] == "repeated":
        return None
    if mode == "warn":
        return "after-end" if "after-end" in flags else None
    # A gap that is known explains a jump over it: the portal then gets the latest state, whatever got lost.
    return None if lost and flags[0] == "skipped" else flags[0]


@cache
def _flags(current: str | None, new: str) -> tuple[Flag, ...]:
    before = current or NEWLY_REGISTERED
    if new not in NATIONAL or before not in NATIONAL:
        raise KeyError("not a national status")
    if before == new:
        return () if current is None else ("repeated",)
    if new in ALLOWED[before]:
        return ()
    early: tuple[Flag, ...] = ("returned-while-unresolved",) if new == RETURNED else ()
    if NATIONAL[before].final:
        return ("after-end", *early)
    return ("skipped" if new in _onwards(before) else "reversed", *early)


def _onwards(start: str) -> set[str]:
    """Every status that the table leads to from `start` without ever lowering the degree of completion."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        further = {code for code in ALLOWED[here] if NATIONAL[code].degree >= NATIONAL[here].degree}
        waiting += further - found
        found |= further
    return found
