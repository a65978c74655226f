"""The REST protocol of X-Road (PR-REST r1) around any codec: path and headers of questions, headers of answers.

`X-Road-Request-Hash` is not checked here. X-Road hashes the request line and the header fields as the security server's
own HTTP server read them (its request id appended, hop-by-hop fields, Host, User-Agent and Content-Length left out),
then the body (`RestRequest.toByteArray`, `ClientRestMessageProcessor.checkConsistency`, 7.8). Names come out of that
server in its own spelling, and whatever stands between us and it may add fields: we cannot know these bytes exactly, a
difference would prove nothing, and the security server has compared the hash before it answers.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

import structlog

from adapters.bindings import Codec, Expected, read_json, unreadable
from adapters.codecs import Unreadable
from adapters.offloading import LARGE
from adapters.proof import rejected
from adapters.schemes import Scheme, Steps, Token
from adapters.transport import Message, Reply
from adapters.xroad_faults import XroadFault, raise_xroad_fault, xroad_fault
from adapters.xroad_trace import asked
from config.carriage import Xroad
from config.settings import Endpoint
from schemas.exchange import Answer, Exchange
from schemas.ids import new_id
from security.signature import Rejected

log = structlog.get_logger()

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _encoded(codes: str) -> str:
    """Percent-encode each code by itself (PR-REST, section 4.2)."""
    return "/".join(quote(code, safe="") for code in codes.split("/"))


@dataclass(frozen=True, slots=True)
class RestRoad:
    """The way of one REST endpoint through our security server."""

    name: str
    settings: Xroad
    service: str

    @property
    def prefix(self) -> str:
        """What stands before every path of the source."""
        return f"/r1/{_encoded(f'{self.settings.provider}/{self.service}')}"

    @property
    def constant(self) -> dict[str, str]:
        """The headers that every message has."""
        said = {"X-Road-Client": self.settings.client}
        if self.settings.represented_party is not None:
            said["X-Road-Represented-Party"] = self.settings.represented_party
        if self.settings.security_server is not None:
            said["X-Road-Security-Server"] = self.settings.security_server
        return {name: _encoded(codes) for name, codes in said.items()}

    def around(self, codec: Codec) -> Codec:
        """Return `codec` with its messages sent, and its answers read, as the protocol has it."""
        prefix, constant, user = self.prefix, self.constant, self.settings.user_prefix

        def write(exchange: Exchange) -> tuple[Message, Expected]:
            message, expected = codec.write(exchange)
            headers = {**message.headers, **constant, "X-Road-Id": expected.message_id}
            if exchange.officer:
                headers["X-Road-UserId"] = user + exchange.officer
            if exchange.dossier:
                headers["X-Road-Issue"] = exchange.dossier
            message.path, message.headers = prefix + message.path, headers
            return message, expected

        def read(reply: Reply, expected: Expected) -> Answer:
            # The key to the records of both security servers; the audit entry has no place for it.
            transaction = reply.headers.get("X-Road-Request-Id", "")
            if _UUID.fullmatch(transaction) is not None:
                log.info("xroad-answer", endpoint=self.name, transaction=transaction, **asked())
            raise_error(self.name, reply)
            try:
                self.check(reply.headers, expected.message_id)
            except Unreadable as error:
                raise unreadable(error) from None
            return codec.read(reply, expected)

        return codec._replace(write=write, read=read)

    def check(self, headers: Mapping[str, str], message_id: str) -> None:
        """Check that an answer, the source's own error included, is said to be to our question.

        Raises UpstreamSignatureRejected (`not-answer-to-request`), Unreadable for a header that is there twice.
        """
        wanted = {
            "X-Road-Id": message_id,
            "X-Road-Client": self.settings.client,
            "X-Road-Service": f"{self.settings.provider}/{self.service}",
        }
        for name, value in wanted.items():
            said = headers.get(name)
            if said is None or _decoded(said) == value:
                continue
            # Fields of one name come to us joined; no code has a space.
            if ", " in said:
                raise Unreadable(f"the header {name} is there more than once")
            raise rejected(Rejected("not-answer-to-request", f"the answer repeats another {name}"))


def _decoded(identifier: str) -> str:
    # Decoded part by part: a slash within one is not ours.
    return "/".join(part if "/" not in (part := unquote(code)) else "\0" for code in identifier.split("/"))


def raise_error(name: str, reply: Reply) -> None:
    """Raise the error of X-Road that `reply` is; nothing happens without `X-Road-Error`: the answer is the source's."""
    said = reply.headers.get("X-Road-Error")
    if said is None:
        return
    body: object = None
    if len(reply.body) < LARGE:
        try:
            body = read_json(reply.body)
        except Unreadable:
            # Of a question that does not accept JSON, for one.
            body = None
    told = body if isinstance(body, dict) else {}
    found = xroad_fault(said) or xroad_fault(str(told.get("type", "")))
    # Of a code that we do not know the status says whether our question was at fault (PR-REST, section 4.6).
    unknown = XroadFault("client", (), "ours") if 400 <= reply.status < 500 else XroadFault("server", (), "later")
    raise_xroad_fault(name, found or unknown, str(told.get("detail", "")))


@dataclass(frozen=True, slots=True)
class RoadLogin:
    """The source's own log-in through X-Road, which hands HTTP headers of REST messages on as they are."""

    scheme: Scheme
    road: RestRoad

    def log_in(self, endpoint: Endpoint) -> Steps | None:
        """Return the steps of the source's scheme, sent the way of the questions."""
        steps = self.scheme.log_in(endpoint)
        return None if steps is None else self._carried(steps)

    def sign(self, message: Message, endpoint: Endpoint, token: Token | None) -> Message:
        """Return `message` with the proof on it."""
        return self.scheme.sign(message, endpoint, token)

    def dead(self, reply: Reply) -> bool:
        """Tell whether the source says that the token no longer counts."""
        return self.scheme.dead(reply)

    def _carried(self, steps: Steps) -> Generator[Message, Reply, Token]:
        message = next(steps)
        while True:
            number = new_id()
            log.info("xroad-asked", endpoint=self.road.name, message=number, login=True)
            headers = {**message.headers, **self.road.constant, "X-Road-Id": number}
            reply = yield Message(message.method, self.road.prefix + message.path, headers, message.body, message.query)
            try:
                message = steps.send(reply)
            except StopIteration as end:
                token: Token = end.value
                return token
