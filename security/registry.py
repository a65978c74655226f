"""The registered clients in the memory of one process, at most a few seconds behind the database.

An exchange looks only here. `follow` asks the database every second what changed; a revocation therefore counts on
every node well within the ten seconds that the contract promises.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from heapq import heappop, heappush

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import Connection

from schemas.errors import Unauthenticated
from schemas.exchange import CredentialKind
from security.client_store import changed_since, revoked_since
from security.clients import Client, StoredCredential, pinned_id, secret_matches, xroad_id
from security.tokens import unauthenticated
from storage.engine import Storage
from storage.errors import StorageError

_CHUNK = 200

log = structlog.get_logger()


class ClientRegistry:
    """All clients by id, by certificate and by X-Road identifier; belongs to one event loop."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._clients: dict[str, Client] = {}
        self._exclusive: dict[str, set[str]] = {}
        self._subjects: dict[str, set[str]] = {}
        self._ended: set[str] = set()
        self._endings: list[tuple[int, str]] = []
        self._ended_number = 0
        self._version = 0
        self._refreshed = float("-inf")
        self._turn = asyncio.Lock()

    @property
    def age(self) -> float:
        """Seconds since the database was last asked; readiness and metrics show it."""
        return time.monotonic() - self._refreshed

    def get(self, client_id: str) -> Client | None:
        """Return the client of this id, revoked or not."""
        return self._clients.get(client_id)

    def __len__(self) -> int:
        return len(self._clients)

    async def refresh(self) -> int:
        """Take over what changed in the database; return how many clients. Raises StorageUnavailable.

        Works in pieces, so that ten thousand changed clients do not stop the event loop.
        """
        taken = 0
        async with self._turn:
            while True:
                changed, ended = await self._storage.read(self._news)
                for client in changed:
                    self._replace(client)
                for self._ended_number, token_id, expires_at in ended:
                    self._ended.add(token_id)
                    heappush(self._endings, (expires_at, token_id))
                taken += len(changed)
                if len(changed) < _CHUNK:
                    break
        # A heap, so that what has not expired yet is not looked at every second.
        now = time.time()
        while self._endings and self._endings[0][0] < now:
            self._ended.discard(heappop(self._endings)[1])
        self._refreshed = time.monotonic()
        return taken

    def _news(self, connection: Connection) -> tuple[list[Client], list[tuple[int, str, int]]]:
        return changed_since(connection, self._version, _CHUNK), revoked_since(connection, self._ended_number)

    def ended(self, token_id: str) -> bool:
        """Tell whether a token was ended before its time."""
        return token_id in self._ended

    async def follow(self, interval: float = 1.0, *, lost: Callable[[StorageError], None] | None = None) -> None:
        """Refresh for ever, every `interval` seconds; while the database fails, keep what is known and call `lost`."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.refresh()
            except StorageError as failure:
                if lost is not None:
                    lost(failure)
            except Exception as failure:
                # Whatever it is, revocations must go on being read.
                log.error("clients-not-read", exc_info=failure)

    def by_secret(self, client_id: str, secret: str, at: datetime) -> tuple[Client, StoredCredential]:
        """Recognise a client by its secret; raises Unauthenticated with reason unknown, expired or revoked.

        Of several matching credentials a live one counts. The reason is told only to who knows the secret.
        """
        client = self._clients.get(client_id)
        if client is None:
            raise unauthenticated("unknown")
        matching = [
            item for item in client.credentials if item.kind == "secret" and secret_matches(item.material, secret)
        ]
        return client, living(client, matching, at)

    def by_certificate(self, der: bytes, digest: str, at: datetime) -> tuple[Client, StoredCredential]:
        """Recognise a client by its TLS certificate (DER, and the hex of its SHA-256); raises Unauthenticated.

        The TLS layer has proved possession of the key. A pinned certificate needs no more; one named by its subject
        must be signed by exactly the CA that the credential holds and be in its time.
        """
        known = self.by_pinned("mtls", digest, at)
        if known is not None:
            return known
        try:
            subject, begins, ends = _read(der)
        except ValueError:
            raise unauthenticated("malformed") from None
        for client_id in self._subjects.get(subject, ()):
            client = self._clients[client_id]
            issued = [
                item
                for item in client.credentials
                if item.material.get("subject") == subject and _issued(der, item.material["issuer"])
            ]
            if issued:
                credential = living(client, issued, at)
                if not begins <= at < ends:
                    raise unauthenticated("expired")
                return client, credential
        raise unauthenticated("unknown")

    def by_pinned(self, kind: CredentialKind, digest: str, at: datetime) -> tuple[Client, StoredCredential] | None:
        """Recognise a client by a registered certificate (hex of SHA-256 of its DER); None where nobody has it.

        `kind` is `mtls`, or `signature` for who signs messages. Raises Unauthenticated (expired, revoked).
        """
        return self._by_exclusive(pinned_id(kind, digest), at)

    def by_xroad(self, client: str, at: datetime) -> tuple[Client, StoredCredential]:
        """Recognise a client by its X-Road identifier, which a security server vouches for; raises Unauthenticated.

        Reasons are unknown and revoked.
        """
        known = self._by_exclusive(xroad_id(client), at)
        if known is None:
            raise unauthenticated("unknown")
        return known

    def _by_exclusive(self, credential_id: str, at: datetime) -> tuple[Client, StoredCredential] | None:
        lapsed: Unauthenticated | None = None
        for client_id in tuple(self._exclusive.get(credential_id, ())):
            client = self._clients[client_id]
            try:
                return client, living(client, (client.credential(credential_id),), at)
            except Unauthenticated as failure:
                lapsed = failure
        if lapsed is not None:
            raise lapsed
        return None

    def _replace(self, client: Client) -> None:
        old = self._clients.get(client.client_id)
        self._clients[client.client_id] = client
        # Threads look on: at no moment may somebody be unknown who is known before and after.
        kept = set()
        for index, key in self._index(client):
            index.setdefault(key, set()).add(client.client_id)
            kept.add((id(index), key))
        for index, key in self._index(old) if old is not None else ():
            if (id(index), key) not in kept:
                index[key].discard(client.client_id)
                if not index[key]:
                    del index[key]
        self._version = max(self._version, client.version)

    def _index(self, client: Client) -> Iterator[tuple[dict[str, set[str]], str]]:
        for item in client.credentials:
            if item.exclusive:
                yield self._exclusive, item.id
            elif "subject" in item.material:
                yield self._subjects, item.material["subject"]


def living(client: Client, candidates: Iterable[StoredCredential | None], at: datetime) -> StoredCredential:
    """Return the first candidate that still counts; raises Unauthenticated: revoked, expired, or unknown with none."""
    lapse = "unknown"
    for item in candidates:
        if item is not None:
            found = item.lapse(at) if client.revoked_at is None else "revoked"
            if found is None:
                return item
            lapse = found
    raise unauthenticated(lapse)


# What a certificate says and whether a CA signed it never changes, so both are found out once for each certificate.
@lru_cache(maxsize=16384)
def _read(der: bytes) -> tuple[str, datetime, datetime]:
    """Return subject (RFC 4514 text), beginning and end of a certificate; raises ValueError."""
    certificate = load_der_x509_certificate(der)
    return certificate.subject.rfc4514_string(), certificate.not_valid_before_utc, certificate.not_valid_after_utc


@lru_cache(maxsize=16384)
def _issued(der: bytes, issuer: str) -> bool:
    """Tell whether the CA whose certificate is `issuer` (base64 DER) signed this certificate (DER)."""
    try:
        certificate = load_der_x509_certificate(der)
        certificate.verify_directly_issued_by(load_der_x509_certificate(base64.b64decode(issuer)))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
