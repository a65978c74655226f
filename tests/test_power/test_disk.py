"""What the model of a disk keeps and what it may lose: without that no test of a power failure can fail."""

import sqlite3
from pathlib import Path

import pytest

from tests.test_power.failing import Programs

SEEDS = 60


def ends(programs: Programs, program: str) -> list[dict[str, bytes]]:
    """Return what there may be once the program has told that it is done, each file by its name."""
    programs.run(program)
    return [
        {str(path.relative_to(state)): path.read_bytes() for path in state.rglob("*") if path.is_file()}
        for _, state in programs.failures(SEEDS, 1)
    ]


def test_what_nobody_synced_may_be_lost_torn_or_without_its_name(programs: Programs) -> None:
    found = ends(programs, "(live / 'file').write_bytes(b'x' * 8192); tell('done'); (live / 'more').write_bytes(b'')")
    contents = {each.get("file") for each in found}
    assert {None, b"", b"x" * 8192, bytes(8192)} <= contents
    written = {content.count(b"x") for content in contents if content is not None}
    assert any(each % 4096 for each in written)
    assert not [each for each in written if each % 512]


def test_a_sync_keeps_the_content_and_not_the_name(programs: Programs) -> None:
    found = ends(
        programs,
        """
with (live / "file").open("wb") as file:
    file.write(b"x" * 8192)
    file.flush()
    os.fsync(file.fileno())
tell("done")
(live / "more").write_bytes(b"")
""",
    )
    assert {each.get("file") for each in found} == {None, b"x" * 8192}


@pytest.mark.parametrize("sync", [True, False])
def test_names_are_kept_by_the_sync_of_their_directory(programs: Programs, sync: bool) -> None:
    found = ends(
        programs,
        f"""
def synced(path):
    at = os.open(path, os.O_RDONLY)
    os.fsync(at)
    os.close(at)

(live / "a").write_bytes(b"old")
synced(live / "a")
synced(live)
(live / "b").write_bytes(b"new")
synced(live / "b")
os.rename(live / "b", live / "a")
if {sync}:
    synced(live)
tell("done")
(live / "more").write_bytes(b"")
""",
    )
    assert {each["a"] for each in found} == ({b"new"} if sync else {b"old", b"new"})
    assert all(each.get("b") in (None, b"new") for each in found)
    assert any("b" in each for each in found) is not sync


def test_a_write_while_a_sync_runs_is_not_what_it_keeps(programs: Programs) -> None:
    """Two writers of one page: what the second wrote may be lost, and what the first had synced is never."""
    found = ends(
        programs,
        """
at = os.open(live / "file", os.O_RDWR | os.O_CREAT)
os.pwrite(at, b"a" * 100, 0)
os.fsync(at)
folder = os.open(live, os.O_RDONLY)
os.fsync(folder)
os.pwrite(at, b"b" * 100, 100)
tell("done")
(live / "more").write_bytes(b"")
""",
    )
    assert {each["file"] for each in found} >= {b"a" * 100, b"a" * 100 + b"b" * 100}
    assert all(each["file"].startswith(b"a" * 100) for each in found)


def test_sqlite_that_does_not_sync_loses_what_it_committed(programs: Programs) -> None:
    program = """
import sqlite3
for mode in ("FULL", "OFF"):
    (live / mode).mkdir()
    os.fsync(os.open(live, os.O_RDONLY))
    base = sqlite3.connect(live / mode / "base", isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute(f"PRAGMA synchronous={mode}")
    base.execute("CREATE TABLE t (n)")
    for number in range(8):
        base.execute("INSERT INTO t VALUES (?)", [number])
        tell([mode, number])
    base.close()
"""
    programs.run(program)
    lost = {"FULL": 0, "OFF": 0}
    for told, state in programs.failures(4):
        for mode in lost:
            wanted = {number for each, number in told if each == mode}
            lost[mode] += not wanted <= _rows(state / mode / "base")
    assert lost["FULL"] == 0
    assert lost["OFF"] > 20


def _rows(path: Path) -> set[int]:
    if not path.exists():
        return set()
    base = sqlite3.connect(path)
    try:
        return {number for (number,) in base.execute("SELECT n FROM t")}
    except sqlite3.DatabaseError:
        return set()
    finally:
        base.close()
