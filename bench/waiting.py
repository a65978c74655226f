"""How long a caller waits: an open loop at half of what the server can do, and one caller alone.

What the gateway adds is told by asking the upstream itself at the same rate, with the same callers.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, Final

from bench.answer import MARK, TAX_CODE
from bench.gateways import Signing, http_question
from bench.jobs import Job
from bench.measuring import Stage, Subject
from bench.processes import Broken
from security.signature_key import SigningKey
from security.soap_signing import sign_soap_parts

_CONNECTIONS: Final = 64
_QUANTILES: Final = ("p50", "p95", "p99")
_PAYLOAD: Final = (
    '<TraCuuNguoiNopThue xmlns="urn:lgsp:sandbox:thue:1.0"><MaYeuCau>bench</MaYeuCau><MaHeThong>LGSP-BENCH</MaHeThong>'
    f"<MaSoThue>{TAX_CODE}</MaSoThue></TraCuuNguoiNopThue>"
)


def under_load(stage: Stage, subject: Subject, signing: Signing, rate: float, rounds: int, seconds: float) -> Any:
    """Ask a gateway and its upstream in turn at a fixed rate; return the quantiles of both, and of what was added."""
    key = SigningKey.load(signing.own.key, signing.own.certificate)
    envelope = sign_soap_parts(_PAYLOAD.encode(), key, version="1.2").envelope
    port = stage.ports["ecdsa"]
    canned = http_question(port, "/thue", {"Content-Type": "application/soap+xml; charset=utf-8"}, envelope)

    def upstream() -> dict[str, Any]:
        job = Job(port, canned, MARK, _CONNECTIONS, seconds, 1.0, rate, (), tuple(stage.other_cores))
        outcome = stage.run(job)
        if outcome["failed"]:
            raise Broken(f"upstream: {outcome['failure']}")
        return outcome

    def gateway() -> dict[str, Any]:
        return stage.measure(subject, seconds, warm=1.0, connections=_CONNECTIONS, rate=rate)

    found = _in_turn({"gateway": gateway, "upstream": upstream}, rounds)
    added = {name: _median(found, "gateway", name) - _median(found, "upstream", name) for name in _QUANTILES}
    return {
        "rate": round(rate),
        "connections": _CONNECTIONS,
        "rounds": rounds,
        "seconds": seconds,
        "answered": sum(each["answered"] for each in found["gateway"]),
        **{f"{who}_ms": {name: round(_median(found, who, name), 2) for name in _QUANTILES} for who in found},
        "added_ms": {name: round(value, 2) for name, value in added.items()},
        "gateway_p99_rounds_ms": [round(each["p99"], 2) for each in found["gateway"]],
    }


def alone(stage: Stage, subjects: Sequence[Subject], seconds: float) -> dict[str, dict[str, float]]:
    """Measure one caller that asks, waits and asks again."""
    found = {subject.name: stage.measure(subject, seconds, connections=1) for subject in subjects}
    return {name: {each: round(outcome[each], 2) for each in _QUANTILES} for name, outcome in found.items()}


def _in_turn(runs: dict[str, Callable[[], dict[str, Any]]], rounds: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return found


def _median(found: dict[str, list[dict[str, Any]]], who: str, name: str) -> float:
    return float(statistics.median(each[name] for each in found[who]))
