"""Routes without authentication: so many requests a minute from one address (giới hạn theo địa chỉ)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from routes.context import ANSWER_HEADERS, PEER
from schemas.errors import GatewayError, TooManyRequests
from security.limits import Limiter, Verdict, rate_limit

_MINUTE: Final = 60.0

Count = Callable[[GatewayError, str], None]
"""Counts a request of nobody known, under its error and address, for entries in bulk."""


@dataclass(frozen=True, slots=True)
class Guests:
    """The limit of the routes called `name` for one address; what is over it is counted in bulk by `count`."""

    limiter: Limiter
    count: Count
    name: str
    a_minute: int

    async def admit(self, request: web.Request) -> None:
        """Count a request; raises TooManyRequests."""
        address = request[PEER].address
        rate, burst = self.a_minute / _MINUTE, self.a_minute - 1
        verdict = self.limiter.take(f"{self.name}\0{address}", rate, burst)
        if not isinstance(verdict, Verdict):
            verdict = await verdict
        request[ANSWER_HEADERS].update(rate_limit(self.name, rate, burst, verdict))
        if not verdict.admitted:
            error = TooManyRequests(retry_after=verdict.retry_after)
            self.count(error, address)
            raise error
