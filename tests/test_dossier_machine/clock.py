"""A clock that a test sets, in the place of the system's in everything between a source and the portal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, tzinfo
from importlib import import_module
from typing import Any
from unittest.mock import patch

START_MS = round(datetime(2026, 11, 30, 2, tzinfo=UTC).timestamp() * 1000)
_READERS = ("intake", "delivery", "worker", "repairs")


class Clock:
    """Stands for the module `time` too: `wall` is the time of day, `steady` what no setting of the clock changes."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.wall = now_ms
        self.steady = 0.0

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += round(seconds * 1000)
        self.steady += seconds

    def step(self, seconds: float) -> None:
        """Set the time of day: no time passes."""
        self.wall += round(seconds * 1000)

    def time(self) -> float:
        return self.wall / 1000

    def time_ns(self) -> int:
        return self.wall * 1_000_000

    def monotonic(self) -> float:
        return self.steady

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let everything that takes and delivers dossiers go by this clock."""
        clock = self

        class Moment(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return datetime.fromtimestamp(clock.time(), tz)

        with ExitStack() as stack:
            for name in _READERS:
                module = import_module(f"sync.{name}")
                for attribute, stand_in in (("time", clock), ("datetime", Moment)):
                    if hasattr(module, attribute):
                        stack.enter_context(patch.object(module, attribute, stand_in))
            yield
