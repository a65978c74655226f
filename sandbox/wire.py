"""How a registry writes records as XML: elements in order, and its different ways of having nothing to say.

Registries are not consistent about what is missing: the element is left out, nil, or holds a blank. Which one it is
follows from the record and the element, so that the same question always gets the same bytes.
"""

from __future__ import annotations

from zlib import crc32

from lxml import etree

from security.xml import Element

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NIL = f"{{{XSI}}}nil"


class Writer:
    """Writes the elements of one record in one namespace; `key` names the record and varies what is missing."""

    def __init__(self, namespace: str, key: str) -> None:
        self._prefix = f"{{{namespace}}}" if namespace else ""
        self._namespace = namespace
        self._key = key

    def root(self, name: str, **attributes: str | None) -> Element:
        """Begin a document or a part of one."""
        prefixes = {"xsi": XSI, "d": self._namespace} if self._namespace else {"xsi": XSI}
        element = etree.Element(self._prefix + name, nsmap=prefixes)
        return self._describe(element, attributes)

    def below(self, parent: Element, name: str, **attributes: str | None) -> Element:
        """Add an element that will hold others."""
        return self._describe(etree.SubElement(parent, self._prefix + name), attributes)

    def text(self, parent: Element, name: str, value: str | None, *, blank: bool = False) -> None:
        """Add a value byte for byte; None leaves it out, says nil or, where `blank` is possible, sends a space."""
        if value is not None:
            etree.SubElement(parent, self._prefix + name).text = value
            return
        manner = self._manner(parent, name)
        if manner == 0:
            self.nil(parent, name)
        elif manner == 1 and blank:
            etree.SubElement(parent, self._prefix + name).text = " "

    def nil(self, parent: Element, name: str) -> None:
        """Add an element that is explicitly nothing."""
        etree.SubElement(parent, self._prefix + name).set(_NIL, "true")

    def nothing(self, parent: Element, name: str) -> None:
        """Leave a whole part out, or say nil."""
        if self._manner(parent, name) == 0:
            self.nil(parent, name)

    def _manner(self, parent: Element, name: str) -> int:
        return crc32(f"{self._key}/{etree.QName(parent).localname}/{name}".encode()) % 4

    @staticmethod
    def _describe(element: Element, attributes: dict[str, str | None]) -> Element:
        for name, value in attributes.items():
            if value is not None:
                element.set(name, value)
        return element
