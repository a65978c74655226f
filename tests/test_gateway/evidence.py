"""Receipts checked by the letter of RFC 9162, RFC 8785 and C2SP, with nothing of the gateway's own code."""

import base64
import json
import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def canonical(value: Any) -> bytes:
    """RFC 8785 of values without fractions whose member names are ASCII, as all of ours are."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash (RFC 9162, 2.1.1) by its definition, without recursion on long lists."""
    if not leaves:
        return sha256(b"").digest()
    level = leaves
    while len(level) > 1:
        paired = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def root_by_proof(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    assert 0 <= index < size
    at, last, root = index, size - 1, leaf
    for step in proof:
        assert last > 0
        if at & 1 or at == last:
            root = node_hash(step, root)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            root = node_hash(root, step)
        at >>= 1
        last >>= 1
    assert last == 0
    return root


def opened(note: str, log_key: Path) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint, after its signature held under one of the published log keys."""
    keys = {}
    for line in log_key.read_text().splitlines():
        name, key_id, packed = line.split("+", 2)
        raw = base64.b64decode(packed)
        assert raw[0] == 1
        assert sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_id
        keys[name, bytes.fromhex(key_id)] = Ed25519PublicKey.from_public_bytes(raw[1:])
    text, _, signatures = note.partition("\n\n")
    held = 0
    for line in signatures.splitlines():
        dash, name, packed = line.split(" ")
        raw = base64.b64decode(packed)
        assert dash == "—"
        if (name, raw[:4]) in keys:
            keys[name, raw[:4]].verify(raw[4:], (text + "\n").encode())
            held += 1
    assert held
    origin, size, root = text.split("\n")
    return origin, int(size), base64.b64decode(root)


def proven(receipt: dict[str, Any], log_key: Path) -> dict[str, Any]:
    """Check a full receipt and return its entry."""
    entry = base64.b64decode(receipt["entry"])
    leaf = base64.b64decode(receipt["leaf"])
    assert leaf == leaf_hash(entry)
    origin, size, root = opened(receipt["checkpoint"], log_key)
    assert origin == receipt["log"]
    steps = [base64.b64decode(step) for step in receipt["proof"]]
    assert root_by_proof(leaf, receipt["index"], size, steps) == root
    read: dict[str, Any] = json.loads(entry)
    assert canonical(read) == entry
    return read


def opens(receipt: dict[str, Any], entry: dict[str, Any], data: Any) -> bool:
    """Whether the receipt's salt opens the entry's commitment to `data`."""
    digest = sha256(base64.b64decode(receipt["salt"]) + canonical(data)).digest()
    return bool(entry["commitments"]["data"] == base64.b64encode(digest).decode())


def stored_entries(database: Path) -> list[bytes]:
    """Every entry of the log as it lies on the disk, from the first, without a gap."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT idx, body FROM audit_entries ORDER BY idx").fetchall()
    finally:
        connection.close()
    assert [index for index, _ in rows] == list(range(len(rows)))
    return [body for _, body in rows]
