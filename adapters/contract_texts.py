"""What a contract says of a text and zeep forgets: what else may stand there, what an empty one means, its words.

The declarations are looked up in the XSD itself, by the names on the way from a global element. What is not found here
is none of this module's business: that a place exists was found out before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from adapters.records import Path as Way
from adapters.records import leaves
from schemas.fields import Branch, Shape
from schemas.forms import DECIMAL, Form, Unmapped
from security.xml import CONTRACT, Element, parse

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_GLOBAL: Final = frozenset(f"{_XS}{kind}" for kind in ("element", "complexType", "simpleType", "group", "attribute"))
_TYPES: Final = (f"{_XS}simpleType", f"{_XS}complexType")
_DERIVED: Final = tuple(f"{_XS}{kind}" for kind in ("restriction", "extension"))
_CONTENT: Final = (f"{_XS}simpleContent", f"{_XS}complexContent")
_GROUPS: Final = tuple(f"{_XS}{kind}" for kind in ("sequence", "choice", "all"))
_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
# A type may not be derived from itself; a broken contract ends here.
_DEEPEST: Final = 32
# Facets after which values of a type may look otherwise; bounds leave the look of them as it is.
_SHAPING: Final = tuple(f"{_XS}{kind}" for kind in ("pattern", "fractionDigits", "totalDigits"))
# What values of a built-in type look like, where nothing changes that.
_SAMPLES: Final = {
    "boolean": ("true", "false", "1", "0"),
    "date": ("2024-02-29",),
    "dateTime": ("2024-02-29T10:11:12+07:00",),
    "gYear": ("2024",),
    "gYearMonth": ("2024-02",),
    "decimal": ("1.5",),
    "double": ("1.5E2",),
    "float": ("1.5E2",),
    **dict.fromkeys(("integer", "nonNegativeInteger", "positiveInteger", "long", "int", "short", "byte"), ("1",)),
}


class Kind(NamedTuple):
    """A type: its definitions, the most derived first, and the name of the built-in type that it ends in, if any."""

    nodes: tuple[Element, ...]
    built_in: str


class Declarations:
    """The declarations of a contract file and of the neighbours that it imports or includes."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises XmlRefused and OSError."""
        self._global: dict[tuple[str, str, str], Element] = {}
        self._heads: set[tuple[str, str]] = set()
        self._read(path, set())

    def _read(self, path: Path, seen: set[Path]) -> None:
        if path in seen:
            return
        seen.add(path)
        for schema in parse(path.read_bytes(), CONTRACT).iter(f"{_XS}schema"):
            space = schema.get("targetNamespace", "")
            for node in schema:
                if node.tag in _GLOBAL and node.get("name"):
                    self._global[str(node.tag), space, node.get("name", "")] = node
                    if node.get("substitutionGroup"):
                        self._heads.add(_qualified(node, "substitutionGroup"))
                elif node.tag in (f"{_XS}import", f"{_XS}include") and node.get("schemaLocation"):
                    self._read(path.parent / Path(node.get("schemaLocation", "")).name, seen)

    def way(self, root: tuple[str, str], path: Sequence[str]) -> list[Element]:
        """Return the declarations on the way from a global element down a path; what is not found ends it."""
        here = self._global.get((f"{_XS}element", *root))
        found = [] if here is None else [here]
        for segment in path:
            if here is None:
                break
            children = self._attributes(here) if segment.startswith("@") else self._children(here)
            here = next((child for child in children if child.get("name") == segment.removeprefix("@")), None)
            if here is not None:
                found.append(here)
        return found

    def odd(self, declared: Element) -> Iterator[str]:
        """Yield why an element with elements of its own cannot be read for certain."""
        if self._is_mixed(declared):
            yield "mixes text with elements, and only the elements would be read: declare another place"
        if declared.get("abstract") == "true" or (_space(declared), declared.get("name")) in self._heads:
            yield "may be replaced by other elements (substitution group), which are not read"

    def text_flaws(self, declared: Element, form: Form | None) -> Iterator[str]:
        """Yield why a text cannot be read for certain by `form`, which is None where several texts make a value."""
        yield from self.odd(declared)
        kind = self.kind_of(declared)
        if kind.built_in == "anyType":
            yield "may hold anything there, elements too, where a text is read: the contract has to give a type"
        if kind.built_in in ("QName", "NOTATION"):
            yield "holds a qualified name, which means nothing without the prefixes of its document"
        implied = declared.get("default", declared.get("fixed"))
        if implied is not None and declared.get("use") != "required":
            state = "an absent one" if declared.tag == f"{_XS}attribute" else "an empty one"
            yield f"{state} means {implied!r} in the contract, and would not be read so"
        if form is DECIMAL and kind.built_in in ("float", "double"):
            yield "is a binary floating point number in the contract, which does not hold the digits of an amount"
        if form is not None and form.arity == 1:
            unknown = [value for value in self._values(kind) if not _reads(form, value)]
            if unknown:
                yield f"may be {', '.join(map(repr, unknown[:8]))} in the contract, which the declared form cannot read"

    def unwritable(self, declared: Element, form: Form) -> Iterator[str]:
        """Yield which codes that a question writes are none in the contract."""
        allowed = _enumerated(self.kind_of(declared))
        words = dict.fromkeys(ours for ours in form.words.values() if ours)
        written = [text for ours in words for text in form.write(ours) if text is not None]
        wrong = [text for text in written if allowed and text not in allowed]
        if wrong:
            yield f"is written as {', '.join(map(repr, wrong[:8]))}, which the contract does not allow"

    def kind_of(self, declared: Element) -> Kind:
        """Return the type of an element or attribute; without one it may hold anything."""
        inline = declared.find(_TYPES[0])
        node = inline if inline is not None else declared.find(_TYPES[1])
        name = "" if node is not None or declared.get("type") else "anyType"
        if node is None and not name:
            node, name = self._type(declared, "type")
        nodes: list[Element] = []
        while node is not None and len(nodes) < _DEEPEST:
            nodes.append(node)
            node, name = self._base(node)
        return Kind(tuple(nodes), name)

    def _type(self, node: Element, attribute: str) -> tuple[Element | None, str]:
        """Return the definition that an attribute names, or the name of a built-in type."""
        space, name = _qualified(node, attribute)
        if space == _XS.strip("{}"):
            return None, name
        found = [self._global.get((tag, space, name)) for tag in _TYPES]
        return next((node for node in found if node is not None), None), ""

    def _base(self, node: Element) -> tuple[Element | None, str]:
        for derived in _derivations(node):
            if derived.get("base"):
                return self._type(derived, "base")
            return derived.find(_TYPES[0]), ""
        return None, ""

    def _is_mixed(self, declared: Element) -> bool:
        nodes = self.kind_of(declared).nodes
        return any(one.get("mixed") in ("true", "1") for node in nodes for one in (node, *node.iterchildren(*_CONTENT)))

    def _values(self, kind: Kind) -> tuple[str, ...]:
        if found := _enumerated(kind):
            return found
        facets = [facet for node in kind.nodes for part in _derivations(node) for facet in part.iterchildren(*_SHAPING)]
        return () if facets else _SAMPLES.get(kind.built_in, ())

    def _children(self, declared: Element) -> Iterator[Element]:
        for node in self.kind_of(declared).nodes:
            for part in (node, *_derivations(node)):
                yield from self._particles(part)

    def _particles(self, node: Element) -> Iterator[Element]:
        for child in node:
            if child.tag == f"{_XS}element":
                yield self._referred(child)
            elif child.tag in _GROUPS:
                yield from self._particles(child)
            elif child.tag == f"{_XS}group":
                yield from self._particles(self._referred(child))

    def _referred(self, node: Element) -> Element:
        return self._global.get((str(node.tag), *_qualified(node, "ref")), node) if node.get("ref") else node

    def _attributes(self, declared: Element) -> Iterator[Element]:
        for node in self.kind_of(declared).nodes:
            for part in (node, *_derivations(node)):
                for child in part.iterchildren(f"{_XS}attribute"):
                    yield self._referred(child)


