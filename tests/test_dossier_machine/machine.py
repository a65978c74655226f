"""Dossiers from their sources to the portal, whatever comes in which order and fails where (máy trạng thái)."""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from collections import Counter
from contextlib import ExitStack
from typing import Any, Final
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from schemas.dossiers.vocabularies import configured
from schemas.errors import GatewayError
from security.audit.verification import verify
from sync.destinations import paused, resumed
from sync.intake import Taken
from sync.opening import Opener
from sync.repair import Filter
from sync.repairs import Repairs
from sync.sealing import DossierSealer
from sync.tables import DOSSIER_TRACKS
from tests.test_dossier_machine.portal import APPLIES, LEAVES, LOOKS, OTHER, Killed
from tests.test_dossier_machine.reference import GAP_S, REGISTRATION_S, Event, Source, Told
from tests.test_dossier_machine.working import Working
from tests.test_intake.world import a_caller, a_dossier

CODES: Final = ("000.00.00.H26-261130-0001", "000.00.00.H26-261130-0002", "000.00.00.H26-261130-0003")
SOURCES: Final = (Source("province", "H26"), Source("one-stop", "H26"), Source("neighbour", "H22"))
RULES: Final = configured({"bhxh": {"codes": {"XONG": "9"}}})
_UNKNOWN: Final = "XONG"
_OVER: Final = ("delivered", "late", "discarded")
_MOODS: Final = st.lists(st.sampled_from(APPLIES + LEAVES + OTHER), max_size=3)
_LOOKS: Final = st.sampled_from([None, None, *LOOKS])
codes = st.sampled_from(CODES)
sources = st.sampled_from((*SOURCES[:1] * 3, *SOURCES))
statuses = st.sampled_from(["4", "5", "4", "9", "10", "5", "4", _UNKNOWN])


