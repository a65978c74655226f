"""Where nothing more can be written a command ends with one sentence, which names what is full and the next step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from commands.common import sentences
from security.audit import archive
from tests.test_commands.conftest import Deployment, quick

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("arguments", [("checkpoint",), ("checkpoint", "--json")], ids=["text", "json"])
def test_a_full_standard_output_is_one_sentence(deployed: Deployment, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "audit", *arguments, *deployed.config],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            timeout=60,
        )
    said = "lgsp: standard output: No space left on device; write it to where there is room\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_full_disk_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with sentences():
            raise OSError(28, "No space left on device", "/archive/audit-0-9.zip")

    with pytest.raises(typer.Exit):
        work()
    said = "lgsp: /archive/audit-0-9.zip: No space left on device; make room there, or name another place\n"
    assert capsys.readouterr().err == said


async def test_an_archive_that_has_no_room_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "write_export", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*audit-0-9\.zip'"):
        await archive._written(None, [], tmp_path / "audit-0-9.zip", 0, 9)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_what_covers_no_entry_is_named_as_it_was_asked(deployed: Deployment) -> None:
    for size, which in (((), "no checkpoint"), (("--size", "2"), "no checkpoint of 2 entries")):
        result = quick("audit", "prove", "99", *size, *deployed.config)
        assert result.exit_code == 1
        assert result.stderr == f"lgsp: {which} covers entry 99, entries are numbered from 0\n"
