"""The paths of filed dossiers in the OpenAPI document, and what is told of them in call-backs."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from routes.dossiers.asking import LIMIT, MOST
from routes.openapi_dossiers import COMMON, INTEGER, JSON, NULLABLE, TEXT, closed, listed, operation, shared
from routes.openapi_models import Schema, named_schemas, reference
from routes.openapi_responses import KNOWN_CALLER, answer, problems
from schemas import errors as e
from schemas.identifiers import DossierCode
from schemas.inbox import Acknowledgement

_PARAMETERS = (*map(shared, (*COMMON, "Receipt")),)
_RECEIPT: Schema = {"anyOf": [reference("Receipt"), {"type": "null"}]}


def inbox_schemas() -> dict[str, Schema]:
    """Return the schemas of filed dossiers."""
    return named_schemas("Inbox", (Acknowledgement,)) | {"InboxDossier": closed(_item())}


def inbox_paths(public_url: str) -> dict[str, Any]:
    """Return the path items."""
    code = {
        "name": "code",
        "in": "path",
        "required": True,
        "description": "Mã hồ sơ · Code of the dossier",
        "schema": TypeAdapter(DossierCode).json_schema(),
        "example": "000.00.00.H26-260105-0001",
    }
    trouble = (*KNOWN_CALLER, e.Refused, e.Invalid)
    return {
        "/v1/inbox/dossiers": {"get": _list(public_url)},
        "/v1/inbox/dossiers/{code}": {
            "get": operation(
                "getInboxDossier",
                "Xem một hồ sơ nộp tại Cổng",
                "The newest version of a dossier that was filed at the portal, acknowledged or not",
                [code, *_PARAMETERS],
                {
                    "200": answer("Hồ sơ · The dossier", JSON, closed(_item() | {"receipt": reference("Receipt")})),
                    **problems((*trouble, e.NotFound), public_url),
                },
            )
        },
        "/v1/inbox/dossiers/{code}/ack": {"post": _acknowledge(public_url, code)},
    }


def _list(public_url: str) -> dict[str, Any]:
    page = closed({"items": listed(reference("InboxDossier")), "next": NULLABLE, "receipt": _RECEIPT})
    return operation(
        "getInboxDossiers",
        "Hồ sơ nộp tại Cổng",
        "Dossiers that people filed at the national portal and that the caller's agency, or a unit below it, is to "
        "handle, in the order in which they came, until they are acknowledged. One that was amended at the portal "
        "comes again as another version. A page without dossiers has no receipt",
        [
            {
                "name": "limit",
                "in": "query",
                "description": "Số mục · How many",
                "schema": INTEGER | {"minimum": 1, "maximum": MOST},
                "example": LIMIT,
            },
            {
                "name": "after",
                "in": "query",
                "description": "Con trỏ `next` của trang trước · `next` of the page before",
                "schema": TEXT,
            },
            *_PARAMETERS,
        ],
        {
            "200": answer("Một trang · A page", JSON, page),
            **problems((*KNOWN_CALLER, e.Refused, e.Invalid), public_url),
        },
    )


def _acknowledge(public_url: str, code: Schema) -> dict[str, Any]:
    told = {
        "code": TEXT,
        "version": INTEGER,
        "newest_version": INTEGER | {"description": "Higher than `version`: amended meanwhile, it comes again"},
        "acknowledged_at": TEXT,
        "acknowledged_by": TEXT,
        "adopted": {
            "type": "boolean",
            "description": "Whether the gateway knows it as a dossier of the caller's agency",
        },
        "result": {"type": "string", "enum": ["acknowledged", "duplicate"]},
        "receipt": reference("Receipt"),
    }
    return operation(
        "acknowledgeInboxDossier",
        "Xác nhận đã nhận hồ sơ",
        "Say that a filed dossier was taken over: it is not listed any more. Where nobody has registered it, it counts "
        'as adopted, as with `"deliver": false`, so that statuses may follow. Again: the same answer. Without a body '
        "the newest version that was shown is meant",
        [code, *_PARAMETERS],
        {
            "200": answer("Đã xác nhận · Acknowledged", JSON, closed(told)),
            **problems(
                (*KNOWN_CALLER, e.Refused, e.Invalid, e.NotFound, e.TooLarge, e.UnsupportedMediaType), public_url
            ),
        },
        requestBody={"required": False, "content": {JSON: {"schema": reference("InboxAcknowledgement")}}},
    )


def _item() -> dict[str, Schema]:
    warning = closed({"code": TEXT, "pointer": TEXT, "detail": TEXT})
    return {
        "code": TEXT,
        "version": INTEGER,
        "agency": TEXT | {"description": "Who is to handle it, the new form of the code"},
        "portal": TEXT,
        "filed_at": NULLABLE,
        "received_at": TEXT,
        "receipt_index": INTEGER,
        "acknowledged_at": NULLABLE,
        "acknowledged_by": NULLABLE,
        "dossier": {
            "type": ["object", "null"],
            "description": "Members as in `DossiersDossierBody`, what the portal says of them; null once destroyed",
        },
        "warnings": listed(warning),
    }
