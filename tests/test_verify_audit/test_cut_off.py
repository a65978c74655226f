"""The tool that was cut off says so: its beginning, which would check nothing, never ends with 0."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

from tests.test_verify_audit.made import TOOL


def status_of(beginning: bytes, path: Path) -> object:
    """How a file with this content ends as a program of its own, told in this process."""
    path.write_bytes(beginning)
    try:
        program = compile(beginning, str(path), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(program, {"__name__": "__main__", "__file__": str(path)})
    except SyntaxError:
        return 1
    except SystemExit as end:
        assert out.getvalue() == "verify_audit.py bị cắt cụt, hãy lấy lại; it was cut off, get it anew\n"
        return end.code
    return 0


def test_no_beginning_of_the_tool_ends_well(tmp_path: Path) -> None:
    lines = TOOL.read_bytes().splitlines(keepends=True)
    # Line by line where it begins and ends, some of the statements in between; its first line alone is a comment.
    statements = [at for at, line in enumerate(lines) if line[:1].strip()]
    numbers = {*range(2, 40), *statements[40::10], *range(len(lines) - 12, len(lines))}
    ends = {number: status_of(b"".join(lines[:number]), tmp_path / "cut.py") for number in numbers}
    assert set(ends.values()) == {1, 2}
    assert ends[len(lines) - 1] == 2


def test_a_tool_that_was_cut_off_says_so(made: Path, tmp_path: Path) -> None:
    whole = TOOL.read_bytes()
    cut = tmp_path / "cut.py"
    cut.write_bytes(whole[: whole.index(b"def main(")])
    command = [sys.executable, "-I", "-S", str(cut), "answer.json", "--key", "keys.txt"]
    done = subprocess.run(command, cwd=made, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.endswith("it was cut off, get it anew\n")
    # What mail and editors do to line ends is no cut.
    cut.write_bytes(whole.rstrip().replace(b"\n", b"\r\n"))
    assert subprocess.run(command, cwd=made, capture_output=True, timeout=60).returncode == 0
