"""The paths of dossiers in the OpenAPI document, and what is pushed and shown there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import TypeAdapter

from routes.dossiers.asking import LIMIT, MOST
from routes.dossiers.stream import BYTES, LINES, MEDIA_TYPE
from routes.openapi_models import Schema, named_schemas, reference
from routes.openapi_responses import ANYWHERE, KNOWN_CALLER, answer, problems
from schemas import errors as e
from schemas.dossiers.models import DossierBody, DossierLine, StatusEvent, StatusLine
from schemas.dossiers.statuses import Degree
from schemas.dossiers.views import Delivery, WholeDossier
from schemas.identifiers import DossierCode
from sync.reading import STATES

DOSSIERS: Final = "dossiers"
DOSSIERS_TAG: Final = {
    "name": DOSSIERS,
    "description": "Hồ sơ thủ tục hành chính và trạng thái · Dossiers and their statuses for the national portal",
}

JSON: Final = "application/json"
TEXT: Final[Schema] = {"type": "string"}
NULLABLE: Final[Schema] = {"type": ["string", "null"]}
INTEGER: Final[Schema] = {"type": "integer"}
_RESULT: Final[Schema] = {"type": "string", "enum": ["accepted", "duplicate", "waiting", "late", "quarantined"]}
_PUSHED: Final = (
    *KNOWN_CALLER,
    e.Refused,
    e.SignatureRejected,
    e.TooLarge,
    e.UnsupportedMediaType,
    e.Invalid,
    e.IdempotencyKeyReused,
    e.IdempotencyInProgress,
)
COMMON: Final = ("RequestId", "AcceptLanguage")
_SIGNED: Final = (*COMMON, "Receipt", "ContentDigest", "SignatureInput", "Signature")


def dossier_schemas() -> dict[str, Schema]:
    """Return the schemas of what is pushed and of deliveries."""
    models = (DossierBody, StatusEvent, DossierLine, StatusLine, Delivery, WholeDossier)
    found = named_schemas("Dossiers", models)
    whole, delivered = found["DossiersWholeDossier"], found["DossiersDeliveryOfDossier"]
    _add(whole, "receipt", _receipt())
    # Over SOAP, where an element has one type alone, it has two names.
    del delivered["properties"]["dossier"]
    pushed = [reference("DossiersStatusEvent"), reference("DossiersDossierBody"), {"type": "null"}]
    _add(delivered, "event", delivered["properties"].pop("event") | {"anyOf": pushed})
    delivered["properties"]["event"]["description"] = "What was pushed; null once the keys of its period are destroyed"
    return found


def _add(schema: Schema, name: str, member: Schema) -> None:
    schema["properties"][name] = member
    schema["required"].append(name)


def dossier_paths(public_url: str) -> dict[str, Any]:
    """Return the path items."""
    return {
        "/v1/dossiers/statuses": {"post": _stream(public_url)},
        "/v1/dossiers/{code}": {"put": _put(public_url), "get": _get(public_url)},
        "/v1/dossiers/{code}/statuses": {"post": _post(public_url)},
        "/v1/deliveries": {"get": _deliveries(public_url)},
        "/v1/public/dossiers/{code}": {"get": _public(public_url)},
    }


def operation(
    name: str, summary: str, description: str, parameters: Iterable[Schema], responses: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Return one operation of a path."""
    return {
        "tags": [DOSSIERS],
        "operationId": name,
        "summary": summary,
        "description": description,
        "parameters": list(parameters),
        "responses": responses,
        **more,
    }


def _put(public_url: str) -> dict[str, Any]:
    about = {"code": TEXT, "version": INTEGER, "delivery": NULLABLE, "result": _RESULT, "reason": NULLABLE}
    body = closed(about | {"receipt": _receipt()})
    return operation(
        "putDossier",
        "Đăng ký hoặc sửa hồ sơ",
        "Register a dossier, or amend it: what is sent replaces the whole, every version is kept, the code never "
        'changes. The same body again is no new version. `"deliver": false` adopts a dossier that the portal holds '
        "already. Only the agency that registered it may amend it",
        [_code(), _key(required=False), *map(shared, _SIGNED)],
        {
            "200": answer("Đã sửa, hoặc không đổi · Amended, or as it was", JSON, body),
            "201": answer("Đã đăng ký · Registered", JSON, body),
            **problems(_PUSHED, public_url),
        },
        requestBody={"required": True, "content": {JSON: {"schema": reference("DossiersDossierBody")}}},
    )


def _post(public_url: str) -> dict[str, Any]:
    about = {"code": TEXT, "delivery": TEXT, "result": _RESULT, "reason": NULLABLE, "receipt": _receipt()}
    return operation(
        "postStatus",
        "Gửi một trạng thái",
        "Push one status. It is answered once event, evidence and delivery are durable; sent again with the same key "
        "it is answered as the first time, with `Idempotency-Replayed: true`. A dossier that is not registered yet "
        "is waited for",
        [_code(), _key(required=True), *map(shared, _SIGNED)],
        {
            "202": answer("Đã ghi nhận bền vững · It is durable", JSON, closed(about)),
            **problems((*_PUSHED, e.IdempotencyKeyRequired, e.Conflict), public_url),
        },
        requestBody={"required": True, "content": {JSON: {"schema": reference("DossiersStatusEvent")}}},
    )


