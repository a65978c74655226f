"""What `lgsp check` and `lgsp doctor` find: sentences for an operator, each with the next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `subject` is a setting or a part of the world, `next` what to do or type.

    `code` names what was found for programs and for the table in docs/operators.md; it stays the same from release to
    release. What `lgsp check` finds has none.
    """

    level: Level
    subject: str
    text: str
    next: str | None = None
    code: str | None = None


def ok(subject: str, text: str, code: str | None = None) -> Finding:
    """Return a finding that is as it should be."""
    return Finding("ok", subject, text, None, code)


def warning(subject: str, text: str, step: str, code: str | None = None) -> Finding:
    """Return a finding that works today."""
    return Finding("warning", subject, text, step, code)


def problem(subject: str, text: str, step: str, code: str | None = None) -> Finding:
    """Return a finding that does not work."""
    return Finding("problem", subject, text, step, code)
