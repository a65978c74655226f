"""The gateway's own way to the sandbox's registries, through whoever carries the questions."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from adapters import DATABASES
from adapters.carriage import login_for, scheme_of
from adapters.dispatch import compile_codecs, dispatch, endpoint_of
from adapters.login import Link
from adapters.schemes import LOGIN_PARAMS
from config.carriage import Xroad
from config.settings import Endpoint
from sandbox.run import Running
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Handler
from tests.test_xroad.double.consumer import ConsumerServer

OFFICER = "nguyen.van.a"
DOSSIER = "000.00.04.G18-261130-0001"


def endpoint(running: Running, name: str, **more: Any) -> Endpoint:
    """What the configuration says of an endpoint that is reached directly, and `more`."""
    owner = next(one for one in DATABASES for each in one.operations if endpoint_of(one, each) == name)
    account, ours = running.accounts[name], running.pki.gateway_signing()
    said: dict[str, Any] = {
        "url": running.urls[name],
        "username": account.username,
        "secret": SecretStr(account.secret),
        "params": dict(running.params[owner.name]),
    }
    if owner.operations[0].signed:
        said |= {
            "trust": (running.pki.registries_ca,),
            "signer": running.pki.registry(name).certificate,
            "key": ours.key,
            "certificate": ours.certificate,
        }
    return Endpoint(**said | more)


@dataclass
class Asking:
    """Asks the operations of one endpoint without the outer stages; `exchange` is the last one that was asked."""

    handler: Handler
    databases: Sequence[Database]
    exchange: Exchange | None = None

    async def __call__(
        self,
        database: str,
        operation: str,
        body: Mapping[str, Any],
        officer: str | None = OFFICER,
        dossier: str | None = DOSSIER,
    ) -> Answer:
        owner = next(one for one in self.databases if one.name == database)
        declared = owner.operation(operation)
        assert declared is not None
        self.exchange = Exchange(
            id=str(uuid.uuid4()),
            database=owner,
            operation=declared,
            question=declared.question.model_validate(dict(body)),
            caller=Caller("tests", "H26", Credential("secret", "tests"), {}),
            purpose="dossier-processing",
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + 20,
            officer=officer,
            dossier=dossier,
        )
        return await self.handler(self.exchange)


@asynccontextmanager
async def reached(name: str, how: Endpoint, known: Sequence[Database] = DATABASES) -> AsyncIterator[Asking]:
    """The operations behind one endpoint."""
    databases = [
        replace(one, operations=found)
        for one in known
        if (found := tuple(each for each in one.operations if endpoint_of(one, each) == name))
    ]
    codecs = compile_codecs(databases, {name: how})
    scheme, address = login_for(name, how, scheme_of(databases, name))
    link = Link(name, how, scheme, login_url=address)
    try:
        yield Asking(dispatch(codecs, {name: link}), databases)
    finally:
        await link.close()


XROAD = {"client": "VN/GOV/H26/lgsp", "provider": "VN/GOV/G01/dancu"}


def soap_way(running: Running, server: ConsumerServer, **more: Any) -> Endpoint:
    known = endpoint(running, "population")
    params = {name: value for name, value in known.params.items() if name not in LOGIN_PARAMS}
    road = Xroad.model_validate(XROAD | more)
    return endpoint(
        running, "population", via="xroad", url=server.url, xroad=road, username="", secret=SecretStr(""), params=params
    )


def rest_way(running: Running, server: ConsumerServer, name: str, **more: Any) -> Endpoint:
    road = {"client": "VN/GOV/H26/lgsp", "provider": "VN/GOV/G12/dkdn", "service": name}
    return endpoint(running, name, via="xroad", url=server.url, xroad=Xroad.model_validate(road | more))
