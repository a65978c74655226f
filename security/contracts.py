"""The vendored contracts (`schemas/wsdl`): where they lie, and their XML schemas compiled."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lxml import etree

import schemas
from config.settings import ConfigurationError
from security.xml import XmlRefused, compile_schema


class ContractUnusable(ConfigurationError):
    """A contract file is missing, broken or none; the text names it."""


def contract_path(name: str) -> Path:
    """Return the path of a contract file, for example `population.wsdl`."""
    return Path(schemas.__file__).with_name("wsdl") / name


@cache
def contract_schema(name: str) -> etree.XMLSchema:
    """Compile the schemas of a contract file; raises ContractUnusable."""
    path = contract_path(name)
    try:
        return compile_schema(path.read_bytes(), path.parent)
    except (OSError, LookupError, XmlRefused, etree.LxmlError) as failure:
        raise ContractUnusable(f"the contract file {path} cannot be used: {failure}") from None