def _stream(public_url: str) -> dict[str, Any]:
    trouble = (*KNOWN_CALLER, e.Refused, e.SignatureRejected, e.TooLarge, e.UnsupportedMediaType)
    return operation(
        "postStatuses",
        "Gửi nhiều trạng thái và hồ sơ",
        f"Push up to {LINES} lines, {BYTES} bytes: one JSON object a line, either a status with `code` and `key` "
        "(schema `DossiersStatusLine`) or a dossier (`DossiersDossierLine`). Answered with one line each in the "
        'order of the input: `{"line","code","key","result","receipt"}`, and `problem` in place of the receipt where '
        "`result` is `refused`. A wrong line fails alone; sending everything again is safe",
        map(shared, COMMON),
        {
            "200": answer("Kết quả từng dòng · What became of each line", MEDIA_TYPE, TEXT),
            **problems(trouble, public_url),
        },
        requestBody={"required": True, "content": {MEDIA_TYPE: {"schema": TEXT}}},
    )


def _get(public_url: str) -> dict[str, Any]:
    trouble = (*KNOWN_CALLER, e.Refused, e.NotFound, e.Invalid)
    return operation(
        "getDossier",
        "Xem toàn bộ hồ sơ",
        "Everything about a dossier, for the agency that registered it: timeline, versions, deliveries with every "
        "attempt. For others it is not there",
        [_code(), *map(shared, (*COMMON, "Receipt"))],
        {
            "200": answer("Hồ sơ · The dossier", JSON, reference("DossiersWholeDossier")),
            **problems(trouble, public_url),
        },
    )


def _deliveries(public_url: str) -> dict[str, Any]:
    page = closed({"items": listed(reference("DossiersDelivery")), "next": NULLABLE})
    state = {"type": "string", "enum": list(STATES)}
    return operation(
        "getDeliveries",
        "Danh sách sự kiện gửi Cổng",
        "The deliveries of the caller's agency in the order in which they were accepted",
        [
            query("state", "Trạng thái · Only those in this state", state),
            query("code", "Mã hồ sơ · Only those of this dossier", TEXT),
            query("client", "Nguồn · Only those of this client", TEXT),
            query("reason", "Lý do · Only those with this reason", TEXT),
            query("fingerprint", "Dấu vân · Only those that failed alike", TEXT),
            query("status", "Trạng thái quốc gia · Only those of this national status", TEXT),
            query("limit", "Số mục · How many", INTEGER | {"minimum": 1, "maximum": MOST}, example=LIMIT),
            query("after", "Con trỏ `next` của trang trước · `next` of the page before", TEXT),
            *map(shared, COMMON),
        ],
        {
            "200": answer("Một trang · A page", JSON, page),
            **problems((*KNOWN_CALLER, e.Refused, e.Invalid), public_url),
        },
    )


def _public(public_url: str) -> dict[str, Any]:
    degrees = [*(degree.slug for degree in Degree), "unknown"]
    completion = closed({"degree": {"type": "string", "enum": degrees}, "title": TEXT})
    shown = closed({"code": TEXT, "completion": completion})
    return operation(
        "getPublicDossier",
        "Tra cứu công khai",
        "How far a dossier has come, for whoever has its code; nothing else. So many times a minute from one address",
        [_code(), *map(shared, COMMON)],
        {
            "200": answer("Mức độ hoàn thành · Its degree", JSON, shown, Content_Language="ContentLanguage"),
            **problems((*ANYWHERE, e.Invalid, e.EvidenceUnavailable, e.TooManyRequests), public_url),
        },
        security=[],
    )


def closed(members: dict[str, Schema]) -> Schema:
    """Return the schema of an object that has exactly these members."""
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def listed(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def _receipt() -> Schema:
    return reference("Receipt")


def shared(name: str) -> Schema:
    """Return a parameter that many operations have."""
    return {"$ref": f"#/components/parameters/{name}"}


def _code() -> Schema:
    schema = TypeAdapter(DossierCode).json_schema()
    return {
        "name": "code",
        "in": "path",
        "required": True,
        "description": "Mã hồ sơ · Code of the dossier",
        "schema": schema,
        "example": "000.00.00.H26-260105-0001",
    }


def _key(*, required: bool) -> Schema:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "Khóa chống trùng, mỗi sự kiện một khóa · Another key for each event, bare or a quoted string",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~:/+=-]{1,255}$"},
        "example": "hs-0001-4",
    }


def query(name: str, description: str, schema: Schema, **more: Any) -> Schema:
    """Return a parameter of the query."""
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}
