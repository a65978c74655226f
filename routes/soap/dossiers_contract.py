"""The contract of `/soap/dossiers`: what is pushed and asked, from the models of `schemas.dossiers` (hợp đồng hồ sơ).

Document/literal wrapped as the contracts of the databases. Names are those of REST; what stands there in a path, a
header or a query is a member of the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from lxml import etree
from pydantic import BaseModel

from routes.openapi_models import Schema, named_schemas, pascal
from routes.soap.names import OWN, namespace
from routes.soap.record_types import Beside, Records
from routes.soap.shared_types import SAID_ALONG
from routes.soap.types import ITEM, record_type, xs
from routes.soap.wsdl import VERSIONS, Described, Version, contract, schema_of
from schemas.dossiers.messages import GetDossier, ListDeliveries, PushStatus, PushStatuses, RegisterDossier
from schemas.dossiers.views import DeliveryPage, Pushed, PushedLine, PushedLines, Registered, WholeDossier
from schemas.errors import Text
from schemas.fields import Question, shape_of
from security.xml import Element, compile_schema

SERVICE: Final = "dossiers"
TITLE: Final = Text("Hồ sơ và trạng thái hồ sơ", "Dossiers and their statuses")


class Offered(NamedTuple):
    """One operation; `recorded` is what the audit log calls it."""

    title: Text
    question: type[Question]
    answer: type[BaseModel]
    recorded: str


OFFERED: Final = {
    "RegisterDossier": Offered(
        Text("Đăng ký hoặc sửa hồ sơ", "Register a dossier, or amend it"), RegisterDossier, Registered, "registration"
    ),
    "PushStatus": Offered(Text("Gửi một trạng thái", "Push one status"), PushStatus, Pushed, "status"),
    "PushStatuses": Offered(Text("Gửi nhiều trạng thái", "Push many statuses"), PushStatuses, PushedLines, "statuses"),
    "GetDossier": Offered(Text("Xem toàn bộ hồ sơ", "Look at a dossier"), GetDossier, WholeDossier, "dossier"),
    "ListDeliveries": Offered(
        Text("Danh sách sự kiện gửi Cổng", "List deliveries"), ListDeliveries, DeliveryPage, "deliveries"
    ),
}
"""The operations by the elements of their requests, in the order of `OWN`."""

_RECEIPT, _RECEIPT_TYPE, _RECEIPT_TEXT = SAID_ALONG[1]
_WITH_RECEIPT: Final = (Beside(_RECEIPT, _RECEIPT_TYPE, always=True, text=_RECEIPT_TEXT),)
_BESIDE: Final[dict[type[BaseModel], tuple[Beside, ...]]] = {
    Registered: _WITH_RECEIPT,
    Pushed: _WITH_RECEIPT,
    WholeDossier: _WITH_RECEIPT,
    PushedLine: (
        Beside(_RECEIPT, _RECEIPT_TYPE, always=False, text=_RECEIPT_TEXT),
        Beside("problem", "g:ProblemType", always=False, text=Text("Lỗi", "What is wrong with it; it is not taken")),
    ),
}
"""Listing leaves no entry, as over REST, and has no receipt."""


def dossiers_wsdl(public_url: str, versions: Sequence[Version] = VERSIONS) -> bytes:
    """Return the contract of the service, with a port for each of `versions`."""
    operations = [Described(element, OFFERED[element].title) for element in OWN[SERVICE]]
    return contract(SERVICE, TITLE, _messages(), operations, public_url, versions)


def events_schema() -> etree.XMLSchema:
    """Compile what one event of many has to follow, which stands by itself as an `item`."""
    schema = _messages()
    xs(schema, "element", name=ITEM, type_=f"t:{record_type(PushStatus)}")
    return compile_schema(contract(SERVICE, TITLE, schema, (), "", VERSIONS))


def messages_schema() -> etree.XMLSchema:
    """Compile what every message has to follow."""
    return compile_schema(dossiers_wsdl(""))


def _messages() -> Element:
    schema = schema_of(SERVICE)
    models = [model for offered in OFFERED.values() for model in (offered.question, offered.answer)]
    records = Records("t", described(), _BESIDE)
    for element, offered in OFFERED.items():
        records.add_message(schema, element, offered.question, offered.title)
        records.add_message(schema, f"{element}Response", offered.answer, _answers(offered.title))
    records.add_records(schema, models)
    return schema


def _answers(title: Text) -> Text:
    return Text(f"Trả lời: {title.vi}", f"Answers: {title.en}")


@cache
def described() -> dict[type[BaseModel], Schema]:
    """Return the JSON schemas of all models, by model."""
    prefix = pascal(SERVICE)
    roots = [model for offered in OFFERED.values() for model in (offered.question, offered.answer)]
    named = named_schemas(prefix, roots)
    found: dict[type[BaseModel], Schema] = {}

    def keep(model: type[BaseModel]) -> None:
        found[model] = named[f"{prefix}{model.__name__}"]
        for member in shape_of(model).members:
            below = getattr(member, "shape", None)
            if below is not None:
                keep(below.model)

    for root in roots:
        keep(root)
    return found


def request_name(element: str) -> str:
    """Return the name of a request in Clark notation."""
    return f"{{{namespace(SERVICE)}}}{element}"
