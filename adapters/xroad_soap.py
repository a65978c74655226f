"""The header blocks of X-Road's SOAP protocol (PR-MESS 4.0): written with the question, looked for in the answer.

Nobody signs them towards us: they can make us refuse an answer, and never make us believe one. What is refused is
either no answer by the protocol (UpstreamUnreadable), or a good one to something else, which is what the reason
`not-answer-to-request` has been for all along.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from adapters.bindings import Asked, check_verdict
from adapters.codecs import Unreadable
from adapters.encoding import escape
from adapters.proof import rejected
from adapters.site import Site
from adapters.xroad_faults import raise_xroad_fault, xroad_fault
from config.carriage import Xroad
from config.settings import ConfigurationError
from schemas.errors import GatewayError
from schemas.xroad import IDENTIFIERS, REPRESENTATION, VERSION, XROAD
from security.elements import accept_unsigned, children_of, elements_at
from security.signature import Rejected, Trusted
from security.soap_signature import SOAP
from security.xml import MESSAGE, Limits

# What the algorithms of `requestHash` are called (XML Signature 1.1, section 6.2).
_HASHES: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}
_TYPE: Final = f"{{{IDENTIFIERS}}}objectType"
_HASH: Final = f"{{{XROAD}}}requestHash"

_SUBSYSTEM: Final = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
_SERVER: Final = ("xRoadInstance", "memberClass", "memberCode", "serverCode")
_PARTY: Final = ("partyClass", "partyCode")


def _header_writer(settings: Xroad, service: str) -> Callable[[Asked], str]:
    """Compile what writes the header blocks of questions to the service whose code is `service`.

    Each block declares its own prefixes, so that it means the same in any envelope. The id is the attempt's own (UUID);
    userId is the officer with the country's prefix, issue the dossier code, each left out where the caller names none.
    """
    client = _identifier("client", "SUBSYSTEM", zip(_SUBSYSTEM, settings.client.split("/"), strict=True))
    provider = [*zip(_SUBSYSTEM, settings.provider.split("/"), strict=True), ("serviceCode", service)]
    if settings.version is not None:
        provider.append(("serviceVersion", settings.version))
    opening = client + _identifier("service", "SERVICE", provider)
    closing = _plain("protocolVersion", VERSION)
    if settings.represented_party is not None:
        codes = settings.represented_party.split("/")
        inside = "".join(f"<r:{tag}>{code}</r:{tag}>" for tag, code in zip(_PARTY[-len(codes) :], codes, strict=True))
        closing += f'<r:representedParty xmlns:r="{REPRESENTATION}">{inside}</r:representedParty>'
    if settings.security_server is not None:
        codes = settings.security_server.split("/")
        closing += _identifier("securityServer", "SERVER", zip(_SERVER, codes, strict=True))
    prefix = settings.user_prefix

    def written(asked: Asked) -> str:
        officer, dossier = asked.exchange.officer, asked.exchange.dossier
        user = _plain("userId", prefix + officer) if officer else ""
        issue = _plain("issue", dossier) if dossier else ""
        return f"{opening}{_plain('id', asked.message_id)}{user}{issue}{closing}"

    return written


def _identifier(name: str, kind: str, codes: Iterable[tuple[str, str]]) -> str:
    inside = "".join(f"<id:{tag}>{code}</id:{tag}>" for tag, code in codes)
    return f'<xrd:{name} xmlns:xrd="{XROAD}" xmlns:id="{IDENTIFIERS}" id:objectType="{kind}">{inside}</xrd:{name}>'


def _plain(name: str, text: str) -> str:
    return f'<xrd:{name} xmlns:xrd="{XROAD}">{escape(text)}</xrd:{name}>'


class SoapRoad(NamedTuple):
    """The way of one SOAP operation through our security server; `name` is the endpoint's."""

    name: str
    write: Callable[[Asked], str]
    limits: Limits

    @classmethod
    def of(cls, site: Site, operation: str, version: str, request: str) -> SoapRoad | None:
        """Return the way of an operation whose payload is called `request`; None where it is not through X-Road.

        Raises ConfigurationError for what no security server would take.
        """
        settings = site.endpoint.xroad
        if settings is None:
            return None
        where = f"[endpoints.{site.name}]"
        if version != "1.1":
            raise ConfigurationError(
                f'{where} cannot be reached with via = "xroad": {operation} is SOAP {version}, and X-Road carries SOAP'
                " 1.1 only"
            )
        if settings.service is not None:
            raise ConfigurationError(f"{where} xroad.service is for REST: of a SOAP source write services.{operation}")
        code = settings.services.get(operation, request)
        if not request.startswith(code):
            # As the security server has it (SoapUtils.validateServiceName): it would answer InconsistentHeaders.
            raise ConfigurationError(
                f"{where} xroad.services.{operation} = {code!r}: the SOAP request is called {request}, and X-Road wants"
                " it to be called as its service"
            )
        return cls(site.name, _header_writer(settings, code), site.limits)

    def headers(self, asked: Asked) -> bytes:
        """Return the header blocks of one attempt."""
        return self.write(asked).encode()

    def check(self, answer: bytes, question: bytes, payload: Trusted, faults: Mapping[str, type[GatewayError]]) -> None:
        """Raise what is wrong with the headers of an answer, or the error that its payload reports in a good envelope.

        The latter are the source's own (PR-MESS 4.0, annex D.2: non-technical), as trusted as any answer of it.
        """
        check_answer(answer, question, self.limits)
        for child in children_of(payload):
            code = next((one for one in children_of(child) if _local(one) == "faultCode"), None)
            if _local(child) == "fault" and code is not None:
                check_verdict((code.text or "").strip(), frozenset(), faults)

    def raise_fault(self, fault: Trusted) -> None:
        """Raise what a SOAP fault means if it is X-Road's own; the source's comes through as it sent it."""
        found = xroad_fault(fault.findtext("faultcode") or "")
        if found is not None:
            raise_xroad_fault(self.name, found, fault.findtext("detail/faultDetail") or "")


