"""The paths of the OpenAPI document that every gateway has, whatever its databases.

They are log-in, the caller's own view, keys, health, and what is published for developers.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from routes.openapi_models import Schema, reference
from routes.openapi_responses import ANYWHERE, KNOWN_CALLER, answer, header_refs, problems
from schemas import errors as e
from schemas.exchange import CredentialKind
from schemas.purposes import PURPOSES
from security.assertions import ALGORITHMS, ASSERTION_TYPE

ACCESS: Final = "access"
HEALTH: Final = "health"
PUBLISHED: Final = "published"
TAGS: Final = (
    {"name": ACCESS, "description": "Xác thực và quyền của bên gọi · Who calls, and what it may do"},
    {"name": HEALTH, "description": "Tình trạng vận hành · How the gateway does"},
    {"name": PUBLISHED, "description": "Tài liệu công bố · What is published about the gateway"},
)

OPENAPI_VERSIONS: Final = ("3.1", "3.0")
"""Forms in which the document itself is served."""

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_OPEN: Final[Schema] = {"type": "object"}
_TEXT: Final[Schema] = {"type": "string"}
_INSTANT: Final[Schema] = {"type": ["string", "null"], "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"}


def fixed_paths(public_url: str, *, health: bool) -> dict[str, Any]:
    """Return the path items; those of health only where they are served on the gateway's own port."""
    return _access(public_url) | (_health(public_url) if health else {}) | _published(public_url)


def _get(tag: str, name: str, summary: str, description: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "tags": [tag],
            "operationId": name,
            "summary": summary,
            "description": description,
            "security": [],
            "responses": responses,
        }
    }


def _access(public_url: str) -> dict[str, Any]:
    me = _get(
        ACCESS,
        "me",
        "Quyền của bên gọi",
        "What the gateway knows of the caller and lets it do: live credentials and live grants",
        {
            "200": answer("Bên gọi · The caller", _JSON, _me(), Content_Language="ContentLanguage"),
            **problems(KNOWN_CALLER, public_url),
        },
    )
    me["get"] |= {"security": [{"oauth2": []}, {"mutualTLS": []}], "parameters": [_parameter("AcceptLanguage")]}
    granted = answer("Mã truy cập · The token", _JSON, reference("Token"))
    ended = answer("Đã thu hồi · It is worth nothing any more", _JSON, {"type": "object", "maxProperties": 0})
    metadata = answer("Mô tả máy chủ cấp quyền · The metadata", _JSON, _OPEN)
    keys = answer(
        "Bộ khóa · The keys",
        "application/jwk-set+json",
        {"type": "object", "properties": {"keys": {"type": "array", "items": _OPEN}}, "required": ["keys"]},
    )
    return {
        "/v1/me": me,
        "/oauth2/token": _proven(
            "token",
            "Cấp mã truy cập",
            "Get an access token (OAuth2 client credentials, RFC 6749 section 4.4). The client proves itself with "
            "HTTP Basic, with its secret in the form, with a signed assertion (private_key_jwt) or with its TLS "
            "certificate, in one way at a time.",
            {"grant_type": {"const": "client_credentials", "type": "string"}},
            granted,
            public_url,
        ),
        "/oauth2/revoke": _proven(
            "revoke",
            "Thu hồi mã truy cập",
            "End one of the client's own tokens (RFC 7009), on every node within 10 seconds",
            {"token": _TEXT | {"description": "The token to end", "minLength": 1}},
            ended,
            public_url,
        ),
        "/.well-known/oauth-authorization-server": _get(
            ACCESS,
            "authorizationServer",
            "Mô tả máy chủ cấp quyền",
            "Authorization server metadata (RFC 8414)",
            {"200": metadata, **problems(ANYWHERE, public_url)},
        ),
        "/.well-known/jwks.json": _get(
            ACCESS,
            "tokenKeys",
            "Khóa kiểm tra mã truy cập",
            "The public keys that verify access tokens (RFC 7517)",
            {"200": keys, **problems(ANYWHERE, public_url)},
        ),
    }


def _proven(
    name: str, summary: str, description: str, needed: dict[str, Schema], granted: dict[str, Any], public_url: str
) -> dict[str, Any]:
    proof: dict[str, Schema] = {
        "client_id": _TEXT,
        "client_secret": _TEXT,
        "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
        "client_assertion": _TEXT | {"description": f"JWT of RFC 7523, signed with {', '.join(ALGORITHMS)}"},
    }
    responses = {"200": granted}
    for status, text in (
        ("400", "Yêu cầu sai · The request is wrong"),
        ("401", "Không nhận ra ứng dụng · The client is not recognised"),
        ("408", "Gửi quá chậm · The body came too slowly"),
        ("413", "Quá lớn · The body is too large"),
        ("503", "Tạm ngừng · Not now"),
    ):
        responses[status] = answer(text, _JSON, reference("OAuthError"))
    responses["401"]["headers"] |= header_refs(WWW_Authenticate="WwwAuthenticate")
    for status, problem in problems(ANYWHERE, public_url).items():
        if status in responses:
            responses[status]["content"] |= problem["content"]
        else:
            responses[status] = problem
    responses["503"]["headers"] |= header_refs(Retry_After="RetryAfter")
    form = {"type": "object", "properties": needed | proof, "required": list(needed)}
    return {
        "post": {
            "tags": [ACCESS],
            "operationId": name,
            "summary": summary,
            "description": description,
            "security": [{"clientSecret": []}, {"mutualTLS": []}, {}],
            "requestBody": {"required": True, "content": {_FORM: {"schema": form}}},
            "responses": responses,
        }
    }


