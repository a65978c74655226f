"""Logs of starts, which nothing opens, written row by row: thousands of entries in a moment."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from security.audit.binding import noted
from security.audit.checkpoint import Signer
from security.audit.findings import Finding, Findings
from security.audit.merkle import Frontier, complete_root, leaf_hash
from security.audit.tiles import WIDTH
from storage.schema import upgrade
from storage.sqlite import plain
from tests.test_audit.audit_world import a_signer

AT = "2026-11-30T00:00:00Z"


def without_schema(found: Findings) -> list[Finding]:
    """What was found of rows: tables that a test frees of their keys and types are told of as such besides."""
    return [each for each in found.found if "is not as the gateway makes it" not in each.what]


def plain_log(
    path: Path,
    size: int,
    signed: Sequence[int],
    own: Mapping[int, str] | None = None,
    signers: Mapping[int, Signer] | None = None,
) -> Path:
    """Write a log of `size` entries with checkpoints of the sizes `signed`; `own` are bodies that are given, `signers`
    who signed instead of `a_signer()`.
    """
    asyncio.run(upgrade(f"sqlite:///{path}"))
    bodies, notes, tree, signer = [], [], Frontier(), a_signer()
    for number in range(size):
        after = f'"after":{{"note":"{noted(notes[-1][1])}","size":{number}}},' if number in signed else ""
        bodies.append((own or {}).get(number) or f'{{{after}"at":"{AT}","id":"{number}","kind":"start","v":1}}')
        tree.append(leaf_hash(bodies[-1].encode()))
        if tree.size in signed:
            notes.append((tree.size, (signers or {}).get(tree.size, signer).sign(tree.size, tree.root())))
    leaves = [leaf_hash(body.encode()) for body in bodies]
    with plain(path) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO audit_entries (idx, leaf, body, id, at, kind) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, leaf, body.encode(), (entry := json.loads(body))["id"], AT, entry["kind"])
                for number, (leaf, body) in enumerate(zip(leaves, bodies, strict=True))
            ],
        )
        level, hashes = 0, leaves
        while len(hashes) >= WIDTH:
            tiles = [hashes[begin : begin + WIDTH] for begin in range(0, len(hashes) - WIDTH + 1, WIDTH)]
            hashes = [complete_root(b"".join(tile)) for tile in tiles]
            rows = [
                (level, number, b"".join(tile), root)
                for number, (tile, root) in enumerate(zip(tiles, hashes, strict=True))
            ]
            connection.executemany("INSERT INTO audit_tiles VALUES (?, ?, ?, ?)", rows)
            level += 1
        connection.executemany("INSERT INTO audit_checkpoints VALUES (?, ?)", notes)
        connection.execute("INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?)", (size, tree.encode()))
        connection.execute("COMMIT")
    return path
