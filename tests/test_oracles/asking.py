"""The gateway's own way to one database: its declaration, codecs and links, without the outer stages."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from config.settings import Endpoint
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Handler, Operation

CALLER = Caller("tests", "H26", Credential("secret", "tests"), {})


def operation_of(database: Database, name: str) -> Operation:
    found = database.operation(name)
    assert found is not None
    return found


def exchange_of(database: Database, operation: Operation, body: Mapping[str, Any], deadline: float = 0.0) -> Exchange:
    """The exchange that a request with this body becomes."""
    return Exchange(
        id=str(uuid.uuid4()),
        database=database,
        operation=operation,
        question=operation.question.model_validate(dict(body)),
        caller=CALLER,
        purpose="inspection",
        asked_at=datetime.now(UTC),
        deadline=deadline,
    )


@dataclass(frozen=True)
class Gateway:
    """Asks one database."""

    database: Database
    handler: Handler

    async def ask(self, operation: str, body: Mapping[str, Any]) -> Answer:
        deadline = asyncio.get_running_loop().time() + 20
        return await self.handler(exchange_of(self.database, operation_of(self.database, operation), body, deadline))


@asynccontextmanager
async def gateway_to(database: Database, endpoint: Endpoint) -> AsyncIterator[Gateway]:
    """The gateway, wired to this endpoint."""
    endpoints = {database.name: endpoint}
    link = Link(database.name, endpoint, database.logins.get(database.name))
    try:
        yield Gateway(database, dispatch(compile_codecs([database], endpoints), {database.name: link}))
    finally:
        await link.close()
