"""What becomes of a wish for the bundle of one entry: what is opened of it, for whom, and what stands around it.

The command and the route both go this way; each leaves its entry of the reading between `gathered` and `write`, and
also where NotCommitted says that a guess was wrong.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from security.audit import materials
from security.audit.bundle import (
    NotCommitted,
    Opening,
    Surroundings,
    around,
    fields_of_answer,
    held_by,
    openings_of,
    subject_places,
    write_bundle,
)
from security.audit.canonical import canonical
from security.audit.checkpoint import VerifierKey
from security.audit.entries import SALT_SIZE, Secrets, Subject, stated
from security.audit.reading import AuditReader, NoEntry, Proof, Recorded
from storage.engine import Storage

_WHY_CLOSED: Final = {
    "redacted": "redacted",
    "destroyed": "the keys of its period were destroyed",
    "no-values": "the entry commits to nothing",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that somebody received: its `data` in the form that the entry commits to, and the salt of its receipt.

    Who has both can open that commitment without the gateway.
    """

    data: bytes
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be opened: `everything` that is still known, or a subject (once for each kind that it may be of), the
    answer, fields of it by their JSON pointers; nothing where nothing is said."""

    everything: bool = False
    subjects: Sequence[Subject] = ()
    answer: Answer | None = None
    pointers: Sequence[str] = ()

    @property
    def held(self) -> bool:
        """Whether who asks shows an answer with its salt, and wants nothing opened that is not in it."""
        return self.answer is not None and self.answer.salt is not None and not self.subjects and not self.everything

    @property
    def nothing(self) -> bool:
        """Whether the bundle is to be a closed one."""
        return not (self.everything or self.subjects or self.answer is not None or self.pointers)


@dataclass(frozen=True, slots=True)
class Bundled:
    """A bundle as it will be written; `about` are those whose values it shows, or who were asked for."""

    recorded: Recorded
    proof: Proof
    found: Surroundings
    openings: Sequence[Opening]
    closed: str | None
    about: Sequence[Subject]

    @property
    def opened(self) -> list[str]:
        """The names of what was opened: commitments, and `field /name`."""
        return [each["name"] if "name" in each else f"field {each['pointer']}" for each in self.openings]

    @property
    def absent(self) -> dict[str, str]:
        """What it does not have, and why."""
        return {**self.found.absent, **({} if self.closed is None else {"openings.json": self.closed})}

    def write(self, out: BinaryIO, keys: Sequence[VerifierKey]) -> None:
        """Write the ZIP; `out` must be seekable."""
        write_bundle(out, self.recorded.body, self.proof, keys, self.openings, self.absent, self.found)


def received(value: Any) -> Answer:
    """Read an answer as it was received, with its receipt, or its `data` alone; raises ValueError for anything else.

    What has no member `data` is committed to as a whole, but for its receipt.
    """
    if not isinstance(value, dict) or not isinstance(receipt := value.get("receipt"), dict):
        return Answer(canonical(value), None)
    rest = {name: member for name, member in value.items() if name != "receipt"}
    said = receipt.get("salt")
    if said is None and "data" not in rest:
        raise ValueError("a refusal, or another answer that nothing was committed of")
    salt = None if said is None else b64decode(said, validate=True) if isinstance(said, str) else b""
    if salt is not None and len(salt) != SALT_SIZE:
        raise ValueError("the receipt has a salt that is none")
    return Answer(canonical(rest.get("data", rest)), salt)


def why_closed(recorded: Recorded) -> str:
    """Say why nothing opens an entry: `redacted`, `destroyed` with its period, or `no-values` to open."""
    if recorded.redacted:
        return "redacted"
    return "destroyed" if stated(recorded.entry) else "no-values"


async def gathered(storage: Storage, reader: AuditReader, recorded: Recorded, wanted: Wanted) -> Bundled:
    """Gather the bundle of an entry.

    Raises NotCommitted for what the entry does not commit to, NoEntry where it does not open any more, `Unopenable`,
    `VaultDamaged`.
    """
    # What the signer was believed by may have been seen a moment ago.
    await materials.keep(storage)
    found = await storage.read(lambda connection: around(connection, recorded.index, recorded.entry))
    proof = await reader.prove(recorded.index, found.size)
    openings: list[Opening] = _held(recorded, wanted)
    about: list[Subject] = list(wanted.subjects)
    closed = None
    if wanted.nothing:
        closed = "nothing was to be opened"
    elif not wanted.held or wanted.pointers:
        try:
            secrets = await reader.open(recorded.index)
        except NoEntry:
            if not wanted.everything:
                raise
            closed = _WHY_CLOSED[why_closed(recorded)]
        else:
            openings = await asyncio.to_thread(_chosen, recorded.entry, secrets, wanted)
            if wanted.everything or wanted.answer is not None or wanted.pointers:
                about += [Subject("disclosed", kind, value) for kind, value in secrets.subjects]
    return Bundled(recorded, proof, found, openings, closed, list(dict.fromkeys(about)))


def _held(recorded: Recorded, wanted: Wanted) -> list[Opening]:
    """Open the answer with the salt that came with it, before anything sealed is looked at."""
    answer = wanted.answer
    return [] if answer is None or answer.salt is None else [held_by(recorded.entry, answer.data, answer.salt)]


def _chosen(entry: dict[str, Any], secrets: Secrets, wanted: Wanted) -> list[Opening]:
    contents = {} if wanted.answer is None else {"data": wanted.answer.data}
    places = subject_places(secrets, wanted.subjects)
    if wanted.subjects and not places:
        raise NotCommitted("other-subject", "the entry is about somebody else")
    names = places if wanted.pointers else [*places, *contents]
    opened = openings_of(entry, secrets, contents, None if wanted.everything else names)
    return [*opened, *fields_of_answer(entry, secrets, contents, wanted.pointers)] if wanted.pointers else opened
