"""What one commit of intake writes: events, versions, queues, keys, for a group of pushes, whoever they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from config.sync import Sync
from schemas.dossiers import ordering
from schemas.dossiers.models import DossierBody, StatusEvent, first_status
from schemas.dossiers.vocabularies import NoMeaning
from schemas.errors import Conflict, Flaw, Refused, Text
from storage.together import Rows
from sync.figures import said_of
from sync.inbox import handling, is_within
from sync.pushes import Push
from sync.queue import Queues
from sync.recall import Earlier, Known, Version, answered, repeated, versions
from sync.rows import Dossier, Event
from sync.tables import DOSSIER_VERSIONS, IDEMPOTENCY

_VERSION_NAMES = tuple(column.name for column in DOSSIER_VERSIONS.columns)
_KEY_NAMES = tuple(column.name for column in IDEMPOTENCY.columns)
_RESULTS = {"queued": "accepted"}
_OTHER = Text("Hồ sơ do cơ quan khác đăng ký", "The dossier was registered by another agency")
_TO_ANOTHER = Text("Hồ sơ nộp tại Cổng cho cơ quan khác", "The dossier was filed at the portal for another agency")
_REUSED = Text("Số thứ tự đã dùng cho sự kiện khác", "The sequence was used for another event of the dossier")


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a push that was kept; `status` is that of HTTP."""

    result: str
    reason: str | None
    event_id: str
    status: int
    version: int | None = None


class Repeated(Exception):
    """It stands already, as the entry `position`; `known` is what was answered to its key, if it is known by that."""

    def __init__(self, position: int, event_id: str, known: Known | None = None, status: int = 202) -> None:
        super().__init__("it stands already")
        self.position = position
        self.event_id = event_id
        self.known = known
        self.status = status


@dataclass(slots=True)
class _Group:
    """The state of one run of the write."""

    queues: Queues
    keys: dict[bytes, Known]
    # By source, dossier and sequence.
    events: dict[tuple[str, str, int], Earlier]
    newest: dict[str, Version]
    # Who is to handle what was filed at the portal, by code.
    filed: dict[str, str]
    key_rows: list[tuple[object, ...]] = field(default_factory=list)
    version_rows: list[tuple[object, ...]] = field(default_factory=list)


