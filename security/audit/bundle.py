"""The bundle of one exchange (gói chứng cứ của một lượt khai thác): a ZIP that outsiders verify without the gateway.

The format is `lgsp-audit-bundle/1` (docs/security.md); `tools/verify_audit.py` reads it. What a bundle does not have is
named in its manifest, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Literal

from sqlalchemy import Connection, select

from security.audit import field_commitments, materials
from security.audit.checkpoint import VerifierKey, b64, is_cosigned, taken_apart
from security.audit.entries import Secrets, Subject, commitment, stated
from security.audit.packing import Package
from security.audit.reading import Proof
from security.audit.witnessed import WITNESSED, stamped

FORMAT: Final = "lgsp-audit-bundle/1"
OPENINGS: Final = "lgsp-openings/1"
# Checkpoints that lie with a witness and may be followed by one that was cosigned.
_LOOKED_AT: Final = 100

Opening = dict[str, Any]
Unproven = Literal["other-content", "other-subject", "not-provable", "no-answer", "no-field"]


class NotCommitted(ValueError):
    """What was to be opened is not what the entry commits to, or is known to nobody.

    `place` is that of the pointer at fault, among those that were given.
    """

    def __init__(self, reason: Unproven, text: str, place: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.place = place


def proof_json(proof: Proof) -> dict[str, Any]:
    """Return a proof as the API has it."""
    return {
        "index": proof.index,
        "size": proof.size,
        "leaf": b64(proof.leaf),
        "proof": [b64(each) for each in proof.path],
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
            text = f"{name}: the entry has no such commitment, or nobody handed in what it is to"
            raise NotCommitted("other-content", text)
        made.append(_opening(there, name, salt, known[name]))
    return made


def held_by(entry: Mapping[str, Any], data: bytes, salt: bytes) -> Opening:
    """Open the answer for somebody who has it together with the salt of its receipt: nothing sealed is looked at.

    Raises NotCommitted.
    """
    return _opening(stated(entry), "data", salt, data)


def _opening(there: Mapping[str, str], name: str, salt: bytes, content: bytes) -> Opening:
    if commitment(salt, content) != there.get(name):
        raise NotCommitted("other-content", f"{name}: this is not what the entry commits to")
    return {"name": name, "salt": b64(salt), "content": b64(content)}


def fields_of_answer(
    entry: Mapping[str, Any], secrets: Secrets, contents: Mapping[str, bytes], pointers: Sequence[str]
) -> list[Opening]:
    """Open single fields of the answer, which is kept with the entry or handed in as `data` among the contents.

    Raises NotCommitted where the answer is unknown or another, where the entry does not commit to its fields, and for a
    field that it does not have.
    """
    data, seed = contents.get("data", secrets.data), secrets.salts.get("fields")
    if seed is None:
        text = "the entry does not commit to single fields: the grant has to say `provable` beforehand"
        raise NotCommitted("not-provable", text)
    if data is None:
        raise NotCommitted(
            "no-answer", "nobody kept the answer here: it has to come from who received it (--data FILE)"
        )
    # Another answer would give proofs that prove nothing.
    openings_of(entry, secrets, {"data": data}, ["data"])
    made: dict[str, Opening] = {}
    for place, pointer in enumerate(pointers):
        try:
            made[pointer] = field_commitments.opening(seed, data, pointer)
        except field_commitments.NoField as missing:
            raise NotCommitted("no-field", str(missing), place) from missing
    return [*made.values()]


def subject_places(secrets: Secrets, asked: Sequence[Subject]) -> list[str]:
    """Name the commitments of an entry to these subjects, whatever their role."""
    wanted = {(each.kind, each.value) for each in asked}
    return [f"subjects/{place}" for place, subject in enumerate(secrets.subjects) if tuple(subject) in wanted]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around an entry: the tree to prove it towards (`size`) with its cosignatures (`note`), and members.

    The first two are None where no witness cosigned a tree that holds the entry.
    """

    size: int | None
    note: str | None
    members: Mapping[str, bytes]
    absent: Mapping[str, str]


def cosigned_over(connection: Connection, size: int) -> tuple[int | None, str | None]:
    """The smallest checkpoint of at least `size` entries that a witness cosigned, or else keeps, and its note.

    None, None where there is none.
    """
    query = select(WITNESSED.c.size, WITNESSED.c.note).where(WITNESSED.c.size >= size).order_by(WITNESSED.c.size)
    rows = connection.execute(query.limit(_LOOKED_AT)).all()
    cosigned = (row.size for row in rows if is_cosigned(row.note))
    found = next(cosigned, rows[0].size if rows else None)
    return found, None if found is None else _with_all_signatures(connection, found)


def _with_all_signatures(connection: Connection, size: int) -> str:
    """The checkpoint of this size with what every witness added to it."""
    query = select(WITNESSED.c.note).where(WITNESSED.c.size == size).order_by(WITNESSED.c.witness)
    read = [taken_apart(note) for note in connection.execute(query).scalars()]
    lines = dict.fromkeys(line.line for _, _, signatures in read for line in signatures)
    return f"{read[0][1]}\n{''.join(lines)}"


def around(connection: Connection, index: int, entry: Mapping[str, Any]) -> Surroundings:
    """Gather what witnesses and authorities said that bears on an entry."""
    size, note = cosigned_over(connection, index + 1)
    shown = materials.about(connection, entry)
    if (stamp := stamped(connection, index + 1)) is not None:
        # A time-stamp is of one checkpoint: that is the one to prove towards then.
        size = taken_apart(stamp[0])[0].size
        note, shown.members["timestamp.tsr"] = _with_all_signatures(connection, size), stamp[1]
    else:
        shown.absent["timestamp.tsr"] = "no authority has stamped a checkpoint since"
    return Surroundings(size, note, shown.members, shown.absent)


def write_bundle(
    out: BinaryIO,
    entry: bytes,
    proof: Proof,
    keys: Sequence[VerifierKey],
    openings: Sequence[Opening],
    absent: Mapping[str, str],
    found: Surroundings,
) -> None:
    """Write the bundle of one entry; `absent` says why there are no openings. `out` must be seekable."""
    with Package(out) as package:
        package.add("entry.json", entry)
        package.add_json("proof.json", proof_json(proof))
        package.add("checkpoint.txt", (found.note or proof.checkpoint).encode())
        if openings:
            package.add_json("openings.json", {"format": OPENINGS, "openings": openings})
        for name, content in found.members.items():
            package.add(name, content)
        package.add("keys.txt", "".join(f"{key.encode()}\n" for key in keys).encode())
        package.finish({"format": FORMAT, "index": proof.index, "absent": {**found.absent, **absent}})
