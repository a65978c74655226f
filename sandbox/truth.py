"""The whole truth of a sandbox as JSON lines, test persons and samples: what acceptance checks compare answers with.

Everything depends on seed and people only, never on the clock, the machine or the order of questions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.registry import Registry
from sandbox.world.world import World

Sample = dict[str, Any]


def dump(world: World, registries: Sequence[Registry]) -> Iterator[str]:
    """Yield one line per sentence: `{"database", "operation", "request", "answer"}`, in a fixed order."""
    for registry in registries:
        for truth in registry.truth(world):
            line = {
                "database": registry.name,
                "operation": truth.operation,
                "request": truth.request,
                "answer": truth.answer,
            }
            yield json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def samples(world: World, registries: Sequence[Registry], operations: Sequence[str]) -> dict[str, Sample]:
    """Return the first true sentence about each of `operations` (`database/operation`), as `{"body", "data"}`."""
    found: dict[str, Sample] = {}
    wanted = set(operations)
    for registry in registries:
        missing = {name.partition("/")[2] for name in wanted if name.partition("/")[0] == registry.name}
        for truth in registry.truth(world) if missing else ():
            if truth.operation in missing:
                found[f"{registry.name}/{truth.operation}"] = {"body": truth.request, "data": truth.answer}
                missing.discard(truth.operation)
                if not missing:
                    break
    return found


def cases(world: World, registries: Sequence[Registry]) -> dict[str, list[dict[str, Any]]]:
    """Return the test persons by `database/operation`: `{"name", "body", "status", "code", "warning"}` each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for registry in registries:
        for case in registry.cases(world):
            warns = case.status == 200
            told = {
                "name": case.name,
                "body": case.body,
                "status": case.status,
                "code": None if warns else case.code,
                "warning": case.code if warns else None,
            }
            found.setdefault(f"{registry.name}/{case.operation}", []).append(told)
    return found
