"""The bundle of one exchange (gói chứng cứ của một lượt khai thác): a ZIP that outsiders verify without the gateway.

The format is `lgsp-audit-bundle/1` (docs/security.md); `tools/verify_audit.py` reads it. What a bundle does not have is
named in its manifest, with the reason.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

from security.audit import field_commitments
from security.audit.checkpoint import VerifierKey
from security.audit.entries import Secrets, Subject, commitment, stated
from security.audit.packing import Package
from security.audit.reading import Proof

FORMAT: Final = "lgsp-audit-bundle/1"
OPENINGS: Final = "lgsp-openings/1"

Opening = dict[str, Any]


class NotCommitted(ValueError):
    """A content that was handed in is not what the entry commits to."""


def proof_json(proof: Proof) -> dict[str, Any]:
    """Return a proof as the API has it."""
    return {
        "index": proof.index,
        "size": proof.size,
        "leaf": _b64(proof.leaf),
        "proof": [_b64(each) for each in proof.path],
        "checkpoint": proof.checkpoint,
    }


def openings_of(
    entry: Mapping[str, Any], secrets: Secrets, contents: Mapping[str, bytes], names: Sequence[str] | None = None
) -> list[Opening]:
    """Open the commitments whose content is known: kept with the entry, or handed in as `contents` by their names.

    `names` are those to be opened, without it all. Raises NotCommitted for a content that the entry does not commit to,
    and for a name whose content nobody knows.
    """
    known, there = {**secrets.contents(), **contents}, stated(entry)
    made = []
    for name in sorted(known) if names is None else names:
        salt = secrets.salts.get(name)
        if name not in known or salt is None:
            raise NotCommitted(f"{name}: the entry has no such commitment, or nobody handed in what it is to")
        if commitment(salt, known[name]) != there.get(name):
            raise NotCommitted(f"{name}: this is not what the entry commits to")
        made.append({"name": name, "salt": _b64(salt), "content": _b64(known[name])})
    return made


def fields_of_answer(
    entry: Mapping[str, Any], secrets: Secrets, contents: Mapping[str, bytes], pointers: Sequence[str]
) -> list[Opening]:
    """Open single fields of the answer, which is kept with the entry or handed in as `data` among the contents.

    Raises NotCommitted where the answer is unknown or another, where the entry does not commit to its fields, and for a
    field that it does not have.
    """
    data, seed = contents.get("data", secrets.data), secrets.salts.get("fields")
    if seed is None:
        raise NotCommitted("the entry does not commit to single fields: the grant has to say `provable` beforehand")
    if data is None:
        raise NotCommitted("nobody kept the answer here: give it with --data FILE, from who received it")
    # Another answer would give proofs that prove nothing.
    openings_of(entry, secrets, {"data": data}, ["data"])
    try:
        return [field_commitments.opening(seed, data, pointer) for pointer in pointers]
    except field_commitments.NoField as missing:
        raise NotCommitted(str(missing)) from missing


def subject_places(secrets: Secrets, asked: Sequence[Subject]) -> list[str]:
    """Name the commitments of an entry to these subjects, whatever their role."""
    wanted = {(each.kind, each.value) for each in asked}
    return [f"subjects/{place}" for place, subject in enumerate(secrets.subjects) if tuple(subject) in wanted]


def write_bundle(
    out: BinaryIO,
    entry: bytes,
    proof: Proof,
    keys: Sequence[VerifierKey],
    openings: Sequence[Opening],
    absent: Mapping[str, str],
    further: Mapping[str, bytes] | None = None,
) -> None:
    """Write the bundle of one entry; `further` are its certificates, revocation evidence, time-stamp, where there are.

    `out` must be seekable.
    """
    with Package(out) as package:
        package.add("entry.json", entry)
        package.add_json("proof.json", proof_json(proof))
        package.add("checkpoint.txt", proof.checkpoint.encode())
        if openings:
            package.add_json("openings.json", {"format": OPENINGS, "openings": openings})
        for name, content in (further or {}).items():
            package.add(name, content)
        package.add("keys.txt", "".join(f"{key.encode()}\n" for key in keys).encode())
        package.finish({"format": FORMAT, "index": proof.index, "absent": dict(absent)})


def _b64(raw: bytes) -> str:
    return b64encode(raw).decode()
