"""The responses of the OpenAPI document: every error with its codes, rendered as callers see it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from routes.errors import problem
from routes.openapi_models import Schema, reference
from schemas import errors as e

PROBLEM: Final = "application/problem+json"
REQUEST_ID: Final = "0190a1de-6f3c-4c55-9d0a-2f5f0a3f7b11"

ANYWHERE: Final = (e.Malformed, e.Overloaded, e.Internal)
"""What any path may answer, whoever asks."""

KNOWN_CALLER: Final = (*ANYWHERE, e.Unauthenticated, e.EvidenceUnavailable)
"""What a path for known callers may answer before it does its own work."""

EXCHANGE: Final = (
    *KNOWN_CALLER,
    e.PurposeRequired,
    e.DossierRequired,
    e.OfficerRequired,
    e.Refused,
    e.PurposeRefused,
    e.SignatureRejected,
    e.NoRecord,
    e.Ambiguous,
    e.SigningUnavailable,
    e.TooLarge,
    e.UnsupportedMediaType,
    e.Invalid,
    e.TooManyRequests,
    e.UpstreamRefused,
    e.UpstreamUnreadable,
    e.UpstreamUnavailable,
    e.CircuitOpen,
    e.UpstreamTimeout,
)
"""What a look-up may answer; one whose source signs adds `UpstreamSignatureRejected`."""


def headers() -> dict[str, Any]:
    """Return the response headers, by the names that responses refer to."""

    def header(description: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
        return {"description": description, "schema": schema} | ({"required": True} if required else {})

    text = {"type": "string"}
    return {
        "RequestId": header("Mã yêu cầu · The request id: the caller's own or a new one", text, required=True),
        "ContentLanguage": header("Ngôn ngữ · Language of the texts", {"enum": ["vi", "en"]}, required=True),
        "RetryAfter": header(
            "Số giây phải chờ · Seconds to wait before asking again",
            {"type": "integer", "minimum": 1},
            required=True,
        ),
        "RateLimit": header('Còn lại · What is left of the limit, for example `"population/person";r=98;t=1`', text),
        "RateLimitPolicy": header(
            'Giới hạn tần suất · The limit of the grant, for example `"population/person";q=101;w=3`', text
        ),
        "AuditLeaf": header("Giá trị băm lá · SHA-256(0x00 ‖ body) in base64", text, required=True),
        "AuditReading": header("Bản ghi của lượt đọc này · Number of the entry of this reading", text, required=True),
        "AuditFile": header("Tên tệp · A name for the file", text, required=True),
        "WwwAuthenticate": header("Cách xác thực · How to authenticate, and what was wrong", text, required=True),
    }


def header_refs(**named: str) -> dict[str, Any]:
    """Return the headers of a response: the request id, and those named (underscores stand for dashes)."""
    shown = {"X-Request-Id": "RequestId"} | {name.replace("_", "-"): target for name, target in named.items()}
    return {name: {"$ref": f"#/components/headers/{target}"} for name, target in shown.items()}


RATE: Final = {"RateLimit": "RateLimit", "RateLimit_Policy": "RateLimitPolicy"}


def problems(errors: Iterable[type[e.GatewayError]], public_url: str, **more: str) -> dict[str, Any]:
    """Return one response for each status that `errors` have, keyed by it; `more` names further headers."""
    ordered = sorted(errors, key=lambda error: (error.status, error.code))
    return {
        str(status): _response(status, list(same), public_url, more)
        for status, same in groupby(ordered, key=lambda error: error.status)
    }


def _response(
    status: int, errors: list[type[e.GatewayError]], public_url: str, more: Mapping[str, str]
) -> dict[str, Any]:
    named = {"Content_Language": "ContentLanguage", **more}
    if status == 429 or (status == 503 and all(error.retryable for error in errors)):
        named["Retry_After"] = "RetryAfter"
    if status == 401:
        named["WWW_Authenticate"] = "WwwAuthenticate"
    return {
        "description": "\n".join(f"- `{error.code}`: {error.title.vi} · {error.title.en}" for error in errors),
        "headers": header_refs(**named),
        "content": {
            PROBLEM: {
                "schema": {
                    "allOf": [
                        reference("Problem"),
                        {
                            "properties": {
                                "status": {"const": status},
                                "code": {"enum": [error.code for error in errors]},
                            }
                        },
                    ]
                },
                "examples": {
                    error.code: {"summary": error.title.vi, "value": _example(error, public_url)} for error in errors
                },
            }
        },
    }


def _example(error: type[e.GatewayError], public_url: str) -> Any:
    _, _, body = problem(error(), request_id=REQUEST_ID, language="vi", base_url=public_url)
    return json.loads(body)


def answer(description: str, content_type: str, schema: Schema, **named: str) -> dict[str, Any]:
    """Return a successful response; `named` are further headers."""
    return {"description": description, "headers": header_refs(**named), "content": {content_type: {"schema": schema}}}
