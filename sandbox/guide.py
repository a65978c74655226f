"""A caller of the demo that knows only `demo.json`: it asks, compares, prints what it saw and counts what was wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from adapters.transport import Message, Reply, Transport
from config.settings import Endpoint
from schemas.errors import GatewayError
from security.http_signing import key_id, sign_request
from security.signature_base import HttpRequest, fields_of
from security.signature_key import SigningKey

_PATIENCE: Final = 30.0


class Disappointed(Exception):
    """A stop of the tour saw something else than it should; the text says what."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: status, headers and the JSON value in its body (None for other contents)."""

    status: int
    headers: Mapping[str, str]
    value: Any

    @property
    def code(self) -> str:
        """The code of the problem; `ok` for an answer."""
        return str(self.value.get("code", "ok")) if isinstance(self.value, dict) else "ok"

    @property
    def seen(self) -> str:
        """Status and code, as a line of the tour shows them."""
        reason = self.value.get("reason") if isinstance(self.value, dict) else None
        return f"{self.status} {self.code}" + (f" ({reason})" if reason else "")


@dataclass(slots=True)
class Guide:
    """Asks the gateway as its callers do, and keeps count of what was seen; `_stack` closes its connections."""

    described: Mapping[str, Any]
    _stack: AsyncExitStack
    failures: int = 0
    stops: int = 0
    _ways: dict[tuple[str, object], Transport] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    async def stop(self, name: str, look: Callable[[], Awaitable[str]]) -> None:
        """Make one stop and print what it saw."""
        self.stops += 1
        try:
            mark, saw = "ok  ", await look()
        except (Disappointed, GatewayError, KeyError, TypeError, ValueError) as failure:
            self.failures += 1
            mark, saw = "FAIL", f"{type(failure).__name__}: {failure}"
        print(f"{mark} {name:<36} {saw}", flush=True)  # noqa: T201 - the command's output

    def verdict(self) -> int:
        """Print how many stops were as they should be; return 0 if all were, else 1."""
        good = self.stops - self.failures
        print(f"{good} of {self.stops} stops as they should be", flush=True)  # noqa: T201 - the command's output
        return 1 if self.failures else 0

    def way(self, url: str, **paper: Any) -> Transport:
        """Return the connections to `url` with these settings of TLS (`paper`)."""
        key = url, paper.get("tls_certificate")
        if key not in self._ways:
            self._ways[key] = Transport("demo", Endpoint(url=url, **paper))
            self._stack.push_async_callback(self._ways[key].close)
        return self._ways[key]

    async def reply(self, message: Message, way: Transport | None = None) -> Reply:
        """Send a message, to the gateway where no other way is given; return what came back."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        return await (way or self.way(self.described["gateway"])).send(message, deadline=deadline)

    async def send(self, message: Message, way: Transport | None = None) -> Told:
        """Send a message as `reply` does; return what it says."""
        reply = await self.reply(message, way)
        kind = reply.headers.get("Content-Type", "")
        return Told(reply.status, reply.headers, json.loads(reply.body) if "json" in kind else reply.body.decode())

    async def token(self, client: str) -> str:
        """Return a token of a client of the demo; raises Disappointed when it gets none."""
        if client not in self._tokens:
            papers = self.described["clients"][client]
            form = {"grant_type": "client_credentials"}
            form |= {"client_id": papers["client_id"], "client_secret": papers["client_secret"]}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            told = await self.send(Message("POST", "/oauth2/token", headers, urlencode(form).encode()))
            if told.status != 200:
                raise Disappointed(f"no token for {client}: {told.status}")
            self._tokens[client] = str(told.value["access_token"])
        return self._tokens[client]

    @property
    def questions(self) -> list[str]:
        """The operations that are asked, as `database/operation`; what is pushed has no answer to compare with."""
        return [name for name, sample in self.described["samples"].items() if "data" in sample]

    async def ask(
        self,
        name: str,
        body: Any = None,
        *,
        client: str | None = "ministry",
        headers: Mapping[str, str | None] | None = None,
        way: Transport | None = None,
    ) -> Told:
        """Put a question, the sample's where there is no other; a header that is None is left out."""
        return await self.send(await self._question(name, body, client, headers), way)

    async def _question(
        self, name: str, body: Any, client: str | None, headers: Mapping[str, str | None] | None
    ) -> Message:
        sample = self.described["samples"][name]
        wanted: dict[str, str | None] = {"Content-Type": "application/json", **sample["headers"]}
        if client is not None:
            wanted["Authorization"] = f"Bearer {await self.token(client)}"
        wanted |= headers or {}
        sent = {key: value for key, value in wanted.items() if value is not None}
        content = json.dumps(sample["body"] if body is None else body).encode()
        return Message("POST", f"/v1/{name}", sent, content)

    async def signed(self, name: str, client: str) -> Message:
        """Return the sample's question of a client with the client's own signature on it (RFC 9421)."""
        papers = self.described["clients"][client]
        question = await self._question(name, None, client, None)
        url = urlsplit(self.described["gateway"])
        request = HttpRequest(
            question.method, url.scheme, url.netloc, question.path, fields_of(question.headers.items()), question.body
        )
        key = SigningKey.load(Path(papers["key"]), Path(papers["certificate"]))
        headers = sign_request(request, key.private, key_id(key.certificate))
        return replace(question, headers={**question.headers, **headers})

    async def get(self, path: str, client: str | None = None) -> Told:
        """Read a resource, as a client or as nobody."""
        headers = {"Authorization": f"Bearer {await self.token(client)}"} if client else {}
        return await self.send(Message("GET", path, headers))

    async def fault(self, name: str, kind: str | None) -> None:
        """Make a registry, `portal` or `pki` misbehave, or None: behave."""
        alone = name in ("pki", "portal")
        way = self.way(self.described[name] if alone else self.described["registries"][name]["url"])
        headers = {"Content-Type": "application/json"}
        told = await self.send(Message("PUT", "/_faults", headers, json.dumps({"fault": kind}).encode()), way)
        expect(told.status, 200)


def expect(seen: object, wanted: object) -> None:
    """Raise Disappointed unless both are equal."""
    if seen != wanted:
        raise Disappointed(f"{seen} instead of {wanted}")
