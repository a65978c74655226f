"""The way of the gateway to the portal: declaration, codecs, log-in, breaker and retries, as the outbox uses it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.breakers import Breakers
from adapters.carriage import login_for, scheme_of
from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from adapters.portal import PORTAL
from adapters.resilience import retried
from config.settings import Endpoint, Retry, Timeout
from schemas.exchange import Answer, Caller, Credential, Exchange, Handler, Trail
from schemas.ids import new_id
from schemas.portal import PortalStep
from tests.test_resilience.exchanges import NoStore

CODE = "000.00.00.H26-260105-0001"
OTHER = "000.00.00.H26-260105-0002"
AT = "2026-01-05T02:00:00Z"
PARAMS: Mapping[str, Mapping[str, str]] = {"1": {"madonvi": "H26"}, "2": {"generation": "2"}}


@dataclass
class Gateway:
    """Asks the portal as the outbox does; `trails` has what happened on the way of each exchange."""

    handler: Handler
    link: Link
    trails: list[Trail] = field(default_factory=list)

    async def ask(self, operation: str, question: Mapping[str, Any], *, seconds: float = 20.0) -> Answer:
        declared = PORTAL.operation(operation)
        assert declared is not None
        exchange = Exchange(
            id=new_id(),
            database=PORTAL,
            operation=declared,
            question=declared.question.model_validate(dict(question)),
            caller=Caller("lgsp-sync", "H26", Credential("secret", "sync"), {}),
            purpose="dossier-processing",
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + seconds,
        )
        self.trails.append(exchange.trail)
        return await self.handler(exchange)

    async def register(self, *dossiers: dict[str, Any], updating: bool = False) -> dict[str, Any]:
        return (await self.ask("register", {"updating": updating, "dossiers": list(dossiers)})).data

    async def progress(self, *steps: PortalStep) -> dict[str, Any]:
        return (await self.ask("progress", {"steps": list(steps)})).data

    async def look_up(self, code: str = CODE) -> dict[str, Any]:
        return (await self.ask("look-up", {"code": code})).data


@asynccontextmanager
async def reaching(endpoint: Endpoint) -> AsyncIterator[Gateway]:
    endpoints = {"portal": endpoint}
    codecs = compile_codecs([PORTAL], endpoints)
    scheme, address = login_for("portal", endpoint, scheme_of([PORTAL], "portal"))
    link = Link("portal", endpoint, scheme, login_url=address)
    breakers = Breakers(endpoints, NoStore())
    try:
        yield Gateway(retried(breakers, endpoints)(dispatch(codecs, {"portal": link})), link)
    finally:
        await breakers.close()
        await link.close()


def at(url: str, generation: str, *, secret: str = "s3cr&t+ bí mật", **params: str) -> Endpoint:
    return Endpoint.model_validate(
        {
            "url": url,
            "username": "lgsp-portal",
            "secret": secret,
            "params": {**PARAMS[generation], **params},
            "timeout": Timeout(connect=20, read=30, total=30),
            "retry": Retry(attempts=2, initial=0.0, maximum=0.0),
            "breaker": {"failures": 1000},
        }
    )


def dossier(code: str = CODE, **more: object) -> dict[str, Any]:
    return {
        "code": code,
        "status": "2",
        "procedure": "2.002492",
        "channel": "counter",
        "owner_name": "Nguyễn Thị Mẫu",
        "owner_kind": "citizen",
        "received_at": "2026-01-05T01:30:00Z",
        **more,
    }


def step(
    sequence: int | None, status: str, code: str = CODE, *, event: str | None = None, **more: object
) -> PortalStep:
    return PortalStep.of(code, status, {"at": AT, **more}, sequence=sequence, event=event)
