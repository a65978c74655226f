"""A plain client for the registries behind the platform, and the gateway's own way there."""

import asyncio
import hashlib
import json
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession
from pydantic import SecretStr

from adapters import civil_status, enterprise, social_insurance
from config.settings import Endpoint
from sandbox import civil_status as civil_registry
from sandbox import enterprise as enterprise_registry
from sandbox import social_insurance as insurance_registry
from sandbox.run import Running
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Handler

REGISTRIES = (enterprise_registry.REGISTRY, insurance_registry.REGISTRY, civil_registry.REGISTRY)
DATABASES: Mapping[str, Database] = {
    module.DATABASE.name: module.DATABASE for module in (enterprise, social_insurance, civil_status)
}
OWNERS = {operation.endpoint or name: name for name, database in DATABASES.items() for operation in database.operations}


@dataclass
class Client:
    """Talks to a registry as a programmer with the guide in hand would: no code of the gateway."""

    session: ClientSession
    running: Running

    async def token(self, endpoint: str) -> str:
        account = self.running.accounts[endpoint]
        async with self.session.post(
            f"{self.running.urls[endpoint]}/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": _basic(account.username, account.secret)},
        ) as reply:
            assert reply.status == 200
            found = await reply.json()
            assert found["token_type"] == "Bearer"
            assert found["expires_in"] == 3600
            return str(found["access_token"])

    async def bearer(self, endpoint: str) -> dict[str, str]:
        if endpoint == "health-card":
            account = self.running.accounts[endpoint]
            body = {"username": account.username, "password": hashlib.md5(account.secret.encode()).hexdigest()}
            async with self.session.post(f"{self.running.urls[endpoint]}/api/token/take", json=body) as reply:
                key = (await reply.json())["APIKey"]
            return {"Authorization": f"Bearer {key['access_token']}", "Id-Token": key["id_token"]}
        return {"Authorization": f"Bearer {await self.token(endpoint)}"}

    async def get(self, endpoint: str, path: str, headers: Mapping[str, str], **query: str) -> tuple[int, Any]:
        url = self.running.urls[endpoint] + path
        async with self.session.get(url, params=query, headers=headers) as reply:
            # Numbers stay text, so that digits can be compared.
            return reply.status, json.loads(await reply.text(), parse_int=str, parse_float=str)

    async def post(self, endpoint: str, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, Any]:
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(self.running.urls[endpoint] + path, headers=headers, **sent) as reply:
            return reply.status, json.loads(await reply.text(), parse_int=str, parse_float=str)


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Gateway:
    """Asks through the declarations, codecs and links of the gateway, without its outer stages."""

    handler: Handler

    async def ask(self, database: str, operation: str, body: Mapping[str, Any], *, seconds: float = 10.0) -> Answer:
        declared = DATABASES[database].operation(operation)
        assert declared is not None
        return await self.handler(
            Exchange(
                id=str(uuid.uuid4()),
                database=DATABASES[database],
                operation=declared,
                question=declared.question.model_validate(dict(body)),
                caller=Caller("tests", "H26", Credential("secret", "tests"), {}),
                purpose="dossier-processing",
                asked_at=datetime.now(UTC),
                deadline=asyncio.get_running_loop().time() + seconds,
            )
        )


def endpoints_of(running: Running) -> dict[str, Endpoint]:
    return {
        name: Endpoint(
            url=url,
            username=running.accounts[name].username,
            secret=SecretStr(running.accounts[name].secret),
            params=dict(running.params[OWNERS[name]]),
        )
        for name, url in running.urls.items()
    }
