"""Which exchange an id of X-Road belongs to: what an operator looks for in our log and in the security servers' logs.

The id of an attempt is in no audit entry, whose bytes are the messages'; it goes to the log, where nothing is said of
the person asked about or of the officer who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

import structlog

from adapters.bindings import Codec, Expected
from adapters.transport import Message, Reply
from schemas.exchange import Answer, Exchange

log = structlog.get_logger()

_NOBODY: Final[Mapping[str, str]] = {}
_ASKED: ContextVar[Mapping[str, str]] = ContextVar("asked", default=_NOBODY)


def asked() -> Mapping[str, str]:
    """Return how the log names the question whose answer is being read; nothing outside `traced`."""
    return _ASKED.get()


def traced(name: str, codec: Codec) -> Codec:
    """Return `codec` with each attempt logged as `xroad-asked`, and with `asked` while its answer is read."""

    def write(exchange: Exchange) -> tuple[Message, Expected]:
        message, expected = codec.write(exchange)
        known = {"exchange": exchange.id, "request_id": exchange.request_id or "", "message": expected.message_id}
        log.info("xroad-asked", endpoint=name, **known)
        return message, expected._replace(asked=(known, expected.asked))

    def read(reply: Reply, expected: Expected) -> Answer:
        known, inner = expected.asked
        token = _ASKED.set(known)
        try:
            return codec.read(reply, expected._replace(asked=inner))
        finally:
            _ASKED.reset(token)

    return codec._replace(write=write, read=read)
