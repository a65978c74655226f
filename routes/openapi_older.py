"""The OpenAPI document in the words of OpenAPI 3.0, for importers that read no newer one (tài liệu API 3.0).

X-Road's security servers read 3.1 since 7.5 only. Both forms promise the same: a keyword that cannot be said in the
older words (OpenAPI 3.0.3, section 4.7.24) is an error and never left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from routes.openapi_models import Schema

_VERSION: Final = "3.0.3"
# What it cannot say at all.
_UNKNOWN_SCHEME: Final = "mutualTLS"
_ALSO: Final = """

- Một chứng thư TLS đã đăng ký cũng xác thực bên gọi; OpenAPI 3.0 không diễn đạt được · A registered client certificate
  (mTLS) identifies a caller too; OpenAPI 3.0 has no word for that."""
# Only null: an object of that enumeration.
_NULL: Final[Schema] = {"type": "object", "nullable": True, "enum": [None]}
_SAME: Final = frozenset(
    {
        *("title", "description", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"),
        *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "required", "enum", "nullable"),
        "default",
    }
)
_KINDS: Final[Mapping[type, str]] = {bool: "boolean", int: "integer", str: "string"}
_DATA: Final = frozenset({"example", "examples", "value", "default"})


def older(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document as one of 3.0; raises ValueError for what 3.0 cannot say."""
    found: dict[str, Any] = _placed(document)
    del found["jsonSchemaDialect"]
    found["openapi"] = _VERSION
    found["info"]["description"] += _ALSO
    components = found["components"]
    components["schemas"] = {name: _schema(schema) for name, schema in document["components"]["schemas"].items()}
    del components["securitySchemes"][_UNKNOWN_SCHEME]
    return found


def _placed(node: Any) -> Any:
    """Copy everything around the schemas, converting those."""
    if isinstance(node, list):
        return [_placed(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    made: dict[str, Any] = {}
    for name, inside in node.items():
        if name == "schema":
            made[name] = _schema(inside)
        elif name == "security":
            made[name] = [needed for needed in inside if _UNKNOWN_SCHEME not in needed]
            if inside and not made[name]:
                raise ValueError("OpenAPI 3.0 would show as open to all what a certificate is needed for")
        else:
            made[name] = inside if name in _DATA else _placed(inside)
    return made


def _schema(schema: Schema) -> Schema:
    if "$ref" in schema:
        if len(schema) > 1:
            raise ValueError("OpenAPI 3.0 reads nothing beside a $ref")
        return schema
    if schema.get("type") == "null":
        return _NULL | {name: schema[name] for name in ("title", "description") if name in schema}
    made: Schema = {}
    for name, said in schema.items():
        match name:
            case "type":
                made |= _type(said)
            case "const":
                made |= {"type": _type_of([said]), "enum": [said]}
            case "examples":
                made["example"] = said[0]
            case "properties":
                made[name] = {member: _schema(inside) for member, inside in said.items()}
            case "items" | "additionalProperties":
                made[name] = _schema(said) if isinstance(said, dict) else said
            case "anyOf" | "allOf" | "oneOf":
                made[name] = [_schema(inside) for inside in said]
            case _ if name in _SAME:
                made[name] = said
            case _:
                raise ValueError(f"OpenAPI 3.0 has no word for {name}")
    if "type" not in made and None in made.get("enum", ()):
        # There null counts beside a type only.
        made |= {"type": _type_of([value for value in made["enum"] if value is not None]), "nullable": True}
    return made


def _type(said: str | list[str]) -> Schema:
    if isinstance(said, str):
        return {"type": said}
    kinds = [kind for kind in said if kind != "null"]
    if len(kinds) != 1:
        raise ValueError(f"OpenAPI 3.0 has no word for the types {said}")
    return {"type": kinds[0], "nullable": True} if "null" in said else {"type": kinds[0]}


def _type_of(values: list[Any]) -> str:
    kinds = {_KINDS.get(type(value)) for value in values}
    if len(kinds) != 1 or (kind := kinds.pop()) is None:
        raise ValueError(f"OpenAPI 3.0 needs a type for {values}")
    return kind
