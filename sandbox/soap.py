"""A registry that speaks SOAP with signed messages: what population and tax have in common.

A question is refused unless transport, signature, freshness and schema are right, in this order, as a fault with the
source's own code. An answer is signed and confirms the question's signature (WS-Security 1.1, section 8); the faults
that concern signatures are made here.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from aiohttp import web
from lxml import etree

from sandbox.contracts import Breach, Contract
from sandbox.registry import Context, application
from security.signature import RecentSignatures, Rejected, SignaturePolicy, SoapVersion, Verified, utc_now
from security.soap_signature import SOAP, verify_soap
from security.soap_signing import sign_soap, sign_soap_parts
from security.trust import AnchoredTrust, load_certificates
from security.xml import Element, canonical

Answer = Callable[[Element], Awaitable[Element]]
MEDIA: Final[Mapping[SoapVersion, tuple[str, ...]]] = {
    "1.1": ("text/xml", "application/xml"),
    "1.2": ("application/soap+xml",),
}


class Refusal(Exception):
    """The registry refuses a question: its own code, an English text, and whether it is the registry's own trouble."""

    def __init__(self, code: str, text: str, *, ours: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.ours = ours


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapService:
    """One SOAP service: `answers` by the Clark name of the question's element.

    `others` makes of a question a genuine one about somebody else. `fault` writes the detail of a fault from a code.
    `codes` gives the source's code for syntax, signature, stranger and replay. `admit` refuses by HTTP headers.
    """

    name: str
    version: SoapVersion
    path: str
    contract: Contract
    answers: Mapping[str, Answer]
    others: Callable[[Element], Element]
    fault: Callable[[str, str], Element]
    codes: Mapping[str, str]
    admit: Callable[[web.Request], None]


def soap_application(context: Context, service: SoapService) -> web.Application:
    """Return the application of a SOAP registry."""
    app = application(context)
    desk = _Desk(context, service)
    app.router.add_post(service.path, desk.post)
    app.router.add_get(service.path, desk.get)
    return app


class _Desk:
    """Takes questions, hands out signed answers, and remembers the last genuine one of each kind for `replayed`."""

    def __init__(self, context: Context, service: SoapService) -> None:
        self._service = service
        self._faults = context.faults
        self._signing = partial(context.pki.signing, service.name)
        (gateway,) = load_certificates(context.pki.gateway_signing().certificate)
        self._trust = AnchoredTrust(load_certificates(context.pki.gateway_ca), subject=gateway.subject)
        self._policy = SignaturePolicy(soap=frozenset((service.version,)), replays=RecentSignatures())
        self._last: dict[str, bytes] = {}

    async def get(self, request: web.Request) -> web.Response:
        """Publish the WSDL."""
        if "wsdl" not in {name.lower() for name in request.query}:
            raise web.HTTPNotFound
        address = f"{request.scheme}://{request.host}"
        return web.Response(body=self._service.contract.published(address), content_type="text/xml", charset="utf-8")

    async def post(self, request: web.Request) -> web.Response:
        """Answer a question, or refuse it with a fault."""
        confirms: str | None = None
        try:
            self._check_transport(request)
            self._service.admit(request)
            verified = self._verify(await request.read())
            confirms = verified.signature_value
            return await self._answer(verified)
        except Refusal as refusal:
            return self._refuse(refusal, confirms)

    def _check_transport(self, request: web.Request) -> None:
        code = self._service.codes["syntax"]
        if request.content_type not in MEDIA[self._service.version]:
            raise Refusal(code, "wrong content type")
        if (request.charset or "utf-8").lower() != "utf-8":
            raise Refusal(code, "only UTF-8 is spoken here")
        if self._service.version == "1.1" and request.headers.get("SOAPAction") not in ('""', ""):
            raise Refusal(code, "SOAPAction is missing or not empty")

    def _verify(self, body: bytes) -> Verified:
        try:
            return verify_soap(body, self._policy, self._trust)
        except Rejected as rejected:
            kind = {"replayed": "replay", "untrusted": "stranger", "malformed": "syntax"}.get(
                rejected.reason, "signature"
            )
            raise Refusal(self._service.codes[kind], str(rejected)) from None

    async def _answer(self, verified: Verified) -> web.Response:
        question: Element = verified.element
        name = str(question.tag)
        answer = self._service.answers.get(name)
        if answer is None:
            raise Refusal(self._service.codes["syntax"], "no such operation")
        try:
            self._service.contract.check(question)
        except Breach as breach:
            raise Refusal(self._service.codes["syntax"], str(breach)) from None
        fault = self._faults.kind()
        if fault == "replayed" and name in self._last:
            return self._respond(self._last[name])
        confirms = verified.signature_value
        if fault == "wrong-answer":
            question, confirms = self._service.others(question), b64encode(secrets.token_bytes(64)).decode()
        payload = canonical(await answer(question))
        if fault == "unsigned":
            return self._respond(_envelope(payload, self._service.version))
        now = utc_now() - timedelta(hours=1) if fault == "stale" else utc_now()
        signed = sign_soap_parts(
            payload, self._signing(fault), version=self._service.version, confirms=confirms, now=now
        ).envelope
        if fault == "tampered":
            return self._respond(tamper(signed, payload))
        if self._faults.delivers:
            self._last[name] = signed
        return self._respond(signed)

    def _respond(self, envelope: bytes, status: int = 200) -> web.Response:
        media = MEDIA[self._service.version][0]
        return web.Response(status=status, body=envelope, content_type=media, charset="utf-8")

    def _refuse(self, refusal: Refusal, confirms: str | None) -> web.Response:
        version = self._service.version
        detail = canonical(self._service.fault(refusal.code, str(refusal)))
        envelope = _envelope(_fault(version, refusal, detail), version)
        if confirms is not None:
            envelope = sign_soap(envelope, self._signing(None), confirms=confirms).envelope
        return self._respond(envelope, 400 if version == "1.2" and not refusal.ours else 500)


def _envelope(payload: bytes, version: SoapVersion) -> bytes:
    return b'<soap:Envelope xmlns:soap="%b"><soap:Body>%b</soap:Body></soap:Envelope>' % (
        SOAP[version].encode(),
        payload,
    )


def _fault(version: SoapVersion, refusal: Refusal, detail: bytes) -> bytes:
    soap = SOAP[version]
    fault = etree.Element(f"{{{soap}}}Fault", nsmap={"soap": soap})
    if version == "1.1":
        etree.SubElement(fault, "faultcode").text = "soap:Server" if refusal.ours else "soap:Client"
        etree.SubElement(fault, "faultstring").text = str(refusal)
        place = etree.SubElement(fault, "detail")
    else:
        code = etree.SubElement(fault, f"{{{soap}}}Code")
        etree.SubElement(code, f"{{{soap}}}Value").text = "soap:Receiver" if refusal.ours else "soap:Sender"
        reason = etree.SubElement(fault, f"{{{soap}}}Reason")
        text = etree.SubElement(reason, f"{{{soap}}}Text")
        text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        text.text = str(refusal)
        place = etree.SubElement(fault, f"{{{soap}}}Detail")
    place.text = "detail-goes-here"
    return canonical(fault).replace(b"detail-goes-here", detail)


_SOMETHING = re.compile(rb'[>"]([^<>"]*[0-9A-Za-z])[<"]')


def tamper(message: bytes, payload: bytes) -> bytes:
    """Change one character of what was signed, so that it still is well-formed and of the same length.

    The first value that ends with a letter or digit is changed, namespaces left alone; a digit stays a digit.
    """
    start = message.index(payload)
    for match in _SOMETHING.finditer(payload):
        before = payload[: match.start()].rpartition(b" ")[2]
        if before.startswith(b"xmlns"):
            continue
        place = start + match.end(1) - 1
        old = message[place : place + 1]
        new = b"%d" % ((int(old) + 1) % 10) if old.isdigit() else (b"b" if old == b"a" else b"a")
        return message[:place] + new + message[place + 1 :]
    raise ValueError("nothing in the answer can be changed")
