"""What commands write out is whole under its name, or not there; nothing is overwritten, no file system needs links."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from commands.common import new_file


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with new_file(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"half", 0o600)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("early", [True, False], ids=["before", "meanwhile"])
def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str], early: bool) -> None:
    path = tmp_path / "export.zip"
    if early:
        path.symlink_to("nowhere")
    with pytest.raises(typer.Exit) as end, new_file(path):
        path.write_bytes(b"mine")
    assert end.value.exit_code == 2
    assert capsys.readouterr().err == f"lgsp: {path} exists, and evidence is never overwritten: name another file\n"
    assert list(tmp_path.iterdir()) == [path]
    assert path.is_symlink() if early else path.read_bytes() == b"mine"


def test_a_full_disk_is_told_with_the_name_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export.zip"

    def fill() -> None:
        with new_file(path) as file, Path("/dev/full").open("wb") as full:
            os.dup2(full.fileno(), file.fileno())
            file.write(b"more than there is room for")

    with pytest.raises(typer.Exit) as end:
        fill()
    assert end.value.exit_code == 1
    said = f"{path}: No space left on device; nothing was left of it: make room, or name a file elsewhere"
    assert capsys.readouterr().err == f"lgsp: {said}\n"
    assert not list(tmp_path.iterdir())


def test_what_else_cannot_be_read_is_not_laid_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_file(tmp_path / "export.zip"):
        (tmp_path / "archive.zip").read_bytes()
    assert not list(tmp_path.iterdir())


def test_where_there_are_no_links_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "export.zip"
    with new_file(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(typer.Exit), new_file(tmp_path / "other.zip") as file:
        (tmp_path / "other.zip").write_bytes(b"mine")
    assert (tmp_path / "other.zip").read_bytes() == b"mine"


def test_who_is_killed_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from commands.common import new_file\n"
        "with new_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    path = tmp_path / "export.zip"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, timeout=60)
    assert done.returncode == -signal.SIGTERM
    (draft,) = tmp_path.iterdir()
    assert draft.name.startswith(".export.zip.")
