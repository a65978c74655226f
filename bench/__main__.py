"""`make bench`: what a full exchange costs beside what people build today, measured in one run.

`BENCH=quick` measures for a shorter time; `--only full_ecdsa,node_soap` measures a part.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.gateways import deploy, question, serve, signings
from bench.measuring import Stage, Subject, interleaved
from bench.peers import RIVALS, Absent, Place
from bench.processes import Broken
from bench.report import table

QUICK = os.environ.get("BENCH") == "quick"
SUBJECTS = (
    "full_ecdsa",
    "node_soap",
    "unsigned",
    "php_soap",
    "full_rsa",
    "flask_zeep",
)


def _gateway(name: str, stage: Stage, directory: Path, stack: ExitStack) -> Subject:
    signing = None if name == "unsigned" else "rsa" if name == "full_rsa" else "ecdsa"
    upstream = stage.ports[signing or "unsigned"]
    deployed = deploy(directory / name, upstream, signings(directory)[signing] if signing else None)
    build = ["--unsigned"] if name == "unsigned" else []
    pid = serve(deployed, stack, stage.server_cores, build)
    return Subject(name, (pid,), deployed.port, question(deployed), gateway=True)


def _rival(name: str, stage: Stage, directory: Path, stack: ExitStack) -> Subject:
    endpoint = f"http://127.0.0.1:{stage.ports['unsigned']}/thue"
    rival = RIVALS[name](Place(directory, stack, stage.server_cores, endpoint))
    return Subject(name, rival.pids, rival.port, rival.question(), gateway=False)


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="requests per CPU-second of the full exchange")
    parser.add_argument("--only", default="", help=f"a part, of: {','.join(SUBJECTS)}")
    parser.add_argument("--rounds", type=int, default=3 if QUICK else 7)
    parser.add_argument("--seconds", type=float, default=1.5 if QUICK else 4.0)
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else list(SUBJECTS)
    state = Path(".lgsp")
    state.mkdir(exist_ok=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=state))).resolve()
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lgsp-bench-")))
        stage = Stage(directory, signings(directory), stack)
        subjects, absent = [], {}
        for name in wanted:
            try:
                subject = (_rival if name in RIVALS else _gateway)(
                    name, stage, place if name in RIVALS else directory, stack
                )
            except Absent as missing:
                absent[name] = str(missing)
                continue
            stage.ready(subject)
            subjects.append(subject)
        measured = interleaved(stage, subjects, arguments.rounds, arguments.seconds)
        print(table({name: rounds.shown() for name, rounds in measured.items()}))
        for name, reason in absent.items():
            print(f"{name}: absent ({reason})")
    return 0


if __name__ == "__main__":
    began = time.monotonic()
    try:
        code = main()
    except Broken as broken:
        print(broken, file=sys.stderr)
        code = 1
    print(f"took {time.monotonic() - began:.0f} s")
    sys.exit(code)
