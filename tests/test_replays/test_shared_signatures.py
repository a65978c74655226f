"""The replay memory of one machine: one process remembers for all, whoever dies, and nothing fresh is forgotten."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security import shared_signatures
from security.shared_signatures import SharedSignatures

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTES = timedelta(minutes=7)
ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from security import shared_table
from security.shared_signatures import SharedSignatures
# On a busy machine a neighbour may sleep longer with the lock than production would wait.
shared_table._PATIENCE = 60
memory = SharedSignatures(Path(sys.argv[1]), buckets=int(sys.argv[2]))
print("ready", flush=True)
until = datetime(2099, 1, 1, tzinfo=UTC)
for line in sys.stdin:
    digests = map(bytes.fromhex, json.loads(line))
    print(json.dumps([memory.remember(digest, until) for digest in digests]), flush=True)
"""


def digest(number: int) -> bytes:
    return sha256(number.to_bytes(8, "big")).digest()


class Clock:
    """The clock on the wall, set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


class Worker:
    """A process that shares the memory."""

    def __init__(self, path: Path, buckets: int, program: str = PROGRAM) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(path), str(buckets)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, numbers: list[int]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([digest(number).hex() for number in numbers]) + "\n")
        self.process.stdin.flush()

    def hear(self) -> list[bool]:
        assert self.process.stdout is not None
        heard: list[bool] = json.loads(self.process.stdout.readline())
        return heard

    def remember(self, numbers: list[int]) -> list[bool]:
        self.tell(numbers)
        return self.hear()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    path = tmp_path_factory.mktemp("shared") / "replays.bin"
    started = [Worker(path, 512) for _ in range(3)]
    yield started
    for worker in started:
        worker.end()


_asked = iter(range(1 << 40, 1 << 50))


@settings(max_examples=40, deadline=None)
@given(turns=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=40))
def test_what_one_process_took_no_other_takes(workers: list[Worker], turns: list[tuple[int, int]]) -> None:
    # Each example has signatures of its own; the memory goes on.
    own = [next(_asked) for _ in range(10)]
    known: set[int] = set()
    for worker, which in turns:
        assert workers[worker].remember([own[which]]) == [which not in known]
        known.add(which)


class Drawn:
    """A struct whose reading lets everybody else run: between the look and the write lies all the time they need."""

    def __init__(self, struct: Any) -> None:
        self.size, self.pack_into, self._unpack_from = struct.size, struct.pack_into, struct.unpack_from

    def unpack_from(self, *arguments: Any) -> Any:
        time.sleep(0.0005)
        return self._unpack_from(*arguments)


DRAWN = PROGRAM.replace(
    'print("ready", flush=True)',
    """
import security.shared_signatures
from tests.test_replays.test_shared_signatures import Drawn
security.shared_signatures._TAKEN = Drawn(security.shared_signatures._TAKEN)
print("ready", flush=True)
""",
)


def test_of_several_processes_one_takes_each(tmp_path: Path) -> None:
    workers = [Worker(tmp_path / "replays.bin", 64, DRAWN) for _ in range(3)]
    numbers = list(range(300))
    for worker in workers:
        worker.tell(numbers)
    heard = [worker.hear() for worker in workers]
    for worker in workers:
        worker.end()
    assert [sum(each) for each in zip(*heard, strict=True)] == [1] * len(numbers)


def test_of_several_threads_one_takes_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_signatures, "_TAKEN", Drawn(shared_signatures._TAKEN))
    memory = SharedSignatures(tmp_path / "replays.bin", 64)
    begin = Barrier(4)
    heard: list[list[bool]] = [[] for _ in range(4)]

    def work(mine: list[bool]) -> None:
        begin.wait()
        mine.extend(memory.remember(digest(number), NOW + timedelta(days=9999)) for number in range(200))

    threads = [Thread(target=work, args=(mine,)) for mine in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    memory.close()
    assert [sum(each) for each in zip(*heard, strict=True)] == [1] * 200


# Dies by its own hand at one of the two writes, with the lock held, as kill -9 would have it.
DYING = PROGRAM.replace(
    'print("ready", flush=True)',
    """
