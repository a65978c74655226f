"""The one idea of the gateway: an Exchange, answered by a Handler, wrapped by Stages.

An Exchange is one question put by one caller, for one purpose, to one Operation of one Database. A Handler is an async
function Exchange → Answer; a Stage is a function Handler → Handler; the gateway is `compose(stages, dispatch)`.
Databases and operations are data: instances of the frozen classes below, declared in `adapters`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any, Literal, Protocol

from schemas.errors import GatewayError, Text
from schemas.fields import Question, Record
from schemas.receipt import Receipt

CredentialKind = Literal["secret", "private-key-jwt", "mtls", "signature", "xroad"]
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grant:
    """What one caller may ask of one operation, why, and what it is told (quyền khai thác).

    `fields` are dotted paths; a path grants everything below it. `rate` is requests per second with `burst` on top;
    `deadline_ms` bounds the whole exchange. `archive` keeps the disclosed values, sealed, for later opening; `provable`
    lets each field of an answer be proven without the others.
    """

    database: str
    operation: str
    purposes: frozenset[str]
    fields: frozenset[str]
    dossier_required: bool = False
    officer_required: bool = False
    signature_required: bool = False
    rate: float = 50.0
    burst: int = 100
    deadline_ms: int = 20_000
    expires_at: datetime | None = None
    archive: bool = False
    provable: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller proved itself with: its kind, a public id of it, and when it ends (UTC)."""

    kind: CredentialKind
    id: str
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """A registered application of an agency, as authenticated for this request (bên gọi)."""

    client_id: str
    agency: str
    credential: Credential
    grants: Mapping[tuple[str, str], tuple[Grant, ...]]
    rights: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning: something the caller should know about the answer; `pointer` leads into the response body."""

    code: str
    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """The verdict on the source's signature over the answer: who signed what was decoded, and when (UTC).

    `domain` is the trust domain of the signer's certificate, None where trust was given without one. `revocation` says
    whether it was known not to be revoked: `good`, `indeterminate`, or None where that was not asked.
    """

    signer: str
    certificate: str
    signed_at: datetime
    domain: str | None = None
    revocation: Literal["good", "indeterminate"] | None = None
    status: str = "valid"


@dataclass(frozen=True, slots=True)
class CallerSignature:
    """The caller's own signature over its request, as verified (chữ ký của bên gọi).

    `certificate` names the registered one (`sha256:` and hexadecimal), `signed_at` is UTC. `nonce` counts once for this
    certificate; from `forget_at` (POSIX seconds) on nothing signed with it would be accepted any more. `domain` and
    `revocation` as in Provenance.
    """

    certificate: str
    signed_at: datetime
    nonce: str
    forget_at: int
    domain: str | None = None
    revocation: Literal["good", "indeterminate"] | None = None


@dataclass(slots=True)
class Trail:
    """What happened on the way, gathered by the inner stages for the evidence of the outer one.

    `messages` are the exact bytes that went to ("sent") and came from ("received") the source, in order.
    """

    endpoint: str | None = None
    attempts: int = 0
    messages: list[tuple[Literal["sent", "received"], bytes]] = field(default_factory=list)
    provenance: Provenance | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Exchange:
    """One question on its way; `deadline` is on the event loop's clock (seconds), `asked_at` is UTC.

    `asked_fields` is what the caller's `fields=` asked for (None: all that is granted). `signed` is the caller's own
    signature over this request, where it sent one that holds. With `as_xml` the answer goes into an XML document. It
    belongs to one task from the face to the source; only `authorised` writes into it: `grant`, the `deadline` of that
    grant, and `well_formed`, that dossier and officer have, where given, the form of such (until then they may hold
    anything).
    """

    id: str
    database: Database
    operation: Operation
    question: Question
    caller: Caller
    purpose: str | None
    asked_at: datetime
    deadline: float
    dossier: str | None = None
    officer: str | None = None
    asked_fields: tuple[str, ...] | None = None
    request_id: str | None = None
    traceparent: str | None = None
    signed: CallerSignature | None = None
    as_xml: bool = False
    grant: Grant | None = None
    well_formed: bool = False
    trail: Trail = field(default_factory=Trail)


@dataclass(slots=True, eq=False)
class Answer:
    """What a handler returns: `data` in the operation's vocabulary, and what must be said about it.

    It is made for one exchange, and the stages finish it on its way out. `authorised` reduces `data` and `warnings` to
    what is granted and sets `fields`, the paths that `data` was reduced to, and `archive` and `provable`, whether the
    grant keeps what was disclosed, and each field provable by itself; `audited` sets `canonical` (the RFC 8785 form of
    `data`, which the evidence commits to and the caller is sent) and `receipt`.
    """

    data: Data
    warnings: tuple[Notice, ...] = ()
    provenance: Provenance | None = None
    fields: tuple[str, ...] = ()
    archive: bool = False
    provable: bool = False
    canonical: bytes = b""
    receipt: Receipt | None = None


Handler = Callable[[Exchange], Awaitable[Answer]]
Stage = Callable[[Handler], Handler]


def compose(stages: Iterable[Stage], innermost: Handler) -> Handler:
    """Wrap `innermost` so that the first stage is outermost."""
    return reduce(lambda handler, stage: stage(handler), reversed(tuple(stages)), innermost)


class Binding(Protocol):
    """How an operation is put on the wire; implemented in `adapters.bindings`, opaque to everybody else."""

    @property
    def protocol(self) -> str:
        """Name of the protocol for the catalogue, for example `SOAP 1.1`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One question that a database answers, as data.

    `faults` maps a result code of the source to the error it means; `endpoint` names another endpoint than the
    database's own; `examine` yields warnings about an answer that the law allows but a caller should know.
    """

    name: str
    title: Text
    question: type[Question]
    answer: type[Record]
    binding: Binding
    repeatable: bool = True
    signed: bool = False
    endpoint: str | None = None
    faults: Mapping[str, type[GatewayError]] = field(default_factory=dict)
    examine: Callable[[Question, Data], Iterable[Notice]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Database:
    """A source of data: its name in paths, its titles, its operations, and the contract file it publishes.

    `logins` says how its endpoints want us to prove ourselves (`adapters.schemes`), by endpoint name; none is needed
    where there is no entry.
    """

    name: str
    title: Text
    owner: Text
    operations: tuple[Operation, ...]
    wsdl: str | None = None
    logins: Mapping[str, object] = field(default_factory=dict)

    def operation(self, name: str) -> Operation | None:
        """Return the operation called `name`, or None."""
        return next((operation for operation in self.operations if operation.name == name), None)
