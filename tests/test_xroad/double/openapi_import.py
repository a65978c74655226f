"""Whether a security server's administrator can import an OpenAPI document, and what endpoints come of it.

    found = import_openapi(document, "https://lgsp.example/openapi.json")     # raises NotImportable
    found.base_url, found.endpoints, found.warnings

X-Road 7.8 (OpenApiParser, swagger-parser 2.1.37) takes `3.0.x` and exactly `3.1.0`: 3.1.1, 3.1.2 and 3.2.0 are refused.
It reads YAML; this reads JSON alone, which is YAML too. The address of the service is the first server's, resolved
against the address of the document; a path's parameters become `*`. `warnings` stand in for what swagger-parser
remarks: an administrator has to accept each one by hand, so a good document has none. They are those remarks that can
be told without it, and the errors of the OpenAPI schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from tests.test_xroad.double.vocabulary import ALLOWED
from tests.test_xroad.double.wsdl_import import LARGEST, RESERVED, NotImportable

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
TOP = ("openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs")
TOP_31 = (*TOP, "webhooks", "jsonSchemaDialect")

# The keywords of a schema that swagger-parser knows in 3.1; `$defs` is not among them.
_KEYWORDS = """
$ref title multipleOf maximum format exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems
minItems uniqueItems maxProperties minProperties required enum type allOf oneOf anyOf not items properties
additionalProperties description default discriminator readOnly writeOnly xml externalDocs example deprecated const
examples $id $comment if then else unevaluatedProperties unevaluatedItems prefixItems contains contentEncoding
contentMediaType $anchor $schema contentSchema propertyNames dependentSchemas dependentRequired minContains maxContains
patternProperties $vocabulary $dynamicAnchor $dynamicRef
"""
SCHEMA_31 = frozenset(_KEYWORDS.split())


@dataclass(frozen=True, slots=True)
class OpenApiService:
    """What the server makes of the document: address, endpoints as (METHOD, path with `*`), remarks."""

    base_url: str
    endpoints: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def import_openapi(document: bytes, url: str, code: str = "service") -> OpenApiService:
    """Read a description published at `url` as a server does, for the service code that the administrator chose."""
    if not url.startswith(("http://", "https://")):
        raise NotImportable("protocol", url)
    if len(document) > LARGEST:
        raise NotImportable("size", f"{len(document)} bytes")
    if code in RESERVED or not ALLOWED.fullmatch(code):
        raise NotImportable("identifier", code)
    content = _read(document)
    version = content.get("openapi")
    if not isinstance(version, str) or not (version.startswith("3.0") or version == "3.1.0"):
        raise NotImportable("version", f"{version!r}")
    servers = content.get("servers") or [{"url": ""}]
    base = str(servers[0].get("url", ""))
    if "{" not in base:
        base = urljoin(url, base)
    endpoints = tuple((method.upper(), re.sub(r"\{[^/]*}", "*", path)) for path, method, _ in _operations(content))
    if len(set(endpoints)) < len(endpoints):
        raise NotImportable("unique-endpoints", f"{sorted(endpoints)}", "document")
    return OpenApiService(base, endpoints, tuple(_remarks(content, version)))


def _read(document: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(document)
    except ValueError as error:
        raise NotImportable("parse", str(error)) from error
    if not isinstance(content, Mapping):
        raise NotImportable("parse", f"a document is {type(content).__name__}")
    return content


def _operations(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in (content.get("paths") or {}).items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


def _remarks(content: Mapping[str, Any], version: str) -> Iterator[str]:
    known = TOP_31 if version.startswith("3.1") else TOP
    yield from (f"attribute {name} is unexpected" for name in content if name not in known and name[:2] != "x-")
    seen: set[object] = set()
    for path, method, operation in _operations(content):
        number = operation.get("operationId")
        if number is not None and number in seen:
            yield f"attribute paths.'{path}'({method}).operationId is repeated"
        seen.add(number)
        declared = {
            each["name"]
            for each in _parameters(content, path, operation)
            if each.get("in") == "path" and each.get("required") is True
        }
        for name in re.findall(r"\{([^/{}]*)}", path):
            if name not in declared:
                yield f"attribute paths.'{path}'. Declared path parameter {name} needs to be defined"
    if version.startswith("3.1"):
        for name, schema in content.get("components", {}).get("schemas", {}).items():
            yield from (f"attribute components.schemas.{each} is unexpected" for each in _unknown(name, schema))
    validator = OpenAPIV31SpecValidator if version.startswith("3.1") else OpenAPIV30SpecValidator
    for error in validator(dict(content)).iter_errors():
        yield f"{'/'.join(str(each) for each in error.absolute_path)}: {error.message}"


def _unknown(where: str, schema: object) -> Iterator[str]:
    """Keywords that are not known, with where they stand; data inside of a schema is left alone."""
    if isinstance(schema, list):
        for number, each in enumerate(schema):
            yield from _unknown(f"{where}.{number}", each)
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        if key not in SCHEMA_31 and not key.startswith("x-"):
            yield f"{where}.{key}"
        elif key in ("properties", "patternProperties", "dependentSchemas"):
            for name, each in value.items():
                yield from _unknown(f"{where}.{name}", each)
        elif key not in ("enum", "const", "default", "example", "examples"):
            yield from _unknown(f"{where}.{key}", value)


def _parameters(content: Mapping[str, Any], path: str, operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in (*content["paths"][path].get("parameters", ()), *operation.get("parameters", ())):
        named = str(each.get("$ref", "")).rpartition("/")[2]
        yield content["components"]["parameters"][named] if named else each
