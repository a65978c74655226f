"""What the namespaces in scope make a canonical form cost, known before it is made.

libxml2 has no index of them: at each element it looks along all that are declared above, in exclusive C14N once for the
element, each attribute and each prefix of a PrefixList, in inclusive C14N once for each of them. A thousand of them
above a thousand elements, 23 KB, would cost seconds.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Literal, NamedTuple

from lxml import etree

# A step costs 2 to 3 ns: 1.5 ms for the largest message that is read on the event loop, 60 ms for any message at all.
_STEPS_PER_BYTE = 20
_LEAST = 24 * 1024 * _STEPS_PER_BYTE
_MOST = 20_000_000


class _Scope(NamedTuple):
    """The declarations above a place: `all` of them, those of `different` prefixes, and `search` (see `_scopes`)."""

    all: int
    different: int
    search: int

    def inclusive(self) -> int:
        """The steps of an element in inclusive C14N."""
        return self.search + self.different**2 // 2

    def exclusive(self, elements: int, attributes: int, prefixes: int) -> int:
        """The steps of so many elements and attributes in exclusive C14N.

        A plain SOAP message is made canonical as a whole, and its parts again where it proves not to be plain.
        """
        return self.all * (2 * attributes + elements * (2 + prefixes))


def are_too_many(root: etree._Element, document: bytes, prefixes: int = 0, *, inclusive: bool = False) -> bool:
    """Whether the namespaces in scope make canonical forms of this document's parts cost more than it is worth.

    `prefixes`: the most names in a PrefixList. `inclusive`: whether one of the forms is inclusive C14N. The plain
    exclusive form is counted where neither is asked for, which `parse` does.
    """
    budget = min(max(_LEAST, len(document) * _STEPS_PER_BYTE), _MOST)
    attributes = document.count(b"=")
    # An element has four bytes or more: most documents need no more counting.
    if not inclusive and attributes * (2 * attributes + len(document) // 4 * (2 + prefixes)) <= budget:
        return False
    elements = document.count(b"<") - document.count(b"</")
    declared = document.count(b"xmlns")
    most = _Scope(declared, declared, declared**2)
    if (prefixes or not inclusive) and most.exclusive(elements, attributes, prefixes) > budget:
        # Of what the bytes call an attribute this leaves out declarations and texts.
        attributes = int(root.xpath("count(//@*)"))  # type: ignore[arg-type]  # the stubs do not know what it counts
        if any(scope.exclusive(elements, attributes, prefixes) > budget for scope in _scopes(root, "start-ns")):
            return True
    if not inclusive or elements * most.inclusive() <= budget:
        return False
    return any(steps > budget for steps in accumulate(scope.inclusive() for scope in _scopes(root, "start")))


def _scopes(root: etree._Element, each: Literal["start", "start-ns"]) -> Iterator[_Scope]:
    """What is in scope at each element, or after each declaration, of a document.

    `search` is what it takes to look for the prefix of each declaration from the innermost outwards: those repeated on
    every element are found at once.
    """
    search = 0
    # By prefix: how many declarations it has, and the place of the innermost.
    known: dict[str, tuple[int, int]] = {}
    outer: list[tuple[str, tuple[int, int] | None, int]] = []
    for event, item in etree.iterwalk(root, events=(each, "start-ns", "end-ns")):
        if event == "start-ns":
            prefix, place = item[0], len(outer)
            before = known.get(prefix)
            outer.append((prefix, before, search))
            count, last = before or (0, place)
            # All others are one further away now, and those of this prefix are at hand.
            search += place + 1 - count * (place - last)
            known[prefix] = (count + 1, place)
        elif event == "end-ns":
            prefix, before, search = outer.pop()
            if before is None:
                del known[prefix]
            else:
                known[prefix] = before
        if event == each:
            yield _Scope(len(outer), len(known), search)
