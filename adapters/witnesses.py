"""How a checkpoint gets to a witness and what it says comes back: over HTTP (C2SP tlog-witness), or into a directory.

Nothing that a witness answers is believed without its signature. What a witness holds is read here too, to be compared.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from adapters.transport import Message, Reply, Transport, refusal
from config.settings import ConfigurationError, Endpoint, Timeout
from config.witness import Witness
from schemas.errors import GatewayError
from security.audit.checkpoint import Checkpoint, CheckpointRejected, taken_apart
from security.audit.cosignature import WitnessKey, answered, cosignatures
from security.audit.submission import Submission
from security.audit.witness import SIZE_TYPE, origin_hash
from security.files import NotRegular, open_regular
from storage.files import sync_names

SEPARATOR: Final = "\n--\n"
CLOCK_S: Final = 300.0
"""A cosignature whose time is further from ours tells that one of the two clocks is wrong."""
_LARGEST: Final = 4 << 20
_LONGEST_NOTE: Final = 1 << 20
_READING_S: Final = 10.0
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)
_FILE = re.compile(r"([0-9]{20})(?:-[1-9])?\.checkpoint", re.ASCII)
_TRIES: Final = 3
_PARTS: Final = 9

Prove = Callable[[int, int], Awaitable[list[bytes]]]


class Unwitnessed(Exception):
    """A checkpoint was not witnessed: `code` for programs, the text for people.

    `rollback`, `fork` and `contradiction` mean that the witness holds another history than ours.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint for a witness: the note, what it says, of how many entries the witness has one as far as we know."""

    note: str
    checkpoint: Checkpoint
    since: int
    prove: Prove


@dataclass(frozen=True, slots=True)
class Kept:
    """What a witness gave: the note with what it added, a time-stamp, how far its clock is ahead of ours in seconds."""

    note: str
    token: bytes | None = None
    ahead: float = 0.0


class Office(Protocol):
    """One witness as it is reached from here."""

    async def submit(self, offer: Offer) -> Kept:
        """Have a checkpoint witnessed; raises Unwitnessed."""

    async def held(self, origin: str) -> list[str]:
        """Return the notes of a log that it holds and that are its own; raises Unwitnessed."""

    async def latest(self, origin: str) -> str | None:
        """Return the one of most entries among them; raises Unwitnessed."""

    async def close(self) -> None:
        """Give back what is open."""


def office(name: str, settings: Witness) -> Office:
    """Return the way to a configured witness; raises ConfigurationError."""
    if settings.path is not None:
        return Directory(settings.path)
    if settings.kind == "rfc3161":
        # A library of several megabytes.
        from adapters.timestamps import TimeStamping

        return TimeStamping(name, settings)
    return OverHttp.configured(name, settings)


class OverHttp:
    """A witness that speaks C2SP tlog-witness. What it holds is believed where its key cosigned it."""

    def __init__(self, transport: Transport, key: WitnessKey | None, limit: float) -> None:
        self._transport = transport
        self._keys = [key] if key is not None else []
        self._limit = limit

    @classmethod
    def configured(cls, name: str, settings: Witness) -> OverHttp:
        """The witness of a section; raises ConfigurationError."""
        try:
            key = WitnessKey.decode(settings.key)
            return cls(_transport(name, settings.url, settings.timeout, settings.tls_ca), key, settings.timeout)
        except (ValueError, ConfigurationError) as failure:
            text = str(failure).removeprefix(f"[endpoints.{name}]: ")
            raise ConfigurationError(f"[witness.{name}]: {text}") from None

    @classmethod
    def unknown(cls, url: str) -> OverHttp:
        """A witness of which only the address is known: good for reading. Raises ConfigurationError."""
        return cls(_transport("witness", url, _READING_S, None), None, _READING_S)

    async def submit(self, offer: Offer) -> Kept:
        """Have a checkpoint cosigned; where the witness knows of another size, begin there."""
        # A log that lost its end is told so by the size that the witness knows.
        old = min(offer.since, offer.checkpoint.size)
        for _ in range(_TRIES):
            reply = await self._told(old, offer)
            if reply.status == 200:
                return self._cosigned(offer, reply)
            if reply.status != 409:
                raise _refused(reply)
            old = _known_size(reply)
            if old > offer.checkpoint.size:
                raise Unwitnessed(
                    "rollback",
                    f"it cosigned {old} entries, and this log has {offer.checkpoint.size}: "
                    "its end was cut off, or an older copy was put in its place",
                )
        raise Unwitnessed("unsteady", "it names another size each time: somebody else shows it checkpoints of this log")

    async def _told(self, old: int, offer: Offer) -> Reply:
        size = offer.checkpoint.size
        proof = await offer.prove(old, size) if 0 < old < size else []
        body = Submission(old, tuple(proof), offer.note).encode()
        return await self._asked(Message("POST", "/add-checkpoint", {"Content-Type": "text/plain"}, body))

    def _cosigned(self, offer: Offer, reply: Reply) -> Kept:
        text = offer.checkpoint.text
        try:
            found = answered(text, reply.body.decode("utf-8"), self._keys)
        except (CheckpointRejected, UnicodeDecodeError) as failure:
            raise Unwitnessed("bad-cosignature", f"its answer holds no cosignature that holds: {failure}") from None
        if not found:
            raise Unwitnessed("other-key", "it did not sign with the key that is configured")
        return Kept(offer.note + found[0].line, ahead=found[0].at - time.time())

    async def held(self, origin: str) -> list[str]:
        """Return every note that it publishes; of a witness that shows only its newest, that one."""
        place = f"/{origin_hash(origin)}"
        notes: list[str] = []
        after = 0
        while True:
            reply = await self._asked(Message("GET", f"{place}/checkpoints", query={"after": str(after)}))
            # Only ours shows all: what others say instead is not specified.
            if reply.status != 200:
                break
            page = notes_in(_utf8(reply))
            if not page:
                return notes
            largest = max(self._own(note, origin).size for note in page)
            if largest <= after:
                raise Unwitnessed("unreadable", "its list of checkpoints does not end")
            notes, after = notes + page, largest
        newest = await self.latest(origin)
        return [] if newest is None else [newest]

    async def latest(self, origin: str) -> str | None:
        """Return the newest note that it publishes."""
        reply = await self._asked(Message("GET", f"/{origin_hash(origin)}/checkpoint"))
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise _refused(reply)
        self._own(_utf8(reply), origin)
        return _utf8(reply)

    def _own(self, note: str, origin: str) -> Checkpoint:
        try:
            checkpoint, found = cosignatures(note, self._keys)
        except CheckpointRejected as failure:
            raise Unwitnessed("bad-cosignature", f"a note that it shows does not hold: {failure}") from None
        if checkpoint.origin != origin or (self._keys and not found):
            raise Unwitnessed("other-key", f"it shows a note that is not of {origin}, or not cosigned by its key")
        return checkpoint

    async def _asked(self, message: Message) -> Reply:
        deadline = asyncio.get_running_loop().time() + self._limit
        try:
            return await self._transport.send(message, deadline=deadline)
        except GatewayError as failure:
            raise Unwitnessed("unreachable", str(failure)) from failure

    async def close(self) -> None:
        """Close its connections."""
        await self._transport.close()


class Directory:
    """A directory of checkpoints, one file each, that are never rewritten: `<size, 20 digits>.checkpoint`.

    A file is made whole or, where the machine died, stays torn for ever; then the next of the same size has a further
    number in its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    async def submit(self, offer: Offer) -> Kept:
        """Put the checkpoint there, unless it is there already."""
        return await asyncio.to_thread(self._put, offer)

    async def held(self, origin: str) -> list[str]:
        """Return every note of the log; torn files hold none."""
        return await asyncio.to_thread(lambda: [note for _, note in self._read(origin)])

    async def latest(self, origin: str) -> str | None:
        """Return the one of most entries."""

        def look() -> str | None:
            return next((note for _, note in self._read(origin, largest_first=True)), None)

        return await asyncio.to_thread(look)

    async def close(self) -> None:
        """Nothing is open."""

    def _put(self, offer: Offer) -> Kept:
        wanted = offer.checkpoint
        try:
            ahead = next((found for found, _ in self._read(wanted.origin, largest_first=True)), wanted)
            if ahead.size > wanted.size:
                raise Unwitnessed(
                    "rollback",
                    f"{self.path} holds a checkpoint of {ahead.size} entries, and this log has {wanted.size}: "
                    "its end was cut off, or an older copy was put in its place",
                )
            for part in range(_PARTS + 1):
                file = self.path / f"{wanted.size:020d}{f'-{part}' if part else ''}.checkpoint"
                try:
                    _write_once(file, offer.note.encode())
                except FileExistsError:
                    standing = _checkpoint(file)
                    if standing is None:
                        continue
                    if standing[0] != wanted:
                        text = f"{file} holds another log of {wanted.size} entries: keep it, one of them is a forgery"
                        raise Unwitnessed("contradiction", text) from None
                return Kept(offer.note)
        except OSError as failure:
            code = "no-directory" if failure.errno == errno.ENOENT else "unwritable"
            raise Unwitnessed(code, _about(self.path, failure)) from failure
        raise Unwitnessed("torn", f"{self.path} holds {_PARTS + 1} torn files of {wanted.size} entries")

    def _files(self) -> Iterator[tuple[int, Path]]:
        with os.scandir(self.path) as entries:
            for entry in entries:
                if (match := _FILE.fullmatch(entry.name)) is not None:
                    yield int(match[1]), Path(entry.path)

    def _read(self, origin: str, *, largest_first: bool = False) -> Iterator[tuple[Checkpoint, str]]:
        try:
            for _, file in sorted(self._files(), reverse=largest_first):
                found = _checkpoint(file)
                if found is not None and found[0].origin == origin:
                    yield found
        except OSError as failure:
            code = "unreadable" if isinstance(failure, NotRegular) else "no-directory"
            raise Unwitnessed(code, _about(self.path, failure)) from failure


