"""The contract files that registries publish and hold their callers to."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from lxml import etree

from security.xml import CONTRACT, Element, parse

_XSD: Final = "{http://www.w3.org/2001/XMLSchema}schema"
# The address that the files themselves carry; whoever asks is told the one he asked at.
_ADDRESS: Final = b"http://localhost"


class Breach(Exception):
    """A message breaks the contract; the text names element and rule."""


class Contract:
    """One WSDL or XSD file whose schemas do not refer to each other, so that each stands for its namespace."""

    def __init__(self, file: str) -> None:
        self._content = files("schemas").joinpath("wsdl", file).read_bytes()
        self._schemas: dict[str, etree.XMLSchema] = {}
        for found in parse(self._content, CONTRACT).iter(_XSD):
            # Alone, a schema keeps the prefixes it uses inside attribute values only if it is written out and read.
            alone = parse(etree.tostring(found, with_tail=False), CONTRACT)
            self._schemas[alone.get("targetNamespace", "")] = etree.XMLSchema(alone)

    def published(self, address: str) -> bytes:
        """Return the file with the service's own address in it, `http://host:port` without a path."""
        return self._content.replace(_ADDRESS, address.encode())

    def check(self, element: Element) -> None:
        """Pass a message that keeps the contract; raises Breach."""
        schema = self._schemas.get(str(etree.QName(element).namespace or ""))
        if schema is None:
            raise Breach("the namespace is not one of this service")
        if not schema.validate(element):
            raise Breach(f"{etree.QName(element).localname} does not follow the schema")
