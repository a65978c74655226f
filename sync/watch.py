"""Whether a lease of another worker is over, by no clock but one's own (hết hạn quyền gửi).

The time of day may be set, forwards or back, and differs between machines: whoever believed it would take over what is
being sent at this moment, and send it a second time. So a lease is over when a worker has seen it unchanged for as long
as leases last, by a clock that nobody sets. `lease_until` only tells one lease of a dossier from the next.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Lease(NamedTuple):
    """Who holds a dossier, and until when as far as it knew (POSIX milliseconds)."""

    code: str
    owner: str
    until: int | None


class Watch:
    """Remembers since when leases are seen; seconds are those of a monotonic clock."""

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen: dict[Lease, float] = {}

    def over(self, held: Collection[Lease], now: float) -> list[Lease]:
        """Take a look at all leases of others; return those that are over."""
        self._seen = {lease: self._seen.get(lease, now) for lease in held}
        return [lease for lease, since in self._seen.items() if now - since >= self._lease]
