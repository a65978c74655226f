"""The SOAP part of the tour: the same truth in both versions, signed and unsigned, faults, contracts (SOAP)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from adapters import DATABASES
from adapters.transport import Message, Reply
from routes.soap.names import CONTENT_TYPES, GATEWAY, action_of, camel, element_of, namespace
from routes.soap.types import ITEM
from sandbox.guide import Guide, expect
from schemas.dossiers.messages import PushStatus
from schemas.exchange import Database, Operation
from schemas.fields import Branch, Shape, shape_of
from security.elements import accept_unsigned, elements_at
from security.signature import SignaturePolicy, SoapVersion
from security.signature_key import SigningKey, first_certificate
from security.soap_plain import SOAP
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts, text_header
from security.trust import AnchoredTrust

_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_PERSON: Final = "population/person"
_DOSSIERS: Final = "dossiers"


async def soap_tour(guide: Guide) -> None:
    """Visit what the SOAP face can do."""
    for name, database, operation in _operations(guide):

        async def truth(name: str = name, database: Database = database, operation: Operation = operation) -> str:
            wanted = _as_text(guide.described["samples"][name]["data"])
            for version in SOAP:
                reply = await _send(guide, database.name, _asked(guide, name, database, operation, version), version)
                expect(reply.status, 200)
                expect(_data(reply.body, version, database, operation), wanted)
            return f"SOAP 1.1 and 1.2 say what REST says, in {len(wanted)} fields"

        await guide.stop(f"{name} over SOAP", truth)
    await guide.stop("signed SOAP message", lambda: _signed(guide))
    await guide.stop("SOAP fault", lambda: _fault(guide))
    await guide.stop("WSDL", lambda: _contracts(guide))


async def pushed_again(guide: Guide, code: str, key: str) -> str:
    """Push the sample's status, which came over REST, through this door: it is known by its key."""
    said = {"code": code, "key": key, **guide.described["samples"]["dossiers/status"]["body"]}
    payload = _wrapper(_DOSSIERS, "PushStatus", shape_of(PushStatus), said)
    for version in SOAP:
        envelope = f'<e:Envelope xmlns:e="{SOAP[version]}"><e:Body>{payload}</e:Body></e:Envelope>'
        reply = await _send(guide, _DOSSIERS, envelope.encode(), version, client="province")
        expect(reply.status, 200)
        (body,) = elements_at(accept_unsigned(reply.body), ("Body",), f"{{{SOAP[version]}}}")
        (replayed,) = elements_at(body, ("PushStatusResponse", "replayed"), f"{{{namespace(_DOSSIERS)}}}")
        expect(replayed.text, "true")
    return "the same status over SOAP 1.1 and 1.2: the answer that REST gave, marked as replayed"


def _operations(guide: Guide) -> list[tuple[str, Database, Operation]]:
    named = ((f"{each.name}/{one.name}", each, one) for each in DATABASES for one in each.operations)
    return [(name, database, operation) for name, database, operation in named if name in guide.described["samples"]]


def _payload(guide: Guide, name: str, database: Database, operation: Operation) -> str:
    body = guide.described["samples"][name]["body"]
    return _wrapper(database.name, element_of(operation), shape_of(operation.question), body)


def _wrapper(service: str, element: str, shape: Shape, body: Mapping[str, Any]) -> str:
    # The contract's order, which is the declaration's.
    named = [(camel(member.name), member.name) for member in shape.members]
    inside = "".join(f"<{name}>{_text(body[member])}</{name}>" for name, member in named if member in body)
    return f'<{element} xmlns="{namespace(service)}">{inside}</{element}>'


def _asked(guide: Guide, name: str, database: Database, operation: Operation, version: SoapVersion) -> bytes:
    said = guide.described["samples"][name]["headers"]
    blocks = "".join(
        f'<g:{header.removeprefix("Lgsp-")} xmlns:g="{GATEWAY}">{value}</g:{header.removeprefix("Lgsp-")}>'
        for header, value in said.items()
    )
    payload = _payload(guide, name, database, operation)
    return (
        f'<e:Envelope xmlns:e="{SOAP[version]}"><e:Header>{blocks}</e:Header><e:Body>{payload}</e:Body></e:Envelope>'
    ).encode()


