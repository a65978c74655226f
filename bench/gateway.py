"""`python -m bench.gateway`: the gateway's own `serve`, with one thing taken away to see what it costs.

`--unsigned` serves the tax operations without signatures: the declaration is the real one but for `signed=False`.
`--memory` keeps evidence in memory: everything up to the log's `record` happens as ever, then nothing is written.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from adapters import DATABASES
from config.settings import Settings, load
from routes.application import make_app
from routes.housekeeping import beside
from routes.instances import announced
from routes.server import serve
from schemas.exchange import Database
from security.audit.batch import Write
from security.audit.entries import Evidence
from security.audit.log import AuditLog
from security.audit.receipt import Receipt

# Few, so that the collector of garbage has no more to look at than in the product.
_KEPT: deque[Evidence] = deque(maxlen=64)
_NOTE = "{origin}\n{size}\n{root}\n\n— {origin} {signature}\n"


def unsigned(database: Database) -> Database:
    """Return the tax register with operations that neither sign nor expect signatures; any other as it is."""
    if database.name != "tax":
        return database
    return replace(database, operations=tuple(replace(each, signed=False) for each in database.operations))


def remember() -> None:
    """Let every log of this process keep its evidence in memory; what changes clients is written all the same."""
    durable = AuditLog.record

    async def record(self: AuditLog, evidence: Evidence, *, writes: Sequence[Write] = ()) -> Receipt:
        if writes:
            return await durable(self, evidence, writes=writes)
        _KEPT.append(evidence)
        return Receipt(self.origin, len(_KEPT), _LEAF, _LEAF, _note(self.origin), len(_KEPT), b"")

    AuditLog.record = record  # type: ignore[method-assign]


_LEAF = sha256(b"in memory").digest()


def _note(origin: str) -> str:
    root = base64.b64encode(_LEAF).decode()
    signature = base64.b64encode(bytes(68)).decode()
    return _NOTE.format(origin=origin, size=len(_KEPT), root=root, signature=signature)


def main() -> int:
    """Serve until told to stop, as `lgsp serve` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--unsigned", action="store_true")
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    databases = tuple(map(unsigned, DATABASES)) if arguments.unsigned else DATABASES
    if arguments.memory:
        remember()

    async def make(settings: Settings, index: int) -> web.Application:
        app = await make_app(settings, databases)
        if index == 0:
            app.cleanup_ctx.append(beside(settings))
        return app

    settings = load(arguments.config)
    with announced(settings):
        return serve(settings, make)


if __name__ == "__main__":
    sys.exit(main())
