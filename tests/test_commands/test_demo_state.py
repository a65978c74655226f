"""A state directory and a port belong to one demo at a time; the running one is never disturbed."""

import socket
from pathlib import Path

import pytest

from sandbox.state import StateTaken, held
from tests.test_commands.conftest import quick


def test_a_second_demo_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with held(tmp_path):
        described = tmp_path / "demo.json"
        described.write_text("{}")
        result = quick("demo", "--state", str(tmp_path), "--port", "0")
        assert result.exit_code == 1
        assert "a demo is running on" in result.stderr
        assert described.exists()
        with pytest.raises(StateTaken), held(tmp_path):
            pass


def test_what_a_killed_demo_left_is_gone_at_once(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{}")
    with held(tmp_path):
        assert not (tmp_path / "demo.json").exists()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = quick("demo", "--state", str(tmp_path / "state"), "--port", port)
    assert result.exit_code == 1
    assert f"port {port} is in use" in result.stderr
    assert not (tmp_path / "state" / "demo.json").exists()


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_a_state_below_a_directory_of_others_is_refused_in_a_sentence(tmp_path: Path, command: str) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    result = quick(command, "--state", str(shared / "state"), "--port", "0", "--people", "20")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("lgsp: ")
    assert f"run chmod go-w {shared}" in result.stderr
    assert isinstance(result.exception, SystemExit)
