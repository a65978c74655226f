"""In which order the events of one dossier from one source are sent (thứ tự sự kiện), as pure rules.

Events with a sequence stand in its order, from 1. One without stands behind everything that the same source had handed
in for the dossier before, whatever that waits for, and before what it hands in later with a higher sequence. What an
event says of its time (`at`) never orders. The order of several sources of one dossier is nobody's but that of
acceptance, so each has a `Track` of its own.

A missing sequence is waited for since something beyond it came, at most `Waits.gap`; then what stands behind is
released and flagged. As long as that is not yet being sent, what was missing may still come and goes first; once it is,
what was missing is late. An event in quarantine fills its sequence: those behind do not wait for people to decide.
Amendments of a dossier are events without a sequence; its registration stands before everything (`FIRST`).

All moments are POSIX seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Literal, NamedTuple

Result = Literal["accepted", "duplicate", "waiting", "late", "quarantined", "refused"]
Reason = Literal["unregistered", "gap", "behind-gap", "overtaken", "at-in-future", "sequence-reused", "not-understood"]
Earlier = Literal["same", "other"]


class Identity(NamedTuple):
    """What makes an event the same event: its source, its dossier, and its sequence or, without one, its key."""

    source: str
    dossier: str
    mark: int | str


def identity(source: str, dossier: str, sequence: int | None, key: str) -> Identity:
    """The identity of an event; a sequence 5 and a key "5" are two."""
    return Identity(source, dossier, key if sequence is None else sequence)


class Place(NamedTuple):
    """Where an event stands: compared member by member, smaller goes first.

    `sequence` is its own, or the highest one accepted before it; `behind` is 0 where it is its own, else 1; `accepted`
    is the order of acceptance of those without a sequence, 0 for the others.
    """

    sequence: int
    behind: int
    accepted: int


FIRST: Final = Place(0, 0, 0)
"""Where the registration of a dossier stands: before every event."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long what is waited for, in seconds: a missing sequence, a registration; how far `at` may lie ahead."""

    gap: float = 60.0
    registration: float = 72 * 3600.0
    ahead: float = 300.0