async def _send(
    guide: Guide, service: str, envelope: bytes, version: SoapVersion, *, client: str | None = "ministry"
) -> Reply:
    headers = {"Content-Type": f"{CONTENT_TYPES[version]}; charset=utf-8"}
    if client is not None:
        papers = guide.described["clients"][client]
        proof = base64.b64encode(f"{papers['client_id']}:{papers['client_secret']}".encode()).decode()
        headers["Authorization"] = f"Basic {proof}"
    return await guide.reply(Message("POST", f"/soap/{service}", headers, envelope))


def _data(envelope: bytes, version: SoapVersion, database: Database, operation: Operation) -> Any:
    prefix = f"{{{namespace(database.name)}}}"
    (body,) = elements_at(accept_unsigned(envelope), ("Body",), f"{{{SOAP[version]}}}")
    (data,) = elements_at(body, (f"{element_of(operation)}Response", "data"), prefix)
    return _record(data, prefix, shape_of(operation.answer))


def _record(element: Any, prefix: str, shape: Shape) -> dict[str, Any] | None:
    if element.get(_NIL) == "true":
        return None
    found: dict[str, Any] = {}
    for member in shape.members:
        child = element.find(prefix + camel(member.name))
        if child is None:
            continue
        below = member.shape if isinstance(member, Branch) else None
        if child.get(_NIL) == "true":
            found[member.name] = None
        elif member.many:
            found[member.name] = [_one(item, prefix, below) for item in child.findall(prefix + ITEM)]
        else:
            found[member.name] = _one(child, prefix, below)
    return found


def _one(element: Any, prefix: str, below: Shape | None) -> Any:
    if element.get(_NIL) == "true":
        return None
    return (element.text or "") if below is None else _record(element, prefix, below)


def _as_text(value: Any) -> Any:
    """Return a value of JSON with booleans and numbers as XML writes them."""
    if isinstance(value, dict):
        return {name: _as_text(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _person() -> tuple[Database, Operation]:
    database = next(each for each in DATABASES if each.name == "population")
    return database, next(each for each in database.operations if each.name == "person")


async def _signed(guide: Guide) -> str:
    """Send a signed message, changed, genuine and again; the answer is signed and confirms it."""
    database, operation = _person()
    papers = guide.described["clients"]["ministry"]
    key = SigningKey.load(Path(papers["key"]), Path(papers["certificate"]))
    said = guide.described["samples"][_PERSON]["headers"]
    blocks = [text_header(GATEWAY, name.removeprefix("Lgsp-"), value) for name, value in said.items()]
    made = sign_soap_parts(_payload(guide, _PERSON, database, operation).encode(), key, headers=blocks)
    changed = made.envelope.replace(b"dossier-processing", b"identity-verification")
    sent = (changed, made.envelope, made.envelope)
    seen = [await _send(guide, "population", one, "1.1", client=None) for one in sent]
    expect([reply.status for reply in seen], [500, 200, 500])
    expect([word in reply.body for word, reply in zip((b"altered", b"replayed"), seen[::2], strict=True)], [True, True])
    trust = AnchoredTrust([first_certificate(Path(guide.described["trust"]["gateway"]))], subject=None)
    answer = verify_soap(seen[1].body, SignaturePolicy(), trust, confirms=made.signature_value)
    return f"answered and signed back by {answer.subject}; changed or sent again it is refused"


async def _fault(guide: Guide) -> str:
    database, operation = _person()
    envelope = _asked(guide, _PERSON, database, operation, "1.2").replace(b"dossier-processing", b"curiosity")
    reply = await _send(guide, "population", envelope, "1.2")
    (code,) = [one.text for one in accept_unsigned(reply.body).iter(f"{{{GATEWAY}}}code")]
    expect((reply.status, code), (400, "purpose-refused"))
    return f"HTTP {reply.status}, {code} in the detail, with receipt" * (b"checkpoint" in reply.body)


async def _contracts(guide: Guide) -> str:
    services = sorted({database.name for _, database, _ in _operations(guide)})
    for service in services:
        told = await guide.get(f"/soap/{service}?wsdl")
        expect((told.status, action_of(service, "") in told.value), (200, True))
    return f"{len(services)} contracts, each with ports for SOAP 1.1 and 1.2"
