"""The paths of the audit log in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from routes.audit.access import READING
from routes.audit.bundling import ZIP
from routes.audit.listing import CURSOR, EQUALITIES, KINDS, WORD
from routes.audit.showing import LEAF
from routes.dossiers.asking import LIMIT, MOST
from routes.openapi_dossiers import COMMON, INTEGER, JSON, NULLABLE, TEXT, closed, listed, operation, query, shared
from routes.openapi_models import Schema, named_schemas, reference
from routes.openapi_responses import ANYWHERE, KNOWN_CALLER, RATE, answer, problems
from schemas import errors as e
from schemas.audit import SUBJECT_KINDS, AuditBundle, AuditOpening, AuditSearch
from schemas.periods import PATTERN

AUDIT: Final = "audit"
AUDIT_TAG: Final = {
    "name": AUDIT,
    "description": "Nhật ký kiểm toán và chứng cứ · The audit log and what proves it (docs/auditors.md)",
}

_OCTETS: Final = "application/octet-stream"
_PARAMETERS: Final = (*map(shared, COMMON),)
_BASE64: Final[Schema] = TEXT | {"pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"}
_WORD: Final[Schema] = TEXT | {"pattern": f"^{WORD}$"}
_COUNT: Final[Schema] = INTEGER | {"minimum": 1}
_KNOWN: Final = (*KNOWN_CALLER, e.NotFound)
_GUEST: Final = (*ANYWHERE, e.EvidenceUnavailable, e.TooManyRequests)
_DESCRIBED: Final[dict[str, str]] = {
    "kind": "Loại bản ghi · Entries of this kind",
    "caller": "Bên gọi · About requests of this client",
    "database": "Cơ sở dữ liệu · About this database",
    "operation": "Nghiệp vụ · Of this operation",
    "purpose": "Mục đích · For this purpose",
    "dossier": "Mã hồ sơ · For this dossier",
    "outcome": "Kết quả · That ended so: `ok`, or the code of an error",
    "request_id": "Mã yêu cầu · Of this request",
}


def audit_schemas() -> dict[str, Schema]:
    """Return the schemas of what is asked of the log and what it says."""
    entry: Schema = {"type": "object", "description": "The entry, decoded", "properties": {"v": INTEGER}}
    return named_schemas("", (AuditSearch, AuditOpening, AuditBundle)) | {
        "AuditEntry": closed({"index": INTEGER, "leaf": _BASE64, "redacted": {"type": "boolean"}, "entry": entry}),
        "AuditProof": closed(
            {"index": INTEGER, "size": INTEGER, "leaf": _BASE64, "proof": listed(_BASE64), "checkpoint": TEXT}
        ),
    }


def audit_paths(public_url: str) -> dict[str, Any]:
    """Return the path items."""
    return {
        "/v1/audit/entries": {"get": _list(public_url)},
        "/v1/audit/search": {"post": _search(public_url)},
        "/v1/audit/entries/{index}": {"get": _show(public_url)},
        "/v1/audit/entries/{index}/proof": {"get": _prove(public_url)},
        "/v1/audit/entries/{index}/values": {"post": _values(public_url)},
        "/v1/audit/entries/{index}/bundle": {"post": _evidence(public_url)},
        "/v1/audit/checkpoint": {"get": _checkpoint(public_url, "getAuditCheckpoint")},
        "/v1/audit/consistency": {"get": _consistency(public_url)},
        "/v1/audit/keys": {"get": _keys(public_url)},
        "/v1/audit/log/checkpoint": {"get": _checkpoint(public_url, "getLogCheckpoint")},
        "/v1/audit/log/tile/{level}/{tile}": {"get": _tile(public_url)},
        "/v1/audit/log/tile/entries/{tile}": {"get": _bundle(public_url)},
    }


def _audited(*args: Any, **more: Any) -> dict[str, Any]:
    return operation(*args, tags=[AUDIT], **more)


def _list(public_url: str) -> dict[str, Any]:
    schemas = {"kind": {"type": "string", "enum": list(KINDS)}, "dossier": TEXT, "request_id": TEXT}
    return _audited(
        "getAuditEntries",
        "Danh sách bản ghi",
        "Entries in their order: all with the right `audit`, the caller's own otherwise. That they were read is an "
        f"entry too, which `{READING}` names",
        [
            *(query(name, _DESCRIBED[name], schemas.get(name, _WORD)) for name in EQUALITIES),
            *_period(),
            *_page(),
            *_PARAMETERS,
        ],
        {"200": _read("Một trang · A page", JSON, _entries()), **problems((*KNOWN_CALLER, e.Invalid), public_url)},
    )


def _search(public_url: str) -> dict[str, Any]:
    trouble = (*KNOWN_CALLER, e.Refused, e.Invalid, e.TooLarge, e.UnsupportedMediaType)
    return _audited(
        "searchAudit",
        "Ai đã tra cứu một công dân",
        "Entries that asked about a person or organisation, or disclosed something of them; needs the right `audit`. "
        "Redacted entries and destroyed periods are not found. The search is an entry about the same subject",
        [*_page(), *_PARAMETERS],
        {"200": _read("Một trang · A page", JSON, _entries()), **problems(trouble, public_url)},
        requestBody={"required": True, "content": {JSON: {"schema": reference("AuditSearch")}}},
    )


def _show(public_url: str) -> dict[str, Any]:
    shown = _read("Bản ghi · The entry, its exact bytes: SHA-256(0x00 ‖ body) is its leaf", JSON, {"type": "object"})
    shown["headers"] |= {LEAF: {"$ref": "#/components/headers/AuditLeaf"}}
    return _audited(
        "getAuditEntry",
        "Xem một bản ghi",
        "One entry as it was recorded. Without the right `audit` only the caller's own is there",
        [_index(), *_PARAMETERS],
        {"200": shown, **problems((*_KNOWN, e.Invalid), public_url)},
    )


def _prove(public_url: str) -> dict[str, Any]:
    return _audited(
        "getAuditProof",
        "Chứng minh bản ghi nằm trong nhật ký",
        "The inclusion proof (RFC 9162) of an entry in the tree of a checkpoint, of the newest unless `size` names "
        "another; `verify_audit.py` checks it",
        [
            _index(),
            query("size", "Số bản ghi của mốc · Number of entries of the checkpoint", _COUNT),
            *_PARAMETERS,
        ],
        {
            "200": _read("Chứng minh · The proof", JSON, reference("AuditProof")),
            **problems((*_KNOWN, e.Invalid), public_url),
        },
    )


def _values(public_url: str) -> dict[str, Any]:
    opening = closed({"name": TEXT, "salt": _BASE64, "content": NULLABLE})
    subject = closed(
        {
            "role": {"type": "string", "enum": ["asked", "disclosed"]},
            "kind": {"type": "string", "examples": list(SUBJECT_KINDS)},
            "value": TEXT,
        }
    )
    told = closed(
        {
            "index": INTEGER,
            "leaf": _BASE64,
            "openings": listed(opening),
            "subjects": listed(subject),
            "officer": NULLABLE | {"description": "The officer's account, where it is a person's number"},
            "data": {"type": ["object", "null"], "description": "What was disclosed, where it is archived"},
        }
    )
    trouble = (*_KNOWN, e.Refused, e.Invalid, e.TooLarge, e.UnsupportedMediaType)
    return _audited(
        "openAuditValues",
        "Mở giá trị của bản ghi",
        "What stands sealed behind an entry: salts of its commitments, subjects, archived data; needs the right "
        "`audit-values`. Reason and reader are in the log before anything is shown. 404 with `reason` where the "
        "values were erased (`redacted`), their keys destroyed (`destroyed`), or none are kept (`no-values`)",
        [_index(), *_PARAMETERS],
        {"200": _read("Giá trị · The values", JSON, told), **problems(trouble, public_url)},
        requestBody={"required": True, "content": {JSON: {"schema": reference("AuditOpening")}}},
    )


def _evidence(public_url: str) -> dict[str, Any]:
    shown = _read("Gói chứng cứ · The bundle", ZIP, {"type": "string", "format": "binary"})
    shown["headers"] |= {"Content-Disposition": {"$ref": "#/components/headers/AuditFile"}}
    trouble = (*_KNOWN, e.Refused, e.Invalid, e.TooLarge, e.UnsupportedMediaType)
    return _audited(
        "getAuditEvidence",
        "Lấy gói chứng cứ của bản ghi",
        "The evidence of one entry as a ZIP with a manifest (`lgsp-audit-bundle/1`, docs/security.md): entry, proof, "
        "checkpoint, certificates, revocation evidence, time-stamp; `verify_audit.py` checks it. Closed for everybody "
        "who may read the entry. Opening needs the right `audit-values` and a reason, but not for an answer that is "
        "handed in with its receipt, nor for fields of it. 404 with `reason` as for `values`",
        [_index(), *_PARAMETERS],
        {"200": shown, **problems(trouble, public_url)},
        requestBody={"required": True, "content": {JSON: {"schema": reference("AuditBundle")}}},
    )


def _checkpoint(public_url: str, name: str) -> dict[str, Any]:
    return _audited(
        name,
        "Mốc kiểm tra mới nhất",
        "The newest signed head of the log (C2SP signed note); public. With `witnessed=true` the newest that witnesses "
        "cosigned, 404 where none did",
        [
            query(
                "witnessed",
                "Mốc có nhân chứng · With the cosignatures of witnesses",
                TEXT | {"enum": ["true", "false"]},
            ),
            *_PARAMETERS,
        ],
        {
            "200": answer("Mốc kiểm tra · The checkpoint", "text/plain", TEXT, **RATE),
            **problems((*_GUEST, e.NotFound, e.Invalid), public_url, **RATE),
        },
        security=[],
    )


def _consistency(public_url: str) -> dict[str, Any]:
    told = closed({"from": INTEGER, "to": INTEGER, "proof": listed(_BASE64)})
    needed = {"required": True}
    return _audited(
        "getAuditConsistency",
        "Chứng minh nhật ký chỉ dài thêm",
        "The proof (RFC 9162) that the tree of `from` entries is the beginning of the tree of `to`; public",
        [
            query("from", "Số bản ghi cũ · The smaller size", _COUNT) | needed,
            query("to", "Số bản ghi mới · The larger size", _COUNT) | needed,
            *_PARAMETERS,
        ],
        {
            "200": answer("Chứng minh · The proof", JSON, told, **RATE),
            **problems((*_GUEST, e.Invalid), public_url, **RATE),
        },
        security=[],
    )


def _keys(public_url: str) -> dict[str, Any]:
    number = {"type": ["integer", "null"]}
    key = closed(
        {
            "vkey": TEXT | {"description": "C2SP verifier key"},
            "id": TEXT | {"description": "Key id in hexadecimal"},
            "generation": INTEGER,
            "from": TEXT,
            "until": NULLABLE | {"description": "End of the overlap, until which it signs along; null: it signs"},
            "first_size": number | {"description": "Size of the first checkpoint that it signed"},
            "last_size": number | {"description": "Size of the last one so far"},
        }
    )
    return _audited(
        "getAuditKeys",
        "Khóa kiểm tra của nhật ký",
        "Every key that signs or signed checkpoints, newest first; public. Compare them with what you were given by "
        "another way: a forger would serve a key of his own",
        _PARAMETERS,
        {
            "200": answer("Khóa · The keys", JSON, closed({"origin": TEXT, "keys": listed(key)}), **RATE),
            **problems((*_GUEST, e.Invalid), public_url, **RATE),
        },
        security=[],
    )


def _tile(public_url: str) -> dict[str, Any]:
    octets = answer("Ô băm · Hashes of 32 bytes", _OCTETS, {"type": "string", "format": "binary"}, **RATE)
    level = {"name": "level", "in": "path", "required": True, "description": "Tầng · Level, 0 to 63"}
    return _audited(
        "getLogTile",
        "Ô của cây băm",
        "A tile of the hash tree (C2SP tlog-tiles); public, and it never changes. Above 999 the number has several "
        "segments, `x001/234`",
        [level | {"schema": INTEGER | {"minimum": 0, "maximum": 63}, "example": 0}, _number(), *_PARAMETERS],
        {"200": octets, **problems((*_GUEST, e.NotFound, e.Invalid), public_url, **RATE)},
        security=[],
    )


def _bundle(public_url: str) -> dict[str, Any]:
    octets = _read("Bản ghi · Entries", _OCTETS, {"type": "string", "format": "binary"})
    return _audited(
        "getLogBundle",
        "Bản ghi của một ô",
        "The entries below a tile of level 0, each behind its length in two bytes (C2SP tlog-tiles); needs the right "
        "`audit`",
        [_number(), *_PARAMETERS],
        {"200": octets, **problems((*_KNOWN, e.Refused, e.Invalid), public_url)},
    )


def _read(description: str, kind: str, schema: Schema) -> dict[str, Any]:
    shown = answer(description, kind, schema)
    shown["headers"] |= {READING: {"$ref": "#/components/headers/AuditReading"}}
    return shown


def _entries() -> Schema:
    return closed({"items": listed(reference("AuditEntry")), "next": NULLABLE})


def _index() -> Schema:
    number = INTEGER | {"minimum": 0}
    return {"name": "index", "in": "path", "required": True, "description": "Số thứ tự · Number", "schema": number}


def _number() -> Schema:
    return {
        "name": "tile",
        "in": "path",
        "required": True,
        "description": "Số của ô · Number in three digits; `.p/W` behind it for the first W hashes of one",
        "schema": TEXT | {"pattern": "^[0-9]{3}$"},
        "example": "000",
    }


def _period() -> list[Schema]:
    at = TEXT | {"pattern": PATTERN}
    return [
        query("since", "Từ · From this day in Vietnam or this time on (`+` is written `%2B`)", at),
        query("until", "Đến · Up to the end of this day, or before this time", at),
    ]


def _page() -> list[Schema]:
    cursor = TEXT | {"pattern": f"^{CURSOR}$"}
    return [
        query("limit", "Số mục · How many", INTEGER | {"minimum": 1, "maximum": MOST}) | {"example": LIMIT},
        query("after", "`next` của trang trước, hoặc số bản ghi · `next` of the page before, or an entry", cursor),
    ]
