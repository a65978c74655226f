"""What is made of a run: ratios with their targets, a table, `.lgsp/bench.json`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Rates = Mapping[str, Sequence[float]]
"""Answers per CPU-second of every round, by server."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two servers of one run against each other; `most` where less is better, no target where both are None."""

    name: str
    over: str
    under: str
    least: float | None = None
    most: float | None = None
    of: Callable[[float, float], float] = lambda over, under: over / under

    def rounds(self, rates: Rates) -> list[float]:
        """Return the ratio of each round; empty when one of the two was not measured."""
        pairs = zip(rates.get(self.over, ()), rates.get(self.under, ()), strict=False)
        return [self.of(over, under) for over, under in pairs]


def _share(durable: float, in_memory: float) -> float:
    """Which share of an exchange's CPU time the durable evidence is."""
    return 1 - durable / in_memory


RATIOS: Final = (
    Ratio("full_ecdsa/node_soap", "full_ecdsa", "node_soap", least=0.8),
    Ratio("soap_signed/rest", "soap_signed", "full_ecdsa", least=0.7),
    Ratio("full_rsa/flask_zeep", "full_rsa", "flask_zeep", least=1.3),
    Ratio("unsigned/node_soap", "unsigned", "node_soap", least=1.2),
    Ratio("unsigned/php_soap", "unsigned", "php_soap"),
    Ratio("evidence/exchange", "full_ecdsa", "evidence_in_memory", most=0.25, of=_share),
    Ratio("two_workers/one", "two_workers", "one_worker", least=0.85),
    Ratio("million_entries/empty", "million_entries", "full_ecdsa", least=0.95),
)
_ADDED: Final = "p99_added_ms"
_ADDED_MOST: Final = 10.0


def judged(rates: Rates, added: float | None, absent: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return every ratio: its value (the median over the rounds, None with a reason), its range, target and verdict."""
    found = {ratio.name: _judged(ratio, rates, absent) for ratio in RATIOS}
    reason = {} if added is not None else {"reason": "not measured in this run"}
    met = added is not None and added <= _ADDED_MOST
    found[_ADDED] = {"value": added, "at_most": _ADDED_MOST, "met": met if added is not None else None, **reason}
    return found


def _judged(ratio: Ratio, rates: Rates, absent: Mapping[str, str]) -> dict[str, Any]:
    rounds = ratio.rounds(rates)
    target = {"at_least": ratio.least} if ratio.least is not None else {"at_most": ratio.most} if ratio.most else {}
    if not rounds:
        reasons = [f"{name}: {absent[name]}" for name in (ratio.over, ratio.under) if name in absent]
        return {"value": None, **target, "met": None, "reason": "; ".join(reasons) or "not measured in this run"}
    value = round(statistics.median(rounds), 3)
    met: bool | None = None
    if ratio.least is not None:
        met = value >= ratio.least
    elif ratio.most is not None:
        met = value <= ratio.most
    return {"value": value, "range": [round(min(rounds), 3), round(max(rounds), 3)], **target, "met": met}


def table(rows: Mapping[str, Mapping[str, Any]], alone: Mapping[str, Mapping[str, float]]) -> str:
    """Return the medians of every server as a table; the last two columns are of one caller alone."""
    lines = [f"{'':20}{'req/CPU-s':>10}{'CPU ms':>9}{'req/s':>8}{'answered':>10}{'MB':>8}{'p50 ms':>9}{'p99 ms':>9}"]
    for name, row in rows.items():
        single = alone.get(name, {})
        lines.append(
            f"{name:20}{row['requests_per_cpu_second']:>10}{row['cpu_ms_per_request']:>9.3f}"
            f"{row['requests_per_second']:>8}{row['answered']:>10}{row['resident_mb']:>8}"
            f"{single.get('p50', ''):>9}{single.get('p99', ''):>9}"
        )
    return "\n".join(lines)


def verdicts(ratios: Mapping[str, Mapping[str, Any]]) -> str:
    """Return every ratio with its target and whether it was met."""
    return "\n".join(_verdict(name, ratio) for name, ratio in ratios.items())


def _verdict(name: str, ratio: Mapping[str, Any]) -> str:
    if ratio["value"] is None:
        return f"{name:28}{'-':>8}  {ratio['reason']}"
    target = f"at least {ratio['at_least']}" if "at_least" in ratio else ""
    target = f"at most {ratio['at_most']}" if "at_most" in ratio else target
    met = {True: "met", False: "MISSED", None: ""}[ratio["met"]]
    spread = f"rounds {ratio['range'][0]} to {ratio['range'][1]}" if "range" in ratio else ""
    return f"{name:28}{ratio['value']:>8}  {target:14}{met:8}{spread}".rstrip()


def waiting(latency: Mapping[str, Any]) -> str:
    """Return the open loop's quantiles."""
    lines = [f"open loop, {latency['rate']} questions/s ({latency['answered']} answered)   p50 ms   p95 ms   p99 ms"]
    for who in ("gateway", "upstream", "added"):
        values = latency[f"{who}_ms"]
        lines.append(f"{who:52}" + "".join(f"{values[name]:>9}" for name in ("p50", "p95", "p99")))
    return "\n".join(lines)


def pieces_table(pieces: Mapping[str, Mapping[str, float]]) -> str:
    """Return the micro-benchmarks, microseconds of CPU time for each piece."""
    lines = ["pieces, CPU microseconds"]
    for group, held in pieces.items():
        lines += [f"  {group}: {name:48}{value:>10.1f}" for name, value in held.items()]
    return "\n".join(lines)
