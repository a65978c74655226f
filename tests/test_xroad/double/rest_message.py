"""What PR-REST r1 asks of a request, how a server forwards it, and the hash that it puts into the answer.

`read_rest` reads and checks a request as an information system sends it. `RestRequest.hash` is computed over the bytes
of `RestRequest.toByteArray` as X-Road 7.8 serialises them: `VERB CRLF path[?query] CRLF` and one `Name:value CRLF` for
each header in the order of the wire, hop-by-hop ones left out, with the server's own `x-road-request-id` at the end
and, if the asker gave none, its `x-road-id` behind that; with a body, the hash over both hashes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes
from uuid import uuid4

from tests.test_xroad.double.vocabulary import Identifier, Violation, characters, user_and_issue

Headers = Sequence[tuple[str, str]]

VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
SKIPPED = frozenset(
    [
        *("transfer-encoding", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"),
        *("connection", "user-agent", "host", "content-length", "server", "expect"),
    ]
)
OWN_ANSWERS = ("x-road-id", "x-road-request-hash", "x-road-client", "x-road-request-id")
# What RFC 3986 lets stand unencoded in a path segment, and what the servers leave so when they write identifiers.
SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*")
UNENCODED = "-._~!$'()*,;&=@:+"


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request with what the asker's server adds to it; `path` is what follows the service code, as on the wire."""

    verb: str
    target: str
    client: Identifier
    service: Identifier
    path: str
    query: str | None
    headers: Headers
    body: bytes
    id: str
    request_id: str

    def to_bytes(self) -> bytes:
        """The serialised request without its body."""
        lines = [self.verb, self.target, *(f"{name}:{value}" for name, value in self.headers)]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def hash(self) -> str:
        """X-Road-Request-Hash."""
        digest = hashlib.sha512(self.to_bytes()).digest()
        if self.body:
            digest = hashlib.sha512(digest + hashlib.sha512(self.body).digest()).digest()
        return base64.b64encode(digest).decode()

    def answered(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The answer's headers: the provider's without hop-by-hop and X-Road ones, then the server's own.

        A provider's `X-Road-Service` and `X-Road-Error` are not taken away; the code forgets them.
        """
        kept = [each for each in headers if each[0].lower() not in (*SKIPPED, *OWN_ANSWERS)]
        return [
            *kept,
            ("x-road-id", self.id),
            ("x-road-client", encoded(self.client)),
            ("x-road-service", encoded(self.service)),
            ("x-road-request-id", self.request_id),
            ("x-road-request-hash", self.hash()),
        ]


def encoded(identifier: Identifier) -> str:
    """The identifier with each part percent-encoded for itself."""
    return "/".join(quote(part, safe=UNENCODED) for part in identifier.parts())


def read_rest(
    verb: str, target: str, headers: Iterable[tuple[str, str]], body: bytes
) -> tuple[RestRequest | None, list[Violation]]:
    """Read a request and name every rule it breaks; the request is None when it cannot be carried on."""
    found: list[Violation] = []
    sent = list(headers)
    if verb not in VERBS:
        found.append(Violation("rest-verb", verb, "internal_error"))
    path, mark, query = target.partition("?")
    parts = path.split("/", 7)
    service = None
    if parts[:2] != ["", "r1"]:
        found.append(Violation("rest-version", f"{path} does not begin with /r1/", "internal_error"))
    elif len(parts) < 7:
        found.append(Violation("rest-path-parts", f"{path} names no service", "internal_error"))
    else:
        service = _decoded("service", parts[2:7], found)
    client = _client(sent, found)
    found += _other_headers(sent, bool(body))
    if any(each.fault for each in found) or client is None or service is None:
        return None, found
    ids = [value for name, value in sent if name.lower() == "x-road-id"]
    number, request_id = (ids[-1] if ids else f"{client.instance}-{uuid4()}"), str(uuid4())
    dropped = (*SKIPPED, "x-road-request-id", "x-road-request-hash")
    kept = [each for each in sent if each[0].lower() not in dropped]
    kept.append(("x-road-request-id", request_id))
    if not ids:
        kept.append(("x-road-id", number))
    rest = f"/{parts[7]}" if len(parts) == 8 else ""
    whole = RestRequest(verb, target, client, service, rest, query if mark else None, kept, body, number, request_id)
    return whole, found


def _decoded(name: str, parts: Sequence[str], found: list[Violation]) -> Identifier | None:
    texts = []
    for part in parts:
        if not part:
            found.append(Violation("identifier-parts", f"{name}: an empty part in {parts}", "internal_error"))
        if not SEGMENT.fullmatch(part):
            found.append(Violation("rest-percent", f"{name}: {part!r}", "internal_error"))
        try:
            texts.append(unquote_to_bytes(part).decode())
        except UnicodeDecodeError:
            found.append(Violation("rest-percent", f"{name}: {part!r} is not UTF-8", "internal_error"))
    if len(texts) < len(parts):
        return None
    identifier = Identifier(*texts)
    found += characters(name, identifier)
    return identifier


def _client(headers: Headers, found: list[Violation]) -> Identifier | None:
    values = [value for name, value in headers if name.lower() == "x-road-client"]
    if not values:
        found.append(Violation("rest-client-missing", "no X-Road-Client", "invalid_client_identifier"))
        return None
    if len(values) > 1:
        found.append(Violation("rest-client-repeated", f"{values}"))
    parts = values[-1].split("/", 4)
    if len(parts) not in (3, 4):
        found.append(Violation("rest-client-parts", values[-1], "internal_error"))
        return None
    return _decoded("client", parts, found)


def _other_headers(headers: Headers, has_body: bool) -> Iterator[Violation]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value)
    for name, given in values.items():
        if name.startswith("x-road-") and name != "x-road-client" and len(given) > 1:
            yield Violation("rest-header-repeated", f"{name} {len(given)} times")
        if name in ("x-road-request-hash", "x-road-request-id", "x-road-error", "x-road-service"):
            yield Violation("rest-answer-header", f"{name} in a request")
    last = {name: given[-1] for name, given in values.items()}
    if "x-road-id" in last and not last["x-road-id"].strip():
        yield Violation("id-empty", "X-Road-Id says nothing")
    yield from user_and_issue(last.get("x-road-userid"), last.get("x-road-issue"))
    server = last.get("x-road-security-server")
    if server is not None and not re.fullmatch(r"[^/]+(/[^/]+){3}", server):
        yield Violation("rest-security-server", server, "internal_error")
    party = last.get("x-road-represented-party")
    if party is not None and not re.fullmatch(r"[^/]+(/[^/]+)?", party):
        yield Violation("rest-represented-party", party, "internal_error")
    if has_body and "content-type" not in last:
        yield Violation("rest-content-type", "a body of no said type")


def answer_violations(headers: Headers, body: bytes) -> Iterator[Violation]:
    """What PR-REST 4.3 asks of a provider's answer."""
    for name, value in headers:
        if name.lower() in (*OWN_ANSWERS, "x-road-service", "x-road-error"):
            yield Violation("rest-own-header", f"{name}: {value} is the server's to set")
    types = [value for name, value in headers if name.lower() == "content-type"]
    if body and not types:
        yield Violation("rest-content-type", "a body of no said type")