def _about(directory: Path, failure: OSError) -> str:
    return f"{failure.filename if isinstance(failure, NotRegular) else directory}: {failure.strerror}"


def _write_once(file: Path, content: bytes) -> None:
    """Make a file that did not exist, durably."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    sync_names(file.parent)


def _checkpoint(file: Path) -> tuple[Checkpoint, str] | None:
    """Read a file of a directory without believing it; None for one that holds no note."""
    with open_regular(file) as opened:
        note = opened.read(_LONGEST_NOTE).decode("utf-8", "replace")
    with suppress(CheckpointRejected):
        return taken_apart(note)[0], note
    return None


def _transport(name: str, url: str, limit: float, tls_ca: Path | None) -> Transport:
    timeout = Timeout(connect=limit, read=limit, total=limit)
    endpoint = Endpoint(url=url, tls_ca=tls_ca, timeout=timeout, concurrency=1, max_answer=_LARGEST)
    return Transport(name, endpoint)


def notes_in(text: str) -> list[str]:
    """Take notes apart that are written one after the other."""
    return [f"{note}\n" for note in text.removesuffix("\n").split(SEPARATOR)] if text else []


def _utf8(reply: Reply) -> str:
    try:
        return reply.body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unwitnessed("unreadable", "its answer is no text") from None


def _known_size(reply: Reply) -> int:
    size = _SIZE.fullmatch(reply.body.decode("ascii", "replace"))
    if size is None or not reply.headers.get("Content-Type", "").startswith(SIZE_TYPE):
        raise Unwitnessed("unreadable", "it refuses the size and does not say which it knows")
    return int(size[1])


def _refused(reply: Reply) -> Unwitnessed:
    said = reply.body[:200].decode("utf-8", "replace").strip()
    shown = "".join(each if each.isprintable() else "?" for each in said)
    if reply.status == 422:
        return Unwitnessed("fork", f"it does not take the checkpoint for a continuation of the one before ({shown})")
    code = {403: "unknown-key", 404: "unknown-log"}.get(reply.status, "refused")
    failure = refusal("the witness", reply)
    return Unwitnessed(code, f"{failure or f'it answered HTTP {reply.status}'}: {shown}")
