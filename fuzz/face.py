"""`python -m fuzz.face`: mutated envelopes against a running gateway, over real connections.

Every request has to be answered in time with well-formed SOAP, and none with an error that nobody foresaw. The demo is
what it is tried on: `--demo` names its `demo.json`. Exit code 1 when something was found; what was sent is then in
`.lgsp/fuzz/found`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from adapters import DATABASES
from fuzz.__main__ import FOUND
from fuzz.mutations import mutated
from routes.openapi_models import pascal
from routes.soap.names import CONTENT_TYPES, GATEWAY, action_of, camel, namespace
from schemas.fields import shape_of
from security.signature import SoapVersion
from security.signature_key import Signer, load_signer
from security.soap_plain import SOAP
from security.soap_signing import sign_soap_parts, text_header
from security.xml import MESSAGE, XmlRefused, parse

PATIENCE: Final = 20.0
"""Seconds in which a request has to be answered: no grant of the demo allows more."""
_LONGEST: Final = 65_536
_SERVICES: Final = frozenset(database.name for database in DATABASES)
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CODE: Final = re.compile(rb"<g:code>([a-z-]+)</g:code>")
_XROAD: Final = (
    '<x:client xmlns:x="http://x-road.eu/xsd/xroad.xsd" xmlns:i="http://x-road.eu/xsd/identifiers" '
    'i:objectType="SUBSYSTEM"><i:xRoadInstance>XROADVN</i:xRoadInstance><i:memberClass>GOV</i:memberClass>'
    "<i:memberCode>G15</i:memberCode><i:subsystemCode>judicial</i:subsystemCode></x:client>"
    '<x:service xmlns:x="http://x-road.eu/xsd/xroad.xsd" xmlns:i="http://x-road.eu/xsd/identifiers" '
    'i:objectType="SERVICE"><i:xRoadInstance>XROADVN</i:xRoadInstance><i:memberClass>GOV</i:memberClass>'
    "<i:memberCode>G01</i:memberCode><i:subsystemCode>lgsp</i:subsystemCode><i:serviceCode>{code}</i:serviceCode>"
    '</x:service><x:id xmlns:x="http://x-road.eu/xsd/xroad.xsd">4f0a</x:id>'
    '<x:protocolVersion xmlns:x="http://x-road.eu/xsd/xroad.xsd">4.0</x:protocolVersion>'
)


class Request(NamedTuple):
    """What is sent: the service's name, the body, and the HTTP headers beside its length."""

    service: str
    headers: dict[str, str]
    body: bytes


Make = Callable[[random.Random], Request]


def seeds(demo: dict[str, Any]) -> list[Make]:
    """Return what makes genuine requests: every sample, both versions, unsigned, signed, through X-Road."""
    client = demo["clients"]["ministry"]
    signer = load_signer(Path(client["key"]), Path(client["certificate"]))
    proof = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    return [
        _maker(name, sample, version, kind, signer, proof)
        for name, sample in demo["samples"].items()
        # Dossiers have samples too and, so far, no service here.
        if name.partition("/")[0] in _SERVICES
        for version in SOAP
        for kind in ("http", "blocks", "xroad", "signed")
    ]


def question(database: str, operation: str) -> list[str]:
    """Return the members of an operation's question in the order of its contract."""
    found = next(each.operation(operation) for each in DATABASES if each.name == database)
    return [member.name for member in shape_of(found.question).members] if found else []


def _maker(
    name: str,
    sample: dict[str, Any],
    version: SoapVersion,
    kind: str,
    signer: Signer,
    proof: str,
) -> Make:
    database, _, operation = name.partition("/")
    element, space = pascal(operation), namespace(database)
    asked, given = question(database, operation), sample["body"]
    values = "".join(f"<{camel(member)}>{given[member]}</{camel(member)}>" for member in asked if member in given)
    payload = f'<{element} xmlns="{space}">{values}</{element}>'
    said = {name.removeprefix("Lgsp-"): value for name, value in sample["headers"].items()}
    action = action_of(database, element)
    media = f"{CONTENT_TYPES[version]}; charset=utf-8"
    headers = {"Content-Type": media if version == "1.1" else f'{media}; action="{action}"'}
    if version == "1.1":
        headers["SOAPAction"] = f'"{action}"'
    if kind == "signed":
        blocks = [text_header(GATEWAY, name, text) for name, text in said.items()]

        def signed(_chance: random.Random) -> Request:
            made = sign_soap_parts(payload.encode(), signer, version=version, headers=blocks)
            return Request(database, headers, made.envelope)

        return signed
    headers["Authorization"] = f"Basic {proof}"
    inside = ""
    if kind == "http":
        headers |= sample["headers"]
    else:
        inside = "".join(f'<g:{name} xmlns:g="{GATEWAY}">{text}</g:{name}>' for name, text in said.items())
    if kind == "xroad":
        inside += _XROAD.format(code=element)
    body = (
        f'<e:Envelope xmlns:e="{SOAP[version]}"><e:Header>{inside}</e:Header><e:Body>{payload}</e:Body></e:Envelope>'
    ).encode()
    return lambda _chance: Request(database, headers, body)


