"""Reading an export of the log back and verifying it: manifest, entries, tree and checkpoint (kiểm tra bản xuất).

`tools/verify_audit.py` does the same for outsiders and trusts nothing about the ZIP; this is for files that the gateway
wrote itself, where damage and confusion are what is to be found.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from security.audit.checkpoint import CheckpointRejected, VerifierKey, opened
from security.audit.merkle import Frontier, leaf_hash
from security.audit.packing import MANIFEST
from security.files import open_regular

FORMAT: Final = "lgsp-audit-export/1"
_LONGEST: Final = 1 << 26
# What `zipfile` raises for bytes that are no ZIP, or none that it reads.
_NO_ZIP: Final = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError)
# What exports may be packed with; other methods raise errors of their own for bytes that are none of theirs.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ExportDamaged(ValueError):
    """The file is not an export of the log, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A verified export: its entries [first, last), their leaf hashes, the SHA-256 of the file (hexadecimal)."""

    origin: str
    first: int
    last: int
    sha256: str
    leaves: list[bytes]


def examine(path: Path, keys: Sequence[VerifierKey]) -> Examined:
    """Verify a whole export, its last checkpoint by one of `keys` included. Raises ExportDamaged, OSError."""
    try:
        with open_regular(path) as file:
            digest = file_digest(file, "sha256").hexdigest()
            with _opened(file) as archive:
                return _examined(archive, digest, keys)
    except (*_NO_ZIP, ValueError, TypeError) as failure:
        if isinstance(failure, ExportDamaged):
            raise
        raise ExportDamaged(f"{path}: {failure}") from failure


def bodies(path: Path) -> Generator[bytes]:
    """The canonical bytes of each entry of an export, in order; raises ExportDamaged, OSError."""
    try:
        with open_regular(path) as file, _opened(file) as archive, archive.open("entries.jsonl") as lines:
            for line in lines:
                yield line.removesuffix(b"\n")
    except _NO_ZIP as failure:
        raise ExportDamaged(f"{path}: {failure}") from failure


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(file)
    if strange := [each.filename for each in archive.infolist() if each.compress_type not in _METHODS]:
        raise ExportDamaged(f"{strange[0]} is not packed as exports are")
    return archive


def _examined(archive: zipfile.ZipFile, digest: str, keys: Sequence[VerifierKey]) -> Examined:
    manifest: dict[str, Any] = json.loads(_member(archive, MANIFEST))
    if manifest["format"] != FORMAT or {*manifest["files"], MANIFEST} != {*archive.namelist()}:
        raise ExportDamaged("not an export of the log, or with other members than its manifest names")
    first, last, files = int(manifest["first"]), int(manifest["last"]), manifest["files"]
    for name in files:
        if name != "entries.jsonl" and sha256(_member(archive, name)).hexdigest() != files[name]["sha256"]:
            raise ExportDamaged(f"{name} is not what the manifest names")
    tree = Frontier(first, [b64decode(each, validate=True) for each in json.loads(_member(archive, "frontier.json"))])
    leaves, whole = [], sha256()
    with archive.open("entries.jsonl") as lines:
        for line in lines:
            whole.update(line)
            leaves.append(leaf_hash(line.removesuffix(b"\n")))
            tree.append(leaves[-1])
    if whole.hexdigest() != files["entries.jsonl"]["sha256"] or tree.size != last:
        raise ExportDamaged("the entries are not those that the manifest names")
    note = _member(archive, "checkpoints.txt").decode().rpartition("\n--\n")[2]
    try:
        signed = opened(note, keys)
    except CheckpointRejected as failure:
        raise ExportDamaged(f"its last checkpoint is rejected: {failure}") from failure
    if (signed.size, signed.root) != (last, tree.root()) or b64decode(manifest["root"]) != signed.root:
        raise ExportDamaged("the entries do not give the root that the last checkpoint signs")
    if manifest["origin"] != signed.origin:
        raise ExportDamaged("the manifest names another log")
    return Examined(signed.origin, first, last, digest, leaves)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LONGEST:
        raise ExportDamaged(f"{name} is too large")
    return archive.read(name)
