"""The paths of repairs and destinations in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from routes.openapi_dossiers import COMMON, INTEGER, JSON, NULLABLE, TEXT, closed, listed, operation, shared
from routes.openapi_models import Schema, named_schemas, reference
from routes.openapi_responses import KNOWN_CALLER, answer, problems
from schemas import errors as e
from schemas.dossiers.repairs import Discard, Retry

_PARAMETERS = (*map(shared, COMMON),)
_REPAIRED = (*KNOWN_CALLER, e.Refused, e.Conflict, e.Invalid)
_GROUP = (*_REPAIRED, e.TooLarge, e.UnsupportedMediaType)


def repair_schemas() -> dict[str, Schema]:
    """Return the schemas of what owners say about groups of deliveries."""
    return named_schemas("Deliveries", (Retry, Discard))


def repair_paths(public_url: str) -> dict[str, Any]:
    """Return the path items."""
    one = closed({"id": TEXT, "code": TEXT, "step": TEXT})
    many = closed({"matched": INTEGER, "changed": INTEGER, "deliveries": listed(one)})
    identified = {"name": "id", "in": "path", "required": True, "description": "Mã sự kiện · Id", "schema": TEXT}
    destination = {
        "name": TEXT,
        "state": {"type": "string", "enum": ["up", "down", "paused"]},
        "since": NULLABLE,
        "reason": NULLABLE,
        "failures": INTEGER,
        "next_try": NULLABLE,
        "waiting": INTEGER,
        "oldest": NULLABLE,
        "dead": INTEGER,
        "quarantined": INTEGER,
        "expected_drain_s": {"type": ["integer", "null"]},
    }

    def group(name: str, summary: str, description: str, body: str) -> dict[str, Any]:
        counted = "Without `expect` they are only counted; where they are not as many, nothing is done (409)"
        responses = {"200": answer("Kết quả · What was done", JSON, many), **problems(_GROUP, public_url)}
        content = {"required": True, "content": {JSON: {"schema": reference(body)}}}
        return operation(name, summary, f"{description}. {counted}", _PARAMETERS, responses, requestBody=content)

    return {
        "/v1/deliveries/{id}/retry": {
            "post": operation(
                "retryDelivery",
                "Gửi lại một sự kiện",
                "Send a dead letter again, or let an event out of quarantine whose status means something by now",
                [identified, *_PARAMETERS],
                {
                    "200": answer("Đã xếp lại · It is queued again", JSON, one),
                    **problems((*_REPAIRED, e.NotFound), public_url),
                },
            )
        },
        "/v1/deliveries/retry": {
            "post": group(
                "retryDeliveries",
                "Gửi lại nhiều sự kiện",
                "Do that to all deliveries of the caller's agency that a filter means",
                "DeliveriesRetry",
            )
        },
        "/v1/deliveries/discard": {
            "post": group(
                "discardDeliveries",
                "Bỏ sự kiện",
                "Give up all deliveries of the caller's agency that a filter means: they are never sent",
                "DeliveriesDiscard",
            )
        },
        "/v1/destinations": {
            "get": operation(
                "getDestinations",
                "Tình trạng điểm đến",
                "How the national portal is, as far as delivering tells, and what of the caller's agency waits for it",
                _PARAMETERS,
                {
                    "200": answer("Các điểm đến · Destinations", JSON, closed({"items": listed(closed(destination))})),
                    **problems((*KNOWN_CALLER, e.Refused, e.Invalid), public_url),
                },
            )
        },
    }
