"""The binding of the national portal: one operation as each generation of its interface asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.bindings import Codec, Expected, segments, written_json
from adapters.encoding import object_of
from adapters.portal_answers import DIALECTS, Sent, delivered, found
from adapters.portal_filed import filed
from adapters.portal_login import KNOWN, Generation, address, generation, said
from adapters.site import Site
from adapters.transport import Message, Reply
from config.settings import ConfigurationError, Endpoint
from schemas.errors import Text, UpstreamRefused
from schemas.exchange import Answer, Exchange, Operation
from schemas.fields import Wire, placed, shape_of
from schemas.forms import Form
from schemas.ids import new_id
from schemas.portal import PortalDossier

Places = Mapping[str, Wire | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one generation is asked: `path` names the param that holds the path, `service` the value of `service`.

    `service_param` names the param that holds that value, where no public source says it.

    `question` and `answer` say where members stand that are elsewhere than declared; `numbers` and `empty` are as in
    `object_of`. The encoded question is the body, or the list `listed` in it is, or, with `single`, its only item.
    `record` is where a reading finds the record or, where it has a `cursor`, the list that goes on there. `batch` is
    how many elements go at once unless `params.batch` says less.
    """

    path: str
    service: str = ""
    service_param: str = ""
    question: Places = field(default_factory=dict)
    answer: Places = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()
    empty: tuple[Form, ...] = ()
    listed: str = ""
    single: bool = False
    record: str = ""
    cursor: str = ""
    batch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """An operation of the portal; `elements` names the list that a write sends, nothing for a reading."""

    first: Way
    second: Way | None = None
    elements: str = ""
    protocol: str = "REST/JSON"

    def way(self, endpoint: Endpoint) -> Way | None:
        """Return how the generation of an endpoint is asked; None where it is not."""
        return self.first if generation(endpoint) == "1" else self.second

    def compile(self, operation: Operation, site: Site) -> Codec:
        """Compile the codec for the generation that the endpoint speaks."""
        endpoint = site.endpoint
        try:
            speaks = generation(endpoint)
            check(endpoint, speaks)
        except ConfigurationError as error:
            raise ConfigurationError(f"[endpoints.{site.name}]: {error}") from None
        way = self.way(endpoint)
        if way is None:
            return Codec(_refusing(f"{operation.name} is not offered by generation {speaks} of the portal"), _no)
        dialect = DIALECTS[speaks]
        write = _writer(self, way, operation, endpoint, speaks)
        if self.elements:
            return Codec(write, delivered(site.name, dialect))
        records = segments(way.record)
        if way.cursor:
            shape = placed(shape_of(PortalDossier), way.answer)
            return Codec(write, filed(site.name, dialect, shape, records, segments(way.cursor)))
        return Codec(write, found(site.name, dialect, placed(shape_of(operation.answer), way.answer), records))


def check(endpoint: Endpoint, speaks: Generation) -> None:
    """Look for what the portal needs at an endpoint; raises ConfigurationError."""
    unknown = sorted(endpoint.params.keys() - KNOWN[speaks])
    if unknown:
        raise ConfigurationError(
            f"params.{unknown[0]}: generation {speaks} of the portal has no such param; known are"
            f" {', '.join(sorted(KNOWN[speaks]))}"
        )
    batch = endpoint.params.get("batch", "1")
    if not batch.isascii() or not batch.isdigit() or not 1 <= int(batch[:9]) <= 1000:
        raise ConfigurationError("params.batch is a number of elements, 1 to 1000")
    if speaks == "1":
        if not endpoint.params.get("madonvi"):
            raise ConfigurationError("needs params.madonvi: the code of the unit in whose name is sent")
        if endpoint.lgsp is not None:
            raise ConfigurationError(
                'via = "lgsp" leaves no place for the session of generation 1: reach its adapter directly'
            )
        if said(endpoint, "dstcode_in") not in ("query", "header"):
            raise ConfigurationError('params.dstcode_in is "query" or "header"')
    if not endpoint.username or not endpoint.secret.get_secret_value():
        raise ConfigurationError("needs username and secret: the portal's log-in asks for them")


def _refusing(why: str) -> Callable[[Exchange], tuple[Message, Expected]]:
    def write(exchange: Exchange) -> tuple[Message, Expected]:
        raise not_offered(why)

    return write


def _no(reply: Reply, expected: Expected) -> Answer:
    raise AssertionError("nothing was asked")


def not_offered(why: str) -> UpstreamRefused:
    """Say that this generation of the portal cannot be asked that; nothing was sent."""
    error = UpstreamRefused(Text("Thế hệ giao diện này của Cổng không có thao tác đó", why), reason="not-offered")
    error.unsent = True
    return error


def _writer(
    binding: Portal, way: Way, operation: Operation, endpoint: Endpoint, speaks: Generation
) -> Callable[[Exchange], tuple[Message, Expected]]:
    encode = object_of(placed(shape_of(operation.question), way.question), numbers=way.numbers, empty=way.empty)
    target = said(endpoint, way.path)
    headers = {"Accept": "application/json", "Content-Type": "application/json; charset=utf-8"}
    query: dict[str, str] = {}
    constant: dict[str, str] = {}
    if speaks == "1":
        more, query = address(endpoint)
        headers |= more
        service = said(endpoint, way.service_param) if way.service_param else way.service
        constant = {"madonvi": endpoint.params["madonvi"], "service": service}
    elements, listed, single = binding.elements, way.listed, way.single

    def write(exchange: Exchange) -> tuple[Message, Expected]:
        question = exchange.question
        sent = _sent(question, elements)
        if single and (len(sent.dossiers) != 1 or sent.call == "update"):
            raise not_offered("the portal takes one new dossier at a time and shows no way to amend one")
        try:
            body: Any = encode(question)
        except KeyError:
            raise not_offered("a value has no code in this generation of the portal") from None
        body = (body[listed][0] if single else body[listed]) if listed else constant | body
        return Message("POST", target, headers, written_json(body), query), Expected(new_id(), asked=sent)

    return write


def _sent(question: Any, elements: str) -> Sent:
    if not elements:
        return Sent("read")
    dossiers = tuple(one.code for one in getattr(question, elements))
    if elements == "steps":
        return Sent("progress", dossiers)
    return Sent("update" if question.updating else "create", dossiers)


def batch_limit(endpoint: Endpoint, operation: Operation) -> int:
    """Return how many elements of a write may go to the portal at once."""
    binding = operation.binding
    way = binding.way(endpoint) if isinstance(binding, Portal) else None
    if way is None:
        return 1
    return min(way.batch, int(endpoint.params.get("batch", way.batch)))
