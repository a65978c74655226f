"""Names of the SOAP face, derived from those of the REST face: namespaces, operations, elements.

Operations are in PascalCase and unique ignoring case over all databases, since an X-Road member publishes them as
service codes of one subsystem. Elements are in lowerCamelCase.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from config.settings import ConfigurationError
from routes.openapi_models import pascal
from schemas.exchange import Database, Operation
from schemas.fields import Branch, Shape, shape_of
from security.soap_callers import GATEWAY as GATEWAY

CONTENT_TYPES: Final = {"1.1": "text/xml", "1.2": "application/soap+xml"}
"""Media types of the two versions (SOAP 1.1 section 6.1.1; SOAP 1.2 part 2, section 7.1.4)."""


OWN: Final = {
    "me": ("Me",),
    "dossiers": ("RegisterDossier", "PushStatus", "PushStatuses", "GetDossier", "ListDeliveries"),
}
"""Services that are no database, and the elements of their requests."""


def namespace(service: str) -> str:
    """Return the namespace of a database's messages."""
    return f"urn:lgsp:{service}:1"


def element_of(operation: Operation) -> str:
    """Return the local name of an operation's request, which is also its X-Road service code."""
    return pascal(operation.name)


def action_of(service: str, element: str) -> str:
    """Return the SOAP action of an operation."""
    return f"{namespace(service)}/{element}"


def camel(name: str) -> str:
    """Return a member's name (`birth_date`) as its element has it (`birthDate`)."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def camel_path(path: str) -> str:
    """Return a dotted path of members as elements have it."""
    return ".".join(map(camel, path.split(".")))


def camel_pointer(pointer: str) -> str:
    """Return a JSON pointer into a body of the REST face as it leads into the message of this one."""
    return "/".join(map(camel, pointer.split("/")))


def snake_paths(shape: Shape) -> dict[str, str]:
    """Return the dotted paths of members by the path of their elements."""
    return {camel_path(path): path for path in shape.paths()}


def check_names(databases: Iterable[Database]) -> None:
    """Raise ConfigurationError where two names of declarations would become one on this face."""
    taken = {element.lower(): f"{service}/{element}" for service, elements in OWN.items() for element in elements}
    for database in databases:
        if database.name in OWN:
            raise ConfigurationError(
                f"no database can be called {database.name}: /soap/{database.name} is a service of the gateway's own"
            )
        for operation in database.operations:
            place = f"{database.name}/{operation.name}"
            other = taken.setdefault(element_of(operation).lower(), place)
            if other != place:
                raise ConfigurationError(
                    f"{place} and {other} would both be the SOAP operation {element_of(operation)}: rename one"
                )
            for model in (operation.question, operation.answer):
                _check_members(place, shape_of(model))
        _check_wrappers(database)


def _check_wrappers(database: Database) -> None:
    requests = {element_of(operation): operation.name for operation in database.operations}
    for element, name in requests.items():
        other = requests.get(f"{element}Response")
        if other is not None:
            raise ConfigurationError(
                f"{database.name}: the answer of {name} and the request of {other} would both be the element "
                f"{element}Response: rename one"
            )


def _check_members(place: str, shape: Shape) -> None:
    names = [camel(member.name) for member in shape.members]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ConfigurationError(
            f"{place}: two members of {shape.model.__name__} would both be the element {doubled[0]}"
        )
    for member in shape.members:
        if isinstance(member, Branch):
            _check_members(place, member.shape)
