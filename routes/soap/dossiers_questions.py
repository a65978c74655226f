"""From a request of `/soap/dossiers` to the model of what it says (giải mã yêu cầu về hồ sơ).

The contract's XSD decides first, as for the databases. Of many events each is read by itself, so that a wrong one says
nothing about the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lxml import etree
from pydantic import ValidationError

from routes.flaws import flaws_of
from routes.soap.dossiers_contract import OFFERED, SERVICE, events_schema, messages_schema
from routes.soap.names import camel_pointer, namespace
from routes.soap.questions import XSD
from routes.soap.record_reader import Member, is_nil, members_of, respelling, structure, values
from routes.soap.types import ITEM
from schemas.dossiers.contents import DossierContent
from schemas.dossiers.idempotency import KeyMissing, KeyUnreadable, key_from_header
from schemas.dossiers.messages import AT_ONCE, PushStatus
from schemas.errors import Flaw, GatewayError, IdempotencyKeyRequired, Invalid, Malformed, Text, TooLarge
from schemas.fields import Question, shape_of
from security.xml import Element

_PREFIX: Final = f"{{{namespace(SERVICE)}}}"
_KEY: Final = f"{_PREFIX}key"
_ITEM: Final = _PREFIX + ITEM
_NO_KEY: Final = Text("thiếu khóa", "is missing or empty")
_TOO_MANY: Final = Text(f"Có hơn {AT_ONCE} sự kiện", f"There are more than {AT_ONCE} events")
_SHOWN: Final = 255
"""Characters of a code or a key that could not be read, so that its sender finds the event again."""

Read = Callable[[Element], Question]
"""Reads a request; raises Invalid, and IdempotencyKeyRequired or Malformed for its key."""


class Event(NamedTuple):
    """One event of many: what it pushes, or what is wrong with it; code and key as far as they could be read."""

    code: str | None
    key: str | None
    pushed: PushStatus | None
    error: GatewayError | None


def readers() -> dict[str, Read]:
    """Compile the reader of each request that is read as a whole, by its element."""
    schema = messages_schema()
    return {
        element: _reader(schema, offered.question, element)
        for element, offered in OFFERED.items()
        if element != "PushStatuses"
    }


def _reader(schema: etree.XMLSchema, model: type[Question], element: str) -> Read:
    members = members_of(model, _PREFIX)
    key = model.model_fields.get("key")

    def read(wrapper: Element) -> Question:
        said = _key(wrapper, required=key.is_required()) if key is not None else None
        try:
            made: Question = _read(schema, model, members, wrapper, {"key": said} if said is not None else {})
            return made
        except Invalid as invalid:
            raise placed(invalid, element) from None

    return read


def _key(wrapper: Element, *, required: bool) -> str | None:
    """Return the key of a push; raises IdempotencyKeyRequired and Malformed, as for the header of REST."""
    try:
        return _key_of(wrapper)
    except KeyMissing:
        if not required:
            return None
        raise IdempotencyKeyRequired(flaws=[Flaw(f"/{_local(wrapper)}/key", _NO_KEY)]) from None
    except KeyUnreadable as error:
        raise Malformed(flaws=[Flaw(f"/{_local(wrapper)}/key", _unreadable(error))]) from None


def _key_of(place: Element) -> str:
    # That there is another one is refused with everything else that does not follow the contract.
    return key_from_header([each.text or "" for each in place.findall(_KEY)[:1] if not is_nil(each)])


def _unreadable(error: KeyUnreadable) -> Text:
    return Text("không đọc được", str(error))


def _local(wrapper: Element) -> str:
    return str(wrapper.tag).rpartition("}")[2]


def _read(
    schema: etree.XMLSchema,
    model: type[Question],
    members: Mapping[str, Member],
    place: Element,
    known: Mapping[str, Any],
) -> Any:
    """Return what an element says; `known` are members that were read already. Raises Invalid, without its place."""
    follows = schema.validate(place)
    flaws = [] if follows else list(structure(place, members))
    if not flaws:
        try:
            made = model.model_validate({**values(place, members), **known})
        except ValidationError as error:
            flaws = flaws_of(error)
        else:
            if follows:
                return made
            # Nothing that the tree or the model shows is wrong, and still a facet is broken.
            flaws = [Flaw("", XSD)]
    raise Invalid(flaws=flaws)


def placed(error: GatewayError, *places: str) -> GatewayError:
    """Put pointers and names of REST in the words of the message, its pointers below these places; return the error."""
    root = "".join(f"/{place}" for place in places)
    error.flaws = tuple(
        Flaw(root + camel_pointer(flaw.pointer), _respelled(flaw.detail), flaw.header) for flaw in error.flaws
    )
    return error


_respelled: Final = respelling(
    member.name for model in (DossierContent, PushStatus) for member in shape_of(model).members
)


def event_reader() -> Callable[[Element], list[Event]]:
    """Compile the reader of `PushStatuses`; it raises Invalid for what is wrong around the events, TooLarge."""
    schema = events_schema()
    members = members_of(PushStatus, _PREFIX)

    def read(wrapper: Element) -> list[Event]:
        items = _items(wrapper)
        if len(items) > AT_ONCE:
            raise TooLarge(_TOO_MANY)
        return [_event(schema, members, item) for item in items]

    return read


def _items(wrapper: Element) -> Sequence[Element]:
    # The list alone, so that nothing inside of an event can be wrong.
    around = {f"{_PREFIX}events": Member("events", str, {}, many=True)}
    flaws = [flaw for flaw in structure(wrapper, around) if flaw.pointer.count("/") < _INSIDE]
    if not flaws and not len(wrapper):
        flaws = [Flaw("/events", Text("thiếu trường bắt buộc", "is required"))]
    if flaws:
        raise placed(Invalid(flaws=flaws), _local(wrapper))
    return list(wrapper[0])


_INSIDE: Final = 2
"""Slashes in a pointer to an event."""


def _event(schema: etree.XMLSchema, members: Mapping[str, Member], item: Element) -> Event:
    key = _shown(item, "key")
    try:
        key = _key_of(item)
        pushed: PushStatus = _read(schema, PushStatus, members, item, {"key": key})
    except Invalid as invalid:
        return Event(_shown(item, "code"), key, None, placed(invalid))
    except (KeyMissing, KeyUnreadable) as error:
        # As in a stream of lines a key is a member like the others.
        why = _unreadable(error) if isinstance(error, KeyUnreadable) else _NO_KEY
        return Event(_shown(item, "code"), key, None, Invalid(flaws=[Flaw("/key", why)]))
    return Event(pushed.code, pushed.key, pushed, None)


def _shown(item: Element, name: str) -> str | None:
    found = item.find(_PREFIX + name)
    return None if found is None or found.text is None else found.text[:_SHOWN]
