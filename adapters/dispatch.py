"""The innermost handler: encode, send, verify, decode. The only code of the gateway that talks to the outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from adapters.bindings import Codec
from adapters.carriage import compiled
from adapters.encoding import is_writable
from adapters.login import Link
from adapters.offloading import LARGE, in_thread
from adapters.proof import StandingUnsettled
from adapters.site import Site
from adapters.trust_domains import NO_DOMAINS, TrustDomains
from config.settings import ConfigurationError, Endpoint
from schemas.errors import Text, UpstreamUnreadable
from schemas.exchange import Answer, Database, Exchange, Handler, Operation
from security.signature import RecentSignatures, Replays
from security.trust_status import Unsettled

_NOT_IN_XML = Text(
    "Trả lời của nguồn có ký tự mà XML không biểu diễn được; hãy hỏi qua REST.",
    "The source's answer holds a character that no XML can carry; ask over REST.",
)

Codecs = Mapping[tuple[str, str], Codec]
Settle = Callable[[Unsettled, float], Awaitable[None]]
"""Finds out whether certificates were revoked, until a deadline on the event loop's clock (seconds)."""


def endpoint_of(database: Database, operation: Operation) -> str:
    """Return the name of the endpoint that serves an operation."""
    return operation.endpoint or database.name


def served(
    databases: Iterable[Database], endpoints: Mapping[str, Endpoint], besides: Iterable[Database] = ()
) -> tuple[Database, ...]:
    """Return the databases with those operations whose endpoint is configured: an office may reach only some sources.

    `besides` are databases whose endpoints are known, too. Raises ConfigurationError for an endpoint that no operation
    uses, which is most likely a misspelt name.
    """
    declared = tuple(databases)
    known = {
        endpoint_of(database, operation) for database in (*declared, *besides) for operation in database.operations
    }
    unknown = sorted(endpoints.keys() - known)
    if unknown:
        raise ConfigurationError(
            f"[endpoints.{unknown[0]}]: no operation uses it; known are {', '.join(sorted(known))}"
        )
    reachable = (
        replace(
            database,
            operations=tuple(each for each in database.operations if endpoint_of(database, each) in endpoints),
        )
        for database in declared
    )
    return tuple(database for database in reachable if database.operations)


def compile_codecs(
    databases: Iterable[Database],
    endpoints: Mapping[str, Endpoint],
    replays: Replays | None = None,
    domains: TrustDomains = NO_DOMAINS,
) -> Codecs:
    """Compile every operation of these databases; raises ConfigurationError naming what is missing.

    Signed answers are remembered in `replays`, for None in a memory of this process.
    """
    memory = RecentSignatures() if replays is None else replays
    codecs: dict[tuple[str, str], Codec] = {}
    for database in databases:
        for operation in database.operations:
            name = endpoint_of(database, operation)
            endpoint = endpoints.get(name)
            if endpoint is None:
                raise ConfigurationError(f"[endpoints.{name}] is missing: {database.name}/{operation.name} needs it")
            codecs[database.name, operation.name] = compiled(database, operation, Site(name, endpoint, memory, domains))
    return codecs


async def _nobody_is_asked(_unknown: Unsettled, _deadline: float) -> None:
    """Leave it at what is known."""


def dispatch(codecs: Codecs, links: Mapping[str, Link], settle: Settle = _nobody_is_asked) -> Handler:
    """Make the handler that puts an exchange on the wire of its endpoint.

    `settle` finds out whether certificates were revoked; a signed answer that waits for that is then read once more.
    """

    async def handle(exchange: Exchange) -> Answer:
        operation = exchange.operation
        codec = codecs[exchange.database.name, operation.name]
        name = operation.endpoint or exchange.database.name
        trail = exchange.trail
        trail.endpoint = name
        if codec.thread is None:
            message, expected = codec.write(exchange)
        else:
            message, expected = await asyncio.get_running_loop().run_in_executor(codec.thread, codec.write, exchange)
        reply = await links[name].send(message, deadline=exchange.deadline, on_wire=trail.messages)
        large = len(reply.body) >= LARGE
        try:
            answer = await in_thread(codec.read, reply, expected) if large else codec.read(reply, expected)
        except StandingUnsettled as first:
            await settle(first.unknown, exchange.deadline)
            # Meanwhile there may have been a reload.
            codec = codecs[exchange.database.name, operation.name]
            answer = await in_thread(codec.read, reply, expected) if large else codec.read(reply, expected)
        trail.provenance = answer.provenance
        if operation.examine is not None:
            answer.warnings = (*answer.warnings, *operation.examine(exchange.question, answer.data))
        # Sources that speak JSON may say what no XML can: the caller has to hear of it before it is told as disclosed.
        if (
            exchange.as_xml
            and not codec.as_xml
            and not is_writable([answer.data, *(w.detail for w in answer.warnings)])
        ):
            raise UpstreamUnreadable(_NOT_IN_XML)
        return answer

    return handle
