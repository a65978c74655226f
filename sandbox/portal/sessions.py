"""Who may speak to the portal for how long, and how often: sessions, bearer tokens, the rate limit.

How long a session lives and how many calls are taken is nowhere published; both can be changed by faults [ours]:
`session-expired` ends those that are open now, `session-expired=20` lets each serve 20 calls, `session-expired=5s` lets
each live five seconds, `throttled=10/s` takes ten calls a second and answers others with 429 and Retry-After.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.ngsp import fault
from sandbox.registry import Account, Fault, Faults

LIFETIME: Final = 1800.0
"""Seconds that a session lives [ours]."""
_EXPIRED: Final = "session-expired"
Clock = Callable[[], float]


class Sessions:
    """Opens sessions for one account and knows which still live; seconds are those of `clock`."""

    def __init__(self, account: Account, faults: Faults, *, clock: Clock = time.monotonic) -> None:
        self._account = account
        self._faults = faults
        self._clock = clock
        self._open: dict[str, tuple[float, int]] = {}
        self._ended_by: Fault | None = None

    @property
    def lifetime(self) -> float:
        """Seconds that a session opened now lives."""
        limit = self._faults.active(_EXPIRED)
        return limit.amount if limit and limit.unit == "s" else LIFETIME

    def opened(self, username: object, secret: object) -> str | None:
        """Return a new session for the right name and secret, else None."""
        right = f"{self._account.username}\n{self._account.secret}".encode()
        if not secrets.compare_digest(f"{username}\n{secret}".encode(), right):
            return None
        self._sweep()
        token = secrets.token_hex(16)
        self._open[token] = self._clock(), 0
        return token

    def admits(self, token: object) -> bool:
        """Tell whether a session lives; the call that asks is counted."""
        self._sweep()
        if not isinstance(token, str) or token not in self._open:
            return False
        since, calls = self._open[token]
        limit = self._faults.active(_EXPIRED)
        if limit and not limit.unit and 0 < limit.amount <= calls:
            del self._open[token]
            return False
        self._open[token] = since, calls + 1
        return True

    def _sweep(self) -> None:
        limit = self._faults.active(_EXPIRED)
        if limit and not limit.unit and not limit.amount and limit is not self._ended_by:
            self._open.clear()
        self._ended_by = limit
        end = self._clock() - self.lifetime
        self._open = {token: held for token, held in self._open.items() if held[0] > end}


def throttle(faults: Faults, *, clock: Clock = time.monotonic) -> Middleware:
    """Return a middleware that holds the rate of `throttled=N/s`: a second's calls may come at once, no more."""
    allowance, asked = 0.0, -math.inf

    @web.middleware
    async def limited(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        nonlocal allowance, asked
        rate = faults.active("throttled")
        if rate is None or request.path.startswith("/_"):
            return await handler(request)
        now = clock()
        allowance = min(max(rate.amount, 1.0), allowance + (now - asked) * rate.amount)
        asked = now
        if allowance < 1:
            # As an API manager in front of a service words it.
            refusal = fault(429, 900800, "Message throttled out")
            refusal.headers["Retry-After"] = str(math.ceil((1 - allowance) / rate.amount))
            return refusal
        allowance -= 1
        return await handler(request)

    return limited
