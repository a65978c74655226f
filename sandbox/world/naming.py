"""Who has a name: the only index of the world, since nothing in a name leads to the person by arithmetic.

A small world is indexed when it is first searched. A large one takes half a minute of work, which is done beside by
processes of their own; `python -m sandbox.world.naming SEED PEOPLE PART PARTS PARENT` is one of them.
"""

import os
import subprocess
import sys
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from threading import Lock, Thread
from typing import NamedTuple

from sandbox.world.block import make_families
from sandbox.world.chance import subseed
from sandbox.world.families import BLOCK

INLINE = 20_000
"""So many people are indexed within half a second: not worth a process."""

_MOST_PROCESSES = 8
_POLITE = 5
_LOOK_UP_EVERY = 50


class NamesUnknown(RuntimeError):
    """The index could not be made, or was given up because the world ends."""


class Part(NamedTuple):
    """Hashes of name and year of birth in ascending order, and the index of the person each one is of."""

    hashes: "array[int]"
    indexes: "array[int]"

    def find(self, wanted: int) -> Iterable[int]:
        """Yield the people of a hash."""
        position = bisect_left(self.hashes, wanted)
        while position < len(self.hashes) and self.hashes[position] == wanted:
            yield self.indexes[position]
            position += 1


class Names:
    """The index of one world; any thread may search it."""

    def __init__(self, seed: int, people: int) -> None:
        self._seed = seed
        self._people = people
        self._lock = Lock()
        self._parts: list[Part] = []
        self._makers: list[subprocess.Popen[bytes]] = []
        self._collector: Thread | None = None

    def begin(self) -> None:
        """Let a large world be indexed beside from now on, so that the first search need not wait for all of it."""
        if self._people > INLINE:
            self._started()

    def find(self, name: str, year: str) -> list[int]:
        """Return who may have this name (`folded`) and be born in this year, in order of index; some may not.

        Waits until there is an index. Raises NamesUnknown; the next search begins again.
        """
        if not self._parts:
            if self._people > INLINE:
                self._started().join()
            else:
                self._parts = [_part(self._seed, self._people, range(_blocks(self._people)))]
        if not self._parts:
            raise NamesUnknown("the index of names was not made")
        wanted = subseed(0, name, year)
        return sorted(index for part in self._parts for index in part.find(wanted))

    def close(self) -> None:
        """Give up what is still being made."""
        with self._lock:
            for maker in self._makers:
                maker.kill()

    def _started(self) -> Thread:
        """Return the thread at whose end the index is there; begins to make it unless somebody did."""
        with self._lock:
            if self._collector is None or not (self._parts or self._collector.is_alive()):
                parts = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
                self._makers = [self._maker(part, parts) for part in range(parts)]
                self._collector = Thread(target=self._collect, args=(self._makers,), name="names", daemon=True)
                self._collector.start()
            return self._collector

    def _maker(self, part: int, parts: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", __name__, *map(str, (self._seed, self._people, part, parts, os.getpid()))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # What is importable here has to be there, however this process was started.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            # Ctrl-C is for the sandbox, which ends them.
            start_new_session=True,
        )

    def _collect(self, makers: "list[subprocess.Popen[bytes]]") -> None:
        written = [maker.communicate()[0] for maker in makers]
        if all(maker.returncode == 0 for maker in makers):
            self._parts = [_read(each) for each in written]


def folded(name: str) -> str:
    """A name as searches compare it: case and Unicode form do not count."""
    return unicodedata.normalize("NFC", name).casefold()


def _blocks(people: int) -> int:
    return -(-people // BLOCK)


def _part(seed: int, people: int, blocks: Iterable[int], asked_by: int | None = None) -> Part:
    hashes, indexes = array("Q"), array("I")
    for turn, number in enumerate(blocks):
        if asked_by is not None and turn % _LOOK_UP_EVERY == 0 and os.getppid() != asked_by:
            raise NamesUnknown("nobody waits for this part any more")
        for draft in make_families(seed, number, people).people:
            hashes.append(subseed(0, folded(draft.full_name), str(draft.born.year)))
            indexes.append(draft.index)
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    return Part(array("Q", (hashes[place] for place in order)), array("I", (indexes[place] for place in order)))


def _read(written: bytes) -> Part:
    part = Part(array("Q"), array("I"))
    people = len(written) // (part.hashes.itemsize + part.indexes.itemsize)
    part.hashes.frombytes(written[: people * part.hashes.itemsize])
    part.indexes.frombytes(written[people * part.hashes.itemsize :])
    return part


def _main(seed: int, people: int, part: int, parts: int, asked_by: int) -> None:
    # The registries answer meanwhile.
    os.nice(_POLITE)
    try:
        made = _part(seed, people, range(part, _blocks(people), parts), asked_by)
    except NamesUnknown:
        sys.exit(1)
    sys.stdout.buffer.write(made.hashes.tobytes())
    sys.stdout.buffer.write(made.indexes.tobytes())


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
