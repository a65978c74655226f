"""`Link`: everything between a message and its reply, the log-in at the source (đăng nhập) included."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Literal, cast

import structlog

from adapters.offloading import LARGE, in_thread
from adapters.schemes import NoLogin, Scheme, Steps, Token
from adapters.transport import Message, Reply, Transport, Unsent, refusal
from adapters.xroad_rest import raise_error
from config.settings import Endpoint
from schemas.errors import GatewayError, Text, UpstreamRefused

log = structlog.get_logger()

# Seconds before its end, or a tenth of its life if that is less, at which a token is renewed.
MARGIN = 30.0
OnWire = list[tuple[Literal["sent", "received"], bytes]]


class Login:
    """The token of one endpoint: kept until shortly before its end, fetched once for all who wait for it.

    `clock` is monotonic seconds.
    """

    def __init__(
        self,
        scheme: Scheme,
        endpoint: Endpoint,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scheme = scheme
        self._endpoint = endpoint
        self._transport = transport
        self._clock = clock
        self._token: Token | None = None
        self._renew_at = 0.0
        self._running: asyncio.Task[Token] | None = None

    async def token(self, *, deadline: float, instead_of: Token | None = None) -> Token | None:
        """Return a token that is good for now, other than `instead_of`; None if the scheme has none.

        Raises UpstreamRefused for credentials that the source does not take, UpstreamUnreadable, and whatever the
        transport raises. All who wait share one log-in and its failure; nobody waits past `deadline`.
        """
        if self._token is not None and self._token is not instead_of and self._clock() < self._renew_at:
            return self._token
        if self._running is None:
            steps = self._scheme.log_in(self._endpoint)
            if steps is None:
                return None
            self._running = asyncio.get_running_loop().create_task(self._log_in(steps))
            self._running.add_done_callback(self._ended)
        try:
            async with asyncio.timeout_at(deadline):
                # A caller that goes away must not take the log-in of the others with it.
                return await asyncio.shield(self._running)
        except GatewayError as error:
            # To each its own: the trail puts the receipt of one exchange on it.
            failure = type(error)(error.detail, reason=error.reason, flaws=error.flaws, retry_after=error.retry_after)
            # A token is fetched before the question is sent, or after a reply that says that nothing was done.
            failure.unsent = True
            raise failure from error
        except TimeoutError:
            raise Unsent(
                Text(
                    f"Đăng nhập vào nguồn {self._transport.name} quá hạn.",
                    f"Logging in to {self._transport.name} took too long.",
                )
            ) from None

    async def close(self) -> None:
        """Give up a log-in that is under way."""
        running = self._running
        if running is not None:
            running.cancel()
            await asyncio.wait([running])

    async def _log_in(self, steps: Steps) -> Token:
        now = asyncio.get_running_loop().time
        # Twice: once to wait for a connection, once for the attempt, whose own limit must be the one that strikes.
        patience = 2 * self._endpoint.timeout.total
        message = next(steps)
        while True:
            began = self._clock()
            reply = await self._transport.send(message, deadline=now() + patience)
            if self._endpoint.xroad is not None:
                raise_error(self._transport.name, reply)
            error = refusal(self._transport.name, reply)
            if error is not None:
                raise self._refused(error, reply.status) if isinstance(error, UpstreamRefused) else error
            try:
                message = steps.send(reply)
            except StopIteration as end:
                self._token = token = cast("Token", end.value)
                self._renew_at = began + token.expires_in - min(MARGIN, token.expires_in / 10)
                return token

    def _refused(self, error: UpstreamRefused, status: int) -> UpstreamRefused:
        """Return what a refused log-in means: at a platform the source behind it has not been asked anything."""
        if self._endpoint.lgsp is None:
            return error
        name = self._transport.name
        log.warning("platform-login-refused", endpoint=name, status=status)
        vi = f"Địa chỉ cấp mã truy cập của nền tảng trước nguồn {name} từ chối thông tin đăng nhập của trục"
        en = f"The token address of the platform before {name} refused the gateway's credentials"
        return UpstreamRefused(Text(f"{vi} (HTTP {status}).", f"{en} (HTTP {status})."))

    def _ended(self, task: asyncio.Task[Token]) -> None:
        self._running = None
        # Whoever waited has seen it; if nobody was left, nobody needs to.
        if not task.cancelled():
            task.exception()


class Link:
    """The way to one endpoint: its connections and its log-in, which may be at another address than the endpoint's."""

    def __init__(
        self, name: str, endpoint: Endpoint, login: Scheme | None = None, *, login_url: str | None = None
    ) -> None:
        self.name = name
        self._endpoint = endpoint
        self._scheme = login or NoLogin()
        self._transport = Transport(name, endpoint)
        self._at_login = self._transport
        if login_url is not None and login_url != endpoint.url:
            self._at_login = Transport(name, endpoint.model_copy(update={"url": login_url}))
        self._login = Login(self._scheme, endpoint, self._at_login)
        self._open = isinstance(self._scheme, NoLogin)

    def send(self, message: Message, *, deadline: float, on_wire: OnWire | None = None) -> Coroutine[Any, Any, Reply]:
        """Send `message` with our proof on it and return the reply, whatever its status.

        A reply that says the token has ended is followed by one forced renewal and one more attempt. `on_wire` gets the
        question and the answer as bytes, each time, and nothing of the log-in. Raises what Transport and Login raise.
        """
        if self._open:
            return self._once(message, message, deadline, on_wire)
        return self._logged_in(message, deadline, on_wire)

    def reload(self) -> None:
        """Take renewed TLS certificates for new connections; raises ConfigurationError."""
        for transport in {self._transport, self._at_login}:
            transport.reload()

    async def close(self) -> None:
        """Close the connections."""
        await self._login.close()
        for transport in {self._transport, self._at_login}:
            await transport.close()

    async def _logged_in(self, message: Message, deadline: float, on_wire: OnWire | None) -> Reply:
        token = await self._login.token(deadline=deadline)
        reply = await self._once(message, self._scheme.sign(message, self._endpoint, token), deadline, on_wire)
        if token is not None and (
            self._scheme.dead(reply) if len(reply.body) < LARGE else await in_thread(self._scheme.dead, reply)
        ):
            token = await self._login.token(deadline=deadline, instead_of=token)
            reply = await self._once(message, self._scheme.sign(message, self._endpoint, token), deadline, on_wire)
        return reply

    async def _once(self, message: Message, proved: Message, deadline: float, on_wire: OnWire | None) -> Reply:
        if on_wire is not None:
            on_wire.append(("sent", message.question))
        reply = await self._transport.send(proved, deadline=deadline)
        if on_wire is not None:
            on_wire.append(("received", reply.body))
        return reply
