"""A source that pushes over HTTP, and dossier codes of its own for each test."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from tests.test_intake.world import a_dossier, a_status
from tests.test_openapi.deployment import Answer, Deployment

_NUMBERS = itertools.count(1)


def a_code() -> str:
    """A dossier code that no other test has."""
    return f"000.00.00.H26-261130-{next(_NUMBERS):05}"


class Source:
    """One client of a deployed gateway."""

    def __init__(self, deployed: Deployment, token: str) -> None:
        self.deployed = deployed
        self.bearer = f"Bearer {token}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.deployed.ask(method, path, body, Authorization=self.bearer, **headers)

    def put(self, code: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("PUT", f"/v1/dossiers/{code}", body or a_dossier(), **headers)

    def push(self, code: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        if key is not None:
            headers["Idempotency_Key"] = key
        return self.ask("POST", f"/v1/dossiers/{code}/statuses", body or a_status(), **headers)

    def stream(self, lines: Iterable[Any], **headers: str) -> list[dict[str, Any]]:
        """Push lines, values or bytes, and return what became of each."""
        body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        answer = self.ask("POST", "/v1/dossiers/statuses", body, Content_Type="application/x-ndjson", **headers)
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.body.splitlines()]