class GroupOfPushes:
    """The write of one group (`GroupWrite`); `accepted` says afterwards what became of those that were kept."""

    def __init__(self, pushes: Sequence[Push], now: int, expires_at: int, settings: Sync) -> None:
        self._pushes = pushes
        self._now = now
        self._expires_at = expires_at
        self._settings = settings
        self._again = False
        self.accepted: dict[str, Accepted] = {}

    def __call__(self, connection: Connection, index: int, asked: Sequence[int]) -> list[Exception | None]:
        """Write what is to be kept of these pushes; return for each what stops it."""
        pushes = [self._pushes[place] for place in asked]
        group = self._load(connection, pushes)
        said: list[Exception | None] = []
        for push in pushes:
            try:
                accepted = self._one(group, push, index)
            except (Repeated, Conflict, Refused) as stopped:
                said.append(stopped)
            else:
                self._remember(group, push, accepted, index)
                said.append(None)
                index += 1
        beside = Rows(connection)
        beside.insert(DOSSIER_VERSIONS, _VERSION_NAMES, group.version_rows)
        beside.insert(IDEMPOTENCY, _KEY_NAMES, group.key_rows)
        group.queues.save(beside)
        return said

    def _load(self, connection: Connection, pushes: Sequence[Push]) -> _Group:
        codes = list(dict.fromkeys(push.code for push in pushes))
        queues = Queues.load(connection, codes, self._now, self._settings)
        # They were looked for before: one that another process wrote since stops the first run of the write.
        tags = [push.key_tag for push in pushes if push.key_tag is not None] if self._again else []
        self._again = True
        # Only what is numbered no higher than anything before can be a repetition.
        doubtful: dict[str, dict[str, None]] = {}
        for push in pushes:
            if _is_old(queues, push):
                doubtful.setdefault(push.caller.client_id, {})[push.code] = None
        events: dict[tuple[str, str, int], Earlier] = {}
        for client_id, old in doubtful.items():
            found = repeated(connection, client_id, list(old))
            events |= {(client_id, *numbered): earlier for numbered, earlier in found.items()}
        dossiers = list(dict.fromkeys(push.code for push in pushes if push.kind == "registration"))
        filed = handling(connection, [code for code in dossiers if not queues.registered(code)])
        return _Group(queues, answered(connection, tags), events, versions(connection, dossiers), filed)

    def _one(self, group: _Group, push: Push, index: int) -> Accepted:
        known = None if push.key_tag is None else group.keys.get(push.key_tag)
        if known is not None:
            raise Repeated(known.position, known.event_id, known)
        if isinstance(push.body, StatusEvent):
            return self._status(group, push, push.body, index)
        return self._dossier(group, push, push.body, index)

    def _status(self, group: _Group, push: Push, body: StatusEvent, index: int) -> Accepted:
        dossier = group.queues.dossier(push.code, self._destination(push))
        trouble: str | None = push.meaning.reason if isinstance(push.meaning, NoMeaning) else None
        if dossier.registered and dossier.agency != push.caller.agency:
            trouble = "other-agency"
        client_id = push.caller.client_id
        before = None if body.sequence is None else group.events.get((client_id, push.code, body.sequence))
        earlier: ordering.Earlier | None = None
        if before is not None:
            earlier = "same" if before.body_tag == push.body_tag else "other"
        event = self._event(push, index, dossier.destination)
        event.sequence, event.at = body.sequence, push.at
        event.vocabulary, event.source_status, event.national = (
            push.shown_vocabulary,
            push.shown_status,
            push.national,
        )
        decision = group.queues.accept(event, earlier=earlier, trouble=trouble)
        if before is not None:
            if decision.result == "duplicate":
                raise Repeated(before.position, before.event_id)
            raise Conflict(_REUSED, reason="sequence-reused", flaws=[Flaw("/sequence", _REUSED)])
        if body.sequence is not None:
            stands = Earlier(index, push.event_id, push.code, body.sequence, push.body_tag)
            group.events[client_id, push.code, body.sequence] = stands
        return Accepted(_RESULTS.get(event.state, event.state), event.reason, push.event_id, 202)

    def _dossier(self, group: _Group, push: Push, body: DossierBody, index: int) -> Accepted:
        queues = group.queues
        dossier = queues.dossier(push.code, self._destination(push))
        if dossier.registered and dossier.agency != push.caller.agency:
            raise Refused(_OTHER, reason="other-agency")
        if not dossier.registered and not is_within(group.filed.get(push.code), push.caller.agency):
            raise Refused(_TO_ANOTHER, reason="other-agency")
        newest = group.newest.get(push.code)
        if newest is not None and newest.body_tag == push.body_tag:
            raise Repeated(newest.position, newest.event_id, status=200)
        first = not dossier.registered
        dossier.version += 1
        dossier.procedure, dossier.changed_at = body.procedure, self._now
        if first:
            # Where it goes is its owner's to say.
            queues.send_to(dossier, self._destination(push))
        event = self._event(push, index, dossier.destination)
        event.version, event.at = dossier.version, self._now
        if first:
            self._own(dossier, push, body)
            queues.register(dossier, event if body.deliver else None)
        elif body.deliver:
            queues.accept(event)
        queues.touch(push.code)
        queues.told[push.code] = said_of(body)
        group.newest[push.code] = Version(push.code, dossier.version, index, push.event_id, push.body_tag)
        group.version_rows.append(self._version_row(push, body, dossier.version, index))
        # What is adopted is not sent: its event stands in no queue.
        result = _RESULTS.get(event.state, event.state) if body.deliver else "accepted"
        return Accepted(result, event.reason, push.event_id, 201 if first else 200, dossier.version)

    def _own(self, dossier: Dossier, push: Push, body: DossierBody) -> None:
        dossier.standing = "registered" if body.deliver else "adopted"
        dossier.client_id, dossier.agency = push.caller.client_id, push.caller.agency
        # What the portal holds of an adopted dossier is not known unless its owner says so.
        dossier.status = first_status(body) if body.deliver else body.status

    def _destination(self, push: Push) -> str:
        return self._settings.destination(push.caller.client_id)

    def _event(self, push: Push, index: int, destination: str) -> Event:
        sealed = push.sealed
        if sealed is None:
            raise TypeError("a push is sealed before it is written")
        caller, none = push.caller, None
        return Event(
            index, push.event_id, push.code, caller.client_id, caller.agency, push.kind, none, none, 0, 0, 0, 0,
            self._now, none, none, none, "waiting", none, "", destination, 0, none, none, push.body_tag,
            sealed.period, sealed.slot, sealed.sealed,
        )  # fmt: skip

    def _version_row(self, push: Push, body: DossierBody, version: int, index: int) -> tuple[object, ...]:
        sealed = push.sealed
        if sealed is None:
            raise TypeError("a push is sealed before it is written")
        return (
            push.code, version, index, push.event_id, push.caller.client_id, self._now, int(body.deliver),
            push.body_tag, sealed.period, sealed.slot, sealed.sealed,
        )  # fmt: skip

    def _remember(self, group: _Group, push: Push, accepted: Accepted, index: int) -> None:
        self.accepted[push.event_id] = accepted
        if push.key_tag is None:
            return
        known = Known(
            push.key_tag,
            push.caller.client_id,
            push.body_tag,
            index,
            push.event_id,
            accepted.status,
            accepted.result,
            accepted.reason,
        )
        group.keys[push.key_tag] = known
        group.key_rows.append((*known, self._now, self._expires_at))


def _is_old(queues: Queues, push: Push) -> bool:
    sequence = push.body.sequence if isinstance(push.body, StatusEvent) else None
    return sequence is not None and sequence <= queues.highest(push.code, push.caller.client_id)
