"""The only place of the product where XML is parsed: raw caps first, then one hardened parse, then structural caps.

What a message may not have (DTD, foreign encodings, comments, processing instructions, unbounded counts) is refused
here, so that every later step works on a tree whose size and shape are known. No network and no file is ever opened
while a message is parsed.
"""

import re
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from lxml import etree

from security.xml_namespaces import are_too_many

Element = etree._Element  # noqa: SLF001 - the class has no public name
XmlReason = Literal[
    "too-large", "encoding", "doctype", "not-well-formed", "too-deep", "too-many", "comment", "instruction", "namespace"
]

WHITESPACE = " \t\r\n"
_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(
    rb"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?P<q>["'])1\.0(?P=q)"""
    rb"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?P<r>["'])(?i:utf-8)(?P=r))?"""
    rb"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?P<s>["'])(?:yes|no)(?P=s))?[ \t\r\n]*\?>"""
)


class XmlRefused(Exception):
    """A document that is not parsed or not accepted; `detail` is English and holds nothing of its content."""

    def __init__(self, reason: XmlReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: XmlReason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one document: `size` in bytes, `depth` in element levels, `attributes` per element, the rest in all.

    `attributes` counts what stands on one element: lxml and C14N sort them in quadratic time (100,000 of them in
    1.3 MB cost 20 s), so the count is taken before anything touches them.
    """

    size: int = 4 * 1024 * 1024
    elements: int = 50_000
    depth: int = 64
    attributes: int = 128
    all_attributes: int = 50_000
    namespaces: int = 1_024
    comments: bool = False


MESSAGE = Limits()
CONTRACT = Limits(comments=True)
"""For files that the project ships (XSD, WSDL): people write comments in them."""


class _Nobody(etree.Resolver):
    """Gives a document nothing that it names: without ids lxml reads a DTD, from files too, whatever `load_dtd` says.

    No document with a document type comes so far; should one, it ends here.
    """

    def resolve(  # type: ignore[override]  # the stubs forget the context
        self, system_url: str, public_id: str, context: object
    ) -> object:
        raise XmlRefused("doctype", "a document type elsewhere is not read")


class _PerThread(threading.local):
    """One parser and one of each query for each thread: lxml serialises the threads that share one."""

    def __init__(self) -> None:
        self.queries: dict[str, etree.XPath] = {}
        self.parser = _hardened()
        self.parser.resolvers.add(_Nobody())
        # lxml drops a prefix of a PrefixList that none of this thread's documents has named: teach it the token.
        etree.fromstring(b'<prefix xmlns:known="#default"/>', self.parser)


def _hardened() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_blank_text=False,
        remove_comments=False,
        remove_pis=False,
        collect_ids=False,
    )


_threads = _PerThread()


def parse(document: bytes, limits: Limits = MESSAGE) -> Element:
    """The root element of a document that keeps within `limits`; XmlRefused if it does not or is not well-formed."""
    start = _check_bytes(document, limits)
    # An attribute, a namespace declaration too, is written with one "=": this bounds what the parser builds.
    attributes = document.count(b"=")
    if attributes > limits.all_attributes:
        raise XmlRefused("too-many", f"more than {limits.all_attributes} attributes")
    if attributes > limits.namespaces and document.count(b"xmlns") > limits.namespaces:
        raise XmlRefused("too-many", f"more than {limits.namespaces} namespace declarations")
    try:
        root = etree.fromstring(document, _threads.parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise XmlRefused("not-well-formed", f"line {line}, column {column}") from None
    # The rest only the tree can say. The XPath runs in C; a Python walk over a large message costs ten times more.
    # Nothing is deeper than there are closing tags, and one for an element that needs none.
    if document.count(b"</") >= limits.depth and _holds(_deeper(limits.depth), root):
        raise XmlRefused("too-deep", f"more than {limits.depth} levels")
    if attributes > limits.attributes and _holds(_wider(limits.attributes), root):
        raise XmlRefused("too-many", f"more than {limits.attributes} attributes on one element")
    if are_too_many(root, document):
        raise XmlRefused("too-many", "too many namespaces in scope of too many elements")
    # The raw bytes may only look like a comment (CDATA, text); they cannot hide one. A search for two characters
    # would stop at every tag.
    if not limits.comments and (b"!" in document or document.find(b"?", start) >= 0) and _holds(_COMMENTS, root):
        raise XmlRefused("comment", "comments and processing instructions are not accepted")
    if b"&" in document and _AMPERSAND.search(document) and _any_ampersand(root):
        raise XmlRefused("namespace", "a namespace name with an ampersand has no right canonical form here")
    return root


def _check_bytes(document: bytes, limits: Limits) -> int:
    """What can be said before the parser allocates anything; where the XML declaration ends."""
    if len(document) > limits.size:
        raise XmlRefused("too-large", f"more than {limits.size} bytes")
    start = len(_BOM) if document.startswith(_BOM) else 0
    if b"\0" in document:
        raise XmlRefused("encoding", "NUL bytes: not UTF-8 text")
    if document.startswith(b"<?xml", start) and document[start + 5 : start + 6].isspace():
        declaration = _DECLARATION.match(document, start)
        if declaration is None:
            raise XmlRefused("encoding", "the XML declaration is not one of XML 1.0 in UTF-8")
        start = declaration.end()
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        raise XmlRefused("encoding", "not valid UTF-8") from None
    if b"!" in document and b"<!DOCTYPE" in document:
        raise XmlRefused("doctype", "a document type declaration is not accepted")
    # Each element has a tag that does not close one: no need to count these where there are fewer bytes or tags.
    if (
        len(document) > 4 * limits.elements
        and (tags := document.count(b"<")) > limits.elements
        and tags - document.count(b"</") > limits.elements
    ):
        raise XmlRefused("too-many", f"more than {limits.elements} elements")
    return start


def without_comments(root: Element) -> Element:
    """The same root without the comments in it, the texts around each joined; XmlRefused for instructions.

    For messages that nobody signed, from people who send what their tool made out of a template.
    """
    if _holds("boolean(//processing-instruction())", root):
        raise XmlRefused("instruction", "processing instructions are not accepted")
    etree.strip_tags(root, etree.Comment)
    return root


# libxml2 writes the name of a namespace into canonical text as it is: "&" and "&amp;" would be signed as one.
_AMPERSAND = re.compile(rb"""xmlns(?::[^\s=<>]*+)?[ \t\r\n]*+=[ \t\r\n]*+(?:"[^"<&]*+&|'[^'<&]*+&)""")


def _any_ampersand(root: Element) -> bool:
    """Whether a name that is really declared has one; the bytes may only look like it, in a text."""
    return any("&" in declared[1] for _, declared in etree.iterwalk(root, events=("start-ns",)))


def _holds(query: str, root: Element) -> bool:
    compiled = _threads.queries.get(query)
    if compiled is None:
        compiled = _threads.queries[query] = etree.XPath(query)
    return bool(compiled(root))


_COMMENTS = "boolean(//comment()|//processing-instruction())"


@cache
def _deeper(depth: int) -> str:
    """The question whether anything is deeper than `depth` levels; it stops at the limit."""
    return "boolean(" + "/*" * (depth + 1) + ")"


@cache
def _wider(attributes: int) -> str:
    """The question whether any element has more attributes; it stops at the limit."""
    return f"boolean(//*[@*[{attributes + 1}]])"


def canonical(element: Element, prefixes: list[str] | None = None) -> bytes:
    """Exclusive C14N 1.0 without comments of the element and its descendants, tail excluded.

    `prefixes` is the InclusiveNamespaces PrefixList. Inclusive C14N is a function of its own: lxml writes a false
    `xmlns=""` in parts of a tree.
    """
    return etree.tostring(
        element,
        method="c14n",
        exclusive=True,
        with_comments=False,
        with_tail=False,
        inclusive_ns_prefixes=prefixes,
    )


_XML = "{http://www.w3.org/XML/1998/namespace}"
XML_BASE = f"{_XML}base"
_MAX_PART = 256 * 1024
_INHERITED_BY_1_1 = frozenset({f"{_XML}lang", f"{_XML}space"})


def canonical_inclusive(element: Element, version: Literal["1.0", "1.1"] = "1.0") -> bytes:
    """Inclusive C14N without comments of a root, or of a small part: XmlRefused for one of more than 256 KiB.

    A part is copied into a document of its own, with the namespaces in scope and the `xml:*` attributes that the
    version has it inherit: all for 1.0, `xml:lang` and `xml:space` for 1.1. Below an `xml:base`, which 1.1 would
    resolve, the caller must not ask for 1.1.
    """
    if element.getparent() is None:
        return etree.tostring(element, method="c14n", exclusive=False, with_comments=False)
    text = etree.tostring(element, with_tail=False, encoding="utf-8")
    # Escaped it can be six times as long as it was: more than the parser takes.
    if len(text) > _MAX_PART:
        raise XmlRefused("too-large", f"a part of more than {_MAX_PART} bytes")
    alone = etree.fromstring(text, _threads.parser)
    for above in element.iterancestors():
        for name, value in above.items():
            inherited = name in _INHERITED_BY_1_1 or (version == "1.0" and str(name).startswith(_XML))
            if inherited and name not in alone.attrib:
                alone.set(name, value)
    return etree.tostring(alone, method="c14n", exclusive=False, with_comments=False)


def blank(text: str | None) -> bool:
    """Whether the text between elements is nothing but XML white space."""
    return text is None or not text.strip(WHITESPACE)


_XS = "http://www.w3.org/2001/XMLSchema"


class _Nearby(etree.Resolver):
    """Gives a schema the neighbours that it imports, out of the same WSDL or the same folder, and nothing else."""

    def __init__(self, inline: dict[str, bytes], folder: Path | None) -> None:
        super().__init__()
        self._inline = inline
        self._folder = folder

    def resolve(  # type: ignore[override]  # the stubs forget the context
        self, system_url: str, public_id: str, context: object
    ) -> object:
        text = self._inline.get(system_url)
        if text is None:
            if self._folder is None or Path(system_url).name != system_url:
                raise LookupError(f"{system_url} is not a file beside the contract")
            text = (self._folder / system_url).read_bytes()
            parse(text, CONTRACT)
        # The name itself is the base, so that what a neighbour imports is asked for by its plain name again.
        return self.resolve_string(text, context, base_url=system_url)


def compile_schema(document: bytes, folder: Path | None = None) -> etree.XMLSchema:
    """The schema of an XSD, or of all schemas in the types of a WSDL together, whatever they import of each other.

    Files named by schemaLocation are looked for in `folder` only. XmlRefused if the document cannot be parsed,
    LookupError if it holds no schema, `etree.XMLSchemaParseError` if a schema is wrong or a neighbour is missing.
    """
    root = parse(document, CONTRACT)
    found = list(root.iter(f"{{{_XS}}}schema"))
    if not found:
        raise LookupError("the document holds no XML schema")
    names = sorted({schema.get("targetNamespace", "") for schema in found})
    inline: dict[str, bytes] = {}
    for schema in found:
        for one in schema.iter(f"{{{_XS}}}import"):
            if one.get("namespace", "") in names:
                one.set("schemaLocation", f"lgsp:{names.index(one.get('namespace', ''))}")
    for number, name in enumerate(names):
        parts = [schema for schema in found if schema.get("targetNamespace", "") == name]
        for index, schema in enumerate(parts):
            inline[f"lgsp:{number}.{index}"] = etree.tostring(schema, with_tail=False, encoding="utf-8")
        includes = [("include", {"schemaLocation": f"lgsp:{number}.{index}"}) for index in range(len(parts))]
        inline[f"lgsp:{number}"] = etree.tostring(_holder(name, includes))
    imports = [
        ("import", {"schemaLocation": f"lgsp:{number}"} | ({"namespace": name} if name else {}))
        for number, name in enumerate(names)
    ]
    parser = _hardened()
    parser.resolvers.add(_Nearby(inline, folder))
    # A schema cannot import its own namespace: the outermost one has a namespace that nobody else has.
    outermost = _holder("urn:lgsp:contract", imports)
    return etree.XMLSchema(etree.fromstring(etree.tostring(outermost), parser))


def _holder(namespace: str, references: list[tuple[str, dict[str, str]]]) -> Element:
    holder = etree.Element(f"{{{_XS}}}schema", {"targetNamespace": namespace} if namespace else {})
    for name, attributes in references:
        etree.SubElement(holder, f"{{{_XS}}}{name}", attributes)
    return holder