def changed(request: Request, chance: random.Random) -> Request:
    """Return the request with changes of its form, of single bytes, or of its HTTP headers; some as they are."""
    headers, body = dict(request.headers), request.body
    match chance.randrange(10):
        case 0:
            pass
        case 1:
            name = chance.choice(list(headers))
            headers[name] = chance.choice(["", "x", headers[name][: chance.randrange(8)], headers[name] + "; a=b"])
        case 2 | 3:
            at = chance.randrange(len(body))
            put = chance.choice([b"", b"<", b"&", b"\0", b"\xff", b"]]>", b"<!--", body[at : at + 60], b"<a/>" * 70])
            body = body[:at] + put + body[at + chance.choice([0, 0, 1, 9]) :]
        case _:
            body = mutated(body, _LONGEST, chance.randrange(1 << 32))
    return Request(request.service, headers, body)


class Wrong(Exception):
    """An answer that nobody should get."""


def judged(answer: bytes) -> str:
    """Return what became of a request: `answered` or the code of the fault; raises Wrong."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        raise Wrong("no HTTP answer")
    try:
        root = parse(body, MESSAGE)
    except XmlRefused as refused:
        # What HTTP itself refuses never reaches the face.
        if status[1] in (b"400", b"431") and b"problem+json" in head:
            return "http"
        raise Wrong(f"status {status[1].decode()}, no XML: {refused}") from None
    if str(root.tag).rpartition("}")[2] != "Envelope":
        raise Wrong("no envelope")
    fault = next((one for one in root.iter() if str(one.tag).rpartition("}")[2] == "Fault"), None)
    if fault is None:
        if status[1] != b"200":
            raise Wrong(f"status {status[1].decode()} without a fault")
        return "answered"
    code = _CODE.search(body)
    named = code[1].decode() if code else "must-understand" if b"MustUnderstand" in body else ""
    if named in ("", "internal") or status[1] == b"200":
        raise Wrong(f"status {status[1].decode()}, code {named or 'missing'}")
    return named


async def send(host: str, port: int, request: Request) -> bytes:
    """Send one request on a connection of its own; return the whole answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        lines = {"Host": f"{host}:{port}", **request.headers, "Content-Length": str(len(request.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"POST /soap/{request.service} HTTP/1.1\r\n{head}\r\n".encode() + request.body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        if length is None:
            raise Wrong("an answer without a length")
        return answer + await reader.readexactly(int(length[1]))
    finally:
        writer.close()


async def fuzzed(demo: dict[str, Any], requests: int, seed: int, callers: int = 16) -> tuple[Counter[str], list[str]]:
    """Send so many mutated requests; return how many ended how, and what was found."""
    makers = seeds(demo)
    address = urlsplit(demo["gateway"])
    host, port = address.hostname or "", address.port or 80
    ended: Counter[str] = Counter()
    found: list[str] = []

    async def caller(numbers: Sequence[int]) -> None:
        for number in numbers:
            chance = random.Random(f"{seed}/{number}")
            request = changed(makers[number % len(makers)](chance), chance)
            try:
                async with asyncio.timeout(PATIENCE):
                    ended[judged(await send(host, port, request))] += 1
            except (Wrong, TimeoutError, OSError, EOFError) as failure:
                found.append(f"{type(failure).__name__} {failure}: {_kept(request)}")

    await asyncio.gather(*(caller(range(first, requests, callers)) for first in range(callers)))
    return ended, found


def _kept(request: Request) -> Path:
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"face-{sha256(request.body).hexdigest()[:16]}"
    head = "".join(f"{name}: {value}\n" for name, value in request.headers.items() if name != "Authorization")
    path.write_bytes(f"POST /soap/{request.service}\n{head}\n".encode() + request.body)
    return path


def main() -> int:
    """Fuzz the demo that is running."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.face", description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path(".lgsp", "demo.json"))
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    told = parser.parse_args()
    began = time.monotonic()
    ended, found = asyncio.run(fuzzed(json.loads(told.demo.read_text(encoding="utf-8")), told.requests, told.seed))
    print(f"{told.requests} requests (seed {told.seed}) in {time.monotonic() - began:.0f} s")
    for code, count in ended.most_common():
        print(f"{count:8}  {code}")
    for line in found:
        print(line)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
