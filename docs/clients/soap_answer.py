"""Turn an answer of the SOAP face into the JSON that REST answers: what the receipt's salt opens is a form of that.

A Fault becomes the problem that REST tells, with its receipt where it has one. It is told in the same way, and the exit
status is 2.

Từ trả lời SOAP sang JSON của REST. One file to copy, for Python's standard library alone:

    python3 soap_answer.py answer.xml population.wsdl > answer.json

The types stand in the contract: `xs:boolean` and `xs:long` become true, false and integers, an element of nothing but
`item` a list, one with other elements an object, everything else stays text. `xsi:nil` is null, an absent element an
absent member. Names go from `birthDate` to `birth_date`.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

XS = "{http://www.w3.org/2001/XMLSchema}"
PROBLEM = "{urn:lgsp:gateway:1}Problem"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class Contract:
    """The types of a WSDL by name."""

    def __init__(self, wsdl):
        root = ElementTree.fromstring(wsdl)
        self.wrappers = {place.get("name"): place for schema in root.iter(f"{XS}schema") for place in schema}
        self.records, self.bases = {}, {}
        for schema in root.iter(f"{XS}schema"):
            for kind in schema.iter(f"{XS}complexType"):
                if kind.get("name"):
                    self.records[kind.get("name")] = _members(kind)
            for kind in schema.iter(f"{XS}simpleType"):
                if kind.get("name"):
                    self.bases[kind.get("name")] = kind.find(f"{XS}restriction").get("base")

    def answer(self, envelope):
        """Return the members of an answer, `data`, `exchange` and `receipt`; of a Fault those of its problem."""
        wrapper = ElementTree.fromstring(envelope)[-1][0]
        if _local(wrapper) == "Fault":
            problem = wrapper.find(f".//{PROBLEM}")
            # SOAP 1.1 has no detail where a header block is at fault.
            return {} if problem is None else self.value(problem, self.wrappers["Problem"].get("type"))
        members = _members(self.wrappers[_local(wrapper)])
        told = {_snake(_local(child)): self.value(child, members[_local(child)]) for child in wrapper}
        if _local(wrapper) == "GetDossierResponse":
            # What was pushed has one name over REST; in the contract an element has one type alone.
            for one in told["deliveries"]:
                if "dossier" in one:
                    one["event"] = one.pop("dossier")
        if "exchange" in told:
            # Over SOAP they are named as the elements are.
            told["exchange"]["fields"] = [_snake(path) for path in told["exchange"]["fields"]]
        return told

    def value(self, element, type_):
        """Return what an element of this type says."""
        if element.get(NIL) in ("true", "1"):
            return None
        if type_.startswith("xs:"):
            text = element.text or ""
            return {"xs:boolean": _truth, "xs:long": int, "xs:int": int}.get(type_, str)(text)
        name = type_.partition(":")[2]
        if name in self.bases:
            return self.value(element, self.bases[name])
        members = self.records[name]
        if list(members) == ["item"]:
            return [self.value(child, members["item"]) for child in element]
        return {_snake(_local(child)): self.value(child, members[_local(child)]) for child in element}


def _members(kind):
    return {place.get("name"): place.get("type") for place in kind.iter(f"{XS}element") if place.get("type")}


def _local(element):
    return element.tag.rpartition("}")[2]


def _snake(name):
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _truth(text):
    return text.strip() in ("true", "1")


if __name__ == "__main__":
    answered, published = (Path(name).read_bytes() for name in sys.argv[1:3])
    told = Contract(published).answer(answered)
    json.dump(told, sys.stdout, ensure_ascii=False, indent=1)
    sys.exit(2 if "retryable" in told or not told else 0)