class Dying:
    def __init__(self, struct):
        self.size, self.unpack_from, self._pack_into = struct.size, struct.unpack_from, struct.pack_into
    def pack_into(self, *arguments):
        if WHEN == "after":
            self._pack_into(*arguments)
        os.kill(os.getpid(), 9)
from security import shared_signatures
WHEN, WHAT = sys.argv[2].split()[1:]
setattr(shared_signatures, WHAT, Dying(getattr(shared_signatures, WHAT)))
print("ready", flush=True)
""",
).replace("int(sys.argv[2])", "int(sys.argv[2].split()[0])")


@pytest.mark.parametrize("what", ["_TAKEN", "_SLOT"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_in_the_middle_leaves_no_lock_and_a_whole_memory(
    tmp_path: Path, what: str, when: str
) -> None:
    path = tmp_path / "replays.bin"
    clock = Clock()
    memory = SharedSignatures(path, 1, clock)
    assert memory.remember(digest(1), NOW + MINUTES)
    dying = subprocess.Popen(
        [sys.executable, "-c", DYING, str(path), f"1 {when} {what}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    dying.communicate(json.dumps([digest(2).hex()]) + "\n")
    assert dying.returncode == -9
    assert not memory.remember(digest(1), NOW + MINUTES)
    # 62 more fit in any case, and all of them are remembered: what died did not block the bucket.
    assert all(memory.remember(digest(number), NOW + MINUTES) for number in range(3, 65))
    assert not any(memory.remember(digest(number), NOW + MINUTES) for number in range(3, 65))
    memory.close()


def test_it_outlives_its_processes(tmp_path: Path) -> None:
    for expected in (True, False, False):
        worker = Worker(tmp_path / "replays.bin", 8)
        assert worker.remember([7]) == [expected]
        worker.end()


def test_a_full_bucket_takes_no_new_one_until_the_oldest_may_be_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    memory = SharedSignatures(tmp_path / "replays.bin", 1, clock)
    size = (tmp_path / "replays.bin").stat().st_size
    for number in range(64):
        assert memory.remember(digest(number), NOW + MINUTES + timedelta(seconds=number))
    assert not memory.remember(digest(64), NOW + MINUTES)
    clock.now = NOW + MINUTES
    assert memory.remember(digest(64), clock.now + MINUTES)
    assert not memory.remember(digest(65), clock.now + MINUTES)
    # Those that are still fresh were not forgotten for it.
    assert not any(memory.remember(digest(number), clock.now + MINUTES) for number in range(1, 65))
    assert (tmp_path / "replays.bin").stat().st_size == size
    memory.close()


def test_a_larger_file_is_not_cut_under_those_who_have_it(tmp_path: Path) -> None:
    large = SharedSignatures(tmp_path / "replays.bin", 64)
    small = SharedSignatures(tmp_path / "replays.bin", 8)
    assert all(large.remember(digest(number), NOW + timedelta(days=9999)) for number in range(500))
    small.close()
    large.close()


@settings(max_examples=60, deadline=None)
@given(
    turns=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 1), st.integers(0, 40)), max_size=200),
)
def test_nothing_fresh_is_ever_taken_twice(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, int, int]]
) -> None:
    clock = Clock()
    path = tmp_path_factory.mktemp("model") / "replays.bin"
    views = [SharedSignatures(path, 1, clock) for _ in range(2)]
    fresh: dict[int, datetime] = {}
    ever: set[int] = set()
    for which, view, seconds in turns:
        clock.now += timedelta(seconds=seconds)
        fresh = {each: until for each, until in fresh.items() if until > clock.now}
        until = clock.now + MINUTES
        new = views[view].remember(digest(which), until)
        if which in fresh:
            assert not new
        elif which not in ever:
            # Only a full ring refuses what it does not know.
            assert new or len(fresh) == 64
        if new:
            fresh[which] = until
            ever.add(which)
    for each in views:
        each.close()
