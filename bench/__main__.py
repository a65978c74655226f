"""`make bench`: what a full exchange costs, in requests per CPU-second of the gateway's processes.

A demo is started with real registries, keys, grants and evidence; the gateway runs on one core, registries and load on
the other. Rates of the wall clock depend on whatever else the machine does, CPU seconds hardly: those are printed.
`BENCH=quick` measures for a shorter time.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.load import Measured, run
from bench.processes import cpu_seconds, family, pin, resident, yardstick
from sandbox.demo import Demo, Options, started

QUICK = os.environ.get("BENCH") == "quick"
ROUNDS = 3 if QUICK else 5
SECONDS = 2.0 if QUICK else 5.0
CONNECTIONS = 32

SCENARIOS = {
    "full exchange, ECDSA P-256 both ways (tax)": "tax/taxpayer",
    "full exchange, RSA-2048 answer (population)": "population/person",
    "signed XML answer (land)": "land/parcel",
    "unsigned REST (social insurance)": "social-insurance/participant",
}


async def main() -> int:
    """Measure every scenario in turn, several rounds, and print the medians."""
    with tempfile.TemporaryDirectory(prefix="lgsp-bench-") as directory:
        async with AsyncExitStack() as stack:
            demo = await started(Options(Path(directory), "127.0.0.1", 0, 1, 200, 1, []), stack)
            gateway = demo.described["pids"]["gateway"]
            cores = sorted(os.sched_getaffinity(0))
            for pid in family(gateway):
                pin(pid, cores[:1])
            pin(os.getpid(), cores[-1:])
            before = _largest(gateway)
            signature = yardstick(cores[0])
            rows = await _measured(demo, gateway)
            report = {
                "machine": f"{platform.machine()}, {len(cores)} cores, Python {platform.python_version()}",
                "connections": CONNECTIONS,
                "rounds": ROUNDS,
                "seconds": SECONDS,
                "ecdsa_sign_us": round((signature + yardstick(cores[0])) / 2, 1),
                "resident_mb": [before, _largest(gateway)],
                "scenarios": rows,
            }
    _print(report)
    out = Path(".lgsp")
    out.mkdir(exist_ok=True)
    (out / "bench.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


def _largest(gateway: int) -> float:
    return round(max(resident(pid) for pid in family(gateway)) / 1e6, 1)


async def _measured(demo: Demo, gateway: int) -> dict[str, Any]:
    rounds: dict[str, list[Measured]] = {name: [] for name in SCENARIOS}
    costs: dict[str, list[float]] = {name: [] for name in SCENARIOS}
    for _ in range(ROUNDS):
        for name, operation in SCENARIOS.items():
            await run(demo.described, operation, 4, 0.3)
            before = sum(map(cpu_seconds, family(gateway)))
            measured = await run(demo.described, operation, CONNECTIONS, SECONDS)
            costs[name].append((sum(map(cpu_seconds, family(gateway))) - before) / measured.answered)
            rounds[name].append(measured)
    alone = {name: await run(demo.described, operation, 1, SECONDS) for name, operation in SCENARIOS.items()}
    return {
        name: {
            "requests_per_cpu_second": round(1 / statistics.median(costs[name])),
            "cpu_ms_per_request": round(statistics.median(costs[name]) * 1000, 3),
            "failed": sum(measured.failed for measured in rounds[name]),
            "answered": sum(measured.answered for measured in rounds[name]),
            "one_connection_p50_ms": round(alone[name].quantile(0.5) * 1000, 2),
            "one_connection_p99_ms": round(alone[name].quantile(0.99) * 1000, 2),
        }
        for name in SCENARIOS
    }


def _print(report: dict[str, Any]) -> None:
    print(f"{report['machine']}; {report['connections']} connections, {report['rounds']} rounds, medians")
    print(f"{'':46}{'req/CPU-s':>10}{'CPU ms':>9}{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}")
    for name, row in report["scenarios"].items():
        print(
            f"{name:46}{row['requests_per_cpu_second']:>10}{row['cpu_ms_per_request']:>9}"
            f"{row['one_connection_p50_ms']:>9}{row['one_connection_p99_ms']:>9}{row['failed']:>8}"
        )
    print("p50 and p99 at one connection; an ECDSA P-256 signature took", report["ecdsa_sign_us"], "us meanwhile")
    answered = sum(row["answered"] for row in report["scenarios"].values())
    before, after = report["resident_mb"]
    print(f"largest process of the gateway: {before} MB resident before, {after} MB after {answered}+ exchanges")


if __name__ == "__main__":
    began = time.monotonic()
    code = asyncio.run(main())
    print(f"took {time.monotonic() - began:.0f} s")
    sys.exit(code)
