"""What a source hands in, made ready for one commit: contents, digests, evidence (sự kiện do nguồn gửi)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from config.logging import identifier_shaped
from schemas.dossiers.models import DossierBody, StatusEvent
from schemas.dossiers.moments import moment
from schemas.dossiers.vocabularies import Meaning, NoMeaning, Vocabulary, meaning
from schemas.exchange import Caller
from schemas.fields import Finder, Found, shape_of, subjects
from schemas.ids import new_id
from security.audit.canonical import JSON, canonical
from security.audit.entries import Evidence, Outcome, instant
from security.audit.sealing import Sealed
from security.audit.trail import named
from sync.sealing import DossierSealer

Kind = Literal["status", "registration"]

_TAKEN = Outcome("ok", 202)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)


@dataclass(slots=True, eq=False)
class Push:
    """One status or one dossier of one source. `content` is the canonical JSON of what it says, without code and key.

    `meaning` is what the status means nationally, None for a dossier. Times are POSIX milliseconds. `request_id` is set
    when it is taken: that of the request it came with.
    """

    caller: Caller
    event_id: str
    kind: Kind
    code: str
    body: StatusEvent | DossierBody
    content: bytes
    data: dict[str, JSON]
    key_tag: bytes | None
    body_tag: bytes
    meaning: Meaning | NoMeaning | None
    at: int
    sealed: Sealed | None = None
    request_id: str = ""

    @property
    def national(self) -> str | None:
        """The national code of the status."""
        return self.meaning.national if isinstance(self.meaning, Meaning) else None

    @property
    def shown_status(self) -> str | None:
        """The status as its source says it, where that is a word of a vocabulary or looks like a code: no free text."""
        if not isinstance(self.body, StatusEvent):
            return None
        said = self.body.status
        known = not isinstance(self.meaning, NoMeaning) or self.meaning.reason == "no-national-meaning"
        return said if known or (_CODE.fullmatch(said) and not identifier_shaped(said)) else None

    @property
    def shown_vocabulary(self) -> str | None:
        """The vocabulary that its source names, unless that is a name that nobody knows and could be of a person."""
        if not isinstance(self.body, StatusEvent):
            return None
        said = self.body.vocabulary
        unknown = isinstance(self.meaning, NoMeaning) and self.meaning.reason == "unknown-vocabulary"
        return None if unknown and identifier_shaped(said) else said


def prepared(
    caller: Caller,
    code: str,
    key: str | None,
    body: StatusEvent | DossierBody,
    vocabularies: Mapping[str, Vocabulary],
    sealer: DossierSealer,
) -> Push:
    """Make what was validated ready to be taken; `code` is a valid dossier code."""
    data = body.model_dump(exclude_none=True)
    # The lines of a stream are the same events as those that come one by one.
    data.pop("code", None)
    data.pop("key", None)
    content = canonical(data)
    if isinstance(body, StatusEvent):
        kind: Kind = "status"
        means = meaning(vocabularies, body.vocabulary, body.status)
        at = round(moment(body.at).timestamp() * 1000)
    else:
        kind, means, at = "registration", None, 0
    tag = None if key is None else key_tag(sealer, caller, key)
    body_tag = sealer.tag("body", f"{kind}\0{code}\0{content.decode()}")
    return Push(caller, new_id(), kind, code, body, content, data, tag, body_tag, means, at)


def key_tag(sealer: DossierSealer, caller: Caller, key: str) -> bytes:
    """The keyed digest of a key of a request; the same key of two clients are two keys."""
    return sealer.tag("key", f"{caller.client_id}\0{key}")


def evidence(push: Push, now: datetime) -> Evidence:
    """Return the entry that stands for the acceptance of what was handed in."""
    found: list[Found] = []
    details: dict[str, JSON] = {}
    body = push.body
    if isinstance(body, StatusEvent):
        details["event_at"] = instant(moment(body.at))
        if push.national is not None:
            details["status"], details["vocabulary"] = push.national, body.vocabulary
        if body.sequence is not None:
            details["sequence"] = body.sequence
    else:
        details["deliver"], details["procedure"] = body.deliver, body.procedure
        _finder()(push.data, found)
    return Evidence(
        id=push.event_id,
        kind="intake",
        at=now,
        caller=named(push.caller),
        database="dossiers",
        operation=push.kind,
        dossier=push.code,
        request_id=push.request_id,
        outcome=_TAKEN,
        question=push.content,
        subjects=list(dict.fromkeys(found)),
        details=details,
    )


@cache
def _finder() -> Finder:
    return subjects(shape_of(DossierBody), "asked")
