"""A closed loop of callers: each connection asks again as soon as it was answered."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp


@dataclass
class Measured:
    """What a run saw; latencies in seconds."""

    answered: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """The latency that this share of the answers did not exceed."""
        return sorted(self.latencies)[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


async def token(session: aiohttp.ClientSession, described: dict[str, Any]) -> str:
    """A token of the demo's ministry."""
    client = described["clients"]["ministry"]
    form = {"grant_type": "client_credentials", **{name: client[name] for name in ("client_id", "client_secret")}}
    async with session.post(f"{described['gateway']}/oauth2/token", data=form) as answer:
        return str((await answer.json())["access_token"])


async def run(described: dict[str, Any], operation: str, connections: int, seconds: float) -> Measured:
    """Ask one operation over this many connections for this long."""
    sample = described["samples"][operation]
    body = json.dumps(sample["body"], ensure_ascii=False).encode()
    measured = Measured()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        headers = {
            "Authorization": f"Bearer {await token(session, described)}",
            "Content-Type": "application/json",
            **sample["headers"],
        }
        end = time.monotonic() + seconds

        async def ask() -> None:
            while time.monotonic() < end:
                began = time.perf_counter()
                async with session.post(f"{described['gateway']}/v1/{operation}", data=body, headers=headers) as answer:
                    await answer.read()
                measured.latencies.append(time.perf_counter() - began)
                if answer.status == 200:
                    measured.answered += 1
                else:
                    measured.failed += 1

        await asyncio.gather(*(ask() for _ in range(connections)))
    return measured
