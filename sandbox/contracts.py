"""The contract files that registries publish and hold their callers to."""

from __future__ import annotations

from typing import Final

from lxml import etree

from security.contracts import contract_path, contract_schema
from security.xml import Element

# The address that the files themselves carry; whoever asks is told the one he asked at.
_ADDRESS: Final = b"http://localhost"


class Breach(Exception):
    """A message breaks the contract; the text names the element."""


class Contract:
    """One WSDL or XSD file."""

    def __init__(self, file: str) -> None:
        self._content = contract_path(file).read_bytes()
        self._schema = contract_schema(file)

    def published(self, address: str) -> bytes:
        """Return the file with the service's own address in it, `http://host:port` without a path."""
        return self._content.replace(_ADDRESS, address.encode())

    def check(self, element: Element) -> None:
        """Pass a message that keeps the contract; raises Breach."""
        if not self._schema.validate(element):
            raise Breach(f"{etree.QName(element).localname} does not follow the schema")
