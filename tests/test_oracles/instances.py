"""Documents drawn at random from a contract: whatever the XSD allows, written in every way that XML allows.

Drawn by a seeded generator, not value by value by hypothesis: a document has hundreds of values.
"""

import re
from functools import cache
from random import Random

from lxml import etree

from security.contracts import contract_path
from security.xml import CONTRACT, Element, parse

XS = "{http://www.w3.org/2001/XMLSchema}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

# Marks of XML, white space, a decomposed Vietnamese letter, a sign beyond the first plane.
LETTERS = "aàâđêôơưệ019 &<>\"'\t\n;]-\u0301\u0323𠮷"
WORDS = ("", " ", "0", "1", "2", "3", "00", "01", "02", "03", "04", "05", "06", "99", "VN", "DN", "CN", "TC", "CNKD")
DATES = ("20240229", "199012", "1975", "20230229", "2024-02-29", "2023-02-29", "29/02/2024", "29/02/2023")
SHAPES = (
    "", "#", "##", "###", "####", "#####", "######", "########", "#########", "##########", "############",
    "#############", "##########-###", "####.##", "-###", "20240229#3#5#5", "AB ######", "ĐA########", "#A/#",
)  # fmt: skip


def _value(random: Random, pattern: str) -> str:
    """A text that a pattern allows: a real date, or digits in one of the usual shapes."""
    while True:
        shape = random.choice(DATES + SHAPES)
        text = re.sub("#", lambda _: random.choice("0123456789"), shape)
        if re.fullmatch(pattern, text):
            return text


def _built_in(random: Random, name: str) -> str:
    if name == "boolean":
        return random.choice(["true", "false", "1", "0"])
    if name == "nonNegativeInteger":
        return str(random.randrange(10**9))
    if name == "dateTime":
        return f"20{random.randrange(10, 99)}-12-01T10:11:12+07:00"
    assert name == "string"
    return _words(random)


def _words(random: Random) -> str:
    if random.random() < 0.5:
        return random.choice(WORDS)
    return "".join(random.choices(LETTERS, k=random.randrange(12)))


@cache
def schemas(file: str) -> tuple[Element, ...]:
    """The schema elements of a contract file."""
    return tuple(parse(contract_path(file).read_bytes(), CONTRACT).iter(f"{XS}schema"))


class Instances:
    """Draws instances of the global elements of one contract."""

    def __init__(self, file: str, random: Random) -> None:
        self._random = random
        # Characters as they are, or as references where they are not ASCII.
        self._encoding = random.choice(["utf-8", "us-ascii"])
        self._global = {
            (schema.get("targetNamespace"), node.tag, node.get("name")): node
            for schema in schemas(file)
            for node in schema
            if node.get("name")
        }

    def element(self, namespace: str, name: str) -> Element:
        """An instance of a global element."""
        made = etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace})
        self._fill(made, self._global[namespace, f"{XS}element", name], namespace)
        return made

    def document(self, namespace: str, name: str) -> bytes:
        """An instance of a global element, written down."""
        written = etree.tostring(self.element(namespace, name), encoding=self._encoding, xml_declaration=False)
        # An empty element may be written in two ways.
        return re.sub(rb"<(\w+)></\1>", rb"<\1/>", written) if self._often() else written

    def _often(self) -> bool:
        return self._random.random() < 0.5

    def _named(self, kind: str, node: Element, attribute: str) -> tuple[Element | None, str, str]:
        """The definition that a reference means, its namespace and its local name."""
        prefix, _, name = (node.get(attribute) or "").rpartition(":")
        namespace = node.nsmap[prefix or None]
        return self._global.get((namespace, XS + kind, name)), namespace, name

    def _fill(self, made: Element, declared: Element, namespace: str) -> None:
        complex_type = declared.find(f"{XS}complexType")
        if complex_type is None and declared.get("type"):
            complex_type, _, _ = self._named("complexType", declared, "type")
        if complex_type is None:
            self._write(made, self._text(declared))
            return
        for attribute in self._attributes(complex_type):
            if attribute.get("use") == "required" or self._often():
                made.set(attribute.get("name") or "", self._text(attribute))
        for sequence in complex_type.findall(f"{XS}sequence"):
            self._children(made, sequence, namespace)

    def _attributes(self, complex_type: Element) -> list[Element]:
        found = complex_type.findall(f"{XS}attribute")
        for reference in complex_type.findall(f"{XS}attributeGroup"):
            group, _, _ = self._named("attributeGroup", reference, "ref")
            assert group is not None
            found += group.findall(f"{XS}attribute")
        return found

    def _children(self, made: Element, sequence: Element, namespace: str) -> None:
        for particle in sequence:
            if particle.tag != f"{XS}element":
                # The one wildcard is the place of the signature.
                assert particle.tag == f"{XS}any"
                continue
            least, most = int(particle.get("minOccurs", "1")), particle.get("maxOccurs", "1")
            for _ in range(self._random.randint(least, 1 if most == "1" else 3)):
                if self._often():
                    self._space(made)
                child = etree.SubElement(made, f"{{{namespace}}}{particle.get('name')}")
                if particle.get("nillable") == "true" and self._random.random() < 0.25:
                    child.set(NIL, self._random.choice(["true", "1"]))
                else:
                    self._fill(child, particle, namespace)

    def _space(self, made: Element) -> None:
        """White space before the next child, which says nothing."""
        if len(made):
            made[-1].tail = "\n  "
        else:
            made.text = "\n  "

    def _write(self, made: Element, text: str) -> None:
        literal = "]]>" not in text and (text.isascii() or self._encoding == "utf-8")
        made.text = etree.CDATA(text) if text and literal and self._often() else text

    def _text(self, declared: Element) -> str:
        """A value of a simple type, as its facets allow."""
        simple = declared.find(f"{XS}simpleType")
        if simple is None:
            simple, _, built_in = self._named("simpleType", declared, "type")
            if simple is None:
                return _built_in(self._random, built_in)
        (restriction,) = simple
        facets = {etree.QName(facet).localname: facet.get("value") or "" for facet in restriction}
        assert facets.keys() <= {"pattern", "minLength", "maxLength"}, facets
        if "pattern" in facets:
            return _value(self._random, facets["pattern"])
        text = _words(self._random)[: int(facets.get("maxLength", "99"))]
        return text or ("x" if facets.get("minLength") else "")
