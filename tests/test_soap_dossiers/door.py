"""One client of a deployed gateway at `/soap/dossiers`, which writes its own messages."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from tests.test_intake.world import a_status
from tests.test_openapi.deployment import Deployment
from tests.test_soap_face.messages import MEDIA, answer_of, envelope, fault_of, told

NAMESPACE = "urn:lgsp:dossiers:1"
GOLDEN = Path(__file__).parents[1] / "test_soap_contract" / "golden" / "dossiers.wsdl"
ORDER = {
    "event": ("code", "key", "at", "unit", "officer", "position", "note", "status", "vocabulary", "sequence"),
    "dossier": (
        *("procedure", "procedure_name", "channel", "owner_name", "owner_kind", "owner_identities", "summary"),
        *("submitted_at", "received_at", "due_at", "note", "attachments", "fees", "supplements", "status", "deliver"),
    ),
}
"""Members in the order of the contract, as far as the tests have them."""


@cache
def promised() -> etree.XMLSchema:
    """The schema of the contract as it was promised."""
    contract = etree.parse(GOLDEN)
    gateways, own = (etree.tostring(schema) for schema in contract.iter("{http://www.w3.org/2001/XMLSchema}schema"))

    class Beside(etree.Resolver):
        def resolve(self, system_url: Any, public_id: Any, context: Any) -> Any:
            return self.resolve_string(gateways, context)

    parser = etree.XMLParser()
    parser.resolvers.add(Beside())
    located = own.replace(
        b'import namespace="urn:lgsp:gateway:1"', b'import namespace="urn:lgsp:gateway:1" schemaLocation="g.xsd"'
    )
    return etree.XMLSchema(etree.fromstring(located, parser))


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def camelled(value: Any) -> Any:
    """What REST tells with the names of this face."""
    if isinstance(value, dict):
        return {camel(name): camelled(member) for name, member in value.items()}
    return [camelled(item) for item in value] if isinstance(value, list) else value


def written(name: str, value: Any) -> str:
    """A member as an element; None is nil, a list an element with items."""
    if value is None:
        return f'<{camel(name)} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
    if isinstance(value, list):
        inside = "".join(written("item", item) for item in value)
    elif isinstance(value, dict):
        inside = "".join(written(key, member) for key, member in value.items())
    elif isinstance(value, bool):
        inside = "true" if value else "false"
    else:
        inside = escape(str(value))
    return f"<{camel(name)}>{inside}</{camel(name)}>"


def ordered(kind: str, members: dict[str, Any]) -> dict[str, Any]:
    """The members in the order of the contract, what it does not have last."""
    known = {name: members[name] for name in ORDER[kind] if name in members}
    return known | members


def an_event(code: str, key: str, status: str = "4", **said: Any) -> dict[str, Any]:
    return {"code": code, "key": f"{code}-{key}", **a_status(status, **said)}


def message(element: str, **members: Any) -> str:
    return (
        f'<{element} xmlns="{NAMESPACE}">{"".join(written(name, value) for name, value in members.items())}</{element}>'
    )


@dataclass(frozen=True)
class Heard:
    """What came back: the answer as `told` gives it, or the Problem of a fault."""

    status: int
    headers: dict[str, str]
    body: bytes
    version: str

    @property
    def answer(self) -> Any:
        """What was answered, which is what the contract promises."""
        wrapper = answer_of(self.body, self.version)
        promised().assertValid(wrapper)
        return told(wrapper)

    @property
    def problem(self) -> dict[str, Any]:
        return fault_of(self.body, self.version).problem

    @property
    def code(self) -> str:
        return str(self.problem["code"])

    @property
    def pointers(self) -> list[str]:
        return [flaw["pointer"] for flaw in self.problem["errors"]]


class Door:
    """Asks as one of the demo's clients does, with Basic unless something else is said."""

    def __init__(self, deployed: Deployment, client: str = "province", version: str = "1.1") -> None:
        self.deployed = deployed
        self.version = version
        known = deployed.clients[client]
        pair = f"{known['client_id']}:{known['client_secret']}"
        self.basic = f"Basic {b64encode(pair.encode()).decode()}"

    def send(self, document: bytes, **headers: str) -> Heard:
        """Send a document as it is."""
        said = {"Content_Type": MEDIA[self.version], "Authorization": self.basic, **headers}
        got = self.deployed.ask("POST", "/soap/dossiers", document, **{k: v for k, v in said.items() if v})
        return Heard(got.status, got.headers, got.body, self.version)

    def ask(self, payload: str, blocks: str = "", **headers: str) -> Heard:
        return self.send(envelope(payload, self.version, blocks), **headers)

    def register(self, code: str, dossier: dict[str, Any], key: str | None = None, **more: str) -> Heard:
        named = {"code": code} if key is None else {"code": code, "key": key}
        return self.ask(message("RegisterDossier", **named, dossier=ordered("dossier", dossier)), **more)

    def push(self, code: str, event: dict[str, Any], key: str | None = None, **more: str) -> Heard:
        named = {"code": code} if key is None else {"code": code, "key": key}
        return self.ask(message("PushStatus", **ordered("event", named | event)), **more)

    def push_many(self, events: list[Any], **more: str) -> Heard:
        """Push events; one that is text is put in as it is."""
        items = "".join(one if isinstance(one, str) else written("item", ordered("event", one)) for one in events)
        return self.ask(f'<PushStatuses xmlns="{NAMESPACE}"><events>{items}</events></PushStatuses>', **more)

    def get(self, code: str, **more: str) -> Heard:
        return self.ask(message("GetDossier", code=code), **more)

    def list(self, **members: Any) -> Heard:
        return self.ask(message("ListDeliveries", **members))


def as_rest(value: Any, shown: Any) -> Any:
    """What was read from XML with numbers, booleans and empty lists where REST shows them: text has no types."""
    if isinstance(shown, list):
        items = [] if value == "" else value
        return [as_rest(item, one) for item, one in zip(items, shown, strict=True)]
    if isinstance(shown, dict) and isinstance(value, dict):
        return {name: as_rest(member, shown.get(name)) for name, member in value.items()}
    if isinstance(shown, bool):
        return {"true": True, "false": False}[value]
    return int(value) if isinstance(shown, int) and re.fullmatch("-?[0-9]+", value) else value
