"""Changes to registered clients: add, grant, revoke, rotate, apply (quản lý bên gọi).

Every function returns a Change and touches nothing: the evidence of who changed what, and the write that belongs in the
same commit. `await log.record(change.evidence, writes=(change.write,))` makes both durable or neither.
Mistakes in what was asked raise ChangeRefused with a sentence for the operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from schemas.codes.agencies import check_agency_code
from schemas.exchange import Grant
from schemas.ids import new_id
from schemas.purposes import PURPOSES
from security.audit.canonical import JSON
from security.audit.entries import Evidence, instant
from security.client_store import store
from security.clients import Client, StoredCredential, new_secret
from security.credentials import secret_credential

# Nine digits in a row could be read as an identity number, in logs and by those who look for such.
_CLIENT_ID = re.compile(r"(?!.*\d{9})[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]", re.ASCII)
RIGHTS = frozenset({"audit", "audit-values", "dossiers"})


class ChangeRefused(ValueError):
    """What was asked cannot be done; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one client: how it will be, its evidence, and a new secret where one was made.

    `secret` is shown once and kept nowhere. `differences` says in field terms what changed: empty means nothing.
    """

    client: Client
    evidence: Evidence
    differences: dict[str, JSON]
    secret: str | None = field(default=None, repr=False)

    def write(self, connection: Connection, index: int) -> None:
        """Store the client, as `AuditLog.append` calls it; raises Stale or Taken when the database says otherwise."""
        store(connection, self.client)


def add(
    client_id: str,
    *,
    name: str,
    agency: str,
    rights: Iterable[str] = (),
    credentials: Iterable[StoredCredential] = (),
    secret: bool = True,
    by: str,
    at: datetime | None = None,
) -> Change:
    """Register a client, with a new secret unless it is to prove itself otherwise."""
    now = at or datetime.now(UTC)
    if _CLIENT_ID.fullmatch(client_id) is None:
        raise ChangeRefused("a client id has 3 to 64 of a-z 0-9 . _ -, and no nine digits in a row")
    client = Client(
        client_id=client_id,
        name=name,
        agency=_agency(agency),
        rights=_rights(rights),
        created_at=now,
        credentials=tuple(credentials),
    )
    shown = None
    if secret:
        shown = new_secret()
        client = replace(client, credentials=(*client.credentials, secret_credential(shown, now)))
    return _change("add", None, client, by, now, shown)


def grant(client: Client, granted: Grant, *, by: str, at: datetime | None = None) -> Change:
    """Give a grant; one for the same operation and the same purposes is replaced.

    Raises ChangeRefused as `check_grants`. Field paths are checked before, by `security.policy.field_paths`.
    """
    kept = tuple(item for item in client.grants if _grant_key(item) != _grant_key(granted))
    check_grants((*kept, granted))
    return _change("grant", client, replace(_alive(client), grants=(*kept, granted)), by, at or datetime.now(UTC))


def update(
    before: Client | None,
    after: Client,
    *,
    by: str,
    at: datetime,
    secret: str | None = None,
    wants_secret: bool = False,
) -> Change:
    """Bring a client to a wanted state in one change, with a new secret where one is wanted and none is live.

    `secret` is one that `after` already holds. Raises ChangeRefused, for grants as `check_grants`.
    """
    _alive(after)
    check_grants(after.grants)
    _agency(after.agency)
    _rights(after.rights)
    if wants_secret and not any(item.kind == "secret" and item.lapse(at) is None for item in after.credentials):
        secret = new_secret()
        after = replace(after, credentials=(*after.credentials, secret_credential(secret, at)))
    return _change("apply", before, after, by, at, secret)


def revoke(
    client: Client,
    *,
    credential_id: str | None = None,
    operation: tuple[str, str] | None = None,
    by: str,
    at: datetime | None = None,
) -> Change:
    """End a client for good, or one credential with its tokens, or the grants of one operation (database, name)."""
    now = at or datetime.now(UTC)
    if credential_id is not None:
        if client.credential(credential_id) is None:
            raise ChangeRefused(f"{client.client_id} has no credential {credential_id}")
        ended = tuple(
            replace(item, revoked_at=item.revoked_at or now) if item.id == credential_id else item
            for item in client.credentials
        )
        return _change("revoke-credential", client, replace(client, credentials=ended), by, now)
    if operation is not None:
        kept = tuple(item for item in client.grants if (item.database, item.operation) != operation)
        if len(kept) == len(client.grants):
            raise ChangeRefused(f"{client.client_id} has no grant of {'/'.join(operation)}")
        return _change("revoke-grant", client, replace(client, grants=kept), by, now)
    return _change("revoke", client, replace(client, revoked_at=client.revoked_at or now), by, now)


def rotate(client: Client, overlap: timedelta, *, by: str, at: datetime | None = None) -> Change:
    """Give a new secret; the old ones work until the overlap ends, or until their own end where that is sooner."""
    now = at or datetime.now(UTC)
    if overlap < timedelta(0):
        raise ChangeRefused("an overlap is zero or more")
    shown = new_secret()
    ends = now + overlap
    old = tuple(
        replace(item, not_after=min(item.not_after or ends, ends)) if item.kind == "secret" else item
        for item in _alive(client).credentials
    )
    after = replace(client, credentials=(*old, secret_credential(shown, now)))
    return _change("rotate", client, after, by, now, shown)


def register(client: Client, credential: StoredCredential, *, by: str, at: datetime | None = None) -> Change:
    """Add a certificate, a public key or an X-Road client to a client; one it already has is left as it is.

    An X-Road client that was revoked counts again: unlike a certificate it cannot be replaced by a new one.
    """
    known = client.credential(credential.id)
    if known is not None and not (known.kind == "xroad" and known.revoked_at is not None):
        return _change("register", client, client, by, at or datetime.now(UTC))
    others = tuple(item for item in client.credentials if item is not known)
    after = replace(_alive(client), credentials=(*others, credential))
    return _change("register", client, after, by, at or datetime.now(UTC))


def check_grants(grants: Sequence[Grant]) -> None:
    """Raise ChangeRefused for grants that could never be used or limited, or two that cover the same purpose.

    Which grant counts must never be a question.
    """
    covered: dict[tuple[str, str, str], Grant] = {}
    for item in grants:
        operation = f"{item.database}/{item.operation}"
        unknown = sorted(item.purposes - PURPOSES.keys())
        if unknown or not item.purposes:
            raise ChangeRefused(f"{operation}: no such purpose: {', '.join(unknown)}; known are {', '.join(PURPOSES)}")
        if not item.fields:
            raise ChangeRefused(f"{operation}: a grant without fields tells nothing: name some, or * for all")
        if not (0.001 <= item.rate <= 1_000_000 and 0 <= item.burst <= 1_000_000):
            raise ChangeRefused(f"{operation}: a rate is 0.001 to 1000000 a second, a burst 0 to 1000000")
        if not 100 <= item.deadline_ms <= 300_000:
            raise ChangeRefused(f"{operation}: a deadline is 100 to 300000 ms")
        for purpose in item.purposes:
            if covered.setdefault((item.database, item.operation, purpose), item) is not item:
                raise ChangeRefused(f"{operation}: two grants cover {purpose}: revoke one, or give them other purposes")


def _differences(before: Client | None, after: Client) -> dict[str, JSON]:
    """Give `{"what": {"before", "after"}}`; credentials and grants one by one."""
    old, new = (view(before) if before is not None else {}), view(after)
    return {
        name: {"before": old.get(name), "after": new.get(name)}
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def view(client: Client) -> dict[str, JSON]:
    """All of a client that may be shown, by name: no secret and no digest of one."""
    shown: dict[str, JSON] = {
        "client_id": client.client_id,
        "name": client.name,
        "agency": client.agency,
        "rights": sorted(client.rights),
        "created_at": instant(client.created_at),
        "revoked_at": _instant(client.revoked_at),
    }
    for item in client.credentials:
        shown[f"credential {item.id}"] = {
            "kind": item.kind,
            "not_after": _instant(item.not_after),
            "revoked_at": _instant(item.revoked_at),
        }
    for held in client.grants:
        shown[f"grant {held.database}/{held.operation} {'+'.join(sorted(held.purposes))}"] = {
            "fields": sorted(held.fields),
            "dossier_required": held.dossier_required,
            "officer_required": held.officer_required,
            "signature_required": held.signature_required,
            # The audit trail holds no floats: their text differs between languages.
            "rate": f"{held.rate:g}",
            "burst": held.burst,
            "deadline_ms": held.deadline_ms,
            "expires_at": _instant(held.expires_at),
            "archive": held.archive,
            "provable": held.provable,
        }
    return shown


def _change(
    action: str, before: Client | None, after: Client, by: str, at: datetime, secret: str | None = None
) -> Change:
    """Make the change; raises ChangeRefused where it adds a credential that proves nothing any more."""
    held = {item.id for item in before.credentials} if before is not None else set()
    for item in after.credentials:
        if item.id not in held and item.lapse(at) == "expired":
            raise ChangeRefused(f"credential {item.id} expired on {_instant(item.not_after)}: give one that is valid")
    differences = _differences(before, after)
    details: dict[str, JSON] = {
        "action": f"client-{action}",
        "client": after.client_id,
        "by": by,
        "changes": differences,
    }
    return Change(after, Evidence(new_id(), "admin", at, details=details), differences, secret)


def _alive(client: Client) -> Client:
    if client.revoked_at is not None:
        raise ChangeRefused(f"client {client.client_id} was revoked for good: add one with another id")
    return client


def _grant_key(item: Grant) -> tuple[str, str, frozenset[str]]:
    return item.database, item.operation, item.purposes


def _agency(code: str) -> str:
    try:
        return check_agency_code(code)
    except ValueError as failure:
        raise ChangeRefused(f"agency {code}: {failure}") from failure


def _rights(names: Iterable[str]) -> frozenset[str]:
    chosen = frozenset(names)
    if chosen - RIGHTS:
        raise ChangeRefused(
            f"no such right: {', '.join(sorted(chosen - RIGHTS))}; known are {', '.join(sorted(RIGHTS))}"
        )
    return chosen


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)
