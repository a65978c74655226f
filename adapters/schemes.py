"""How a source wants the gateway to prove itself (cách xác thực với nguồn), one class for each way.

A scheme is data plus a generator without I/O that yields messages, is sent replies and returns a `Token`. Names and
paths: the interface profiles of the sources; credentials: `username`, `secret` and `params` of the endpoint. No text
raised here quotes a message, a reply or a credential.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import urlencode

from adapters.offloading import LARGE
from adapters.transport import Message, Reply
from config.settings import Endpoint
from schemas.errors import Text, UpstreamRefused, UpstreamUnreadable


@dataclass(frozen=True, slots=True)
class Token:
    """What a log-in yields: its life in seconds, and what later calls carry: headers, members of their JSON."""

    headers: Mapping[str, str] = field(repr=False)
    expires_in: float
    members: Mapping[str, str] = field(default_factory=dict, repr=False)


Steps = Generator[Message, Reply, Token]

LOGIN_PARAMS = frozenset({"x_road_client", "api_key", "client_id"})
"""The `params` of an endpoint that only log-ins read."""


def unauthorized(reply: Reply) -> bool:
    """Tell whether the source no longer accepts the token, by HTTP status 401."""
    return reply.status == 401


@runtime_checkable
class Scheme(Protocol):
    """A way to prove oneself; `log_in` returns None where there is nothing to do in advance."""

    def log_in(self, endpoint: Endpoint) -> Steps | None:
        """Return the steps to a token."""
        ...

    def sign(self, message: Message, endpoint: Endpoint, token: Token | None) -> Message:
        """Return `message` with the proof on it."""
        ...

    def dead(self, reply: Reply) -> bool:
        """Tell whether `reply` says that the token no longer counts, so that nothing was done."""
        ...


class NoLogin:
    """The source asks for nothing, or for a client certificate only."""

    def log_in(self, endpoint: Endpoint) -> None:
        """Return None: there is no token."""

    def sign(self, message: Message, endpoint: Endpoint, token: Token | None) -> Message:
        """Return `message` as it is."""
        return message

    def dead(self, reply: Reply) -> bool:
        """Return False: there is nothing to renew."""
        return False


@dataclass(frozen=True, slots=True)
class HashedBasic:
    """The population database reached directly (reference: CSDLQG về dân cư, authentication, direct).

    Basic with SHA256hex(url + user + timestamp + secret) in place of a password, the timestamp in epoch milliseconds
    in `Timestamp`. `params` `x_road_client` and `api_key` become the headers `X-Road-Client` and `ApiKey`.
    """

    wall: Callable[[], float] = time.time

    def log_in(self, endpoint: Endpoint) -> None:
        """Return None: every message proves itself."""

    def sign(self, message: Message, endpoint: Endpoint, token: Token | None) -> Message:
        """Return `message` with `Authorization` and `Timestamp`, and the constant headers that are configured."""
        url = endpoint.url.rstrip("/") + message.path
        timestamp = str(int(self.wall() * 1000))
        proof = hashlib.sha256((url + endpoint.username + timestamp + secret_of(endpoint)).encode()).hexdigest()
        headers = {"Authorization": _basic(endpoint.username, proof), "Timestamp": timestamp}
        for param, name in (("x_road_client", "X-Road-Client"), ("api_key", "ApiKey")):
            if param in endpoint.params:
                headers[name] = endpoint.params[param]
        return _with(message, headers)

    def dead(self, reply: Reply) -> bool:
        """Return False: a second proof would be no better than the first."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    """What schemes with a token share; `session_dead` recognises a source's own way to say that it has ended."""

    path: str
    session_dead: Callable[[Reply], bool] = unauthorized

    def sign(self, message: Message, endpoint: Endpoint, token: Token | None) -> Message:
        """Return `message` with the token's headers."""
        return message if token is None else _with(message, token.headers)

    def dead(self, reply: Reply) -> bool:
        """Tell whether a new token may help."""
        return self.session_dead(reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials(_Tokens):
    """OAuth2 client credentials as NGSP has them: Basic consumerKey:secret, answer `access_token`, `expires_in`.

    `inside` is the member of the answer that holds these, where they do not stand in it themselves.
    """

    path: str = "/token"
    inside: str = ""

    def log_in(self, endpoint: Endpoint) -> Steps:
        """Return the one step to a bearer token."""
        proof = _basic(endpoint.username, secret_of(endpoint))
        reply = yield _form(self.path, {"grant_type": "client_credentials"}, {"Authorization": proof})
        members = members_of(reply)
        found = members.get(self.inside) if self.inside else members
        if not isinstance(found, dict):
            raise UpstreamUnreadable(UNREADABLE)
        return _bearer(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordGrant(_Tokens):
    """OAuth2 resource owner password credentials (land); `params.client_id` goes along where configured."""

    path: str = "/oauth/token"

    def log_in(self, endpoint: Endpoint) -> Steps:
        """Return the one step to a bearer token."""
        values = {"grant_type": "password", "username": endpoint.username, "password": secret_of(endpoint)}
        if "client_id" in endpoint.params:
            values["client_id"] = endpoint.params["client_id"]
        reply = yield _form(self.path, values, {})
        return _bearer(members_of(reply))


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeToken(_Tokens):
    """The health-card host (Cổng giám định BHYT): `{username, password}`, the latter MD5 in hexadecimal.

    The answer's `APIKey` holds `access_token`, `id_token`, `expires_in`; calls carry the first as bearer token and the
    second in `Id-Token`.
    """

    path: str = "/api/token/take"

    def log_in(self, endpoint: Endpoint) -> Steps:
        """Return the one step to the pair of tokens."""
        # MD5 is the host's wire format, not our protection of the secret; that is TLS.
        password = hashlib.md5(secret_of(endpoint).encode(), usedforsecurity=False).hexdigest()
        body = json.dumps({"username": endpoint.username, "password": password}).encode()
        reply = yield Message(
            "POST", self.path, {"Content-Type": "application/json", "Accept": "application/json"}, body
        )
        members = members_of(reply)
        key = members.get("APIKey")
        if key is None:
            # The host answers bad credentials with status 200 and a result code.
            raise UpstreamRefused(REFUSED)
        if not isinstance(key, dict):
            raise UpstreamUnreadable(UNREADABLE)
        token = _bearer(key)
        return replace(token, headers={**token.headers, "Id-Token": _token_text(key.get("id_token"))})


REFUSED: Final = Text(
    "Nguồn không chấp nhận thông tin đăng nhập của trục.", "The source refused the gateway's credentials."
)
UNREADABLE: Final = Text(
    "Không đọc được trả lời đăng nhập của nguồn.", "The source's answer to the log-in cannot be read."
)


def secret_of(endpoint: Endpoint) -> str:
    """Return the secret of an endpoint in plain text."""
    return endpoint.secret.get_secret_value()


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _with(message: Message, headers: Mapping[str, str]) -> Message:
    return replace(message, headers={**message.headers, **headers})


def _form(path: str, values: Mapping[str, str], headers: Mapping[str, str]) -> Message:
    fixed = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Message("POST", path, {**fixed, **headers}, urlencode(values).encode())


def members_of(reply: Reply) -> dict[str, Any]:
    """Return the JSON object that answers a log-in; raises UpstreamUnreadable."""
    # It is read on the event loop; no token is so long.
    if len(reply.body) >= LARGE:
        raise UpstreamUnreadable(UNREADABLE)
    try:
        members = json.loads(reply.body)
    except (ValueError, RecursionError):
        raise UpstreamUnreadable(UNREADABLE) from None
    if not isinstance(members, dict):
        raise UpstreamUnreadable(UNREADABLE)
    return members


def _bearer(members: Mapping[str, Any]) -> Token:
    """Read a token answer; sources write `expires_in` as number or as text, in seconds."""
    life = members.get("expires_in")
    try:
        seconds = float(life) if isinstance(life, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UpstreamUnreadable(UNREADABLE)
    return Token({"Authorization": f"Bearer {_token_text(members.get('access_token'))}"}, seconds)


def _token_text(value: object) -> str:
    """Accept only what can stand in a header: a token with a line break in it would add headers of the source's."""
    if not isinstance(value, str) or re.fullmatch(r"[\x21-\x7e]+", value) is None:
        raise UpstreamUnreadable(UNREADABLE)
    return value
