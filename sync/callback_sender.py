"""The loop that calls receivers back: at least once each, in no promised order, none waits for another's receiver.

A row that was written is sent by whoever lives: a crash before the sending leaves it waiting, one after it has it sent
again under the same webhook-id. Receivers are called by one process at a time, each by a task of its own.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final, get_args

import structlog

from adapters.transport import Transport
from config.inbox import CallbackEvent, Webhook
from config.metrics import labelled, metrics
from schemas.errors import GatewayError
from security.audit.canonical import canonical
from storage.engine import Storage
from storage.errors import StorageError
from sync.callback_message import accepted, asked_pause, endpoint_of, gone, message_of
from sync.callbacks import Callback, Sent, claim, configure, end, expire, forget, next_due, receivers, release
from sync.verdicts import pause

log = structlog.get_logger()

EVENTS: Final[tuple[str, ...]] = get_args(CallbackEvent)
_MARGIN_S: Final = 30.0
"""Seconds that a lease lasts beyond what sending may take."""
_AFTER_FAILURE_S: Final = 1.0
_TIDY_S: Final = 60.0
_DAY_MS: Final = 86_400_000
_LONGEST_ASKED_S: Final = 86_400.0
_GRACE_MS: Final = 300_000
"""How long after its last day a call-back may still be under way."""
_KEPT_DAYS: Final = 14
"""How long it is known what became of a call-back."""


class CallbackSender:
    """Calls back the configured receivers as `owner` until it is told to stop; `poll` is in seconds.

    Raises ConfigurationError for TLS files that cannot be used.
    """

    def __init__(self, storage: Storage, webhooks: Mapping[str, Webhook], owner: str, poll: float) -> None:
        self._storage = storage
        self._webhooks = webhooks
        self._owner = owner
        self._poll = poll
        # What cannot be reached at all is to be known before anything is promised.
        self._transports = {
            client: Transport(f"webhooks.{client}", endpoint_of(hook)) for client, hook in webhooks.items()
        }
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin nothing more; `run` returns when what is under way is over."""
        self._stopping.set()

    async def run(self) -> None:
        """Call back until told to stop; a storage that is down is waited for."""
        while not self._stopping.is_set():
            try:
                await self._storage.write(lambda connection: configure(connection, self._webhooks, EVENTS))
                break
            except StorageError as failure:
                log.warning("callbacks-wait", hint=str(failure))
                await self._sleep(_AFTER_FAILURE_S)
        tasks = [asyncio.create_task(self._serve(client, hook)) for client, hook in self._webhooks.items()]
        tasks.append(asyncio.create_task(self._tidy()))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            with suppress(StorageError):
                await self._storage.write(partial(release, owner=self._owner))

    async def _serve(self, client_id: str, webhook: Webhook) -> None:
        transport = self._transports[client_id]
        try:
            while not self._stopping.is_set():
                wait = self._poll
                try:
                    wait = await self._turn(client_id, webhook, transport)
                except StorageError as failure:
                    log.warning("callbacks-wait", hint=str(failure))
                    wait = _AFTER_FAILURE_S
                except Exception as failure:
                    log.error("callbacks-failed", receiver=client_id, exc_info=failure)
                    wait = _AFTER_FAILURE_S
                await self._sleep(wait)
        finally:
            await transport.close()

    async def _turn(self, client_id: str, webhook: Webhook, transport: Transport) -> float:
        """Send what is due; return the seconds until there may be more."""
        now = _now()
        due = await self._storage.read(lambda connection: next_due(connection, client_id))
        if due is None or due > now:
            return self._poll if due is None else min(self._poll, (due - now) / 1000)
        until = now + round((webhook.timeout + _MARGIN_S) * 1000)
        found, failures = await self._storage.write(
            lambda connection: claim(connection, client_id, self._owner, now, until, webhook.parallel)
        )
        if not found:
            return self._poll
        ended = await asyncio.gather(*(self._send(each, webhook, transport) for each in found))
        sent, over = [each for each, _ in ended], _now()
        rest = pause(failures + 1, webhook.pause, webhook.longest_pause, max(asked for _, asked in ended))
        await self._storage.write(
            lambda connection: end(connection, client_id, self._owner, sent, over, over + round(rest * 1000))
        )
        for each in sent:
            ending = "delivered" if each.ok else "gone" if each.gone else "expired" if each.expired else "again"
            labelled(metrics().callbacks, client_id, ending).inc()
            if each.gone or each.expired:
                log.warning("callback-not-taken", receiver=client_id, event_id=each.callback.id, ending=ending)
        return 0.0

    async def _send(self, callback: Callback, webhook: Webhook, transport: Transport) -> tuple[Sent, float]:
        """Send one; return how it ended, and for how many seconds the receiver wants to be left alone."""
        message, over, asked = message_of(callback, webhook, int(time.time())), False, 0.0
        try:
            reply = await transport.send(message, deadline=asyncio.get_running_loop().time() + webhook.timeout)
        except GatewayError as error:
            outcome = error.code
        else:
            outcome = str(reply.status)
            if accepted(reply):
                return Sent(callback, outcome, ok=True), 0.0
            over, asked = gone(reply), min(asked_pause(reply), _LONGEST_ASKED_S)
        now, last = _now(), callback.created_at + _days(webhook)
        wait = pause(callback.attempts + 1, webhook.pause, webhook.longest_pause, asked)
        due = min(now + round(wait * 1000), last)
        return Sent(callback, outcome, ok=False, gone=over, due_at=due, expired=not over and now >= last), asked

    async def _tidy(self) -> None:
        """Show how much waits, and forget what is long over."""
        while not self._stopping.is_set():
            now = _now()
            with suppress(StorageError):
                for one in await self._storage.read(lambda connection: receivers(connection, now)):  # noqa: B023
                    metrics().callbacks_waiting.labels(one.client_id).set(one.waiting)
                for client_id, webhook in self._webhooks.items():
                    late = now - _days(webhook) - _GRACE_MS
                    many = await self._storage.write(partial(expire, client_id=client_id, before=late))
                    metrics().callbacks.labels(client_id, "expired").inc(many)
                before = now - _KEPT_DAYS * _DAY_MS
                await self._storage.write(lambda connection: forget(connection, before))  # noqa: B023
            await self._sleep(_TIDY_S)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._stopping.wait()


async def tested(client_id: str, webhook: Webhook) -> str:
    """Send a test that stands in no table; return the HTTP status or a word for what went wrong.

    Raises ConfigurationError for TLS files that cannot be used.
    """
    transport = Transport(f"webhooks.{client_id}", endpoint_of(webhook))
    data = canonical({"client": client_id}).decode()
    callback = Callback(f"msg_{uuid.uuid4().hex}", client_id, "callback.test", data, _now(), 0)
    try:
        deadline = asyncio.get_running_loop().time() + webhook.timeout
        reply = await transport.send(message_of(callback, webhook, int(time.time())), deadline=deadline)
    except GatewayError as error:
        return error.code
    finally:
        await transport.close()
    return str(reply.status)


def _days(webhook: Webhook) -> int:
    return round(webhook.days * _DAY_MS)


def _now() -> int:
    return time.time_ns() // 1_000_000
