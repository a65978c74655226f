"""The format of an entry: what is written about one event, and what is committed to without being written.

An entry holds ids, codes, names of fields, times and outcomes. Whatever could tell something about a person is
represented by a commitment SHA-256(salt ‖ bytes) with 32 random bytes of salt; the salts and the identifiers go to the
sealed side table (`Secrets`). Version 1 of the format; a log cannot be rewritten, so fields are only ever added.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from security.audit.canonical import JSON, LARGEST, canonical

FORMAT = 1
SALT_SIZE = 32

Kind = Literal[
    "exchange", "refusal", "unreadable", "anonymous", "over-limit", "intent", "delivery", "token", "admin", "reading",
    "redaction", "key-rotation", "configuration", "start", "stop",
]  # fmt: skip
Role = Literal["asked", "disclosed"]

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


@dataclass(slots=True)
class Subject:
    """A person or organisation whose identifier occurs in the question (`asked`) or in the disclosed answer."""

    role: Role
    kind: str
    value: str


@dataclass(slots=True)
class Evidence:
    """Everything about one event that the trail needs; `written` splits it into the public entry and the secrets.

    Bytes fields are what is committed to: `question` the RFC 8785 form of the question, `data` that of the disclosed
    data, the messages exactly as they went over the wire. `details` takes further facts, never personal ones. Nothing
    changes it once it is made; it is not frozen because making a frozen one of so many fields costs an exchange twice.
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
    subjects: Sequence[Subject] = ()
    archive: bool = False
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
        # a third of what building it as a value and encoding that costs. `canonical` is what the tests compare with.
        salts = _Salts()
        at, caller, outcome = instant(self.at), self.caller, self.outcome
        text = f'{{"at":"{at}"'
        if self.attempts is not None:
            text += f',"attempts":{_number(self.attempts)}'
        if caller is not None:
            text += (
                f',"caller":{{"agency":{_text(caller.agency)},"client":{_text(caller.client)},'
                f'"credential":{_text(caller.credential)}}}'
            )
        text += self._commitments(salts)
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
            text += f',"fields":[{",".join(map(_text, self.fields))}]'
        text += f',"id":{_text(self.id)},"kind":{_text(self.kind)}'
        personal = None
        if self.officer is not None:
            if _PERSONAL_OFFICER.fullmatch(self.officer):
                personal = self.officer
                text += f',"officer":{{"commitment":"{salts.commit("officer", personal.encode())}"}}'
            else:
                text += f',"officer":{_text(self.officer)}'
        if self.operation is not None:
            text += f',"operation":{_text(self.operation)}'
        if outcome is not None:
            reason = f',"reason":{_text(outcome.reason)}' if outcome.reason is not None else ""
            text += f',"outcome":{{"code":{_text(outcome.code)}{reason},"status":{_number(outcome.status)}}}'
        if self.purpose is not None:
            text += f',"purpose":{_text(self.purpose)}'
        if self.request_id is not None:
            text += f',"request_id":{_text(self.request_id)}'
        if self.subjects:
            text += f',"subjects":[{",".join(map(salts.subject, range(len(self.subjects)), self.subjects))}]'
        # UnicodeEncodeError, which lone surrogates raise here, is a ValueError.
        body = f'{text},"v":{FORMAT}}}'.encode()
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
        if not salts:
            return body, repeated, None
        subjects = tuple([(each.kind, each.value) for each in self.subjects])
        return body, repeated, Secrets(salts, subjects, personal, self.data if self.archive else None)

    def _commitments(self, salts: "_Salts") -> str:
        """The member `commitments`, or nothing."""
        made = []
        if self.answer_messages:
            made.append(f'"answer_messages":[{salts.each("answer_messages", self.answer_messages)}]')
        if self.data is not None:
            made.append(f'"data":"{salts.commit("data", self.data)}"')
        if self.question is not None:
            made.append(f'"question":"{salts.commit("question", self.question)}"')
        if self.request_messages:
            made.append(f'"request_messages":[{salts.each("request_messages", self.request_messages)}]')
        return f',"commitments":{{{",".join(made)}}}' if made else ""


@dataclass(slots=True)
class Secrets:
    """What opens an entry: salts by the name of their commitment, subjects as (kind, value), optional values.

    `data` is set only where a grant says that disclosed values are archived.
    """

    salts: Mapping[str, bytes]
    subjects: Sequence[tuple[str, str]] = ()
    officer: str | None = None
    data: bytes | None = None

    def encode(self) -> bytes:
        """The plain content of a side table row: JSON with the salts in hexadecimal."""
        salts = ",".join([f'"{name}":"{salt.hex()}"' for name, salt in self.salts.items()])
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
    return binascii.b2a_base64(sha256(salt + content).digest(), newline=False).decode()


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always of the same length so that text order is time order."""
    if at.tzinfo is None:
        raise ValueError("audit entry: a time without zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class _Salts(dict[str, bytes]):
    """Salts by the name of the commitment they belong to, drawn from the system several at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn = b""

    def commit(self, name: str, content: bytes) -> str:
        """Commit to `content` under a new salt that is kept as `name`."""
        if not self._drawn:
            self._drawn = os.urandom(8 * SALT_SIZE)
        salt, self._drawn = self._drawn[:SALT_SIZE], self._drawn[SALT_SIZE:]
        self[name] = salt
        return commitment(salt, content)

    def each(self, name: str, contents: Sequence[bytes]) -> str:
        """Commitments to all of them, as the items of a JSON array; their salts are kept as `name/0`, `name/1`."""
        return ",".join([f'"{self.commit(f"{name}/{place}", content)}"' for place, content in enumerate(contents)])

    def subject(self, place: int, subject: Subject) -> str:
        """One item of the member `subjects`."""
        made = self.commit(f"subjects/{place}", subject.value.encode())
        return f'{{"commitment":"{made}","kind":{_text(subject.kind)},"role":{_text(subject.role)}}}'


def _number(value: int) -> str:
    if type(value) is not int or not -LARGEST <= value <= LARGEST:
        raise ValueError("audit entry: not an integer that every reader keeps exact")
    return str(value)


def _b64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode()