def _me() -> Schema:
    kinds = list(get_args(CredentialKind))
    return _closed(
        {
            "client_id": _TEXT,
            "agency": _TEXT | {"title": "Mã định danh cơ quan", "description": "Code of the agency"},
            "credentials": _list(
                _closed({"kind": {"type": "string", "enum": kinds}, "id": _TEXT, "not_after": _INSTANT})
            ),
            "grants": _list(
                _closed(
                    {
                        "database": _TEXT,
                        "operation": _TEXT,
                        "purposes": _list(
                            _closed({"code": {"type": "string", "enum": list(PURPOSES)}, "title": _TEXT})
                        ),
                        "fields": _list(_TEXT),
                        "dossier_required": {"type": "boolean"},
                        "officer_required": {"type": "boolean"},
                        "signature_required": {"type": "boolean"},
                        "rate": {"type": "number", "description": "Requests per second"},
                        "deadline_ms": {"type": "integer", "description": "Every look-up is answered within"},
                        "expires_at": _INSTANT,
                    }
                )
            ),
        }
    )


def _closed(members: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _parameter(name: str) -> Schema:
    return {"$ref": f"#/components/parameters/{name}"}


def _health(public_url: str) -> dict[str, Any]:
    check = _closed({"name": _TEXT, "ok": {"type": "boolean"}, "hint": {"type": ["string", "null"]}})
    state = {"type": "string", "enum": ["ready", "warning", "unready"]}
    ready = _closed({"status": state, "checks": _list(check)})
    trouble = problems(ANYWHERE, public_url)
    unready = trouble | {"503": answer("Chưa sẵn sàng · A check fails", _JSON, ready)}
    alive = answer("Đang chạy · The process answers", _JSON, _closed({"status": {"const": "alive"}}))
    measured = answer("Số liệu · The metrics", "text/plain", _TEXT)
    return {
        "/livez": _get(HEALTH, "livez", "Đang chạy", "Whether the process answers", {"200": alive, **trouble}),
        "/readyz": _get(
            HEALTH,
            "readyz",
            "Sẵn sàng",
            "Whether storage, keys and clock are well; a source that is down does not matter",
            {"200": answer("Sẵn sàng · Ready", _JSON, ready), **unready},
        ),
        "/metrics": _get(
            HEALTH, "metrics", "Số liệu vận hành", "Prometheus metrics of all workers", {"200": measured, **trouble}
        ),
    }


def _published(public_url: str) -> dict[str, Any]:
    trouble = problems(ANYWHERE, public_url)
    page = answer("Trang · The page", "text/html", _TEXT)
    code = _get(
        PUBLISHED,
        "problem",
        "Giải thích một mã lỗi",
        "The page about one error code",
        {"200": page, **problems((*ANYWHERE, e.NotFound), public_url)},
    )
    code["get"]["parameters"] = [
        {"name": "code", "in": "path", "required": True, "schema": _TEXT, "example": e.NoRecord.code}
    ]
    described = _get(
        PUBLISHED,
        "openapi",
        "Tài liệu OpenAPI",
        "This document",
        {
            "200": answer("OpenAPI 3.1, hoặc 3.0 khi được hỏi · or 3.0 where that is asked for", _JSON, _OPEN),
            **problems((*ANYWHERE, e.Invalid), public_url),
        },
    )
    described["get"]["parameters"] = [
        {
            "name": "version",
            "in": "query",
            "description": "Phiên bản OpenAPI, mặc định 3.1 · Version of OpenAPI, 3.1 unless said",
            "schema": {"type": "string", "enum": list(OPENAPI_VERSIONS)},
        }
    ]
    return {
        "/problems": _get(
            PUBLISHED, "problems", "Danh mục mã lỗi", "The list of all error codes", {"200": page, **trouble}
        ),
        "/problems/{code}": code,
        "/openapi.json": described,
        "/docs": _get(
            PUBLISHED, "docs", "Trang tài liệu", "This document to read and to try", {"200": page, **trouble}
        ),
        "/.well-known/api-catalog": _get(
            PUBLISHED,
            "apiCatalog",
            "Danh mục dịch vụ",
            "The catalogue of what is offered (RFC 9727)",
            {"200": answer("Danh mục · The catalogue", "application/linkset+json", _OPEN), **trouble},
        ),
    }
