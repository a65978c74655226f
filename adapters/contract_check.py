"""Do the declarations of the databases agree with the contracts that their sources publish (đối chiếu đặc tả)?

zeep reads each vendored WSDL or XSD here, in `lgsp check`, once when `lgsp serve` starts, and in the tests; no request
needs it. What is compared: names, namespaces and order of everything sent, whether all that the contract requires is
sent, every place that an answer is read from, how often it may occur and what may stand there, and version, address and
action of the binding. What cannot be carried over without guessing is a disagreement as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from adapters.bindings import Given, segments
from adapters.contract_texts import Declarations, flaws_read, flaws_written, soap_flaws
from adapters.contract_types import Place, in_order, is_text, named, place_at, places_of, read_contract, unreadable
from adapters.signed_xml import SignedXml
from adapters.soap import Soap
from config.settings import ConfigurationError
from schemas.exchange import Binding, Database, Operation
from schemas.fields import Branch, Question, Shape, shape_of
from security.contracts import contract_path

Flaw = tuple[str, str]
"""A place (`element`, `element/field` or a setting of the binding) and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A declaration and its contract say different things; `place` names the field or setting and the element."""

    database: str
    operation: str
    place: str
    text: str


class _Sent(NamedTuple):
    """One text of a question: its path, the field that it comes from, and whether it is always there."""

    path: tuple[str, ...]
    field: str
    always: bool


def contract_of(binding: Binding) -> str | None:
    """Return the name of the contract file of a binding; None where the source publishes none that we keep."""
    if isinstance(binding, Soap):
        return binding.wsdl
    return binding.contract if isinstance(binding, SignedXml) else None


def check_contracts(databases: Iterable[Database]) -> list[Disagreement]:
    """Compare every operation that has a contract with it; operations without one are passed over.

    Takes 0.2 s of CPU time and 8 MB, most of it for importing zeep. Opens no connection.
    """
    read: dict[str, tuple[Any, Declarations]] = {}
    found: list[Disagreement] = []
    for database in databases:
        for operation in database.operations:
            name = contract_of(operation.binding)
            if name is None:
                continue
            try:
                if name not in read:
                    path = contract_path(name)
                    read[name] = read_contract(path), Declarations(path)
                flaws = list(_flaws(*read[name], database, operation))
            except unreadable() as failure:
                flaws = [(name, f"cannot be read: {failure}")]
            found += [Disagreement(database.name, operation.name, place, text) for place, text in flaws]
    return found


def hold_to_contracts(databases: Iterable[Database]) -> None:
    """Raise ConfigurationError that names every place where a declaration and its contract do not agree."""
    found = check_contracts(databases)
    if found:
        said = [f"{one.database}/{one.operation}: {one.place}: {one.text}" for one in found]
        head = "declarations do not agree with the contracts of their sources; correct the declaration or put the"
        raise ConfigurationError("\n  ".join([f"{head} contract file of this release back:", *said]))


def _flaws(contract: Any, texts: Declarations, database: Database, operation: Operation) -> Iterator[Flaw]:
    binding = operation.binding
    if isinstance(binding, Soap | SignedXml):
        yield from flaws_written(texts, binding.request, shape_of(operation.question))
        yield from flaws_read(texts, binding.answer, segments(binding.record), shape_of(operation.answer))
    if isinstance(binding, SignedXml):
        asked, told = (contract.get_element(f"{{{space}}}{name}") for space, name in (binding.request, binding.answer))
        yield from _request(asked, binding.given, operation, sent_attributes=("requestId",))
        yield from _attributes(told, ("requestId", "issuedAt"))
        yield from _answer(told, binding, operation)
    elif isinstance(binding, Soap):
        if database.wsdl != binding.wsdl:
            yield "wsdl", f"the operation is declared by {binding.wsdl}, the database publishes {database.wsdl}"
        bound = list(_bound(contract, binding))
        if not bound:
            taken = f"takes {_clark(binding.request)} as its one part"
            yield "request", f"no document/literal operation of a SOAP {binding.version} binding {taken}"
            return
        port, declared = bound[0]
        address = urlsplit(port.binding_options["address"]).path
        if address != binding.path:
            yield "path", f"{binding.path} is declared, {address} is in the contract"
        if (declared.soapaction or "") != binding.action:
            yield "action", f"{binding.action!r} is declared, {declared.soapaction!r} is in the contract"
        if declared.style != "document":
            yield "request", "the contract binds it as RPC, only document/literal is spoken here"
        yield from soap_flaws(contract_path(binding.wsdl), port.binding.name.localname, declared.name)
        told = declared.output.body if declared.output is not None else None
        if told is None:
            yield "answer", "the contract has none of one element: one-way calls and MIME parts are not spoken"
            return
        if str(told.qname) != _clark(binding.answer):
            yield "answer", f"{_clark(binding.answer)} is declared, {told.qname} is in the contract"
            return
        yield from _request(declared.input.body, binding.given, operation)
        yield from _attributes(told, (binding.echo,) if binding.echo else ())
        yield from _answer(told, binding, operation)
        yield from _fault(declared, binding)


def _clark(name: tuple[str, str]) -> str:
    return f"{{{name[0]}}}{name[1]}"


def _bound(contract: Any, binding: Soap) -> Iterator[tuple[Any, Any]]:
    """Yield the ports and their operations that take the declared request, in the declared version of SOAP."""
    from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding

    kind = Soap11Binding if binding.version == "1.1" else Soap12Binding
    ports = [port for service in contract.services.values() for port in service.ports.values()]
    for port in ports:
        bound: Any = port.binding
        if isinstance(bound, kind):
            for declared in bound.all().values():  # type: ignore[no-untyped-call]
                if declared.input.body is not None and str(declared.input.body.qname) == _clark(binding.request):
                    yield port, declared


def _request(
    element: Any, given: Sequence[Given], operation: Operation, sent_attributes: tuple[str, ...] = ()
) -> Iterator[Flaw]:
    sent = [_Sent(segments(path), "given", True) for path, _ in given]
    fields: type[Question] = operation.question
    for member in shape_of(fields).members:
        if isinstance(member, Branch):
            yield member.name, "a question is flat"
            continue
        always = fields.model_fields[member.name].is_required()
        sent += [_Sent(path, member.name, always) for path in member.paths]
    yield from _attributes(element, sent_attributes)
    for name, attribute in element.type.attributes:
        if attribute.required and name not in sent_attributes:
            yield f"{element.name}/@{name}", "the contract requires it, and it is never sent"
    yield from _children_sent(element.type, sent, _below(element, operation.binding), element.name)


def _below(element: Any, binding: Binding) -> str | None:
    """Return the namespace that the children of a payload are declared to be in; None for none."""
    return element.qname.namespace if getattr(binding, "qualified", True) else None


def _children_sent(kind: Any, sent: Sequence[_Sent], namespace: str | None, at: str) -> Iterator[Flaw]:
    """Compare the children that are written into one element with the ones that the contract has there."""
    places = {place.name: place for place in places_of(kind)}
    for one in sent:
        place = places.get(one.path[0])
        where = f"{at}/{one.path[0]} ({one.field})"
        if place is None:
            yield where, "the contract has no such element here"
        elif place.namespace != namespace:
            yield where, f"the contract has it in {named(place.namespace)}"
        elif is_text(place.kind) != (len(one.path) == 1):
            yield where, "one has text where the other has elements"
        else:
            for name, attribute in getattr(place.kind, "attributes", ()):
                if attribute.required:
                    yield where, f"the contract requires its attribute {name}, and it is never sent"
    known = [one for one in sent if one.path[0] in places]
    names = [one.path[0] for one in known]
    if flaw := in_order(names, places):
        yield at, flaw
    for name in dict.fromkeys(names):
        within = [one for one in known if one.path[0] == name]
        if any(len(one.path) == 1 for one in within):
            if len(within) > 1 and not places[name].many:
                yield f"{at}/{name}", "is written more than once"
            continue
        alone = len({one.field for one in within}) == 1
        if is_text(places[name].kind):
            continue
        below = [_Sent(one.path[1:], one.field, one.always or alone) for one in within]
        yield from _children_sent(places[name].kind, below, namespace, f"{at}/{name}")
    yield from _missing(
        places.values(), {one.path[0] for one in known}, {one.path[0] for one in known if one.always}, at
    )


def _missing(places: Iterable[Place], sometimes: set[str], always: set[str], at: str) -> Iterator[Flaw]:
    choices: dict[int, list[str]] = {}
    for place in places:
        if place.choice is not None:
            choices.setdefault(place.choice, []).append(place.name)
        elif place.required and place.name not in always:
            said = "is only sent sometimes" if place.name in sometimes else "is never sent"
            yield f"{at}/{place.name}", f"the contract requires it, and it {said}"
    for names in choices.values():
        if not sometimes.intersection(names):
            yield at, f"the contract requires one of {', '.join(names)}, and none is ever sent"


def _attributes(element: Any, names: Iterable[str]) -> Iterator[Flaw]:
    known = {name for name, _ in element.type.attributes}
    for name in names:
        if name not in known:
            yield f"{element.name}/@{name}", "the contract has no such attribute"


def _answer(element: Any, binding: Soap | SignedXml, operation: Operation) -> Iterator[Flaw]:
    """Look for every place that is read, from the answer's root down: the verdict, the record, and what it holds."""
    namespace = _below(element, binding)
    if binding.verdict:
        yield from _text_at(element, segments(binding.verdict), namespace, "verdict", many=False)
    record = place_at(element.type, segments(binding.record), namespace)
    if isinstance(record, str):
        yield f"{element.name}/{binding.record}", record
        return
    yield from _members_read(record.kind, shape_of(operation.answer), namespace, binding.record or element.name)


