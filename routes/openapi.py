"""`GET /openapi.json`: the OpenAPI 3.1 document, generated from the declarations of the databases (tài liệu API).

Titles and summaries are Vietnamese, descriptions English. Errors are rendered by the code that renders them for
callers, so that what is published cannot differ from what is sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter

from routes.openapi_audit import AUDIT_TAG, audit_paths, audit_schemas
from routes.openapi_dossiers import DOSSIERS_TAG, dossier_paths, dossier_schemas
from routes.openapi_inbox import inbox_paths, inbox_schemas
from routes.openapi_models import Schema, fixed_schemas, model_schemas, pascal, reference, schema_name
from routes.openapi_older import older
from routes.openapi_paths import OPENAPI_VERSIONS, TAGS, fixed_paths
from routes.openapi_reconciliations import reconciliation_paths, reconciliation_schemas
from routes.openapi_repairs import repair_paths, repair_schemas
from routes.openapi_responses import EXCHANGE, RATE, REQUEST_ID, header_refs, headers, problems
from schemas.errors import Flaw, Invalid, Text, UpstreamSignatureRejected
from schemas.exchange import Database, Operation
from schemas.fields import shape_of
from schemas.identifiers import DossierCode, OfficerId
from schemas.purposes import PURPOSES
from security.http_signature import WHERE_SENT, WITH_BODY
from security.signature_base import DERIVED

Examples = Mapping[str, Mapping[str, Any]]
"""By `database/operation`: `body`, a question that the sandbox answers, and `data`, its answer."""

_JSON: Final = "application/json"
_NO_VERSION: Final = Text("chỉ nhận 3.1 hoặc 3.0", "must be 3.1 or 3.0")
_ASCII: Final = r"^[\x00-\x7f]*$"
_AT: Final = "2026-01-05T01:00:00.000000Z"
_ABOUT: Final = """\
Trục chia sẻ dữ liệu: một API cho các cơ sở dữ liệu quốc gia. Mọi lượt khai thác nêu mục đích, chỉ nhận các trường \
được cấp và để lại biên nhận kiểm toán. Dữ liệu trong ví dụ là dữ liệu giả lập.

One API for the national databases. Every look-up states its purpose, gets no more than the granted fields and leaves \
a receipt of the audit log. All data in the examples are of the sandbox, nobody real is in them.

