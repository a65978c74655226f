"""The order of events against a naive list of everything that came, whatever comes, waits, is sent and comes back."""

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.dossiers.ordering import Place, Track, Waits, decide, expired, kept, readmitted, release, sent

WAITS = Waits(gap=10.0, registration=100.0, ahead=5.0)


@dataclass(eq=False)
class Event:
    """What came, as the naive model keeps it; `place` is only a name for it towards the rules."""

    sequence: int | None
    since: float
    place: Place
    goes: bool
    sent: bool = False
    over: bool = False


@dataclass
class Line:
    """Everything that came in the order in which it is to be sent, searched from end to end each time."""

    events: list[Event] = field(default_factory=list)

    def slot(self, sequence: int | None) -> int:
        for position, event in enumerate(self.events):
            if sequence is not None and event.sequence is not None and event.sequence > sequence:
                return position
        return len(self.events)

    def overtaken(self, slot: int) -> bool:
        return any(event.sent for event in self.events[slot:])

    def in_quarantine(self) -> list[Event]:
        return [event for event in self.events if not event.goes and not event.over]

    def free(self, event: Event, now: float) -> bool:
        """Whether every number before the event came, or was waited for long enough."""
        before = [one.sequence or 0 for one in self.events[: self.events.index(event) + 1]]
        came = {one.sequence for one in self.events}
        return all(
            any((one.sequence or 0) > number and one.since + WAITS.gap <= now for one in self.events)
            for number in range(1, max(before))
            if number not in came
        )


class Ordering(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.accepted = 0
        self.track = Track()
        self.line = Line()
        self.released: dict[Place, bool] = {}

    def look(self) -> None:
        self.track, released = release(self.track, self.now, WAITS)
        for one in released:
            assert one.place not in self.released
            self.released[one.place] = one.lost

    @rule(sequence=st.none() | st.integers(1, 9), ahead=st.sampled_from([-500.0, 0.0, 5.0, 6.0]), known=st.booleans())
    def push(self, sequence: int | None, ahead: float, known: bool) -> None:
        self.look()
        if sequence and any(event.sequence == sequence for event in self.line.events):
            earlier = decide(self.track, sequence, 0, self.now, self.now, earlier="same", waits=WAITS)
            assert earlier.result == "duplicate"
            return
        self.accepted += 1
        decision = decide(
            self.track, sequence, self.accepted, self.now + ahead, self.now, understood=known, waits=WAITS
        )
        slot = self.line.slot(sequence)
        if self.line.overtaken(slot):
            assert decision.result == "late"
            assert kept(self.track, decision, self.now) is self.track
            return
        assert decision.place is not None
        goes = known and ahead <= WAITS.ahead
        assert (decision.result == "quarantined") == (not goes)
        event = Event(sequence, self.now, decision.place, goes)
        self.line.events.insert(slot, event)
        self.track = kept(self.track, decision, self.now)
        self.look()
        if goes:
            assert (decision.result == "accepted") == (event.place in self.released)

    @rule(seconds=st.sampled_from([1.0, 5.0, 10.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.track, places = expired(self.track, self.now, WAITS)
        for event in self.line.events:
            over = not self.track.registered and event.goes and event.since + WAITS.registration <= self.now
            assert over == (event.place in places)
            event.goes = event.goes and not over

    @precondition(lambda self: not self.track.registered)
    @rule()
    def register(self) -> None:
        self.track = replace(self.track, registered=True)

    @rule()
    def send(self) -> None:
        self.look()
        open_places = [event.place for event in self.line.events if event.place in self.released and not event.sent]
        if open_places:
            first = min(open_places)
            event = next(event for event in self.line.events if event.place == first)
            assert first == open_places[0]
            event.sent = True
            self.track = sent(self.track, first)

    @precondition(lambda self: self.line.in_quarantine())
    @rule(data=st.data())
    def let_out(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.line.in_quarantine()))
        self.track, decision = readmitted(self.track, event.place, self.now)
        if self.line.overtaken(self.line.events.index(event)):
            assert decision.result == "late"
            event.over = True
        else:
            assert decision.result == "accepted"
            event.goes = True

    @invariant()
    def released_is_what_the_naive_model_says(self) -> None:
        self.look()
        expect = {
            event.place
            for event in self.line.events
            if event.goes and self.track.registered and self.line.free(event, self.now)
        }
        assert self.released.keys() == expect

    @invariant()
    def sent_in_order(self) -> None:
        """Nothing that may go stands unsent and unreleased before what is sent."""
        places = [event.place for event in self.line.events if event.goes]
        assert places == sorted(places)
        assert self.track.furthest >= max(
            (event.place for event in self.line.events if event.sent), default=Place(0, 0, 0)
        )


TestOrdering = Ordering.TestCase
TestOrdering.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
