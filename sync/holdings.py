"""What others hold of this log, read to be compared with it: witnesses by name or address, directories, files."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from adapters.witnesses import Directory, Office, OverHttp, Unwitnessed, notes_in, office
from config.settings import ConfigurationError, Settings
from config.witness import Witness
from security.audit.checkpoint import CheckpointRejected, VerifierKey, opened, taken_apart
from security.audit.comparing import Held
from security.audit.cosignature import WitnessKey, cosignatures
from security.audit.findings import Finding
from security.audit.witness_account import Account, account
from security.audit.witnessed import notes_of
from security.files import open_regular
from storage.engine import Storage

_LARGEST: Final = 1 << 26


class NoWitness(ValueError):
    """Neither a witness of the configuration nor anything that could hold checkpoints."""


@dataclass(slots=True)
class Holdings:
    """The checkpoints of a log that are believed, and what is wrong with those that are not.

    `found` speaks against the log; what is `unusable` speaks against the notes alone. `configured` is a witness of the
    configuration, which ought to hold something.
    """

    configured: bool = False
    held: list[Held] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    def take(
        self,
        where: str,
        notes: Iterable[str],
        origin: str,
        logs: Sequence[VerifierKey],
        key: WitnessKey | None,
        *,
        here: bool = False,
    ) -> None:
        """Sort notes of this origin: believed is what a key of the log signed, or `key` cosigned.

        What other keys signed is told even then: the log's were replaced, where a witness cosigned it, or where a
        configured one holds nothing else. Of what is kept `here`, in the database, everything speaks against the log.
        """
        ours = {(each.name, each.key_id) for each in logs}
        before, strange = len(self.held), []
        for number, note in enumerate(notes, 1):
            try:
                checkpoint, _, lines = taken_apart(note)
            except CheckpointRejected as failure:
                self._bad(f"{where} holds a note that cannot be read: {failure}", number, 0, here=here)
                continue
            if checkpoint.origin != origin:
                continue
            size = checkpoint.size
            try:
                cosigned = key is not None and bool(cosignatures(note, [key])[1])
            except CheckpointRejected:
                cosigned = False
                text = f"{where} holds a checkpoint of {size} entries whose cosignature does not hold"
                self._bad(text, number, size, here=here)
            try:
                opened(note, logs)
            except CheckpointRejected as failure:
                text = (
                    f"{where} holds a checkpoint of {size} entries that no key of this log signed "
                    f"({failure}): the log's keys were replaced, or that checkpoint is not of this log"
                )
                spoilt = any((line.name, line.blob[:4]) in ours for line in lines)
                if cosigned and not spoilt:
                    self._bad(text, number, size, here=True)
                elif spoilt:
                    self._bad(text, number, size, here=here)
                else:
                    strange.append((text, number, size))
                if not cosigned:
                    continue
            self.held.append(Held(checkpoint, where))
        for text, number, size in strange:
            self._bad(text, number, size, here=here or (self.configured and len(self.held) == before))

    def compare(self, witness: str, known: Account) -> None:
        """Compare what there is with our own account: what it says more of was taken away."""
        there = max((each.checkpoint.size for each in self.held), default=0)
        there = max(there, known.left)
        if known.size > there:
            rest = f"what it said of more than {there} is not here" if there else "nothing that it said is here"
            text = f"{witness} had witnessed {known.size} entries ({known.by} says so), and {rest}: it was taken away"
            self.found.append(Finding(there, known.size - 1, text))

    def _bad(self, text: str, number: int, size: int, *, here: bool) -> None:
        if here:
            self.found.append(Finding(0, max(size - 1, 0), text))
        else:
            self.unusable.append(f"{text} (note {number} there)")


def witness_keys(settings: Settings) -> list[WitnessKey]:
    """The keys of the configured witnesses that have one; raises ConfigurationError."""
    found = []
    for name, each in settings.witness.items():
        try:
            found += [WitnessKey.decode(each.key)] if each.key else []
        except ValueError as failure:
            raise ConfigurationError(f"[witness.{name}]: {failure}") from None
    return found


async def holdings(settings: Settings, storage: Storage | None, logs: Sequence[VerifierKey], witness: str) -> Holdings:
    """Read what `witness` holds: the name of a configured one, an address, a directory, or a file of notes.

    For a configured one also what is kept here of what it signed, with `storage`. Raises NoWitness, Unwitnessed,
    OSError, ConfigurationError, StorageError.
    """
    read, origin = Holdings(), settings.keys.origin
    configured = settings.witness.get(witness)
    if configured is not None:
        read.configured, way = True, office(witness, configured)
        key = WitnessKey.decode(configured.key) if configured.key else None
        read.take(f"witness {witness}", await _asked(way, origin), origin, logs, key)
        if storage is not None:
            kept = await storage.read(partial(notes_of, witness=witness))
            where = f"audit_witnessed ({witness})"
            if configured.anchors:
                kept = await asyncio.to_thread(_stamped, witness, configured, where, kept, read)
            read.take(where, (note for note, _ in kept), origin, logs, key, here=True)
            read.compare(witness, await storage.read(partial(account, witness=witness)))
        return read
    if witness.startswith(("http://", "https://")):
        same = next((name for name, one in settings.witness.items() if one.url == witness), None)
        if same is not None:
            return await holdings(settings, storage, logs, same)
        read.take(witness, await _asked(OverHttp.unknown(witness), origin), origin, logs, None)
        return read
    try:
        if await asyncio.to_thread(Path(witness).is_dir):
            read.take(witness, await _asked(Directory(Path(witness)), origin), origin, logs, None)
            return read
        content = await asyncio.to_thread(_content, witness)
    except FileNotFoundError:
        names = ", ".join(settings.witness) or "none is configured"
        raise NoWitness(f"{witness} is no witness ({names}), no address, no directory and no file") from None
    read.take(witness, notes_in(content.decode("utf-8", "replace")), origin, logs, None)
    return read


def _content(file: str) -> bytes:
    with open_regular(file) as opened:
        content = opened.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(errno.EFBIG, "it is too large for a file of notes", file)
    return content


def _stamped(
    name: str, settings: Witness, where: str, kept: list[tuple[str, bytes | None]], read: Holdings
) -> list[tuple[str, bytes | None]]:
    """Return the notes whose time-stamps hold; those that do not are findings."""
    from adapters.timestamps import anchors
    from security.audit.timestamps import StampRejected, stamped_at

    roots, good = anchors(name, settings), []
    for note, token in kept:
        try:
            checkpoint = taken_apart(note)[0]
            stamped_at(token or b"", checkpoint.text, roots)
        except (StampRejected, CheckpointRejected) as failure:
            read.found.append(Finding(0, 0, f"{where} holds a time-stamp that does not hold: {failure}"))
        else:
            good.append((note, token))
    return good


async def _asked(way: Office, origin: str) -> list[str]:
    try:
        return await way.held(origin)
    finally:
        await way.close()


__all__ = ["Holdings", "NoWitness", "Unwitnessed", "holdings"]
