"""Trusted elements beside verified ones: documents of sources declared unsigned, parts of trusted elements."""

from __future__ import annotations

from functools import cache

from security.signature import Trusted
from security.xml import MESSAGE, Limits, parse


def accept_unsigned(document: bytes, limits: Limits = MESSAGE) -> Trusted:
    """Parse a document of a source that is declared not to sign; raises XmlRefused.

    Whether a source signs is a declaration per operation, never a fallback: nobody calls this after a failed verify.
    """
    return Trusted(parse(document, limits))


def elements_at(root: Trusted, path: tuple[str, ...], prefix: str = "") -> list[Trusted]:
    """Return the elements at a path below `root`; no path means `root` itself.

    What stands inside a trusted element is as trusted as the element. `prefix` is `{namespace}` of every segment.
    """
    # A part of what is trusted: no need to call each so.
    return root.findall(_search(path, prefix))  # type: ignore[return-value]


@cache
def _search(path: tuple[str, ...], prefix: str) -> str:
    """The declared path as ElementPath knows it."""
    return "/".join(prefix + segment for segment in path) or "."


def children_of(element: Trusted) -> list[Trusted]:
    """Return the child elements of a trusted element."""
    return [Trusted(child) for child in element]
