"""Bindings: how an operation is put on the wire, declared as data and compiled into a Codec at start-up.

A Codec is two pure functions: `write` makes the message to send for an exchange, `read` makes the answer of what came
back. Everything that several protocols share is here; SOAP and signed XML have modules of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from adapters.codecs import Decoded, Unreadable, json_decoder, lookup, xml_decoder
from adapters.encoding import Texts, json_of, texts_of
from adapters.presence import known_record, records_at, records_in, sent_at, the_one, told
from adapters.site import Site
from adapters.transport import Message, Reply, refusal
from config.settings import ConfigurationError, Endpoint
from schemas.errors import (
    GatewayError,
    NoRecord,
    Text,
    UpstreamRefused,
    UpstreamUnreadable,
)
from schemas.exchange import Answer, Exchange, Operation
from schemas.fields import shape_of
from schemas.ids import new_id
from security.elements import accept_unsigned
from security.xml import XmlRefused


class Asked(NamedTuple):
    """One attempt at a question: `message_id` is new for each, since sources refuse an id that they have seen."""

    exchange: Exchange
    endpoint: Endpoint
    message_id: str


Given = tuple[str, Callable[[Asked], str | None]]
"""A member that the source asks for beside the question: its path, and where its value comes from."""


class Expected(NamedTuple):
    """What ties an answer to its question: the id sent with it and the value of the signature over it (base64).

    `posted` are the very bytes of a question whose answer is compared with them (X-Road, SOAP), else nothing.
    `asked` is whatever else the codec has to know of the question to read its answer.
    """

    message_id: str
    signature: str | None = None
    posted: bytes = b""
    asked: Any = None


class Codec(NamedTuple):
    """The two directions of one operation; `read` raises a GatewayError for anything that is not an answer.

    `thread` is where `write` has to run, since it waits for the device that holds our key; None: in the event loop.
    `as_xml` is that answers come as XML, so that whatever is in them can be told as XML again.
    """

    write: Callable[[Exchange], tuple[Message, Expected]]
    read: Callable[[Reply, Expected], Answer]
    thread: Executor | None = None
    as_xml: bool = False


@runtime_checkable
class Compilable(Protocol):
    """A binding that can be compiled against the endpoint it will talk to."""

    def compile(self, operation: Operation, site: Site) -> Codec:
        """Return the codec for an endpoint; raises ConfigurationError if that lacks what is needed."""
        ...


def constant(value: str) -> Callable[[Asked], str]:
    """Give the same text to every request."""
    return lambda asked: value


@dataclass(frozen=True, slots=True)
class Param:
    """Gives what the endpoint's configuration says under `params`; one without default has to be there.

    With `officer` it stands in for the officer who asks (cán bộ), where the caller names none.
    """

    name: str
    default: str | None = None
    officer: bool = False

    def __call__(self, asked: Asked) -> str | None:
        """Return the text for one request."""
        if self.officer and asked.exchange.officer:
            return asked.exchange.officer
        return asked.endpoint.params.get(self.name, self.default)


def message_id(asked: Asked) -> str:
    """Give the id of this attempt, which the answer has to repeat."""
    return asked.message_id


def given_texts(given: tuple[Given, ...], name: str, endpoint: Endpoint) -> Callable[[Asked], Texts]:
    """Compile what the source asks for beside the question into a function to (path, text) pairs.

    Raises ConfigurationError for a param that the endpoint called `name` has to have and has not.
    """
    compiled: list[tuple[tuple[str, ...], Callable[[Asked], str | None]]] = []
    for path, value in given:
        if isinstance(value, Param):
            configured = endpoint.params.get(value.name, value.default)
            if configured is None:
                raise ConfigurationError(f"[endpoints.{name}] needs params.{value.name}: the source asks for it")
            value = value if value.officer else constant(configured)
        compiled.append((segments(path), value))

    def texts(asked: Asked) -> Texts:
        return [(path, text) for path, value in compiled if (text := value(asked)) is not None]

    return texts


def check_status(name: str, reply: Reply, faults: Mapping[str, type[GatewayError]]) -> None:
    """Raise what an HTTP status other than 200 means, by `faults` (`http-404`, `http-204`) or as HTTP has it."""
    if reply.status == 200:
        return
    error = faults.get(f"http-{reply.status}") or refusal(name, reply)
    if error is not None:
        raise error


def check_verdict(code: object, accepted: frozenset[str], faults: Mapping[str, type[GatewayError]]) -> None:
    """Raise what a result code inside a successful envelope means.

    A code without a declaration is not repeated: a source may put anything there, a citizen's number as well.
    """
    if not isinstance(code, str):
        raise Unreadable("the result code is missing")
    if code in accepted:
        return
    shown = code if code in faults else "?"
    raise faults.get(code, UpstreamRefused)(
        Text(f"Nguồn trả mã kết quả {shown}", f"The source's result code is {shown}")
    )


def unreadable(why: Exception) -> UpstreamUnreadable:
    """Name the place where an answer broke its contract."""
    return UpstreamUnreadable(Text(f"Trả lời của nguồn sai đặc tả: {why}", f"The answer breaks its contract: {why}"))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a JSON member occurs twice")
    return found


def _refuse(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON")


# Made once: `json.loads` with options, and even `JSONEncoder.encode`, make one for each message. The encoder has no
# markers against cycles, no indent, names in their order, none skipped, no NaN.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse, object_pairs_hook=_once)
_ENCODE = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, json.JSONEncoder().default, json.encoder.encode_basestring, None, ":", ",", False, False, False
)
# What may stand around a JSON value (RFC 8259, section 2); other white space may not.
_WHITE_SPACE = " \t\n\r"


def written_json(value: Any) -> bytes:
    """Write JSON; a lone surrogate, which is no character, raises UnicodeEncodeError."""
    return "".join(_ENCODE(value, 0)).encode("utf-8")


def read_json(body: bytes) -> Any:
    """Parse JSON with numbers kept as text; raises Unreadable for anything that is not exactly one JSON value."""
    try:
        # A mark before the text may be passed over (RFC 8259, section 8.1), and some stacks write it.
        text = body.decode("utf-8").removeprefix("\ufeff").strip(_WHITE_SPACE)
        if not text:
            raise Unreadable("the body is empty")
        found, end = _DECODER.raw_decode(text)
        if end != len(text):
            raise Unreadable("the body is not JSON")
        if b"\\u" in body:  # an escaped lone surrogate is no character and could not be passed on
            written_json(found)
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON") from None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """JSON over HTTP: the question travels as a query or as a JSON object, the answer is a JSON object.

    `verdict` is the path of the result code and `accepted` its good values; `record` the path of the record, where
    several mean Ambiguous, null or an empty one NoRecord; without the member the answer is unreadable. Where the record
    is the whole answer, `core` is the path of the object that the source fills with what it found: null or empty it
    means NoRecord, missing or with nothing that is declared the answer is unreadable. Without one what stands beside
    the result code has to say something.
    """

    method: Literal["GET", "POST"]
    path: str
    given: tuple[Given, ...] = ()
    verdict: str = ""
    accepted: frozenset[str] = frozenset()
    record: str = ""
    core: str = ""
    protocol: str = "REST/JSON"

    def compile(self, operation: Operation, site: Site) -> Codec:
        """Compile the codec of an operation that speaks JSON both ways."""
        shape = shape_of(operation.answer)
        decode, path, core = json_decoder(shape), segments(self.record), segments(self.core)
        hold, place = told(shape, core, segments(self.verdict)), core or path

        def answer(found: Any) -> Decoded:
            if place:
                sent_at(found, place)
                if not records_at(found, place):
                    raise NoRecord
            decoded = decode(the_one(records_at(found, path)))
            return decoded if path else hold(decoded)

        return _json_codec(self, operation, site, answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlInJson:
    """JSON over HTTP whose answer holds an XML document as a string at `data`.

    `root` is the document's root and `record` the path of the record in it. No text, an empty root and an empty record
    mean NoRecord; no member at `data`, another root, other elements or a record with nothing that is declared are
    unreadable. `status` is the path of a member that says whether the source did what it was asked, beside the result
    code that says why not, and `done` its good values.
    """

    method: Literal["GET", "POST"]
    path: str
    given: tuple[Given, ...] = ()
    verdict: str = ""
    accepted: frozenset[str] = frozenset()
    status: str = ""
    done: frozenset[str] = frozenset()
    data: str = "data"
    root: str
    record: str = ""
    protocol: str = "REST/JSON + XML"

    def compile(self, operation: Operation, site: Site) -> Codec:
        """Compile the codec of an operation whose JSON answer wraps XML."""
        shape = shape_of(operation.answer)
        decode, known = xml_decoder(shape), known_record(shape)
        status, data, path, limits = segments(self.status), segments(self.data), segments(self.record), site.limits

        def answer(found: Any) -> Decoded:
            if status:
                self._check_status(lookup(found, status))
            text = sent_at(found, data)
            if text is None or text == "":
                raise NoRecord
            if not isinstance(text, str):
                raise Unreadable(f"{data[-1]} is no text")
            document = accept_unsigned(text.encode("utf-8"), limits)
            return decode(known(the_one(records_in(document, self.root, path))))

        return _json_codec(self, operation, site, answer)

    def _check_status(self, said: object) -> None:
        if not isinstance(said, str):
            raise Unreadable(f"{self.status} is missing")
        if said not in self.done:
            raise UpstreamRefused(
                Text("Nguồn báo không thành công mà không nói vì sao", "The source says that it failed, and not why")
            )


def _json_codec(
    binding: Rest | XmlInJson,
    operation: Operation,
    site: Site,
    answer: Callable[[Any], Decoded],
) -> Codec:
    name, endpoint = site.name, site.endpoint
    texts = texts_of(shape_of(operation.question))
    given = given_texts(binding.given, name, endpoint)
    verdict = segments(binding.verdict)
    method, target = binding.method, binding.path
    headers = {"Accept": "application/json"}
    if method == "POST":
        headers["Content-Type"] = "application/json; charset=utf-8"

    def write(exchange: Exchange) -> tuple[Message, Expected]:
        message_id = new_id()
        pairs = given(Asked(exchange, endpoint, message_id)) + texts(exchange.question)
        if method == "GET":
            query = {path[-1]: text for path, text in pairs}
            return Message(method, target, headers, b"", query), Expected(message_id)
        return Message(method, target, headers, written_json(json_of(pairs)), {}), Expected(message_id)

    def read(reply: Reply, expected: Expected) -> Answer:
        check_status(name, reply, operation.faults)
        try:
            found = read_json(reply.body)
            if verdict:
                check_verdict(lookup(found, verdict), binding.accepted, operation.faults)
            data, notices = answer(found)
        except (Unreadable, XmlRefused) as error:
            raise unreadable(error) from None
        return Answer(data, tuple(notices))

    return Codec(write, read)


def segments(path: str) -> tuple[str, ...]:
    """Split a declared path; the empty path has no segments."""
    return tuple(path.split("/")) if path else ()
