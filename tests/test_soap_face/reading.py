"""An answer read back by its published contract alone: the rule by which a SOAP caller gets the bytes of the evidence.

The receipt's salt opens a commitment to the canonical JSON (RFC 8785) of `data`. Whoever has the answer as XML gets it
so: an element is a member; its name in lower case with `_` before what was a capital letter; nil is null; an element
whose type has repeated `item` elements is an array of them; one of `xs:boolean` is true or false, of `xs:long` a
number, one with elements an object, any other the string that it holds. What is absent is absent.
"""

import json
import re
from functools import cache
from typing import Any

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def snake(name: str) -> str:
    """The name of a member from that of its element."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


class Contract:
    """The schemas of one WSDL."""

    def __init__(self, wsdl: bytes) -> None:
        self._root = etree.fromstring(wsdl)
        self._schemas = {each.get("targetNamespace"): each for each in self._root.iter(f"{XS}schema")}

    @cache  # noqa: B019 - as long as the contract
    def element(self, name: str) -> etree._Element:
        """The declaration of a global element by its Clark name."""
        namespace, _, local = name[1:].partition("}")
        return next(each for each in self._schemas[namespace].findall(f"{XS}element") if each.get("name") == local)

    @cache  # noqa: B019 - as long as the contract
    def _inside(self, place: etree._Element) -> tuple[str | None, dict[str, etree._Element]]:
        """The built-in type of an element, or the elements that it holds by their local names."""
        kind = next(place.iterchildren(f"{XS}complexType", f"{XS}simpleType"), None)
        while kind is None or kind.tag == f"{XS}simpleType":
            named = place if kind is None else kind.find(f"{XS}restriction")
            assert named is not None
            prefix, _, local = named.get("type" if kind is None else "base", "").partition(":")
            namespace = named.nsmap[prefix]
            if f"{{{namespace}}}" == XS:
                return local, {}
            kind = next(
                each for each in self._schemas[namespace] if each.get("name") == local and each.tag.endswith("Type")
            )
        return None, {each.get("name", ""): each for each in kind.findall(f"{XS}sequence/{XS}element")}

    def value(self, found: etree._Element, declared: etree._Element) -> Any:
        """The JSON value of an element."""
        if found.get(NIL) in ("true", "1"):
            return None
        built_in, members = self._inside(declared)
        if built_in is None:
            if list(members) == ["item"] and members["item"].get("maxOccurs") == "unbounded":
                return [self.value(each, members["item"]) for each in found]
            return {
                snake(name): self.value(each, members[name]) for each in found if (name := etree.QName(each).localname)
            }
        assert len(found) == 0
        text = found.text or ""
        if built_in == "boolean":
            return {"true": True, "1": True, "false": False, "0": False}[text]
        return int(text) if built_in in ("long", "int") else text

    def data(self, wrapper: etree._Element) -> Any:
        """What the `data` of an answer says."""
        declared = self._inside(self.element(str(wrapper.tag)))[1]["data"]
        (found,) = wrapper.findall("{*}data")
        return self.value(found, declared)


def canonical(value: Any) -> bytes:
    """RFC 8785 of values without fractions whose member names are ASCII, as all of ours are."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
