"""Requests that a security server forwards over REST: who asks, and what stands in for our own headers (X-Road, REST).

PR-REST section 4.3: `X-Road-Client` names the asker, each part percent-encoded on its own; the provider's server passes
it on with whatever the asker sent beside it. Nothing here is read on any other connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import structlog
from aiohttp import web
from multidict import istr

from routes.context import PEER, REQUEST_ID
from routes.frame import is_fit
from schemas.codes.agencies import check_dossier_code
from schemas.errors import Flaw, Invalid, Text, TwoCallers, Unauthenticated
from schemas.exchange import Caller
from schemas.identifiers import check_officer
from schemas.xroad import client_identifier, officer_of
from security.identity import Identity
from security.policy import NO_DOSSIER, NO_OFFICER
from security.security_servers import SecurityServers
from security.tokens import unauthenticated

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

log = structlog.get_logger()

CLIENT: Final = istr("X-Road-Client")
USER_ID: Final = istr("X-Road-UserId")
ISSUE: Final = istr("X-Road-Issue")
# The second is the consumer's own and may come again; the first its server makes for each transaction.
_CORRELATION: Final = (istr("X-Road-Request-Id"), istr("X-Road-Id"))
_TWICE: Final = Text(
    "Tiêu đề X-Road-Client được gửi nhiều lần",
    "The header X-Road-Client was sent more than once: who asks is not clear",
)
_NOBODY_NAMED: Final = Text(
    "Thiếu tiêu đề X-Road nêu bên gọi (REST: X-Road-Client; SOAP: client)",
    "The X-Road headers that name the client are missing (REST: X-Road-Client; SOAP: client)",
)
# Of what nobody registered, as much as an operator needs to compare.
_SHOWN: Final = 120
_NOT_ASCII: Final = Text("Giá trị phải là ASCII in được", "The value must be printable ASCII")
_TWO: Final = Text(
    "Hai bằng chứng định danh chỉ hai bên gọi khác nhau",
    "Two proofs of who calls name two different clients",
)


def two_callers() -> TwoCallers:
    """Say that the proofs of a request contradict each other."""
    return TwoCallers(_TWO, reason="unknown")


def nobody_named() -> Unauthenticated:
    """Say that a security server's connection does not say who asks through it."""
    return Unauthenticated(_NOBODY_NAMED, reason="missing")


def named(identity: Identity, parts: Sequence[str], request_id: str) -> Caller:
    """Return the caller that a security server names by these parts of an identifier; raises Unauthenticated.

    Who is refused stands in the log, so that an operator can compare it with what is registered.
    """
    try:
        try:
            client = client_identifier(parts)
        except ValueError:
            raise unauthenticated("malformed") from None
        return identity.by_xroad(client)
    except Unauthenticated as refused:
        shown = "/".join(parts).encode("ascii", "backslashreplace").decode()
        shown = "".join(sign if sign.isprintable() else "?" for sign in shown)
        log.warning("xroad-client-refused", client=shown[:_SHOWN], reason=refused.reason, request_id=request_id)
        raise


def forwarded(request: web.Request, servers: SecurityServers, identity: Identity) -> Caller:
    """Return the caller that a security server names, on a connection of one.

    Who also sends a token has to be the same client. The id by which X-Road knows the request becomes ours where the
    caller sent none that is fit. Raises Unauthenticated.
    """
    certificate = request[PEER].certificate
    servers.check(certificate)
    headers = request.headers
    # First, so that a refusal is found in both logs too.
    if request[REQUEST_ID] != headers.get("X-Request-Id"):
        request[REQUEST_ID] = next(
            (sent for name in _CORRELATION if is_fit(sent := headers.get(name, ""))), request[REQUEST_ID]
        )
    caller = named(identity, _client(headers), request[REQUEST_ID])
    authorization = headers.get("Authorization")
    if authorization is not None and identity.identify(authorization, certificate).client_id != caller.client_id:
        raise two_callers()
    return caller


def _client(headers: CIMultiDictProxy[str]) -> list[str]:
    sent = headers.getall(CLIENT, ())
    if not sent:
        raise nobody_named()
    if len(sent) > 1:
        raise Unauthenticated(_TWICE, reason="malformed")
    # What is no UTF-8 becomes what no identifier has.
    return [unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in sent[0].strip().split("/")]


def stand_ins(
    headers: CIMultiDictProxy[str], dossier: str | None, officer: str | None
) -> tuple[str | None, str | None]:
    """Return dossier and officer of a forwarded request, in X-Road's words where ours are absent; raises Invalid."""
    if dossier is None:
        dossier = dossier_of_issue(_said(headers, ISSUE), ISSUE)
    if officer is None:
        officer = officer_of_user(_said(headers, USER_ID), USER_ID)
    return dossier, officer


def dossier_of_issue(issue: str | None, header: str) -> str | None:
    """Return the dossier that an issue is; raises Invalid, which blames `header` and not one that was never sent."""
    try:
        return None if issue is None else check_dossier_code(issue)
    except ValueError:
        raise Invalid(flaws=[Flaw("", NO_DOSSIER, header=header)]) from None


def officer_of_user(user_id: str | None, header: str) -> str | None:
    """Return the officer whom a userId names; raises Invalid, which blames `header`."""
    try:
        return None if user_id is None else check_officer(officer_of(user_id))
    except ValueError:
        raise Invalid(flaws=[Flaw("", NO_OFFICER, header=header)]) from None


def _said(headers: CIMultiDictProxy[str], name: str) -> str | None:
    value = headers.get(name, "").strip()
    if value and not (value.isascii() and value.isprintable()):
        raise Invalid(flaws=[Flaw("", _NOT_ASCII, header=name)])
    return value or None
