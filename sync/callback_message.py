"""A call-back as it goes over the wire, by Standard Webhooks 1.0.0 (standardwebhooks.com), and what its answer means.

Signed with HMAC-SHA256 over `id.timestamp.body` (`v1`), once with each secret while they are rotated. The asymmetric
scheme (`v1a`) is not offered.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from yarl import URL

from adapters.transport import Message, Reply, retry_after
from config.inbox import Webhook, signing_key
from config.settings import Endpoint, Timeout
from security.audit.entries import instant
from sync.callbacks import Callback

_ANSWER: Final = 16_384
"""Bytes of an answer that are looked at: nobody reads them, but a connection lasts only if they are taken."""
_NO_MORE: Final = 410


def endpoint_of(webhook: Webhook) -> Endpoint:
    """Where a receiver is, as the transport wants it; redirects are answers like any other, nobody follows them."""
    address = URL(webhook.url)
    return Endpoint(
        url=str(address.origin()),
        tls_ca=webhook.tls_ca,
        timeout=Timeout(connect=min(webhook.timeout, 5.0), read=webhook.timeout, total=webhook.timeout),
        concurrency=webhook.parallel,
        max_answer=_ANSWER,
    )


def body_of(callback: Callback) -> bytes:
    """The body, the same octets however often it is sent; `timestamp` is when it happened."""
    at = instant(datetime.fromtimestamp(callback.created_at / 1000, UTC))
    return f'{{"type":{json.dumps(callback.type)},"timestamp":"{at}","data":{callback.data}}}'.encode()


def signature(keys: Sequence[bytes], identifier: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature for each key, a space between them."""
    content = b"%b.%d.%b" % (identifier.encode(), timestamp, body)
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, content, sha256)).decode()}" for key in keys)


def message_of(callback: Callback, webhook: Webhook, timestamp: int) -> Message:
    """The request for one attempt at `timestamp` (POSIX seconds)."""
    body = body_of(callback)
    keys = [signing_key(secret.get_secret_value()) for secret in webhook.secrets]
    headers = {
        "Content-Type": "application/json",
        "webhook-id": callback.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(keys, callback.id, timestamp, body),
    }
    address = URL(webhook.url)
    return Message("POST", urlsplit(webhook.url).path or "/", headers, body, dict(address.query))


def accepted(reply: Reply) -> bool:
    """Tell whether an answer says that the call-back was taken: any 2xx."""
    return 200 <= reply.status < 300


def gone(reply: Reply) -> bool:
    """Tell whether an answer says that nothing is wanted any more."""
    return reply.status == _NO_MORE


def asked_pause(reply: Reply) -> float:
    """How long the receiver wants to be left alone, in seconds; 0 where it says nothing."""
    return retry_after(reply) or 0.0
