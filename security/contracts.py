"""The vendored contracts (`schemas/wsdl`): where they lie, and their XML schemas compiled."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lxml import etree

import schemas
from security.xml import compile_schema


def contract_path(name: str) -> Path:
    """Return the path of a contract file, for example `population.wsdl`."""
    return Path(schemas.__file__).with_name("wsdl") / name


@cache
def contract_schema(name: str) -> etree.XMLSchema:
    """Compile the schemas of a contract file; raises LookupError if it holds none."""
    path = contract_path(name)
    return compile_schema(path.read_bytes(), path.parent)
