"""`make bench`: what a full exchange costs beside what people build today, measured in one run.

`BENCH=quick` measures for a shorter time; `--only full_ecdsa,node_soap` measures a part. How fast anything is never
fails a run; an answer that is not what it should be does.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, Final

from bench import delivery, evidence, intake, machine, report, waiting
from bench.gateways import signings
from bench.measuring import CONNECTIONS, Stage, interleaved
from bench.pieces import measured as measured_pieces
from bench.processes import Broken, tell
from bench.report_pieces import judged_pieces
from bench.subjects import ORDER, Ground, started

LATENCY: Final = "latency"
PIECES: Final = "pieces"
INTAKE: Final = "intake"
DELIVERY: Final = "delivery"
EVIDENCE: Final = "evidence"
PARTS: Final = (*ORDER, LATENCY, PIECES, INTAKE, DELIVERY, EVIDENCE)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured; times in seconds. `patience` is for all rounds together."""

    quick: bool
    parts: tuple[str, ...]
    rounds: int
    seconds: float
    patience: float
    open_rounds: int
    open_seconds: float
    alone_seconds: float
    entries: int
    clients: int


def main() -> int:
    """Measure, print, keep."""
    plan, out = _told()
    disturbance = machine.Disturbance()
    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"{'BENCH=quick ' if plan.quick else ''}python -m bench {' '.join(sys.argv[1:])}".strip(),
        **machine.commit(),
        "machine": {**machine.machine(), "flush_ms": machine.flush_ms(out.parent)},
        "versions": machine.versions(),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "connections": CONNECTIONS,
        "grown": {"entries": plan.entries, "clients": plan.clients},
    }
    shown = " ".join(f"{name} {number}" for name, number in found["versions"].items())
    held = found["machine"]
    print(f"{held['processor']}, {held['cores']} cores; {shown}")
    print(f"disk: 16 KiB durable in {held['flush_ms']['p50']} ms (p50), {held['flush_ms']['p99']} ms (p99)", flush=True)
    found |= _servers(plan)
    found["disturbance"] = disturbance.shown()
    if PIECES in plan.parts:
        found["pieces"] = measured_pieces(plan.quick)
        print(report.pieces_table(found["pieces"]))
        judged = judged_pieces(found["pieces"])
        found["judged"] |= judged
        found["ratios"] |= {name: ratio["value"] for name, ratio in judged.items()}
        print(report.verdicts(judged))
    if INTAKE in plan.parts:
        found["intake"] = intake.measured(2_000 if plan.quick else 10_000)
        print(intake.table(found["intake"]))
        judged = intake.judged(found["intake"])
        found["judged"] |= judged
        found["ratios"] |= {name: figure["value"] for name, figure in judged.items()}
        print(report.verdicts(judged))
    if DELIVERY in plan.parts:
        found["delivery"] = delivery.measured(*((2_000, 100_000, 2) if plan.quick else (5_000, 1_000_000, 5)))
        print(delivery.table(found["delivery"]))
        judged = delivery.judged(found["delivery"])
        found["judged"] |= judged
        found["ratios"] |= {name: figure["value"] for name, figure in judged.items()}
        print(report.verdicts(judged))
    if EVIDENCE in plan.parts:
        found["evidence"] = evidence.measured(*((5_000, 100_000) if plan.quick else (20_000, 1_000_000)))
        print(evidence.table(found["evidence"]))
        judged = evidence.judged(found["evidence"])
        found["judged"] |= judged
        found["ratios"] |= {name: figure["value"] for name, figure in judged.items()}
        print(report.verdicts(judged))
    out.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    print(f"{out}; {found['disturbance']}")
    return 0


def _told() -> tuple[Plan, Path]:
    quick = os.environ.get("BENCH") == "quick"
    parser = argparse.ArgumentParser(prog="python -m bench", description="answers per CPU-second of the full exchange")
    parser.add_argument("--only", default=os.environ.get("BENCH_ONLY", ""), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5 if quick else 11)
    parser.add_argument("--seconds", type=float, default=1.0 if quick else 2.0)
    arguments = parser.parse_args()
    parts = tuple(arguments.only.split(",")) if arguments.only else PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    state = Path(".lgsp")
    state.mkdir(exist_ok=True)
    # A part must not take the place of the last whole run.
    out = state / ("bench-part.json" if arguments.only else "bench.json")
    repeats, opened, alone = (2, 3.0, 0.7) if quick else (5, 8.0, 3.0)
    # What is asked for by hand takes as long as it takes.
    patience = inf if arguments.only else 75.0 if quick else 360.0
    grown = (100_000, 1_000) if quick else (1_000_000, 10_000)
    return (
        Plan(quick, parts, arguments.rounds, arguments.seconds, patience, repeats, opened, alone, *grown),
        out,
    )


def _servers(plan: Plan) -> dict[str, Any]:
    with ExitStack() as stack:
        # On the disk of the checkout: in a file system that is memory, evidence would cost less than it does.
        own = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=".lgsp"))
        # A short path, as the socket between nginx and PHP needs.
        rivals = stack.enter_context(tempfile.TemporaryDirectory(prefix="lgsp-bench-"))
        directory = Path(own).resolve()
        keys = signings(directory)
        stage = Stage(directory, keys, stack)
        names = [name for name in ORDER if name in plan.parts]
        ground = Ground(stage, keys, directory, Path(rivals), stack, plan.entries, plan.clients)
        subjects, absent = started(names, ground)
        for subject in subjects:
            # Interpreters that compile as they run, pools and caches are warm before anything counts.
            stage.measure(subject, 1.0 if plan.quick else 5.0)
        rounds = interleaved(stage, subjects, plan.rounds, plan.seconds, plan.patience)
        rows = {name: held.shown() for name, held in rounds.items()}
        tell("rounds are over")
        alone: dict[str, dict[str, float]] = {}
        latency: dict[str, Any] | None = None
        full = next((subject for subject in subjects if subject.name == "full_ecdsa"), None)
        if LATENCY in plan.parts:
            alone = waiting.alone(stage, [each for each in subjects if not each.spread], plan.alone_seconds)
            if full is not None:
                rate = rows[full.name]["requests_per_second"] / 2
                latency = waiting.under_load(stage, full, keys["ecdsa"], rate, plan.open_rounds, plan.open_seconds)
    added = latency["added_ms"]["p99"] if latency else None
    judged = report.judged({name: held.per_cpu_second for name, held in rounds.items()}, added, absent)
    _print(plan, rows, alone, latency, absent, judged)
    return {
        "servers": rows,
        "absent": absent,
        "one_caller_ms": alone,
        "open_loop": latency,
        "ratios": {name: ratio["value"] for name, ratio in judged.items()},
        "judged": judged,
    }


def _print(plan: Plan, rows: Any, alone: Any, latency: Any, absent: dict[str, str], judged: Any) -> None:
    held = max((len(row["rounds"]) for row in rows.values()), default=0)
    print(f"{CONNECTIONS} callers in a closed loop, {held} rounds of {plan.seconds} s, medians; ", end="")
    print("p50 and p99 of one caller alone")
    print(report.table(rows, alone))
    if plan.quick and "million_entries" in rows:
        print(f"quick: million_entries has {plan.entries} entries and {plan.clients} clients")
    for name, reason in absent.items():
        print(f"{name}: absent ({reason})")
    if latency:
        print(report.waiting(latency))
    print(report.verdicts(judged), flush=True)


if __name__ == "__main__":
    # So that whoever ends it leaves no directories behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        code = main()
    except Broken as broken:
        print(broken, file=sys.stderr)
        code = 1
    tell("done")
    sys.exit(code)
