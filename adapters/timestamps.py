"""A time-stamp authority as a witness (tổ chức cấp dấu thời gian): RFC 3161 over HTTP.

It keeps nothing of ours. What it signed is kept here: whoever can write here can take it away, but not make another.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from cryptography.x509 import Certificate
from yarl import URL

from adapters.transport import Message, Transport, refusal
from adapters.witnesses import Kept, Offer, Unwitnessed
from config.settings import ConfigurationError, Endpoint, Timeout
from config.witness import Witness
from schemas.errors import GatewayError
from security.audit.timestamps import StampRejected, question, stamped_at
from security.trust import load_certificates

_HEADERS: Final = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
_LARGEST: Final = 256 * 1024


class TimeStamping:
    """Asks one authority; its answer counts where its certificate leads to one of the anchors of its section."""

    def __init__(self, name: str, settings: Witness) -> None:
        self._roots = anchors(name, settings)
        address = URL(settings.url)
        limit = settings.timeout
        # As a whole, since an endpoint's path would lose its last slash.
        self._path = address.raw_path_qs
        try:
            endpoint = Endpoint(
                url=str(address.origin()),
                tls_ca=settings.tls_ca,
                timeout=Timeout(connect=limit, read=limit, total=limit),
                concurrency=1,
                max_answer=_LARGEST,
            )
            self._transport = Transport(name, endpoint)
        except (ValueError, ConfigurationError) as failure:
            text = str(failure).removeprefix(f"[endpoints.{name}]: ")
            raise ConfigurationError(f"[witness.{name}]: {text}") from None
        self._limit = limit

    async def submit(self, offer: Offer) -> Kept:
        """Have the text of a checkpoint stamped; raises Unwitnessed."""
        text = offer.checkpoint.text
        asked, nonce = question(text)
        deadline = asyncio.get_running_loop().time() + self._limit
        try:
            reply = await self._transport.send(Message("POST", self._path, _HEADERS, asked), deadline=deadline)
        except GatewayError as failure:
            raise Unwitnessed("unreachable", str(failure)) from failure
        if (refused := refusal("the authority", reply)) is not None:
            raise Unwitnessed("refused", str(refused))
        try:
            # In a thread: paths of certificates are validated.
            at = await asyncio.to_thread(stamped_at, reply.body, text, self._roots, nonce)
        except StampRejected as failure:
            raise Unwitnessed("bad-time-stamp", f"its answer is no time-stamp that holds: {failure}") from failure
        return Kept(offer.note, reply.body, at.timestamp() - time.time())

    async def held(self, origin: str) -> list[str]:
        """It holds nothing."""
        return []

    async def latest(self, origin: str) -> str | None:
        """It holds nothing."""
        return None

    async def close(self) -> None:
        """Close its connections."""
        await self._transport.close()


def anchors(name: str, settings: Witness) -> list[Certificate]:
    """Read the certificates that an authority's has to lead to; raises ConfigurationError."""
    read: list[Certificate] = []
    for path in settings.anchors:
        read += _certificates(name, path)
    return read


def _certificates(name: str, path: Path) -> list[Certificate]:
    try:
        return list(load_certificates(path))
    except (OSError, ValueError) as failure:
        raise ConfigurationError(f"[witness.{name}]: anchors: {path}: {failure}") from None
