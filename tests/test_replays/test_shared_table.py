"""The table that processes share: its last bucket, and its locks."""

import subprocess
import sys
from pathlib import Path

import pytest

from security.shared_table import SharedTable

ROOT = Path(__file__).parents[2]

# The last bucket ends with the last page of the buckets, and a new mapping lies below the last one: behind it follows
# what cannot be read.
LAST = """
import mmap, sys
from pathlib import Path
from security.shared_table import SharedTable
unreadable = mmap.mmap(-1, 1 << 21, prot=0)
table = SharedTable(Path(sys.argv[1]), 8192, 192)
start = table.bucket((8191).to_bytes(4, "big"))
assert start == 8191 * 192
assert table.lock(start)
print(table.memory.find(bytes(15) + b"x", start, start + 192))
"""


def test_the_last_bucket_can_be_searched(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LAST, str(tmp_path / "table")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "-1\n")


HOLDING = """
import sys
from pathlib import Path
from security.shared_table import SharedTable
table = SharedTable(Path(sys.argv[1]), 4, 64)
assert table.lock(64)
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / "table")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_of_one_bucket_and_ends_with_its_process(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    table = SharedTable(tmp_path / "table", 4, 64)
    assert table.lock(0)
    # It waits for a moment, then goes on without for a while.
    assert not table.lock(64)
    assert not table.lock(64)
    holder.kill()
    holder.communicate()
    assert table.lock(64)
    table.unlock(64)
    table.close()
