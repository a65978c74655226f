"""A log beside what others hold of it: truncation, rollback, a fork, a tree that was built and signed anew.

Whoever has the database and the log's key can write a log that verifies by itself, but cannot change what a witness
holds: the entries are hashed once more, and the tree of every size that was witnessed has to come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from security.audit.checkpoint import Checkpoint
from security.audit.continuity import leaves
from security.audit.findings import Finding
from security.audit.merkle import Frontier


@dataclass(frozen=True, slots=True)
class Held:
    """A checkpoint that somebody else holds, and where: a file, a witness."""

    checkpoint: Checkpoint
    where: str


@dataclass(slots=True)
class Compared:
    """What came of a comparison: the log's size, the checkpoints looked at, the largest that agrees, what does not."""

    entries: int = 0
    compared: int = 0
    agrees: int = 0
    found: list[Finding] = field(default_factory=list)


def compare(connection: Connection, held: Iterable[Held]) -> Compared:
    """Compare the entries of a log with (verified) checkpoints of it; every finding is about a range of entries."""
    by_size: dict[int, dict[bytes, str]] = {}
    for each in held:
        by_size.setdefault(each.checkpoint.size, {}).setdefault(each.checkpoint.root, each.where)
    result = Compared(compared=len(by_size))
    tree, rest = Frontier(), leaves(connection)
    parted = False
    for size, roots in sorted(by_size.items()):
        if len(roots) > 1:
            places = " and ".join(sorted(roots.values()))
            text = f"{places} hold two different logs of {size} entries: keep both, one of them is a forgery"
            result.found.append(Finding(result.agrees, max(size - 1, 0), text))
        _grow(tree, rest, size)
        if tree.size < size:
            result.found.append(_missing(result, tree.size, size, roots, parted=parted))
            break
        if tree.root() in roots:
            result.agrees = size
        elif not parted:
            parted = True
            result.found.append(_rewritten(result, size, roots))
    _grow(tree, rest, None)
    result.entries = tree.size
    return result


def _grow(tree: Frontier, rest: Iterator[bytes], size: int | None) -> None:
    while size is None or tree.size < size:
        leaf = next(rest, None)
        if leaf is None:
            return
        tree.append(leaf)


def _rewritten(result: Compared, size: int, roots: dict[bytes, str]) -> Finding:
    where = ", ".join(roots.values())
    before = f"up to entry {result.agrees - 1} they agree" if result.agrees else "no smaller tree is known to agree"
    text = (
        f"the first {size} entries are not those that {where} holds: the log was rewritten, or forked, and its tree "
        f"built anew somewhere in this range ({before})"
    )
    return Finding(result.agrees, size - 1, text)


def _missing(result: Compared, ends: int, size: int, roots: dict[bytes, str], *, parted: bool) -> Finding:
    where = ", ".join(roots.values())
    after = "" if parted or not result.agrees else f"; up to entry {result.agrees - 1} it agrees"
    text = (
        f"the log ends at {ends} entries, and {where} holds a checkpoint of {size}: its end was cut off, or an older "
        f"copy was put in its place{after}"
    )
    return Finding(ends, size - 1, text)