class Dossiers(Working):
    # Intake

    @initialize(deliver=st.booleans())
    def one_is_there(self, deliver: bool) -> None:
        self._put(CODES[0], SOURCES[0], "a", deliver=deliver)

    @rule(code=codes, source=sources, deliver=st.booleans(), said=st.sampled_from(["a", "b"]))
    def put(self, code: str, source: Source, deliver: bool, said: str) -> None:
        self._put(code, source, said, deliver=deliver)

    def _put(self, code: str, source: Source, said: str, *, deliver: bool) -> None:
        body = a_dossier(summary=said, **({} if deliver else {"deliver": False}))
        event = Event(source, code, json.dumps(body), self.clock.wall, registration=True)
        if not deliver and code not in self.reference.owners:
            # Whoever adopts a dossier says that the portal has it.
            self.portal.dossiers.setdefault(code, {"MaHoSo": code, "TrangThaiHoSo": "2"})
        told = self.reference.put(event, self.clock.wall, deliver=deliver)
        event.id = self._told(self.desk.put(body, code=code, caller=a_caller(*source)), told)

    @rule(
        code=codes,
        source=sources,
        sequence=st.none() | st.integers(1, 6),
        status=statuses,
        ahead=st.sampled_from([0.0, -86_400.0, 0.0, 299.0, 0.0, 301.0]),
    )
    def push(self, code: str, source: Source, sequence: int | None, status: str, ahead: float) -> None:
        self._push_new(code, source, sequence, status, ahead)

    @rule(source=sources, several=st.lists(st.tuples(codes, statuses), min_size=2, max_size=8))
    def push_the_next(self, source: Source, several: list[tuple[str, str]]) -> None:
        """A source that numbers everything and loses nothing."""
        for code, status in several:
            said = [one.sequence or 0 for one in self.reference.events if (one.code, one.source) == (code, source)]
            self._push_new(code, source, max(said, default=0) + 1, status, 0.0)

    def _push_new(self, code: str, source: Source, sequence: int | None, status: str, ahead: float) -> None:
        at = self.clock.now().timestamp() + ahead
        moment = self.clock.now().fromtimestamp(at, self.clock.now().tzinfo).isoformat()
        body: dict[str, Any] = {"status": status, "at": moment}
        if sequence is not None:
            body["sequence"] = sequence
        if status == _UNKNOWN:
            body["vocabulary"] = "bhxh"
        self._push(code, source, str(uuid.uuid4()), body, ahead)

    @precondition(lambda self: self.pushed)
    @rule(data=st.data(), how=st.sampled_from(["all", "other-key", "other-body", "other-dossier"]))
    def push_again(self, data: st.DataObject, how: str) -> None:
        event, key, body, happened = data.draw(st.sampled_from(self.pushed))
        code = event.code
        if how == "other-key":
            key = str(uuid.uuid4())
        elif how == "other-body":
            body = {**body, "note": "other"}
        elif how == "other-dossier":
            code = data.draw(codes)
        self._push(code, event.source, key, body, (happened - self.clock.wall) / 1000)

    def _push(self, code: str, source: Source, key: str, body: dict[str, Any], ahead: float) -> None:
        national = None if body["status"] == _UNKNOWN else body["status"]
        event = Event(source, code, json.dumps([code, body]), self.clock.wall, body.get("sequence"), national)
        told = self.reference.push(event, key, self.clock.wall, ahead)
        event.id = self._told(self.desk.push(body, code=code, key=key, caller=a_caller(*source)), told)
        if event in self.reference.events:
            self.pushed.append((event, key, body, self.clock.wall + ahead * 1000))

    def _told(self, asked: Any, expected: Told) -> str:
        """Hold what a source is told to what was expected; return the id of the event."""

        async def ask() -> Taken | GatewayError:
            try:
                taken: Taken = await asked
            except GatewayError as error:
                return error
            return taken

        found = self.runner.run(ask())
        if isinstance(found, GatewayError):
            reason = None if expected.reason is None else found.reason
            assert (found.code, reason) == (expected.result, expected.reason), found
            return ""
        assert Told(found.result, found.reason, found.replayed) == expected
        return found.event_id

    # Time

    @rule(seconds=st.sampled_from([0.5, 5.0, 31.0, 61.0, 100.0, 3600.0, 73 * 3600.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass; nobody waits an hour for an answer."""
        if seconds > 60:
            self._let_go(error=True)
        self.clock.wait(seconds)

    @rule(seconds=st.sampled_from([-7200.0, -30.0, 90.0, 7200.0]))
    def set_the_clock(self, seconds: float) -> None:
        """Workers that live look at the clock twice a second."""
        # What was waited for long enough by the clock as it was stays given up.
        self._observe_sent()
        self.clock.step(seconds)
        for worker in self.workers.values():
            self.runner.run(worker._follow_the_clock(self.clock.wall))
        self._observe_sent()

    # Delivery

    @rule(slots=st.lists(st.integers(0, 1), min_size=1, max_size=6), moods=_MOODS, look=_LOOKS)
    def turns(self, slots: list[int], moods: list[str], look: str | None) -> None:
        self.portal.moods[:] = moods
        # One more try is part of asking.
        self.portal.looks[:] = [] if look is None else [look, look]
        for slot in slots:
            self._turn(slot)
            self.clock.wait(2.0)

    @rule(slot=st.integers(0, 1), when=st.sampled_from(["before", "after"]))
    def turn_that_hangs(self, slot: int, when: str) -> None:
        """The portal takes its time, for one batch."""
        if self.portal.let_go is None:
            self.portal.hold = when
            self._turn(slot)
            self.portal.hold = ""

    @precondition(lambda self: self.portal.let_go is not None)
    @rule()
    def let_go(self) -> None:
        self._let_go()

    @rule(slot=st.integers(0, 1), place=st.sampled_from(["claimed", "before", "after", "outcome", "kept"]))
    def turn_that_dies(self, slot: int, place: str) -> None:
        """The process ends: before its intent, before or after the portal has acted, before or after its outcome."""
        if self._busy():
            return
        worker = self._worker(slot)
        self.portal.moods[:] = [f"killed-{place}"] * 3 if place in ("before", "after") else []
        log = self.desk.world.log

        async def die(*_: Any, **__: Any) -> Any:
            raise Killed

        async def write_and_die(*asked: Any) -> Any:
            await type(log).record_together(log, *asked)
            raise Killed

        with ExitStack() as dying:
            if place == "claimed":
                dying.enter_context(patch.object(log, "record", die))
            elif place in ("outcome", "kept"):
                dying.enter_context(patch.object(log, "record_together", write_and_die if place == "kept" else die))
            self._turn(slot)
        self.portal.moods.clear()
        self._bury(slot, worker)

    @rule(slot=st.integers(0, 1))
    def stop(self, slot: int) -> None:
        """A process ends as one that is told to."""
        worker = self.workers.get(slot)
        if worker is not None and not worker._under_way:
            del self.workers[slot]
            worker.stop()
            self.runner.run(worker.run())

    @rule()
    def restart(self) -> None:
        """The whole node is killed, and comes back."""
        self._let_go(error=True)
        for slot, worker in list(self.workers.items()):
            self._bury(slot, worker)

        async def again() -> None:
            await self.opened.aclose()
            await self._open()

        self.runner.run(again())

    # Repair

    @precondition(lambda self: self.reference.events)
    @rule(data=st.data(), act=st.sampled_from(["retry", "discard"]))
    def repair(self, data: st.DataObject, act: str) -> None:
        event = data.draw(st.sampled_from(self.reference.events))
        rows = self._rows()
        before = rows[event.id]["state"]
        fit = {"retry": ("dead", "quarantined"), "discard": ("dead", "quarantined", "waiting", "queued", "late")}[act]
        done = self._repaired(act, Filter(None, event_id=event.id), 1 if before in fit else 0)
        if before not in fit:
            assert done == []
        elif act == "discard":
            assert done == ["discarded"]
            event.state, event.applied_before = "discarded", self.portal.times[event.id]
        elif before == "quarantined":
            assert done == [self.reference.let_out(event, event.national or "9", self.clock.wall)]
        else:
            assert done == ["queued"]

    def _repaired(self, act: Any, wanted: Filter, expect: int) -> list[str]:
        world = self.desk.world
        repairs = Repairs(world.storage, world.log, Opener(DossierSealer(world.sealer)), RULES, self.settings)
        done = self.runner.run(repairs.do(act, wanted, expect, caller=None, by="tester", reason=None))
        return [one.state for one in done]

    @rule(slot=st.integers(0, 1))
    def a_pause(self, slot: int) -> None:
        """Nothing is sent while the operator holds the destination."""
        write = self.desk.world.storage.write
        hold, go_on = paused("portal", "tester", "works", self.clock.wall), resumed("portal")
        self.runner.run(write(lambda connection: hold(connection, 0)))
        sent = self.portal.times.total(), len(self.portal.dossiers)
        self._turn(slot)
        assert (self.portal.times.total(), len(self.portal.dossiers)) == sent
        self.runner.run(write(lambda connection: go_on(connection, 0)))

    # What always holds

    def _rows(self) -> dict[str, dict[str, Any]]:
        return {row["event_id"]: row for row in self.runner.run(self.desk.rows())}

    def _rows_in(self, state: str) -> int:
        return sum(row["state"] == state for row in self._rows().values())

    def _observe_sent(self) -> None:
        """Take over what workers did: which events they took, which numbers they gave up, which waits are over."""
        rows = self._rows()
        now = self.clock.wall
        for event in self.reference.events:
            row = rows[event.id]
            if row["held"]:
                # A clock that was set back is noticed by whoever looks next.
                event.since = min(event.since, now)
            taken = row["state"] in ("sending", "delivered", "dead") or row["attempts"] > 0
            if taken and not event.taken:
                event.taken = True
                # What stands for a registration that the portal never took overtakes nothing.
                event.sent = not event.registration or event.code in self.reference.delivered
            if event.state == "live" and (row["state"], row["reason"]) == ("quarantined", "unregistered"):
                assert event.code not in self.reference.owners
                assert event.since + REGISTRATION_S * 1000 <= now
                event.state = "quarantined"
            if event.registration and (row["state"], row["reason"]) == ("discarded", "amended"):
                event.state = "discarded"
        self.reference.delivered |= {row["code"] for row in rows.values() if row["state"] == "delivered"}
        for track in self.runner.run(self.desk.rows(DOSSIER_TRACKS)):
            line = self.reference.line(track["code"], track["client_id"])
            for number in range(1, track["through"] + 1):
                assert self.reference.there(line, number, now), (number, track)
            if line:
                self.reference.given_up[track["code"], track["client_id"]] = track["through"]

    @invariant()
    def nothing_is_lost_and_each_is_in_one_state(self) -> None:
        rows = self._rows()
        known = self.reference.by_id()
        assert rows.keys() == known.keys()
        live = ("waiting", "queued", "sending", "delivered", "dead")
        for event_id, row in rows.items():
            event = known[event_id]
            allowed = live if event.state == "live" else (event.state,)
            assert row["state"] in allowed, (event, row)
            if row["state"] == "delivered" and not event.registration:
                assert self.portal.times[event_id] == 1, (event, row)
            if row["state"] == "delivered" and event.registration:
                assert event.code in self.portal.dossiers
        sending = Counter(row["code"] for row in rows.values() if row["state"] == "sending")
        assert not sending or max(sending.values()) == 1

    @invariant()
    def the_ledger_is_what_was_accepted_once_in_order(self) -> None:
        assert not {event for event, times in self.portal.times.items() if times > 1}, self.portal.times
        known = self.reference.by_id()
        seen: dict[tuple[str, str], list[Event]] = {}
        for line in self.portal.ledger:
            event = known[line.event]
            assert (line.code, line.sequence, line.status) == (event.code, event.sequence, event.national)
            assert event.state == "live" or (event.state == "discarded" and event.applied_before == 1), event
            seen.setdefault((event.code, event.source.client), []).append(event)
        for (code, client), events in seen.items():
            order = self.reference.line(code, client)
            assert events == [event for event in order if event in events]

    def teardown(self) -> None:
        try:
            # What failed is told, not what that led to.
            if sys.exc_info()[0] is None:
                self._deliver_the_rest()
        finally:
            self._let_go(error=True)
            self.runner.run(self.opened.aclose())
            self.runner.close()
            self.patches.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def _deliver_the_rest(self) -> None:
        """With a portal in its best mood and time to wait, everything arrives that may."""
        self._let_go()
        self.portal.moods.clear()
        self.portal.looks.clear()
        dead = 0
        for number in range(120):
            self.clock.wait(GAP_S)
            self._turn(0)
            if number == 10:
                self._register_anew()
            self.nothing_is_lost_and_each_is_in_one_state()
            self.the_ledger_is_what_was_accepted_once_in_order()
            states = Counter(row["state"] for row in self._rows().values() if row["reason"] != "unregistered")
            dead = dead + 1 if states["dead"] else 0
            if dead == 4:
                # Meanwhile an amendment took the place of a registration that was given up.
                self._repaired("retry", Filter(None, "dead"), states["dead"])
                dead = 0
            elif not (states["dead"] or states["queued"] or states["sending"] or states["waiting"]):
                break
        for event_id, row in self._rows().items():
            event = self.reference.by_id()[event_id]
            if event.state == "live" and event.code in self.reference.owners:
                assert row["state"] == "delivered", row
        self.clock.wait(REGISTRATION_S)
        self._turn(0)
        assert {row["state"] for row in self._rows().values()} <= {*_OVER, "quarantined"}
        world = self.desk.world
        found = self.runner.run(verify(world.storage, [world.signer.verifier], world.sealer))
        assert found.valid, found

    def _register_anew(self) -> None:
        """A dossier whose registration was given up comes to the portal with an amendment."""
        for code, agency in self.reference.owners.items():
            if code not in self.portal.dossiers:
                self._put(code, next(source for source in SOURCES if source.agency == agency), "c", deliver=True)
