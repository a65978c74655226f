"""What each piece of an exchange costs, so that a regression has an address.

Every piece is the function that an exchange calls, on the answer that the whole bench uses. Times are CPU microseconds
of one call; only `wall` is the clock on the wall, that is with the disk.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import uvloop

from bench.pieces_clock import Clock
from bench.pieces_inside import access_pieces, evidence_pieces, inside, request_pieces
from bench.pieces_loop import loop_pieces
from bench.pieces_rivals import library_pieces
from bench.pieces_signatures import sign_pieces, verify_pieces
from bench.pieces_trust import trust_pieces
from bench.pieces_wire import encode_pieces, read_pieces, wire
from config import metrics

_SECONDS = 0.6
_QUICK_SECONDS = 0.12


def measured(quick: bool, *, seconds: float | None = None) -> dict[str, dict[str, float]]:
    """Return microseconds by group and piece; `seconds` is spent on each piece, and has a default.

    A piece called `absent: ...` says which library could not be compared with and why. Runs in a process of its own:
    logging and metrics are set up as in a worker, and nothing else takes time there.
    """
    spent = seconds or (_QUICK_SECONDS if quick else _SECONDS)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(_measured, spent).result()


def _measured(seconds: float) -> dict[str, dict[str, float]]:
    clock = Clock(seconds)
    # On the disk of the checkout: where files are memory, a commit costs less than it does.
    state = Path(".lgsp")
    state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pieces-", dir=state) as directory:
        place = Path(directory).resolve()
        made = wire(place / "pki")
        # Workers keep their metrics in files, which costs more than memory does.
        (place / "metrics").mkdir()
        metrics.share(place / "metrics")
        metrics.become("0")
        found = {
            "encode": encode_pieces(clock),
            "sign": sign_pieces(clock, made),
            "verify": verify_pieces(clock, made, place),
            "read": read_pieces(clock, made),
            "loop": loop_pieces(clock, made),
            "trust": trust_pieces(clock),
        }
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            at = runner.run(inside(place))
            try:
                found["access"] = access_pieces(clock, runner, at)
                found["evidence"] = evidence_pieces(clock, runner, at, made)
            finally:
                runner.run(at.log.close())
                runner.run(at.storage.close())
            found["request"] = request_pieces(clock, runner)
        found["rivals"] = library_pieces(clock)
        return found


if __name__ == "__main__":
    for group, pieces in measured(quick="quick" in sys.argv).items():
        for piece, micros in pieces.items():
            print(f"{group:10}{piece:44}{micros:>10.2f}")
