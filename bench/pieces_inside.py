"""Pieces of an exchange inside the gateway: who asks, what is granted, what is recorded, what is said about it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from adapters import DATABASES
from bench.answer import EXPECTED
from bench.pieces_clock import Clock
from bench.pieces_wire import Wire, examples, exchange_of
from config.logging import configure
from routes.frame import frame
from schemas.exchange import Answer, Exchange, Grant
from schemas.ids import new_id
from schemas.purposes import PURPOSES
from security import administration
from security.audit.assembly import log_signer, open_sealer
from security.audit.canonical import canonical
from security.audit.entries import Caller, Evidence, Outcome, Secrets, Subject
from security.audit.log import AuditLog
from security.audit.sealing import Plain, Sealer
from security.clients import Client
from security.identity import Identity
from security.keys import KeyRing
from security.limits import LocalLimiter
from security.policy import authorised, field_paths
from security.registry import ClientRegistry
from security.tokens import Tokens
from storage.engine import Storage
from sync.database import open_storage, upgrade

COMMITS: Final = (1, 8, 32, 100)
_ORIGIN = "localhost/bench"
_BATCH = 32
_DATA = canonical(dict(EXPECTED))


@dataclass(frozen=True, slots=True)
class Inside:
    """A deployment in a directory, opened as a worker opens it."""

    directory: Path
    storage: Storage
    keys: KeyRing
    sealer: Sealer
    log: AuditLog


async def inside(directory: Path) -> Inside:
    """Make keys and database in an empty directory and open them."""
    keys = KeyRing.create(directory / "keys")
    url = f"sqlite:///{directory}/lgsp.sqlite"
    await upgrade(url)
    storage = await open_storage(url)
    sealer = open_sealer(keys, directory / "vault")
    log = await AuditLog.open(storage, log_signer(keys, _ORIGIN), sealer)
    return Inside(directory, storage, keys, sealer, log)


def access_pieces(clock: Clock, runner: asyncio.Runner, at: Inside) -> dict[str, float]:
    """Token, grant, mask and limit of one request."""
    client = Client(client_id="bench", name="bench", agency="H26", created_at=datetime.now(UTC), grants=(_grant(),))
    change = administration.update(None, client, by="bench", at=client.created_at, wants_secret=True)
    registry = ClientRegistry(at.storage)
    runner.run(at.log.record(change.evidence, writes=(change.write,)))
    runner.run(registry.refresh())
    tokens = Tokens(at.keys, "http://localhost")
    identity = Identity(registry, tokens)
    held, credential = identity.by_secret("bench", change.secret or "")
    bearer = f"Bearer {tokens.issue(held, credential)[0]}"

    def first_time() -> None:
        tokens.forget()
        identity.identify(bearer, None)

    caller = identity.identify(bearer, None)
    database = next(each for each in DATABASES if each.name == "tax")
    exchange = exchange_of(database, database.operations[0], examples()["tax/taxpayer"]["body"])
    exchange = replace(exchange, caller=caller)
    answer = Answer(dict(EXPECTED))

    async def answering(_exchange: Exchange) -> Answer:
        return answer

    stage = authorised(answering)
    limiter = LocalLimiter(at.directory / "limits.bin")
    try:
        return {
            "token check": clock.one(lambda: identity.identify(bearer, None)),
            "token check, first time": clock.one(first_time),
            "grant and mask": clock.several(_repeated(runner, lambda: stage(exchange))),
            "limit": clock.one(lambda: limiter.take("bench\0tax\0taxpayer", 1_000_000.0, 1_000_000)),
        }
    finally:
        limiter.close()


def evidence_pieces(clock: Clock, runner: asyncio.Runner, at: Inside, made: Wire) -> dict[str, float]:
    """The evidence of one exchange; what is measured in commits is for one entry of them."""

    evidence = evidence_of(made)

    def recorded() -> bytes:
        entry, _ = evidence.recorded()
        return canonical(entry)

    entry, secrets = evidence.recorded()
    plains = [_plain(entry, secrets)] * _BATCH if secrets is not None else []
    found = {
        "evidence to canonical entry": clock.one(recorded),
        f"seal, {_BATCH} at once": round(clock.one(lambda: at.sealer.seal(plains)) / _BATCH, 2),
    }
    for size in COMMITS:

        async def commit(size: int = size) -> None:
            receipts = await asyncio.gather(*(at.log.record(evidence_of(made)) for _ in range(size)))
            if len({receipt.size for receipt in receipts}) != 1:
                raise RuntimeError(f"{size} entries at once were not one commit")

        several = _repeated(runner, commit)
        found[f"append, {size} in a commit, CPU"] = round(clock.several(several, time.process_time) / size, 2)
        found[f"append, {size} in a commit, wall"] = round(clock.several(several, time.perf_counter) / size, 2)
    receipt = runner.run(at.log.record(evidence_of(made)))
    found["receipt as JSON"] = clock.one(lambda: json.dumps(receipt.as_json()))
    return found


def request_pieces(clock: Clock, runner: asyncio.Runner) -> dict[str, float]:
    """What every HTTP request gets whatever it asks: request id, headers, metrics, the line in the log."""
    app = web.Application()

    async def answering(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"{}", content_type="application/json")

    path = "/v1/tax/taxpayer"
    app.router.add_post(path, answering)
    matched = runner.run(app.router.resolve(make_mocked_request("POST", path, app=app)))
    request = make_mocked_request("POST", path, match_info=matched, app=app)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        configure(stream=nowhere)
        try:
            framed = clock.several(_repeated(runner, lambda: frame(request, answering)))
        finally:
            configure()
        bare = clock.several(_repeated(runner, lambda: answering(request)))
    return {"request id, headers, metrics, log line": round(framed - bare, 2)}


def _repeated(runner: asyncio.Runner, work: Callable[[], Awaitable[Any]]) -> Callable[[int], object]:
    async def several(times: int) -> None:
        for _ in range(times):
            await work()

    return lambda times: runner.run(several(times))


def _grant() -> Grant:
    # Not everything, so that there is something to mask.
    fields = field_paths(DATABASES, "tax", "taxpayer", ("*",)) - {"business_name", "address"} | {"address.province"}
    return Grant("tax", "taxpayer", frozenset(PURPOSES), fields, rate=1000.0, burst=2000)


def evidence_of(made: Wire) -> Evidence:
    """The evidence of an answered exchange."""
    answer = made.answers["2 KB ECDSA P-256"].envelope
    return Evidence(
        new_id(),
        "exchange",
        datetime.now(UTC),
        Caller("bench", "H26", "secret:secret-1"),
        database="tax",
        operation="taxpayer",
        purpose="dossier-processing",
        dossier="000.00.00.H26-260105-0001",
        officer="can.bo",
        request_id=new_id(),
        outcome=Outcome("ok", 200),
        fields=tuple(EXPECTED),
        duration_ms=3,
        endpoint="tax",
        attempts=1,
        question=b'{"tax_code":"0100109106"}',
        data=_DATA,
        request_messages=[answer],
        answer_messages=[answer],
        subjects=[
            Subject("asked", "tax-code", "0100109106"),
            *(Subject("disclosed", "tax-code", each["tax_code"]) for each in EXPECTED["branches"]),
            Subject("disclosed", "personal-id", EXPECTED["personal_id"]),
        ],
        details={"signer": "sha256:" + "5f" * 32},
    )


def _plain(entry: dict[str, Any], secrets: Secrets) -> Plain:
    return Plain(entry["id"], entry["at"][:7], secrets.encode(), tuple(secrets.subjects))
