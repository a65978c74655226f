"""A deployment whose log is read over REST, and what readers there do with it."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from routes.assembly import Gateway
from security.audit.checkpoint import Checkpoint, VerifierKey, opened
from security.audit.entries import Evidence, Subject
from security.audit.receipt import Receipt
from tests.test_audit.audit_world import evidence
from tests.test_openapi.deployment import Answer, InThread

PERSON = "001085012345"


class Office:
    """A gateway at work; `log` puts entries into its log as if callers had asked."""

    def __init__(self, state: Path, storage_url: str | None = None, archives: Path | None = None) -> None:
        def adjust(text: str) -> str:
            text = text if storage_url is None else text.replace("sqlite:///lgsp.sqlite", storage_url)
            return text if archives is None else text.replace("[audit]\n", f'[audit]\narchives = "{archives}"\n')

        self._thread = InThread(state, adjust)
        self.deployment = self._thread.deployment
        self.run = self._thread.run
        self.close = self._thread.close
        self._tokens = {name: f"Bearer {self.deployment.token(name)}" for name in self.deployment.clients}

    @property
    def gateway(self) -> Gateway:
        return self.deployment.gateway

    def ask(self, path: str, body: Any = None, client: str | None = "auditor", **headers: str) -> Answer:
        """GET without a body, POST with one."""
        known = {"Authorization": self._tokens[client]} if client is not None else {}
        return self.deployment.ask("GET" if body is None else "POST", path, body, **known, **headers)

    def get(self, path: str, client: str | None = "auditor") -> Any:
        told = self.ask(path, client=client)
        assert told.status == 200, told.body
        return told.json

    def log(self, *events: Evidence) -> list[Receipt]:
        """Record events, many in one commit."""

        async def work() -> list[Receipt]:
            return list(await asyncio.gather(*(self.gateway.log.record(event) for event in events)))

        return self.run(work())

    def entry(self, index: int) -> dict[str, Any]:
        """An entry as the log has it; nobody is told that it was looked at."""
        found: dict[str, Any] = self.run(self.gateway.reader.show(index)).entry
        return found

    def size(self) -> int:
        return self.run(self.gateway.reader.size())

    def checkpoint(self) -> Checkpoint:
        """The newest, verified with the keys that are published."""
        keys = [VerifierKey.decode(each["vkey"]) for each in self.get("/v1/audit/keys", client=None)["keys"]]
        told = self.ask("/v1/audit/checkpoint", client=None)
        assert (told.status, told.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        return opened(told.body.decode(), keys)


def asked_about(*values: str, client: str = "ministry", **members: Any) -> Evidence:
    """An exchange of a client: it asked about the first person, and was told of the others."""
    subjects = [
        Subject("asked" if place == 0 else "disclosed", "personal-id", each) for place, each in enumerate(values)
    ]
    return replace(evidence(client=client), subjects=subjects, **members)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shape(answer: Answer) -> tuple[int, dict[str, Any]]:
    """An answer without what differs between any two of them."""
    told = json.loads(answer.body)
    varying = {"request_id", "instance", "exchange", "receipt"}
    return answer.status, {**told, **dict.fromkeys(varying & told.keys(), None)}