def flaws_written(texts: Declarations, root: tuple[str, str], question: Shape) -> Iterator[tuple[str, str]]:
    """Yield, with its place, what is wrong with the codes that a question writes into a global element."""
    for leaf in leaves(question):
        if len(leaf.paths) == 1:
            way = texts.way(root, leaf.paths[0])
            if len(way) == len(leaf.paths[0]) + 1:
                at = f"{root[1]}/{'/'.join(leaf.paths[0])} ({leaf.name})"
                yield from ((at, flaw) for flaw in texts.unwritable(way[-1], leaf.form))


def flaws_read(texts: Declarations, root: tuple[str, str], path: Way, shape: Shape) -> Iterator[tuple[str, str]]:
    """Yield, with its place, why a member of a record at a path below a global element cannot be read for certain."""
    for member in shape.members:
        own = (member.path,) if isinstance(member, Branch) else member.paths
        for one in own:
            way = texts.way(root, path + one)
            if len(way) != len(path + one) + 1:
                continue
            at = f"{'/'.join((root[1], *path, *one))} ({member.name})"
            yield from ((at, flaw) for between in way[len(path) + 1 : -1] for flaw in texts.odd(between))
            if isinstance(member, Branch):
                yield from ((at, flaw) for flaw in texts.odd(way[-1]))
                yield from flaws_read(texts, root, path + one, member.shape)
            else:
                form = member.form if len(member.paths) == 1 else None
                yield from ((at, flaw) for flaw in texts.text_flaws(way[-1], form))


def soap_flaws(path: Path, binding: str, operation: str) -> Iterator[tuple[str, str]]:
    """Yield what an operation of a WSDL's binding wants that zeep would do and we do not: encodings and headers."""
    root = parse(path.read_bytes(), CONTRACT)
    for bound in root.iterfind(f"{_WSDL}binding[@name='{binding}']/{_WSDL}operation[@name='{operation}']"):
        for element in bound.iter("{*}body"):
            if element.get("use", "literal") != "literal":
                yield "request", "the contract binds it as encoded, only document/literal is spoken here"
        for element in bound.iterfind(f"{_WSDL}input//{{*}}header"):
            yield (
                "request",
                f"the contract wants the header {element.get('message', '').rpartition(':')[2]}, and it is never sent",
            )


def _qualified(node: Element, attribute: str) -> tuple[str, str]:
    prefix, _, name = node.get(attribute, "").strip().rpartition(":")
    return node.nsmap.get(prefix or None) or "", name


def _space(node: Element) -> str:
    parent = node.getparent()
    # Only a global one can head a substitution group.
    return parent.get("targetNamespace", "") if parent is not None and parent.tag == f"{_XS}schema" else "\0"


def _derivations(node: Element) -> Iterator[Element]:
    for part in (node, *node.iterchildren(*_CONTENT)):
        yield from part.iterchildren(*_DERIVED)


def _enumerated(kind: Kind) -> tuple[str, ...]:
    """Return the values that the most derived enumeration of a type allows; nothing where there is none."""
    for node in kind.nodes:
        found = [one.get("value", "") for part in _derivations(node) for one in part.iterchildren(f"{_XS}enumeration")]
        if found:
            return tuple(found)
    return ()


def _reads(form: Form, text: str) -> bool:
    try:
        form.read(text)
    except Unmapped:
        return False
    return True
