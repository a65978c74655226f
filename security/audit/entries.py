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

from security.audit.canonical import JSON

FORMAT = 1
SALT_SIZE = 32

Kind = Literal[
    "exchange", "refusal", "unreadable", "anonymous", "over-limit", "intent", "delivery", "token", "admin", "reading",
    "redaction", "key-rotation", "configuration", "start", "stop",
]  # fmt: skip
Role = Literal["asked", "disclosed"]

_CONTENT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)

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


@dataclass(frozen=True, slots=True)
class Subject:
    """A person or organisation whose identifier occurs in the question (`asked`) or in the disclosed answer."""

    role: Role
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything about one event that the trail needs; `recorded` splits it into the public entry and the secrets.

    Bytes fields are what is committed to: `question` the RFC 8785 form of the question, `data` that of the disclosed
    data, the messages exactly as they went over the wire. `details` takes further facts, never personal ones.
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
        """Return the entry and what opens it; every call draws new salts. Raises ValueError for a time without zone."""
        salts = _Salts()
        entry: dict[str, JSON] = {"v": FORMAT, "id": self.id, "kind": self.kind, "at": instant(self.at)}
        if self.caller is not None:
            entry["caller"] = {
                "client": self.caller.client,
                "agency": self.caller.agency,
                "credential": self.caller.credential,
            }
        for name in (
            "database",
            "operation",
            "purpose",
            "dossier",
            "request_id",
            "duration_ms",
            "endpoint",
            "attempts",
        ):
            value = getattr(self, name)
            if value is not None:
                entry[name] = value
        if self.officer is not None:
            self._put_officer(entry, salts)
        if self.outcome is not None:
            outcome: dict[str, JSON] = {"code": self.outcome.code, "status": self.outcome.status}
            if self.outcome.reason is not None:
                outcome["reason"] = self.outcome.reason
            entry["outcome"] = outcome
        if self.fields:
            entry["fields"] = list(self.fields)
        if self.details:
            entry["details"] = dict(self.details)
        commitments = self._commitments(salts)
        if commitments:
            entry["commitments"] = commitments
        if self.subjects:
            entry["subjects"] = [
                {
                    "role": each.role,
                    "kind": each.kind,
                    "commitment": salts.commit(f"subjects/{place}", each.value.encode()),
                }
                for place, each in enumerate(self.subjects)
            ]
        if not salts:
            return entry, None
        subjects = tuple((each.kind, each.value) for each in self.subjects)
        return entry, Secrets(salts, subjects, self.officer_value, self.data if self.archive else None)

    @property
    def officer_value(self) -> str | None:
        """The officer's id where it is a personal number, else None: then it stands in the entry itself."""
        return self.officer if self.officer is not None and _PERSONAL_OFFICER.fullmatch(self.officer) else None

    def _put_officer(self, entry: dict[str, JSON], salts: "_Salts") -> None:
        personal = self.officer_value
        if personal is None:
            entry["officer"] = self.officer
        else:
            entry["officer"] = {"commitment": salts.commit("officer", personal.encode())}

    def _commitments(self, salts: "_Salts") -> dict[str, JSON]:
        made: dict[str, JSON] = {}
        if self.question is not None:
            made["question"] = salts.commit("question", self.question)
        if self.data is not None:
            made["data"] = salts.commit("data", self.data)
        for name, messages in (("request_messages", self.request_messages), ("answer_messages", self.answer_messages)):
            if messages:
                made[name] = [salts.commit(f"{name}/{place}", each) for place, each in enumerate(messages)]
        return made


@dataclass(frozen=True, slots=True)
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
        content: dict[str, object] = {
            "salts": {name: salt.hex() for name, salt in self.salts.items()},
            "subjects": self.subjects,
        }
        if self.officer is not None:
            content["officer"] = self.officer
        if self.data is not None:
            content["data"] = _b64(self.data)
        return _CONTENT.encode(content).encode()

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
    return _b64(sha256(salt + content).digest())


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


def _b64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode()
