"""The vendored contracts (`schemas/wsdl`): XML schemas compiled from an XSD file or from the types of a WSDL."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lxml import etree

import schemas
from security.xml import CONTRACT, parse

_XS = "{http://www.w3.org/2001/XMLSchema}schema"


def contract_path(name: str) -> Path:
    """Return the path of a contract file, for example `population.wsdl`."""
    return Path(schemas.__file__).with_name("wsdl") / name


@cache
def answer_schema(name: str, namespace: str) -> etree.XMLSchema:
    """Compile the schema of `namespace` in the contract file `name`; raises LookupError if there is none.

    A schema inside a WSDL must stand by itself: one that imports its neighbours has no address they could be found at.
    """
    root = parse(contract_path(name).read_bytes(), CONTRACT)
    for schema in [root] if root.tag == _XS else root.iter(_XS):
        if schema.get("targetNamespace", "") == namespace:
            # Written and read again, because the copy that XMLSchema takes loses the prefixes declared further out.
            return etree.XMLSchema(parse(etree.tostring(schema), CONTRACT))
    raise LookupError(f"{name} has no schema of the namespace {namespace!r}")
