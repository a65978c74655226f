"""What every SOAP client is asked to do, and how what it hands to its user is compared with REST and the truth."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters import DATABASES
from schemas.fields import shape_of

Tree = dict[str, Any]

OPERATIONS = {f"{database.name}/{one.name}": one for database in DATABASES for one in database.operations}
VERSIONS = ("1.1", "1.2")
GATEWAY = "urn:lgsp:gateway:1"
ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def camelled(value: Any) -> Any:
    """A tree of the REST face with the names of this one."""
    if isinstance(value, dict):
        return {camel(name): camelled(member) for name, member in value.items()}
    return [camelled(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Asked:
    """One question; `answer` is what is true, None where nobody but REST says so."""

    name: str
    body: Tree
    headers: Mapping[str, str]
    answer: Tree | None

    @property
    def soap_body(self) -> Tree:
        """The members in the order of the contract: some clients send them in the order in which they get them."""
        members = [one.name for one in shape_of(OPERATIONS[self.name].question).members]
        return {camel(name): self.body[name] for name in members if name in self.body}


def _values(tree: Any) -> Iterator[Any]:
    yield tree
    if isinstance(tree, (dict, list)):
        for member in tree.values() if isinstance(tree, dict) else tree:
            yield from _values(member)


def _text(holds: Any) -> Any:
    return lambda answer: any(isinstance(value, str) and holds(value) for value in _values(answer))


def _items(count: int) -> Any:
    return lambda answer: any(isinstance(value, list) and len(value) == count for value in _values(answer))


PECULIAR = {
    "empty-text": _text(lambda text: text == ""),
    "spaces": _text(lambda text: text != text.strip() or "  " in text),
    "markup": _text(lambda text: any(character in text for character in "&<>")),
    "decomposed": _text(lambda text: unicodedata.normalize("NFC", text) != text),
    "leading-zeros": _text(lambda text: text.isdigit() and text.startswith("00")),
    "no-item": _items(0),
    "single-item": _items(1),
    "several-items": _items(3),
}
"""Answers that clients and translators are known to get wrong."""

QUESTIONS = (*OPERATIONS, *PECULIAR, "warning")


def questions(samples: Mapping[str, Any], cases: Mapping[str, Any], truth: list[Tree]) -> dict[str, Asked]:
    """A question for each operation, the first sentence of the truth with each peculiarity, and one with a warning."""
    found = {name: Asked(name, one["body"], one["headers"], one["data"]) for name, one in samples.items()}
    for kind, has in PECULIAR.items():
        sentence = next(one for one in truth if has(one["answer"]))
        name = f"{sentence['database']}/{sentence['operation']}"
        found[kind] = Asked(name, sentence["request"], samples[name]["headers"], sentence["answer"])
    name = "enterprise/enterprise"
    warned = next(one for one in cases[name] if one["name"] == "warning")
    found["warning"] = Asked(name, warned["body"], samples[name]["headers"], None)
    return found


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the drivers are told it; `blocks` are header blocks, `http` HTTP headers, `tls` another base."""

    id: str
    base: str
    service: str
    operation: str
    soap: str = "1.1"
    body: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    http: Mapping[str, str] = field(default_factory=dict)
    basic: tuple[str, str] | None = None
    bearer: str | None = None
    tls: str | None = None

    @property
    def wsdl(self) -> str:
        return f"{self.base}/soap/{self.service}?wsdl"

    @property
    def location(self) -> str:
        return f"{self.tls or self.base}/soap/{self.service}"

    @property
    def namespace(self) -> str:
        return f"urn:lgsp:{self.service}:1"

    @property
    def port(self) -> str:
        return f"{pascal(self.service)}Soap{self.soap.replace('.', '')}"


def seen(got: Any, expected: Any) -> Any:
    """What a client handed out, with lists where lists are expected: clients show the wrapper of a list or hide it."""
    if isinstance(expected, list):
        # An element without content is an empty object to some, nothing to others: a list is never nil.
        items = (got or {}).get("item", []) if got is None or isinstance(got, dict) else got
        return [seen(item, expected[at] if at < len(expected) else item) for at, item in enumerate(items)]
    if isinstance(expected, dict) and isinstance(got, dict):
        return {name: seen(member, expected.get(name)) for name, member in got.items()}
    return got


def without_nil(value: Any) -> Any:
    """What a client tells that knows no difference between an element that is absent and one that is nil."""
    if isinstance(value, dict):
        return {name: without_nil(member) for name, member in value.items() if member is not None}
    return [without_nil(item) for item in value] if isinstance(value, list) else value
