"""The schemas of the OpenAPI document: questions and answers from their models, everything else as the code renders it.

A question's schema is what pydantic checks. An answer's is what a caller may see of it: every member may be absent (not
granted, not asked) and null (the source has none), and text that is passed on byte for byte promises no form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.exchange import Database
from schemas.fields import Branch, Leaf, Record, Shape, shape_of
from schemas.forms import TEXT

Schema = dict[str, Any]

_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_UTC: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$"


def pascal(name: str) -> str:
    """Return a path name (`social-insurance`) as the schema names have it (`SocialInsurance`)."""
    return "".join(part.capitalize() for part in name.split("-"))


def schema_name(database: Database, model: type[BaseModel]) -> str:
    """Return the name of a model's schema: names of models are unique within their database only."""
    return pascal(database.name) + model.__name__


def reference(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def model_schemas(databases: Iterable[Database]) -> dict[str, Schema]:
    """Return the schemas of all questions and answers, by name; raises ValueError if two would share a name."""
    found: dict[str, Schema] = {}
    for database in databases:
        models = [model for operation in database.operations for model in (operation.question, operation.answer)]
        made = named_schemas(pascal(database.name), models)
        if found.keys() & made.keys():
            raise ValueError(f"the models of {database.name} have names of another database")
        found |= made
    return found


def named_schemas(prefix: str, roots: Iterable[type[BaseModel]]) -> dict[str, Schema]:
    """Return the schemas of these models and of all that they hold, by name; raises ValueError for one used twice."""
    found: dict[str, Schema] = {}
    models = list(dict.fromkeys(model for root in roots for model in _with_branches(shape_of(root))))
    references, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=f"#/components/schemas/{prefix}{{model}}"
    )
    for model in models:
        name = f"{prefix}{model.__name__}"
        if references[model, "validation"] != reference(name) or name in found:
            raise ValueError(f"two models of {prefix} are called {model.__name__}")
        found[name] = _shown(model, definitions["$defs"][model.__name__])
    return found


def _with_branches(shape: Shape) -> Iterator[type[BaseModel]]:
    yield shape.model
    for member in shape.members:
        if isinstance(member, Branch):
            yield from _with_branches(member.shape)


def _shown(model: type[BaseModel], schema: Schema) -> Schema:
    # Tools show the name of a component where there is no title, which here is the better one.
    schema = {key: value for key, value in schema.items() if key != "title"}
    answered = issubclass(model, Record)
    if answered:
        schema.pop("required", None)
    free = {member.name for member in shape_of(model).members if isinstance(member, Leaf) and member.form is TEXT}
    schema["properties"] = {
        name: _member(member, as_is=answered and name in free) for name, member in schema.get("properties", {}).items()
    }
    return schema


def _member(schema: Schema, *, as_is: bool) -> Schema:
    """Return a member's schema with `null` as one of its types; `as_is` for text of the source that nothing checks."""
    shown = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    kinds = schema.get("anyOf", [])
    if len(kinds) == 2 and kinds[1] == {"type": "null"} and "type" in kinds[0]:
        shown = kinds[0] | shown
        shown["type"] = [kinds[0]["type"], "null"]
        if "enum" in shown:
            shown["enum"] = [*shown["enum"], None]
    elif kinds:
        shown["anyOf"] = kinds
    if as_is:
        shown.pop("pattern", None)
    if len(shown) > 1 and "$ref" in shown:
        # OpenAPI 3.0 reads nothing beside a reference.
        shown["allOf"] = [{"$ref": shown.pop("$ref")}]
    return shown


def _object(required: Schema, description: str, **optional: Schema) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def _text(title: str, description: str, **more: Any) -> Schema:
    return {"type": "string", "title": title, "description": description, **more}


_BASE64: Final = "^[A-Za-z0-9+/]*={0,2}$"