- A member of `data` is absent when it was not granted or not asked for, `null` when the source has none, `""` when \
the source sent empty text.
- Dates are `YYYY-MM-DD`, or `YYYY-MM` / `YYYY` where no more is known. Amounts and areas are decimal strings.
- Errors are problem documents (RFC 9457); `type` opens a page that explains the code.
- A value can have the right form and still be refused with 422, for example a wrong check digit."""


def document(
    databases: Iterable[Database], public_url: str, examples: Examples | None = None, *, health: bool = True
) -> dict[str, Any]:
    """Return the OpenAPI document of a gateway that callers know as `public_url`.

    `examples` default to those of the sandbox; `health` is False where health is served on a port of its own.
    """
    databases = tuple(databases)
    examples = sandbox_examples() if examples is None else examples
    paths: dict[str, Any] = {}
    for database in databases:
        for operation in database.operations:
            example = examples.get(f"{database.name}/{operation.name}")
            paths[f"/v1/{database.name}/{operation.name}"] = {"post": _exchange(database, operation, example)}
    return {
        # Of 3.1 importers (X-Road 7.8, swagger-parser) know this number alone.
        "openapi": "3.1.0",
        "info": {"title": "Trục chia sẻ dữ liệu · LGSP Gateway", "version": "1", "description": _ABOUT},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": public_url}],
        "security": [{"oauth2": []}, {"mutualTLS": []}],
        "tags": [*(_tag(database) for database in databases), DOSSIERS_TAG, AUDIT_TAG, *TAGS],
        "paths": paths
        | dossier_paths(public_url)
        | repair_paths(public_url)
        | reconciliation_paths(public_url)
        | inbox_paths(public_url)
        | audit_paths(public_url)
        | fixed_paths(public_url, health=health),
        "components": {
            "schemas": model_schemas(databases)
            | dossier_schemas()
            | repair_schemas()
            | reconciliation_schemas()
            | inbox_schemas()
            | audit_schemas()
            | fixed_schemas(),
            "parameters": _parameters(),
            "headers": headers(),
            "responses": _responses(public_url),
            "securitySchemes": _security(public_url),
        },
    }


def sandbox_examples() -> Examples:
    """Return the examples of the sandbox (`python -m sandbox.examples` writes them)."""
    found: Examples = json.loads(resources.files("schemas").joinpath("examples.json").read_text(encoding="utf-8"))
    return found


def add_openapi(router: web.UrlDispatcher, databases: Iterable[Database], public_url: str, *, health: bool) -> None:
    """Add `GET /openapi.json`, with `?version=3.0` in the older form; either is made when it is first asked for."""
    databases = tuple(databases)
    made: dict[str, bytes] = {}

    def make(version: str) -> bytes:
        whole = document(databases, public_url, health=health)
        return json.dumps(whole if version == "3.1" else older(whole), ensure_ascii=False).encode("utf-8")

    async def openapi(request: web.Request) -> web.Response:
        version = request.query.get("version", "3.1")
        if version not in OPENAPI_VERSIONS:
            raise Invalid(flaws=[Flaw("", _NO_VERSION, parameter="version")])
        if version not in made:
            made[version] = await asyncio.to_thread(make, version)
        return web.Response(
            body=made[version], content_type="application/json", headers={"Cache-Control": "public, max-age=300"}
        )

    router.add_get("/openapi.json", openapi)


def _tag(database: Database) -> dict[str, str]:
    title, owner = database.title, database.owner
    return {"name": database.name, "description": f"{title.vi} ({owner.vi}) · {title.en} ({owner.en})"}


def _exchange(database: Database, operation: Operation, example: Mapping[str, Any] | None) -> dict[str, Any]:
    signed = "The source signs its answer." if operation.signed else "The source does not sign its answer."
    asked: dict[str, Any] = {"schema": reference(schema_name(database, operation.question))}
    told: dict[str, Any] = {"schema": _envelope(database, operation)}
    if example is not None:
        summary = "Dữ liệu giả lập · Sandbox data"
        asked["examples"] = {"sandbox": {"summary": summary, "value": example["body"]}}
        told["examples"] = {"sandbox": {"summary": summary, "value": _answered(database, operation, example["data"])}}
    return {
        "tags": [database.name],
        "operationId": f"{pascal(database.name)}{pascal(operation.name)}",
        "summary": operation.title.vi,
        "description": f"{operation.title.en}. {signed}",
        "parameters": [
            *({"$ref": f"#/components/parameters/{name}"} for name in _parameters()),
            _fields(operation),
        ],
        "requestBody": {"required": True, "content": {_JSON: asked}},
        "responses": {
            "200": {
                "description": "Trả lời · The answer",
                "headers": header_refs(**RATE),
                "content": {_JSON: told},
            },
            **_refused(operation),
        },
    }


def _envelope(database: Database, operation: Operation) -> Schema:
    about = {
        "database": {"const": database.name},
        "operation": {"const": operation.name},
        "signature": reference("Signature") if operation.signed else {"type": "null"},
    }
    return {
        "type": "object",
        "properties": {
            "data": reference(schema_name(database, operation.answer)),
            "exchange": {"allOf": [reference("Exchange"), {"properties": about}]},
            "receipt": reference("Receipt"),
        },
        "required": ["data", "exchange", "receipt"],
        "additionalProperties": False,
    }


def _answered(database: Database, operation: Operation, data: Any) -> dict[str, Any]:
    signature = {
        "status": "valid",
        "signer": f"CN={database.name},O=LGSP SANDBOX",
        "certificate": f"sha256:{'0' * 64}",
        "domain": "government",
        "revocation": "good",
        "signed_at": _AT,
    }
    return {
        "data": data,
        "exchange": {
            "id": REQUEST_ID,
            "database": database.name,
            "operation": operation.name,
            "answered_at": _AT,
            "fields": list(operation.answer.model_fields),
            "warnings": [],
            "signature": signature if operation.signed else None,
        },
        "receipt": {
            "log": "localhost/lgsp-demo",
            "index": 12,
            "leaf": f"{'A' * 43}=",
            "salt": f"{'A' * 43}=",
            "checkpoint": f"localhost/lgsp-demo\n13\n{'A' * 43}=\n\n— localhost/lgsp-demo {'A' * 90}==\n",
        },
    }


def _refused(operation: Operation) -> dict[str, Any]:
    statuses = sorted({str(error.status) for error in EXCHANGE})
    names = {status: f"Exchange{status}" for status in statuses}
    if operation.signed:
        names["502"] = "SignedExchange502"
    return {status: {"$ref": f"#/components/responses/{name}"} for status, name in names.items()}


def _responses(public_url: str) -> dict[str, Any]:
    shared = problems(EXCHANGE, public_url, **RATE)
    signed = problems((*EXCHANGE, UpstreamSignatureRejected), public_url, **RATE)["502"]
    return {f"Exchange{status}": response for status, response in shared.items()} | {"SignedExchange502": signed}


def _fields(operation: Operation) -> dict[str, Any]:
    return {
        "name": "fields",
        "in": "query",
        "description": "Chỉ lấy các trường này · Asks for these fields only; a path stands for everything below it",
        "style": "form",
        "explode": False,
        "schema": {
            "type": "array",
            "items": {"type": "string", "enum": list(shape_of(operation.answer).paths())},
            "minItems": 1,
        },
    }


def _parameters() -> dict[str, Any]:
    purposes = "\n".join(f"- `{code}`: {title.vi} · {title.en}" for code, title in PURPOSES.items())
    officer = TypeAdapter(OfficerId).json_schema()
    dossier = TypeAdapter(DossierCode).json_schema()

    def header(name: str, description: str, schema: Schema, *, required: bool = False, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "in": "header",
            "required": required,
            "description": description,
            "schema": schema,
            **more,
        }

    text = {"type": "string"}
    return {
        "Purpose": header(
            "Lgsp-Purpose",
            f"Mục đích khai thác · Why the caller asks; a purpose of the grant\n\n{purposes}",
            text | {"enum": list(PURPOSES)},
            required=True,
            example="dossier-processing",
        ),
        "Dossier": header(
            "Lgsp-Dossier",
            "Mã hồ sơ, bắt buộc khi quyền được cấp yêu cầu · Code of the dossier that this look-up serves; required "
            "where the grant says so",
            dossier,
            example="000.00.00.H26-260105-0001",
        ),
        "Officer": header(
            "Lgsp-Officer",
            "Tài khoản cán bộ, bắt buộc khi quyền được cấp yêu cầu · The caller's account of the officer who asks; "
            "required where the grant says so",
            officer,
            example="demo.officer",
        ),
        "ContentDigest": header(
            "Content-Digest",
            "Giá trị băm của nội dung (RFC 9530), bắt buộc khi ký · `sha-256` or `sha-512` of the exact bytes of the "
            "body; needed, and looked at, where the request is signed",
            text,
            example="sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
        ),
        "SignatureInput": header(
            "Signature-Input",
            "Phần được ký và tham số (RFC 9421), bắt buộc khi quyền được cấp yêu cầu · What the caller's own signature "
            f"covers: {', '.join(f'`{name}`' for name in DERIVED)}; with a body "
            f"{', '.join(f'`{name}`' for name in WITH_BODY)}; where sent "
            f"{', '.join(f'`{name}`' for name in WHERE_SENT)}. Parameters `created`, `expires`, `nonce`, `keyid` "
            "(`sha256:` and the registered certificate's SHA-256 in hexadecimal), optionally `alg`. Required where the "
            "grant says so; each nonce counts once",
            text | {"pattern": _ASCII},
        ),
        "Signature": header(
            "Signature",
            "Chữ ký của bên gọi, một chữ ký · The caller's own signature; one, under the label of `Signature-Input`",
            text | {"pattern": _ASCII},
        ),
        "Receipt": header(
            "Lgsp-Receipt",
            "`full`: biên nhận có bản ghi và chứng minh · `full`: the receipt also holds the entry and its proof",
            text | {"pattern": _ASCII},
        ),
        "RequestId": header(
            "X-Request-Id",
            "Mã yêu cầu do bên gọi đặt · The caller's own request id; replaced where it is unfit or looks like the "
            "number of a person",
            text,
        ),
        "Traceparent": header("traceparent", "Ngữ cảnh truy vết · Trace context (W3C)", text | {"pattern": _ASCII}),
        "AcceptLanguage": header(
            "Accept-Language",
            "Ngôn ngữ của thông báo lỗi, mặc định tiếng Việt · Language of error texts: Vietnamese unless `en` is "
            "preferred",
            text,
        ),
    }


def _security(public_url: str) -> dict[str, Any]:
    flow = {"tokenUrl": f"{public_url}/oauth2/token", "scopes": {}}
    return {
        "oauth2": {
            "type": "oauth2",
            "description": "Mã truy cập 10 phút · A token of ten minutes from the client's own secret or key",
            "flows": {"clientCredentials": flow},
        },
        "mutualTLS": {
            "type": "mutualTLS",
            "description": "Chứng thư TLS đã đăng ký · A registered client certificate",
        },
        "clientSecret": {
            "type": "http",
            "scheme": "basic",
            "description": "Mã ứng dụng và khóa bí mật · Client id and secret, at the token endpoint only",
        },
    }
