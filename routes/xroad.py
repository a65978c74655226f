"""Requests that a security server forwards over REST: who asks, and what stands in for our own headers (X-Road, REST).

PR-REST section 4.3: `X-Road-Client` names the asker, each part percent-encoded on its own; the provider's server passes
it on with whatever the asker sent beside it. Nothing here is read on any other connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from aiohttp import web
from multidict import istr

from routes.context import PEER, REQUEST_ID
from routes.frame import is_fit
from schemas.errors import Flaw, Invalid, Text, Unauthenticated
from schemas.exchange import Caller
from schemas.xroad import client_identifier, officer_of
from security.identity import Identity
from security.security_servers import SecurityServers
from security.tokens import unauthenticated

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

CLIENT: Final = istr("X-Road-Client")
USER_ID: Final = istr("X-Road-UserId")
ISSUE: Final = istr("X-Road-Issue")
# The second is the consumer's own and may come again; the first its server makes for each transaction.
_CORRELATION: Final = (istr("X-Road-Request-Id"), istr("X-Road-Id"))
_TWICE: Final = Text(
    "Tiêu đề X-Road-Client được gửi nhiều lần",
    "The header X-Road-Client was sent more than once: who asks is not clear",
)
_NOT_ASCII: Final = Text("Giá trị phải là ASCII in được", "The value must be printable ASCII")
_TWO: Final = Text(
    "Hai bằng chứng định danh chỉ hai bên gọi khác nhau",
    "Two proofs of who calls name two different clients",
)


def two_callers() -> Unauthenticated:
    """Say that the proofs of a request contradict each other."""
    return Unauthenticated(_TWO, reason="unknown")


def forwarded(request: web.Request, servers: SecurityServers, identity: Identity) -> Caller:
    """Return the caller that a security server names, on a connection of one.

    Who also sends a token has to be the same client. The id by which X-Road knows the request becomes ours where the
    caller sent none that is fit. Raises Unauthenticated.
    """
    certificate = request[PEER].certificate
    servers.check(certificate)
    headers = request.headers
    caller = identity.by_xroad(_client(headers))
    authorization = headers.get("Authorization")
    if authorization is not None and identity.identify(authorization, certificate).client_id != caller.client_id:
        raise two_callers()
    if request[REQUEST_ID] != headers.get("X-Request-Id"):
        request[REQUEST_ID] = next(
            (sent for name in _CORRELATION if is_fit(sent := headers.get(name, ""))), request[REQUEST_ID]
        )
    return caller


def _client(headers: CIMultiDictProxy[str]) -> str:
    sent = headers.getall(CLIENT, ())
    if not sent:
        raise unauthenticated("missing")
    if len(sent) > 1:
        raise Unauthenticated(_TWICE, reason="malformed")
    try:
        return client_identifier([unquote_to_bytes(part).decode("utf-8") for part in sent[0].strip().split("/")])
    except ValueError:
        raise unauthenticated("malformed") from None


def stand_ins(
    headers: CIMultiDictProxy[str], dossier: str | None, officer: str | None
) -> tuple[str | None, str | None]:
    """Return dossier and officer of a forwarded request, in X-Road's words where ours are absent; raises Invalid."""
    if dossier is None:
        dossier = _said(headers, ISSUE)
    if officer is None:
        user_id = _said(headers, USER_ID)
        officer = None if user_id is None else officer_of(user_id)
    return dossier, officer


def _said(headers: CIMultiDictProxy[str], name: str) -> str | None:
    value = headers.get(name, "").strip()
    if value and not (value.isascii() and value.isprintable()):
        raise Invalid(flaws=[Flaw("", _NOT_ASCII, header=name)])
    return value or None