@dataclass(frozen=True, slots=True)
class Held:
    """An event that came and is not yet released; `goes` is False for one in quarantine, which only fills a place."""

    place: Place
    since: float
    goes: bool = True


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of one dossier from one source.

    `through`: each sequence up to this one came or was given up. `highest`: the highest that ever came. `furthest`: the
    furthest place of what was sent or is being sent. `held`, ordered by place, is what came and was not yet released.
    """

    registered: bool = False
    through: int = 0
    highest: int = 0
    furthest: Place = FIRST
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an event, why, and where it stands (None where it is not kept as an event of its own)."""

    result: Result
    reason: Reason | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Sequences that did not come, first and last, and since when they are waited for."""

    first: int
    last: int
    since: float


@dataclass(frozen=True, slots=True)
class Released:
    """An event that may be sent now; `lost` where a predecessor was waited for in vain, so that it is flagged."""

    place: Place
    lost: bool = False


def decide(
    track: Track,
    sequence: int | None,
    index: int,
    at: float,
    now: float,
    *,
    earlier: Earlier | None = None,
    understood: bool = True,
    waits: Waits = Waits(),
) -> Decision:
    """Say what becomes of an event that is the `index`-th accepted of the deployment; the track is left as it is.

    `earlier` tells whether its identity is known already, with the same or with other contents; `understood` whether
    its status means a national one. The first that applies: duplicate, refused, late, quarantined, waiting, accepted.
    """
    if earlier == "same":
        return Decision("duplicate")
    if earlier == "other":
        return Decision("refused", "sequence-reused")
    place = Place(track.highest, 1, index) if sequence is None else Place(sequence, 0, 0)
    if place < track.furthest:
        return Decision("late", "overtaken", place)
    if not understood:
        return Decision("quarantined", "not-understood", place)
    if at - now > waits.ahead:
        return Decision("quarantined", "at-in-future", place)
    if not track.registered:
        return Decision("waiting", "unregistered", place)
    if sequence is None:
        gap = next(missing(track), None)
        return Decision("waiting", "behind-gap", place) if gap else Decision("accepted", None, place)
    return Decision("waiting", "gap", place) if _gap_before(track, place) else Decision("accepted", None, place)


def _gap_before(track: Track, place: Place) -> bool:
    # What is held mostly is for a gap before all of it: no need to walk through thousands that stand behind it.
    first = next((held.place.sequence for held in track.held if held.place.behind == 0), place.sequence)
    if track.through + 1 < min(first, place.sequence):
        return True
    wanted = place.sequence - 1
    for held in reversed(track.held[: _position(track.held, place)]):
        if wanted <= track.through:
            return False
        if held.place.behind == 0:
            if held.place.sequence != wanted:
                return True
            wanted -= 1
    return wanted > track.through


def _position(held: tuple[Held, ...], place: Place) -> int:
    return bisect_left(held, place, key=lambda one: one.place)


def kept(track: Track, decision: Decision, now: float) -> Track:
    """The track once an event is durably kept with this decision; late, refused and repeated ones change nothing."""
    place = decision.place
    if place is None or decision.result == "late":
        return track
    held = _with(track.held, Held(place, now, goes=decision.result != "quarantined"))
    return replace(track, highest=max(track.highest, place.sequence), held=held)


def _with(held: tuple[Held, ...], one: Held) -> tuple[Held, ...]:
    position = _position(held, one.place)
    return (*held[:position], one, *held[position:])


def missing(track: Track) -> Iterator[Missing]:
    """Yield the gaps before what is held, in order; each is waited for since the first event beyond it came."""
    through = track.through
    numbered = [held for held in track.held if held.place.behind == 0]
    earliest = list(accumulate((held.since for held in reversed(numbered)), min))
    for held, since in zip(numbered, reversed(earliest), strict=True):
        if held.place.sequence > through + 1:
            yield Missing(through + 1, held.place.sequence - 1, since)
        through = max(through, held.place.sequence)


def release(track: Track, now: float, waits: Waits = Waits()) -> tuple[Track, tuple[Released, ...]]:
    """What need not wait any longer, in order, and the track after that; nothing of a dossier that is not registered.

    Of all that is released the one with the smallest place is sent next; `sent` says that it is.
    """
    if not track.registered:
        return track, ()
    due = {gap.last + 1: gap.since + waits.gap for gap in missing(track)}
    through, lost = track.through, False
    released: list[Released] = []
    passed = 0
    for held in track.held:
        if held.place.behind == 0:
            if due.get(held.place.sequence, now) > now:
                break
            lost = lost or held.place.sequence in due
            through = max(through, held.place.sequence)
        if held.goes:
            released.append(Released(held.place, lost))
            lost = False
        passed += 1
    return replace(track, through=through, held=track.held[passed:]), tuple(released)


def sent(track: Track, place: Place) -> Track:
    """The track once an event is being sent: what stands before it and comes from now on is late."""
    return replace(track, furthest=max(track.furthest, place))


def next_release(track: Track, waits: Waits = Waits()) -> float | None:
    """When `release` will give up the first gap; None when nothing waits for one."""
    gap = next(missing(track), None) if track.registered else None
    return gap.since + waits.gap if gap else None


def expired(track: Track, now: float, waits: Waits = Waits()) -> tuple[Track, tuple[Place, ...]]:
    """What waited too long for a registration and goes to quarantine (`unregistered`), and the track after that."""
    if track.registered:
        return track, ()
    over = {held.place for held in track.held if held.goes and now - held.since >= waits.registration}
    held = tuple(replace(one, goes=False) if one.place in over else one for one in track.held)
    return replace(track, held=held), tuple(sorted(over))


def readmitted(track: Track, place: Place, now: float) -> tuple[Track, Decision]:
    """Let an event out of quarantine: to its old place, or late where something behind it has been sent meanwhile."""
    others = tuple(held for held in track.held if held.place != place)
    if place < track.furthest:
        return replace(track, held=others), Decision("late", "overtaken", place)
    since = next((held.since for held in track.held if held.place == place), now)
    return replace(track, held=_with(others, Held(place, since))), Decision("accepted", None, place)
