"""Servers under test, and the rounds in which they are measured in turn.

A server runs on one core, the upstream and the callers on another. Rates of the wall clock depend on whatever else the
machine does, CPU seconds hardly: what counts is answers per CPU-second of all processes of the server.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Final

from bench.answer import MARK, flaw
from bench.gateways import Signing
from bench.jobs import Job
from bench.processes import Broken, family, patiently, pin, resident, start, tail

CONNECTIONS: Final = 32
_START_SECONDS = 30.0
# A median of fewer rounds would say nothing.
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test: the processes at the head of its families, and the question that it is asked.

    `spread` lets it use every core, beside the upstream and the callers. With `signer` (files of key and certificate)
    it is asked over SOAP by a caller who signs.
    """

    name: str
    pids: tuple[int, ...]
    port: int
    request: bytes
    gateway: bool
    spread: bool = False
    signer: tuple[str, ...] = ()


@dataclass(slots=True)
class Rounds:
    """What was measured of one subject."""

    per_cpu_second: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    answered: int = 0
    resident_mb: float = 0.0

    def shown(self) -> dict[str, Any]:
        """Return the medians and every round."""
        return {
            "requests_per_cpu_second": round(statistics.median(self.per_cpu_second)),
            "cpu_ms_per_request": round(1000 / statistics.median(self.per_cpu_second), 4),
            "requests_per_second": round(statistics.median(self.per_second)),
            "closed_p50_ms": round(statistics.median(self.p50), 2),
            "closed_p99_ms": round(statistics.median(self.p99), 2),
            "answered": self.answered,
            "resident_mb": self.resident_mb,
            "rounds": [round(each) for each in self.per_cpu_second],
        }


class Stage:
    """The upstream, the callers, and the cores they share."""

    def __init__(self, directory: Path, signings: dict[str, Signing], stack: ExitStack) -> None:
        self.cores = sorted(os.sched_getaffinity(0))
        self.server_cores, self.other_cores = self.cores[:1], self.cores[-1:]
        self._log = directory / "stage.log"
        keys = [f"--key={name}={each.signer.key},{each.signer.certificate}" for name, each in signings.items()]
        self._upstream = start(
            [sys.executable, "-m", "bench.upstream", *keys], stack, self._log, cores=self.other_cores, talks=True
        )
        self._load = start([sys.executable, "-m", "bench.load"], stack, self._log, cores=self.other_cores, talks=True)
        self.ports: dict[str, int] = json.loads(self._said(self._upstream.stdout))

    def _said(self, pipe: Any) -> str:
        line = pipe.readline()
        if not line:
            raise Broken(f"upstream or callers ended:\n{tail(self._log)}")
        return str(line)

    def run(self, job: Job) -> dict[str, Any]:
        """Let the callers do a job; raises Broken when any answer was not what it should be."""
        assert self._load.stdin is not None
        self._load.stdin.write(job.line() + "\n")
        self._load.stdin.flush()
        outcome: dict[str, Any] = json.loads(self._said(self._load.stdout))
        return outcome

    def measure(
        self,
        subject: Subject,
        seconds: float,
        *,
        warm: float = 0.3,
        connections: int = CONNECTIONS,
        rate: float | None = None,
    ) -> dict[str, Any]:
        """Measure one subject once; raises Broken for a single answer that is not what it should be."""
        cores = self.cores if subject.spread else self.other_cores
        pin(self._upstream.pid, cores)
        pids = tuple(each for pid in subject.pids for each in family(pid))
        job = Job(
            subject.port, subject.request, MARK, connections, seconds, warm, rate, pids, tuple(cores), subject.signer
        )
        outcome = self.run(job)
        if outcome["failed"] or not outcome["answered"]:
            counts = f"{outcome['failed']} failures, {outcome['answered']} answers"
            raise Broken(f"{subject.name}: {counts}: {outcome['failure'] or 'no answer'}")
        wrong = flaw(outcome["body"].encode(), gateway=subject.gateway, soap=bool(subject.signer))
        if wrong:
            raise Broken(f"{subject.name}: {wrong}: {outcome['body']}")
        return outcome

    def ready(self, subject: Subject) -> None:
        """Wait until a server answers as it should; raises Broken if it does not in time."""
        reason = ""
        for _ in patiently(_START_SECONDS):
            try:
                self.measure(subject, 0.1, warm=0.05, connections=1)
            except Broken as broken:
                reason = str(broken)
            else:
                return
        raise Broken(reason)


def interleaved(
    stage: Stage, subjects: Sequence[Subject], rounds: int, seconds: float, patience: float = inf
) -> dict[str, Rounds]:
    """Measure A B C … A B C …; no further round begins once `patience` seconds are over, on a machine that is busy."""
    found = {subject.name: Rounds() for subject in subjects}
    end = time.monotonic() + patience
    for number in range(rounds):
        if number >= _FEWEST and time.monotonic() > end:
            break
        for subject in subjects:
            outcome = stage.measure(subject, seconds)
            held = found[subject.name]
            held.per_cpu_second.append(outcome["answered"] / outcome["cpu"])
            held.per_second.append(outcome["answered"] / outcome["wall"])
            held.p50.append(outcome["p50"])
            held.p99.append(outcome["p99"])
            held.answered += outcome["answered"]
    for subject in subjects:
        found[subject.name].resident_mb = _resident_mb(subject.pids)
    return found


def _resident_mb(pids: Iterable[int]) -> float:
    return round(sum(resident(each) for pid in pids for each in family(pid)) / 1e6, 1)
