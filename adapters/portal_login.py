"""How the national portal wants to be spoken to: its two generations, its address behind the adapter, its log-ins.

Which generation an endpoint speaks is `params.generation`, "1" where nothing is said. Generation 1 is reached through
the local adapter of VDXP: `dstcode` says which member of it, and a session, opened for user and password, stands in the
JSON of every later call. How long one lives is published nowhere: it is kept until the portal no longer takes it.
Generation 2 has bearer tokens for client credentials.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from adapters.bindings import read_json, written_json
from adapters.codecs import Unreadable
from adapters.portal_rules import FIRST, plain_code
from adapters.schemes import (
    REFUSED,
    UNREADABLE,
    ClientCredentials,
    Steps,
    Token,
    members_of,
    secret_of,
    unauthorized,
)
from adapters.transport import Message, Reply
from config.settings import ConfigurationError, Endpoint
from schemas.errors import Text, UpstreamRefused, UpstreamUnavailable, UpstreamUnreadable

Generation = Literal["1", "2"]

DEFAULTS: Final[Mapping[Generation, Mapping[str, str]]] = {
    "1": {
        "login_path": "/XrdAdapter/RestService/forward/mapi/login",  # public clients
        "dstcode": "VN:GOV:000.00.00.G22:vpcpdvcprovider",  # public clients
        "dstcode_in": "query",  # both places are seen, one client each
        "path": "/XrdAdapter/RestService/forward/mapi/g",  # ours: no public source names it
        "filed_service": "LayDanhSachHoSo",  # ours: looked for and not found as a service of the portal
    },
    "2": {
        # All ours: public sources name the operations and no path.
        "token_path": "/dvc/2.0/token",
        "create_path": "/dvc/2.0/Create",
        "progress_path": "/dvc/2.0/CapNhatTienTrinh",
        "lookup_path": "/dvc/2.0/TraCuuHoSo",
        "filed_path": "/dvc/2.0/LayDanhSachHoSo",
    },
}
"""What `params` need not say, for each generation."""

KNOWN: Final[Mapping[Generation, frozenset[str]]] = {
    "1": frozenset((*DEFAULTS["1"], "generation", "batch", "madonvi", "provider_url")),
    "2": frozenset((*DEFAULTS["2"], "generation", "batch")),
}
"""All that `params` may say. `madonvi` is the unit in whose name is sent; `provider_url` goes with the newer log-in
(`/XrdAdapter/RestService/forward/bndp/public/v1/login`, seen in one client)."""

# No session is as long; what dies is said in few words.
_LONGEST: Final = 4096
_BUSY: Final = Text("Cổng đang bận, chưa mở được phiên.", "The portal is busy and opens no session now.")


def generation(endpoint: Endpoint) -> Generation:
    """Return which generation an endpoint speaks; raises ConfigurationError for any other."""
    speaks = endpoint.params.get("generation", "1")
    if speaks == "1":
        return "1"
    if speaks == "2":
        return "2"
    raise ConfigurationError('params.generation is "1" or "2"')


def said(endpoint: Endpoint, param: str) -> str:
    """Return a param of the endpoint, or what stands for it."""
    return endpoint.params.get(param, DEFAULTS[generation(endpoint)][param])


def address(endpoint: Endpoint) -> tuple[dict[str, str], dict[str, str]]:
    """Return what tells the adapter of generation 1 whom a message is for: headers and query."""
    code = {"dstcode": said(endpoint, "dstcode")}
    return (code, {}) if said(endpoint, "dstcode_in") == "header" else ({}, code)


@dataclass(frozen=True, slots=True)
class PortalLogin:
    """The log-in of whichever generation the endpoint speaks."""

    tokens: ClientCredentials = field(default_factory=lambda: ClientCredentials(inside="data"))

    def log_in(self, endpoint: Endpoint) -> Steps:
        """Return the one step to a session or a bearer token."""
        if generation(endpoint) == "1":
            return _session(endpoint)
        return replace(self.tokens, path=said(endpoint, "token_path")).log_in(endpoint)

    def sign(self, message: Message, endpoint: Endpoint, token: Token | None) -> Message:
        """Return `message` with the session in its JSON, or with the token's headers."""
        if token is None or not token.members:
            return self.tokens.sign(message, endpoint, token)
        # Put before what is there: the question stays the very bytes that the evidence commits to.
        return replace(message, body=written_json(dict(token.members))[:-1] + b"," + message.body[1:])

    def dead(self, reply: Reply) -> bool:
        """Tell whether the portal no longer takes the session or token, so that nothing was done."""
        if unauthorized(reply):
            return True
        if len(reply.body) > _LONGEST:
            return False
        try:
            return session_ended(read_json(reply.body))
        except Unreadable:
            return False


def session_ended(found: Any) -> bool:
    """Tell whether an answer of generation 1 says that the session no longer counts; raises Unreadable."""
    if not isinstance(found, dict) or "error_code" not in found:
        return False
    message = found.get("message")
    verdict = FIRST.verdict(plain_code(found["error_code"]), message if isinstance(message, str) else "", "read")
    return verdict.outcome == "session"


def _session(endpoint: Endpoint) -> Steps:
    headers, query = address(endpoint)
    if "provider_url" in endpoint.params:
        query["providerurl"] = endpoint.params["provider_url"]
    body = written_json({"username": endpoint.username, "password": secret_of(endpoint)})
    fixed = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
    reply = yield Message("POST", said(endpoint, "login_path"), {**fixed, **headers}, body, query)
    found = members_of(reply)
    message = found.get("message")
    try:
        code = plain_code(found.get("error_code"))
    except Unreadable:
        raise UpstreamUnreadable(UNREADABLE) from None
    if code != "0":
        if FIRST.verdict(code, message if isinstance(message, str) else "", "read").outcome == "busy":
            raise UpstreamUnavailable(_BUSY)
        raise UpstreamRefused(REFUSED)
    session = found.get("session")
    if not isinstance(session, str) or re.fullmatch(rf"[\x21-\x7e]{{1,{_LONGEST}}}", session) is None:
        raise UpstreamUnreadable(UNREADABLE)
    return Token({}, float("inf"), {"session": session})
