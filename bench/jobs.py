"""What the callers of the bench are told to do, and what they tell of it; both travel as lines of JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement: `rate` questions a second, or as fast as `connections` callers get answers where it is None.

    `request` is sent as it is, or in its place signed questions, made with `signer` (files of key and certificate);
    `mark` must occur in every answer. `pids` are the server's, whose CPU time is read at
    both ends of the `seconds` that count, after `warm` ones that do not.
    """

    port: int
    request: bytes
    mark: bytes
    connections: int
    seconds: float
    warm: float = 0.3
    rate: float | None = None
    pids: tuple[int, ...] = ()
    cores: tuple[int, ...] = ()
    signer: tuple[str, ...] = ()

    def line(self) -> str:
        """Write it as one line."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain |= {name: base64.b64encode(plain[name]).decode() for name in ("request", "mark")}
        return json.dumps(plain)

    @classmethod
    def read(cls, line: str) -> Job:
        """Read what `line` wrote."""
        plain = json.loads(line)
        plain |= {name: base64.b64decode(plain[name]) for name in ("request", "mark")}
        plain |= {name: tuple(plain[name]) for name in ("pids", "cores", "signer")}
        return cls(**plain)


@dataclass(slots=True)
class Outcome:
    """What a job saw: latencies in seconds, CPU seconds of the server, the last answer's body."""

    answered: int = 0
    failed: int = 0
    failure: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    own_cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    body: bytes = b""

    def shown(self) -> dict[str, Any]:
        """Return it as JSON takes it, with quantiles in milliseconds in place of the latencies."""
        ordered = sorted(self.latencies)
        quantiles = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
        return {
            "answered": self.answered,
            "failed": self.failed,
            "failure": self.failure,
            "wall": self.wall,
            "cpu": self.cpu,
            "own_cpu": self.own_cpu,
            "body": self.body.decode(errors="replace"),
            **{name: _at(ordered, share) * 1000 for name, share in quantiles.items()},
        }


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
