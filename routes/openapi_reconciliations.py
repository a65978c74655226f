"""The paths of reconciliations and figures in the OpenAPI document."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from routes.dossiers.asking import LIMIT, MOST
from routes.openapi_dossiers import COMMON, INTEGER, JSON, NULLABLE, TEXT, closed, listed, operation, query, shared
from routes.openapi_models import Schema, named_schemas, reference
from routes.openapi_responses import KNOWN_CALLER, answer, problems
from schemas import errors as e
from schemas.dossiers.reconciliation import Reconcile
from sync.comparison import KINDS
from sync.reading import STATES
from sync.statistics import Count

_PARAMETERS = (*map(shared, COMMON),)
_SHOWN = (*_PARAMETERS, shared("Receipt"))
_LOOK = (*KNOWN_CALLER, e.Refused, e.Invalid)
_KIND: Schema = {"type": "string", "enum": list(KINDS)}
_DAY: Schema = {"type": "string", "format": "date"}


def reconciliation_schemas() -> dict[str, Schema]:
    """Return the schemas of reconciliations and of figures."""
    figures = {each.name: INTEGER for each in fields(Count)}
    rate = NULLABLE | {
        "description": "Results handed over by their deadline among those that had one, for example 0.9731"
    }
    return named_schemas("Reconciliations", (Reconcile,)) | {
        "Reconciliation": closed(_reconciliation()),
        "ReconciliationFinding": closed(_finding()),
        "StatisticsCount": closed({**figures, "on_time_rate": rate}),
    }


def reconciliation_paths(public_url: str) -> dict[str, Any]:
    """Return the path items."""
    return {
        "/v1/reconciliations": {"post": _post(public_url), "get": _list(public_url)},
        "/v1/reconciliations/{id}": {"get": _get(public_url)},
        "/v1/statistics": {"get": _statistics(public_url)},
    }


def _post(public_url: str) -> dict[str, Any]:
    trouble = (*_LOOK, e.Conflict, e.TooLarge, e.UnsupportedMediaType)
    return operation(
        "postReconciliation",
        "Đối soát một ngày với Cổng",
        "Have every dossier of the caller's agency that had an event accepted or delivered on a day compared with the "
        "national portal. Sent again while it is under way it is answered with the same one. With `repair` what the "
        "portal lost is sent again, where nothing behind it was applied",
        _PARAMETERS,
        {
            "202": answer("Đã ghi nhận · It is durable, and under way", JSON, reference("Reconciliation")),
            **problems(trouble, public_url),
        },
        requestBody={"required": True, "content": {JSON: {"schema": reference("ReconciliationsReconcile")}}},
    )


def _list(public_url: str) -> dict[str, Any]:
    page = closed({"items": listed(reference("Reconciliation")), "next": NULLABLE})
    return operation(
        "getReconciliations",
        "Danh sách đối soát",
        "The reconciliations of the caller's agency, in the order in which they were begun",
        [*_page(), *_PARAMETERS],
        {"200": answer("Một trang · A page", JSON, page), **problems(_LOOK, public_url)},
    )


def _get(public_url: str) -> dict[str, Any]:
    found = listed(reference("ReconciliationFinding"))
    told = closed({**_reconciliation(), "items": found, "next": NULLABLE, "receipt": reference("Receipt")})
    identified = {"name": "id", "in": "path", "required": True, "description": "Mã đối soát · Id", "schema": TEXT}
    return operation(
        "getReconciliation",
        "Xem một đối soát",
        "How far a reconciliation is, and a page of what it found",
        [identified, query("kind", "Loại · Only findings of this kind", _KIND), *_page(), *_SHOWN],
        {"200": answer("Đối soát · It", JSON, told), **problems((*_LOOK, e.NotFound), public_url)},
    )


def _statistics(public_url: str) -> dict[str, Any]:
    count = reference("StatisticsCount")
    both = {"online": count, "total": count}
    told = closed(
        {
            "agency": TEXT,
            "year": INTEGER,
            "until": _DAY,
            "procedure": NULLABLE,
            "counted_at": TEXT,
            **both,
            "satisfaction": {"type": "null", "description": "Nobody tells the gateway how content people are"},
            "statuses": closed(dict.fromkeys(("done", "in-progress", "paused", "other"), INTEGER)),
            "deliveries": {"anyOf": [closed(dict.fromkeys(STATES, INTEGER)), {"type": "null"}]},
            "procedures": listed(closed({"procedure": TEXT, **both})),
            "receipt": reference("Receipt"),
        }
    )
    return operation(
        "getStatistics",
        "Số liệu lũy kế từ đầu năm",
        "What the caller's agency received and resolved in a year up to a day, online and in all, early, on time and "
        "late, for all procedures and for each",
        [
            query("year", "Năm · Year, this one where it is absent", INTEGER | {"minimum": 2000, "maximum": 2099}),
            query("until", "Đến hết ngày · Up to this day", _DAY),
            query("procedure", "Thủ tục · Of this procedure only", TEXT),
            *_SHOWN,
        ],
        {"200": answer("Số liệu · The figures", JSON, told), **problems(_LOOK, public_url)},
    )


def _reconciliation() -> dict[str, Schema]:
    numbers = ("dossiers", "checked", "findings", "queued_again", "not_repairable")
    counts = dict.fromkeys(numbers, INTEGER) | {"kinds": closed(dict.fromkeys(KINDS, INTEGER))}
    return {
        "id": TEXT,
        "day": _DAY,
        "agency": TEXT,
        "repair": {"type": "boolean"},
        "client": NULLABLE | {"description": "Who asked for it; null: the operator"},
        "state": {"type": "string", "enum": ["running", "done", "incomplete"]},
        "started_at": TEXT,
        "ended_at": NULLABLE,
        "receipt_index": INTEGER,
        "counts": closed(counts),
    }


def _finding() -> dict[str, Schema]:
    return {
        "kind": _KIND,
        "code": TEXT,
        "delivery": NULLABLE | {"description": "Id of the event; of a foreign step what its mark says"},
        "expected": NULLABLE,
        "found": NULLABLE,
        "repair": {"type": ["string", "null"], "enum": ["queued", "not-repairable", None]},
        "found_at": TEXT,
    }


def _page() -> list[Schema]:
    number = INTEGER | {"minimum": 1, "maximum": MOST}
    return [
        query("limit", "Số mục · How many", number) | {"example": LIMIT},
        query("after", "Con trỏ `next` của trang trước · `next` of the page before", TEXT),
    ]