def _members_read(kind: Any, shape: Shape, namespace: str | None, at: str) -> Iterator[Flaw]:
    for member in shape.members:
        for path in (member.path,) if isinstance(member, Branch) else member.paths:
            where = f"{at}/{'/'.join(path)} ({member.name})"
            place = place_at(kind, path, namespace)
            if isinstance(place, str):
                yield where, place
                continue
            if place.many and not member.many:
                yield where, "may occur many times in the contract, once in the declaration"
            elif member.many and not place.many:
                yield where, "may occur once in the contract, many times in the declaration"
            if is_text(place.kind) == isinstance(member, Branch):
                yield where, "one has text where the other has elements"
            elif isinstance(member, Branch):
                yield from _members_read(place.kind, member.shape, namespace, f"{at}/{'/'.join(path)}")


def _text_at(element: Any, path: tuple[str, ...], namespace: str | None, setting: str, *, many: bool) -> Iterator[Flaw]:
    place = place_at(element.type, path, namespace)
    where = f"{element.name}/{'/'.join(path)} ({setting})"
    if isinstance(place, str):
        yield where, place
    elif not is_text(place.kind):
        yield where, "holds elements where text is read"
    elif place.many and not many:
        yield where, "may occur many times in the contract, once in the declaration"


def _fault(declared: Any, binding: Soap) -> Iterator[Flaw]:
    if not binding.fault:
        return
    messages = declared.abstract.fault_messages.values()
    details = [part.element for message in messages for part in message.parts.values() if part.element is not None]
    if not any(place.name == binding.fault for detail in details for place in places_of(detail.type)):
        yield f"fault ({binding.fault})", "no fault of the contract has such an element"
