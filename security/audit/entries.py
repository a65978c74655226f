"""The format of an entry: what is written about one event, and what is committed to without being written.

An entry holds ids, codes, names of fields, times and outcomes. Whatever could tell something about a person is
represented by a commitment SHA-256(salt ‖ bytes) with 32 random bytes of salt; the salts and the identifiers go to the
sealed side table (`Secrets`). Version 1 of the format; a log cannot be rewritten, so fields are only ever added.
"""

import base64
import json
import re
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from os import urandom
from struct import unpack
from typing import Any, Literal, NamedTuple

from schemas.fields import Found, Role
from security.audit import field_commitments
from security.audit.canonical import JSON, LARGEST, canonical

FORMAT = 1
SALT_SIZE = 32

Kind = Literal[
    "exchange", "refusal", "unreadable", "anonymous", "over-limit", "intent", "delivery", "token", "admin", "reading",
    "redaction", "key-rotation", "configuration", "start", "stop", "intake",
]  # fmt: skip

# A text as JSON, escaped as RFC 8785 wants it; raises TypeError for anything else.
_text = json.encoder.encode_basestring

# An account id of 9 or 12 digits is an identity card or personal number (số CMND, số định danh): never in plain text.
_PERSONAL_OFFICER = re.compile(r"\d{9}|\d{12}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked: client id, agency code (mã cơ quan), and which credential proved it (`secret:2`, `sha256:...`)."""

    client: str
    agency: str
    credential: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: `code` is `ok` or the error's code, `status` the HTTP status given to the caller."""

    code: str
    status: int
    reason: str | None = None


class Subject(NamedTuple):
    """A person or organisation whose identifier occurs in the question (`asked`) or in the disclosed answer."""

    role: Role
    kind: str
    value: str


@dataclass(slots=True)
class Evidence:
    """Everything about one event that the trail needs; `written` splits it into the public entry and the secrets.

    Bytes fields are what is committed to: `question` the RFC 8785 form of the question, `data` that of the disclosed
    data, the messages exactly as they went over the wire. `subjects` are as `Subject` says, `details` takes further
    facts, never personal ones; `provable` commits to each field of `data` as well. Nothing changes it once it is made;
    it is not frozen because making a frozen one of so many fields costs an exchange twice.
    """

    id: str
    kind: Kind
    at: datetime
    caller: Caller | None = None
    database: str | None = None
    operation: str | None = None
    purpose: str | None = None
    dossier: str | None = None
    officer: str | None = None
    request_id: str | None = None
    outcome: Outcome | None = None
    fields: Sequence[str] = ()
    duration_ms: int | None = None
    endpoint: str | None = None
    attempts: int | None = None
    question: bytes | None = None
    data: bytes | None = None
    request_messages: Sequence[bytes] = ()
    answer_messages: Sequence[bytes] = ()
    subjects: Sequence[Found] = ()
    archive: bool = False
    provable: bool = False
    details: Mapping[str, JSON] = field(default_factory=dict)

    def recorded(self) -> "tuple[dict[str, JSON], Secrets | None]":
        """Return what `written` wrote as a value, for those who look into it."""
        body, _, secrets = self.written()
        return json.loads(body), secrets

    def written(self) -> "tuple[bytes, tuple[str | None, ...], Secrets | None]":
        """Return the entry, canonical (RFC 8785), what its row repeats of it, and what opens it.

        The second is in the order of `batch.REPEATED`. Every call draws new salts. Raises ValueError for a time without
        zone and for values without canonical form.
        """
        # The members follow in the order of their names, which is the canonical one: written straight, an entry costs
        # a fraction of what building it as a value and encoding that costs. `canonical` is what the tests compare with.
        at, caller, outcome = instant(self.at), self.caller, self.outcome
        secrets, commitments, officer, subjects = self._committed()
        text = f'{{"at":"{at}"'
        if self.attempts is not None:
            text += f',"attempts":{_number(self.attempts)}'
        if caller is not None:
            text += _asking(caller.agency, caller.client, caller.credential)
        text += commitments
        if self.database is not None:
            text += f',"database":{_text(self.database)}'
        if self.details:
            text += f',"details":{canonical(dict(self.details)).decode()}'
        if self.dossier is not None:
            text += f',"dossier":{_text(self.dossier)}'
        if self.duration_ms is not None:
            text += f',"duration_ms":{_number(self.duration_ms)}'
        if self.endpoint is not None:
            text += f',"endpoint":{_text(self.endpoint)}'
        if self.fields:
            text += _listed(tuple(self.fields))
        text += f',"id":{_text(self.id)},"kind":{_text(self.kind)}'
        if self.officer is not None:
            text += f',"officer":{officer or _text(self.officer)}'
        if self.operation is not None:
            text += f',"operation":{_text(self.operation)}'
        if outcome is not None:
            text += _ended(outcome.code, outcome.status, outcome.reason)
        if self.purpose is not None:
            text += f',"purpose":{_text(self.purpose)}'
        if self.request_id is not None:
            text += f',"request_id":{_text(self.request_id)}'
        # UnicodeEncodeError, which lone surrogates raise here, is a ValueError.
        body = f'{text}{subjects},"v":{FORMAT}}}'.encode()
        repeated = (
            self.id,
            at,
            self.kind,
            caller.client if caller is not None else None,
            self.database,
            self.operation,
            self.purpose,
            self.dossier,
            outcome.code if outcome is not None else None,
            self.request_id,
        )
        return body, repeated, secrets

    def _committed(self) -> "tuple[Secrets | None, str, str, str]":
        """Commit to everything personal; return what opens it, and the text of `commitments`, officer, `subjects`."""
        answers, data, question, requests = self.answer_messages, self.data, self.question, self.request_messages
        roles, kinds, values = zip(*self.subjects, strict=True) if self.subjects else ((), (), ())
        personal = self.officer if self.officer is not None and _PERSONAL_OFFICER.fullmatch(self.officer) else None
        by_field = self.provable and data is not None
        names, form = _form(
            len(answers),
            data is not None,
            by_field,
            question is not None,
            len(requests),
            personal is not None,
            roles,
            kinds,
        )
        if not names:
            return None, "", "", ""
        contents = [*answers]
        if data is not None:
            contents.append(data)
        if by_field:
            # Stands here for its salt; the commitment itself follows below.
            contents.append(b"")
        if question is not None:
            contents.append(question)
        contents += requests
        if personal is not None:
            contents.append(personal.encode())
        contents += [value.encode() for value in values]
        many = len(contents)
        # One question to the system for all of them.
        salts = unpack(f"{SALT_SIZE}s" * many, urandom(SALT_SIZE * many))
        # What `commitment` returns for each, a line for each.
        made = [b2a_base64(sha256(salt + content).digest()) for salt, content in zip(salts, contents, strict=True)]
        if by_field and data is not None:
            place = len(answers) + 1
            made[place] = b2a_base64(field_commitments.committed(salts[place], data))
        commitments, officer, subjects = (form % tuple(b"".join(made).decode().splitlines())).split("\0")
        archived = self.data if self.archive else None
        secrets = Secrets(
            dict(zip(names, salts, strict=True)), tuple(zip(kinds, values, strict=True)), personal, archived
        )
        return secrets, commitments, officer, subjects


@dataclass(slots=True)
class Secrets:
    """What opens an entry: salts by the name of their commitment, subjects as (kind, value), optional values.

    `data` is set only where a grant says that disclosed values are archived.
    """

    salts: Mapping[str, bytes]
    subjects: Sequence[tuple[str, str]] = ()
    officer: str | None = None
    data: bytes | None = None

    def contents(self) -> dict[str, bytes]:
        """What is known of what was committed to, by name of the commitment: subjects, officer, archived data."""
        known = {f"subjects/{place}": value.encode() for place, (_, value) in enumerate(self.subjects)}
        if self.officer is not None:
            known["officer"] = self.officer.encode()
        if self.data is not None:
            known["data"] = self.data
        return known

    def encode(self) -> bytes:
        """The plain content of a side table row: JSON with the salts in hexadecimal."""
        salts = _salted(tuple(self.salts)) % tuple([salt.hex() for salt in self.salts.values()])
        subjects = ",".join([f"[{_text(kind)},{_text(value)}]" for kind, value in self.subjects])
        officer = f',"officer":{_text(self.officer)}' if self.officer is not None else ""
        data = f',"data":"{_b64(self.data)}"' if self.data is not None else ""
        return f'{{"salts":{{{salts}}},"subjects":[{subjects}]{officer}{data}}}'.encode()

    @classmethod
    def decode(cls, content: bytes) -> "Secrets":
        """Read what `encode` wrote."""
        read = json.loads(content)
        return cls(
            {name: bytes.fromhex(salt) for name, salt in read["salts"].items()},
            tuple((kind, value) for kind, value in read["subjects"]),
            read.get("officer"),
            base64.b64decode(read["data"]) if "data" in read else None,
        )


def commitment(salt: bytes, content: bytes) -> str:
    """SHA-256(salt ‖ content) in base64."""
    return b2a_base64(sha256(salt + content).digest(), newline=False).decode()


def stated(entry: Mapping[str, Any]) -> dict[str, str]:
    """Every commitment of an entry, by its name: `data`, `request_messages/0`, `officer`, `subjects/0`, …"""
    found: dict[str, str] = {}
    for name, value in entry.get("commitments", {}).items():
        several = isinstance(value, list)
        found.update({f"{name}/{place}": each for place, each in enumerate(value)} if several else {name: value})
    if isinstance(officer := entry.get("officer"), Mapping):
        found["officer"] = officer["commitment"]
    found.update({f"subjects/{place}": each["commitment"] for place, each in enumerate(entry.get("subjects", ()))})
    return found


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always of the same length so that text order is time order."""
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError("audit entry: a time without zone")
        at = at.astimezone(UTC)
    # The zone follows behind the first 26 characters.
    return at.isoformat("T", "microseconds")[:26] + "Z"


# The forms of most entries are the same few: numbers of messages, roles and kinds of subjects, nothing personal.
@lru_cache(maxsize=4096)
def _form(
    answers: int,
    data: int,
    by_field: int,
    question: int,
    requests: int,
    officer: int,
    roles: tuple[Role, ...],
    kinds: tuple[str, ...],
) -> tuple[tuple[str, ...], str]:
    """Name the commitments of an entry that has so many of each, in the order of its text; return with them that text.

    It is `commitments`, what stands for the officer, and `subjects`, NUL between them, and `%s` for each commitment.
    """
    names: list[str] = []
    members: list[str] = []
    for name, many in (
        ("answer_messages", answers),
        ("data", data),
        ("fields", by_field),
        ("question", question),
        ("request_messages", requests),
    ):
        if many and name.endswith("_messages"):
            names += [f"{name}/{place}" for place in range(many)]
            members.append(f'"{name}":[{",".join([_GAP] * many)}]')
        elif many:
            names.append(name)
            members.append(f'"{name}":{_GAP}')
    commitments = f',"commitments":{{{",".join(members)}}}' if members else ""
    names += ["officer"] * officer
    names += [f"subjects/{place}" for place in range(len(roles))]
    subjects = ",".join(
        [
            f'{{"commitment":{_GAP},"kind":{_escaped(kind)},"role":{_escaped(role)}}}'
            for role, kind in zip(roles, kinds, strict=True)
        ]
    )
    officers = f'{{"commitment":{_GAP}}}' if officer else ""
    return tuple(names), "\0".join((commitments, officers, f',"subjects":[{subjects}]' if subjects else ""))


_GAP = '"%s"'


@lru_cache(maxsize=4096)
def _salted(names: tuple[str, ...]) -> str:
    return ",".join([f"{_escaped(name)}:{_GAP}" for name in names])


def _escaped(text: str) -> str:
    return _text(text).replace("%", "%%")


# What says the same in entry after entry is written once.
@lru_cache(maxsize=4096)
def _asking(agency: str, client: str, credential: str) -> str:
    return f',"caller":{{"agency":{_text(agency)},"client":{_text(client)},"credential":{_text(credential)}}}'


@lru_cache(maxsize=1024, typed=True)
def _ended(code: str, status: int, reason: str | None) -> str:
    reason = f',"reason":{_text(reason)}' if reason is not None else ""
    return f',"outcome":{{"code":{_text(code)}{reason},"status":{_number(status)}}}'


@lru_cache(maxsize=1024)
def _listed(fields: tuple[str, ...]) -> str:
    return f',"fields":[{",".join(map(_text, fields))}]'


# Typed, because 1, 1.0 and True are the same key otherwise.
@lru_cache(maxsize=4096, typed=True)
def _number(value: int) -> str:
    if type(value) is not int or not -LARGEST <= value <= LARGEST:
        raise ValueError("audit entry: not an integer that every reader keeps exact")
    return str(value)


def _b64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()
