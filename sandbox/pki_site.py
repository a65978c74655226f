"""What a certification authority serves over HTTP: revocation lists (CRL), certificates of authorities, OCSP.

`GET /crl/NAME.crl`, `GET /ca/NAME.cer` (both DER), `POST /ocsp` and `GET /ocsp/BASE64` (RFC 6960, appendix A). It
misbehaves as the registries do: `PUT /_faults` takes their faults without signatures, and those of `PKI_FAULTS`.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki import Pki
from sandbox.pki_store import PkiStore
from sandbox.registry import Context, application
from sandbox.responder import LASTS, STALE, Responder
from security.authority import Authority

NAME: Final = "pki"
"""What the site is called among the endpoints of a sandbox."""
_LIST_LASTS: Final = timedelta(hours=1)
_MAX_QUESTION: Final = 10_240


def site(context: Context) -> web.Application:
    """Return the application for the authorities of the sandbox."""
    app = application(context, max_body=_MAX_QUESTION)
    desk = _Desk(context)
    app.router.add_get("/crl/{name}.crl", desk.revocations)
    app.router.add_get("/ca/{name}.cer", desk.certificate)
    app.router.add_post("/ocsp", desk.asked_by_post)
    app.router.add_get("/ocsp/{question:.+}", desk.asked_by_get)
    return app


class _Desk:
    """Answers what others ask about certificates."""

    def __init__(self, context: Context) -> None:
        pki: Pki = context.pki
        self._store: PkiStore = pki.store
        self._faults = context.faults
        self._responder = Responder(pki.store, pki.stranger)
        self._lists: dict[str, tuple[datetime, int, bytes]] = {}

    async def revocations(self, request: web.Request) -> web.Response:
        """Serve the list of an authority, made anew when half its time is over or somebody was revoked."""
        authority = self._named(request)
        if self._faults.kind() == "wrong-signer":
            authority = next(one for one in self._store.authorities() if one is not authority)
        now, revoked = datetime.now(UTC), len(authority.index.revoked)
        if self._faults.kind() == "stale":
            old = authority.revocation_list(now - STALE, now - STALE + _LIST_LASTS, now)
            return _der(old.public_bytes(Encoding.DER), "application/pkix-crl")
        made, covers, body = self._lists.get(authority.name, (now - _LIST_LASTS, -1, b""))
        if covers != revoked or now - made > _LIST_LASTS / 2:
            body = authority.revocation_list(now, now + _LIST_LASTS, now).public_bytes(Encoding.DER)
            self._lists[authority.name] = (now, revoked, body)
        return _der(body, "application/pkix-crl")

    async def certificate(self, request: web.Request) -> web.Response:
        """Serve the certificate of an authority."""
        return _der(self._named(request).certificate.public_bytes(Encoding.DER), "application/pkix-cert")

    async def asked_by_post(self, request: web.Request) -> web.Response:
        """Answer a question in the body."""
        if request.content_type != "application/ocsp-request":
            raise web.HTTPUnsupportedMediaType(text="send application/ocsp-request")
        return self._answer(await request.read())

    async def asked_by_get(self, request: web.Request) -> web.Response:
        """Answer a question in the path, and say how long a cache may keep the answer (RFC 5019, section 6)."""
        try:
            question = base64.b64decode(request.match_info["question"], validate=True)
        except (binascii.Error, ValueError):
            question = b""
        answer = self._answer(question)
        answer.headers["Cache-Control"] = f"max-age={int(LASTS.total_seconds())}, public, no-transform, must-revalidate"
        return answer

    def _answer(self, question: bytes) -> web.Response:
        return _der(self._responder.answer(question, self._faults.kind()), "application/ocsp-response")

    def _named(self, request: web.Request) -> Authority:
        name = request.match_info["name"]
        for authority in self._store.authorities():
            if authority.name == name:
                return authority
        raise web.HTTPNotFound(text="there is no such authority")


def _der(body: bytes, media: str) -> web.Response:
    return web.Response(body=body, content_type=media)
