"""What to do when the time of day was set back: nothing may wait for a time that is now far ahead (chỉnh đồng hồ).

Times in the rows are those of the clock when they were written. One that goes forward shortens waits and does no other
harm (`sync.watch` sees to leases). After one that goes back, what was due at once would be due in an hour.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select, update

from config.sync import Sync
from security.audit.tables import ENTRIES
from sync.tables import DESTINATIONS, DOSSIER_EVENTS, DOSSIERS

_TOLERATED_S: Final = 2.0
"""Nobody notices so short a delay."""
_LAST: Final = 1000
_EVENT = DOSSIER_EVENTS.c


class Steps:
    """Notices that the time of day was set back, by a clock that nobody sets; both in seconds."""

    def __init__(self) -> None:
        self._apart: float | None = None

    def back(self, wall: float, steady: float) -> bool:
        """Tell whether it was set back since it was last asked; False the first time."""
        before, self._apart = self._apart, wall - steady
        return before is not None and self._apart < before - _TOLERATED_S


def is_behind(connection: Connection, now: int) -> bool:
    """Tell whether the newest entries of the audit log are ahead of `now` (POSIX ms): a clock was set back meanwhile.

    For whoever starts, and has seen no clock before.
    """
    newest = select(ENTRIES.c.at).order_by(ENTRIES.c.idx.desc()).limit(_LAST).subquery()
    latest: str | None = connection.execute(select(func.max(newest.c.at))).scalar()
    return latest is not None and datetime.fromisoformat(latest).timestamp() > now / 1000 + _TOLERATED_S


def retime(connection: Connection, destination: str, now: int, settings: Sync) -> int:
    """Bring back what a clock before this one put further ahead than it ever may be; tell how many dossiers.

    `now` is POSIX milliseconds. What waits for a predecessor or a registration waits from now on.
    """
    longest = round(max(settings.longest_pause, settings.settle) * 1000)
    ahead = and_(_EVENT.state.in_(("queued", "sending")), _EVENT.due_at > now + longest)
    since = and_(_EVENT.held == 1, func.coalesce(_EVENT.due_at, _EVENT.accepted_at) > now)
    of_one = and_(_EVENT.code == DOSSIERS.c.code, or_(ahead, since))
    dossiers = update(DOSSIERS).where(
        DOSSIERS.c.destination == destination,
        DOSSIERS.c.next_due > now,
        DOSSIERS.c.lease_owner.is_(None),
        select(_EVENT.position).where(of_one).exists(),
    )
    mended = connection.execute(dossiers.values(next_due=now)).rowcount
    # Of one that is held back, `due_at` says since when, where that is not its acceptance.
    events = update(DOSSIER_EVENTS).where(_EVENT.destination == destination, or_(ahead, since))
    connection.execute(events.values(due_at=now))
    left_alone = update(DESTINATIONS).where(DESTINATIONS.c.name == destination, DESTINATIONS.c.due_at > now + longest)
    connection.execute(left_alone.values(due_at=now + longest))
    return mended