def _local(element: Trusted) -> str:
    return str(element.tag).rpartition("}")[2]


class _Said(NamedTuple):
    """One header block as far as it has to be repeated: its name, its type, and its text or that of its children."""

    tag: str
    kind: str | None
    text: tuple[tuple[str, str], ...]


def check_answer(answer: bytes, question: bytes, limits: Limits = MESSAGE) -> None:
    """Check that an answer repeats the headers of the question, and that its hash, if any, is that of our bytes.

    PR-MESS 4.0, section 2.2: all of them, in the same sequence, with the same values; prefixes are free and the
    provider's server adds `requestHash`. Raises Unreadable, and UpstreamSignatureRejected (`not-answer-to-request`).
    """
    asked, _ = _read(question, MESSAGE)
    told, hashes = _read(answer, limits)
    if [block.tag for block in told] != [block.tag for block in asked]:
        raise Unreadable("it does not repeat the X-Road headers of the question, each once and in their order")
    for block, sent in zip(told, asked, strict=True):
        if block != sent:
            name = sent.tag.rpartition("}")[2]
            raise rejected(Rejected("not-answer-to-request", f"the answer repeats another X-Road {name}"))
    if len(hashes) > 1:
        raise Unreadable("it has more than one X-Road requestHash")
    for said in hashes:
        _check_hash(said, question)


def _read(envelope: bytes, limits: Limits) -> tuple[list[_Said], list[Trusted]]:
    headers = elements_at(accept_unsigned(envelope, limits), ("Header",), f"{{{SOAP['1.1']}}}")
    if len(headers) > 1:
        raise Unreadable("the envelope has more than one Header")
    blocks = [block for header in headers for block in children_of(header)]
    ours = [block for block in blocks if str(block.tag).startswith((f"{{{XROAD}}}", f"{{{REPRESENTATION}}}"))]
    return [_said(block) for block in ours if block.tag != _HASH], [block for block in ours if block.tag == _HASH]


def _said(block: Trusted) -> _Said:
    children = children_of(block)
    text = tuple((str(child.tag), (child.text or "").strip()) for child in children) if children else ()
    return _Said(str(block.tag), block.get(_TYPE), text or (("", (block.text or "").strip()),))


def _check_hash(said: Trusted, question: bytes) -> None:
    digest = _HASHES.get(said.get("algorithmId", ""))
    if digest is None:
        raise Unreadable("the algorithm of its X-Road requestHash is not known")
    try:
        value = b64decode("".join((said.text or "").split()), validate=True)
    except ValueError:
        raise Unreadable("its X-Road requestHash is not base64") from None
    if value != digest(question).digest():
        raise rejected(Rejected("not-answer-to-request", "the X-Road requestHash is not that of our question"))
