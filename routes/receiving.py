"""What goes on beside delivery: dossiers fetched from the portal, call-backs to agencies (nhận hồ sơ, gọi lại)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from config.settings import ConfigurationError
from routes.assembly import Gateway
from security.audit.assembly import open_sealer
from sync.callback_sender import CallbackSender
from sync.delivery import own_caller
from sync.inbox_reader import InboxReader
from sync.liveness import owner
from sync.sealing import DossierSealer

log = structlog.get_logger()

_POLL_S: Final = 0.5
"""Between two looks at whether a receiver is to be told something."""


@asynccontextmanager
async def receiving(gateway: Gateway) -> AsyncIterator[None]:
    """Fetch and call back while the block runs, as far as it is configured; raises ConfigurationError."""
    works = [work for work in (_reader(gateway), _sender(gateway)) if work is not None]
    running = [asyncio.create_task(work.run()) for work in works]
    try:
        yield
    finally:
        for work in works:
            work.stop()
        if running:
            await asyncio.wait(running, timeout=gateway.settings.server.grace)
        for task in running:
            task.cancel()
        for failure in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(failure, Exception):
                log.error("receiving-failed", exc_info=failure)


def _reader(gateway: Gateway) -> InboxReader | None:
    settings = gateway.settings
    if not settings.inbox.enabled:
        return None
    name = settings.inbox.portal
    portal = next((each for each in gateway.destinations if each.name == name), None)
    if portal is None:
        raise ConfigurationError(f"[inbox] portal: there is no destination [endpoints.{name}]")
    caller = own_caller(portal, settings.endpoints[name], settings.sync)

    def sealer() -> DossierSealer:
        return DossierSealer(open_sealer(gateway.keys, settings.keys.vault))

    return InboxReader(gateway.handler, portal, caller, gateway.storage, gateway.log, sealer, owner(), settings.inbox)


def _sender(gateway: Gateway) -> CallbackSender | None:
    settings = gateway.settings
    # With nobody configured, those who once were are taken off the list all the same.
    return CallbackSender(gateway.storage, settings.webhooks, owner(), _POLL_S)