def fixed_schemas() -> dict[str, Schema]:
    """Return the schemas that operations share: exchange, warning, signature, receipt, problem, those of OAuth2."""
    return {
        "Exchange": _object(
            {
                "id": _text("Mã lượt khai thác", "Id of this exchange, as in the audit log", pattern=_UUID),
                "database": _text("Cơ sở dữ liệu", "Database that was asked"),
                "operation": _text("Thao tác", "Operation that was asked"),
                "answered_at": _text("Thời điểm trả lời", "When the gateway answered, UTC", pattern=_UTC),
                "fields": {
                    "type": "array",
                    "items": {"type": "string"},
                    "title": "Các trường được cung cấp",
                    "description": "Paths that `data` was reduced to; a path stands for everything below it",
                },
                "warnings": {
                    "type": "array",
                    "items": reference("Warning"),
                    "title": "Cảnh báo",
                    "description": "What a caller should know about the answer",
                },
                "signature": {"anyOf": [reference("Signature"), {"type": "null"}]},
            },
            "What happened: which exchange this was, what was disclosed, who signed the source's answer.",
        ),
        "Warning": _object(
            {
                "code": _text("Mã cảnh báo", "For example `unmapped-code`, `personal-id-year`"),
                "pointer": _text("Vị trí", "JSON pointer into this response"),
                "detail": _text("Chi tiết", "For an unmapped code the original of the source"),
            },
            "Something that the law allows but a caller should know.",
        ),
        "Signature": _object(
            {
                "status": {"const": "valid", "title": "Kết quả kiểm tra chữ ký"},
                "signer": _text("Bên ký", "Subject of the signing certificate (RFC 4514)"),
                "certificate": _text("Chứng thư", "Fingerprint of the certificate", pattern="^sha256:[0-9a-f]{64}$"),
                "domain": {
                    "type": ["string", "null"],
                    "title": "Miền tin cậy",
                    "description": "Trust domain of the certificate; null where trust was given without one",
                },
                "revocation": {
                    "enum": ["good", "indeterminate", None],
                    "title": "Tình trạng thu hồi",
                    "description": "Whether the certificate was known not to be revoked; null where it was not asked",
                },
                "signed_at": _text("Thời điểm ký", "When the source signed, UTC", pattern=_UTC),
            },
            "The verified signature of the source over what was decoded.",
        ),
        "Receipt": _object(
            {
                "log": _text("Nhật ký", "Origin of the audit log"),
                "index": {"type": "integer", "minimum": 0, "title": "Số thứ tự", "description": "Position in the log"},
                "leaf": _text("Lá", "SHA-256(0x00 ‖ entry), base64", pattern=_BASE64),
                "salt": {
                    "type": ["string", "null"],
                    "title": "Muối",
                    "description": "Opens the entry's commitment to `data`, base64; null where nothing was disclosed",
                    "pattern": _BASE64,
                },
                "checkpoint": _text("Điểm kiểm tra", "Signed note (C2SP tlog-checkpoint) of a tree with this entry"),
            },
            "Proof that this exchange stands in the audit log (biên nhận kiểm toán).",
            entry=_text("Bản ghi", "Canonical bytes of the entry, base64; with `Lgsp-Receipt: full`", pattern=_BASE64),
            proof={
                "type": "array",
                "items": {"type": "string", "pattern": _BASE64},
                "title": "Chứng minh",
                "description": "Inclusion proof (RFC 9162) of the entry, base64; with `Lgsp-Receipt: full`",
            },
        ),
        "Problem": _problem(),
        "Token": _object(
            {
                "access_token": _text("Mã truy cập", "Send it as `Authorization: Bearer`"),
                "token_type": {"const": "Bearer"},
                "expires_in": {"type": "integer", "minimum": 1, "title": "Thời hạn", "description": "Seconds"},
            },
            "An access token (RFC 6749, section 5.1).",
        ),
        "OAuthError": _object(
            {"error": _text("Mã lỗi", "Code of RFC 6749, section 5.2")},
            "An error of the token endpoint; not a problem document.",
            error_description=_text("Mô tả", "What to change"),
        ),
    }


def _problem() -> Schema:
    return _object(
        {
            "type": _text("Loại lỗi", "Address of the page that explains the code", format="uri"),
            "title": _text("Tên lỗi", "Short name of the error, Vietnamese unless Accept-Language prefers English"),
            "status": {"type": "integer", "minimum": 400, "maximum": 599, "title": "Mã trạng thái HTTP"},
            "detail": _text("Chi tiết", "What happened this time; never a personal value"),
            "instance": _text("Lần xảy ra", "This occurrence: the page and the request id"),
            "code": _text("Mã", "Stable code to program against"),
            "retryable": {
                "type": "boolean",
                "title": "Có thể gọi lại",
                "description": "Whether the same request may succeed later",
            },
            "request_id": _text("Mã yêu cầu", "The request id, as in the header X-Request-Id"),
        },
        "Problem details (RFC 9457, lỗi).",
        reason=_text("Lý do", "Which of the code's reasons, where it has several"),
        errors={
            "type": "array",
            "title": "Các chỗ sai",
            "description": "Each thing wrong with the request",
            "items": _object(
                {
                    "pointer": _text(
                        "Vị trí", "JSON pointer into the body; empty where a header or parameter is at fault"
                    ),
                    "detail": _text("Chi tiết", "What is wrong there"),
                },
                "One thing wrong with the request.",
                header=_text("Tiêu đề", "Name of the header at fault"),
                parameter=_text("Tham số", "Name of the query parameter at fault"),
            ),
        },
        exchange=_object({"id": _text("Mã lượt khai thác", "Id of the recorded exchange", pattern=_UUID)}, "Recorded."),
        receipt=reference("Receipt"),
    )
