"""Sources that push until everything is accepted: one by one with keys, or whole files that are sent again."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import ClientError, ClientResponse, ClientSession, encode_basic_auth

from tools.chaos_processes import Gateway

STATUSES: Final = ("4", "5", "4", "9", "10")
FILE: Final = 40
"""Dossiers of one file."""
_AT: Final = "2026-01-05T09:00:00+07:00"
_DOSSIER: Final = {
    "procedure": "1.005129",
    "channel": "counter",
    "owner_name": "Hồ sơ thử",
    "owner_kind": "citizen",
    "received_at": "2026-01-05T08:30:00+07:00",
}
_TAKEN: Final = ("accepted", "waiting", "duplicate")


def code_of(number: int) -> str:
    """The code of a dossier."""
    return f"000.00.00.H26-260105-{number:05}"


@dataclass(slots=True)
class Told:
    """What sources were told. `accepted` has the delivery's id and its index in the audit log for each key.

    `lost` are times (POSIX seconds) of connections that broke although what was asked over them had been accepted:
    whoever sends it again learns so. `flaws` are answers that must never be.
    """

    accepted: dict[str, tuple[str, int]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    lost: list[float] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)

    def keep(self, key: str, answer: dict[str, Any], *, again: bool, broke_at: float | None) -> None:
        """Keep what was told of a key; told twice it must be the same."""
        now = answer["delivery"], answer["receipt"]["index"]
        before = self.accepted.setdefault(key, now)
        if before != now:
            self.flaws.append(f"{key}: told {before}, then {now}")
        elif again and broke_at is not None:
            self.lost.append(broke_at)


@dataclass(slots=True)
class Sources:
    """The province, asking any of `gateways`."""

    gateways: Sequence[Gateway]
    secret: str
    http: ClientSession
    dice: random.Random
    told: Told = field(default_factory=Told)
    token: str = ""

    async def one_by_one(self, numbers: Sequence[int]) -> None:
        """Register dossiers and push their statuses in order; every second dossier says no sequence."""
        for number in numbers:
            code = code_of(number)
            await self._until_taken("PUT", f"/v1/dossiers/{code}", _DOSSIER, f"{code}/0")
            for sequence, status in enumerate(STATUSES, start=1):
                body = {"status": status, "at": _AT} | ({"sequence": sequence} if number % 2 else {})
                await self._until_taken("POST", f"/v1/dossiers/{code}/statuses", body, f"{code}/{sequence}")

    async def in_files(self, numbers: Sequence[int]) -> None:
        """Push the same in files; every third is shuffled, so that statuses wait for those before them."""
        for place, first in enumerate(range(0, len(numbers), FILE)):
            lines = []
            for number in numbers[first : first + FILE]:
                code = code_of(number)
                lines.append({"code": code, "key": f"{code}/0", "dossier": _DOSSIER})
                for sequence, status in enumerate(STATUSES, start=1):
                    line = {"code": code, "key": f"{code}/{sequence}", "status": status, "at": _AT}
                    lines.append(line | ({"sequence": sequence} if number % 2 or place % 3 == 0 else {}))
            if place % 3 == 0:
                self.dice.shuffle(lines)
            await self._until_whole(lines)

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any, bool]:
        """Ask one of the gateways; return status (0 where nothing came back), answer, whether it is one of before."""
        gateway = self.dice.choice(self.gateways)
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        try:
            async with self.http.request(method, gateway.url + path, json=body, headers=headers) as answer:
                await self._judged(answer, gateway)
                text = await answer.text()
                return answer.status, json.loads(text) if text else None, "Idempotency-Replayed" in answer.headers
        except (ClientError, TimeoutError, OSError, ValueError):
            return 0, None, False

    async def _until_taken(self, method: str, path: str, body: Any, key: str) -> None:
        broke_at: float | None = None
        while True:
            status, told, again = await self.ask(method, path, body, key)
            if status in (200, 201, 202):
                self.told.keep(key, told, again=again, broke_at=broke_at)
                return
            if not status:
                broke_at = time.time()
            elif status not in (401, 409, 429) and status < 500:
                raise AssertionError(f"{method} {path}: {status} {told}")
            else:
                self.told.refused[f"{status} {told['code']}"] += 1
            await asyncio.sleep(self.dice.uniform(0.02, 0.3))

    async def _until_whole(self, lines: Sequence[dict[str, Any]]) -> None:
        """Send a file until each of its lines is taken."""
        broke_at: float | None = None
        unseen = {str(line["key"]) for line in lines}
        while unseen:
            gateway = self.dice.choice(self.gateways)
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson"}
            address = f"{gateway.url}/v1/dossiers/statuses"
            try:
                async with self.http.post(address, data=self._written(lines), headers=headers) as answer:
                    await self._judged(answer, gateway)
                    if answer.status == 200:
                        async for text in answer.content:
                            self._read(json.loads(text), unseen, broke_at)
                    elif answer.status not in (401, 429) and answer.status < 500:
                        raise AssertionError(f"stream: {answer.status} {await answer.text()}")
                    else:
                        self.told.refused[f"{answer.status} {(await answer.json())['code']}"] += 1
            except (ClientError, TimeoutError, OSError, ValueError):
                broke_at = time.time()
            if unseen:
                await asyncio.sleep(self.dice.uniform(0.02, 0.3))

    def _read(self, line: dict[str, Any], unseen: set[str], broke_at: float | None) -> None:
        key = str(line["key"])
        if line["result"] in _TAKEN:
            first = key in unseen
            again = first and line["result"] == "duplicate"
            unseen.discard(key)
            self.told.keep(key, line, again=again, broke_at=broke_at)
        elif line["result"] == "refused" and line["problem"]["retryable"]:
            self.told.refused[f"line {line['problem']['code']}"] += 1
        else:
            self.told.flaws.append(f"{key}: {line}")
            unseen.discard(key)

    async def _written(self, lines: Sequence[dict[str, Any]]) -> AsyncIterator[bytes]:
        """Hand a file out in pieces, so that a kill finds some of it accepted and some not yet sent."""
        for first in range(0, len(lines), 60):
            yield b"".join(json.dumps(line).encode() + b"\n" for line in lines[first : first + 60])
            await asyncio.sleep(self.dice.uniform(0.0, 0.05))

    async def _judged(self, answer: ClientResponse, gateway: Gateway) -> None:
        """Log in where that was asked for; hold a refusal for now to saying when to come again."""
        if answer.status == 503 and "Retry-After" not in answer.headers:
            self.told.flaws.append(f"503 without Retry-After: {await answer.text()}")
        if answer.status == 401:
            proof = {"Authorization": encode_basic_auth("province", self.secret)}
            form = {"grant_type": "client_credentials"}
            async with self.http.post(f"{gateway.url}/oauth2/token", data=form, headers=proof) as granted:
                if granted.status == 200:
                    self.token = (await granted.json())["access_token"]
