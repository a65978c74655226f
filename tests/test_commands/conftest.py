"""A deployment without servers to administer, a whole demo to administer while it runs, and `lgsp` itself."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from commands import app
from config.settings import load
from sandbox.configuration import configuration
from sandbox.deployment import deploy
from sandbox.run import start
from sandbox.world.world import World

SCRIPT = Path(sys.executable).with_name("lgsp")
Lgsp = Callable[..., "subprocess.CompletedProcess[str]"]


def lgsp(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the console script as an operator does."""
    environment = os.environ | options.pop("env", {})
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, timeout=120, env=environment, check=False, **options
    )


def quick(*arguments: str) -> Result:
    """Run a command in this process: the same code without the second that an interpreter takes to start."""
    return CliRunner().invoke(app, list(arguments))


def printed(*arguments: str, code: int = 0) -> Any:
    """Run a command with --json; return what it printed."""
    result = quick(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@dataclass(frozen=True)
class Deployment:
    """A state directory with configuration, keys, storage and the demo's clients; nothing of it runs."""

    directory: Path

    @property
    def file(self) -> Path:
        return self.directory / "gateway.toml"

    @property
    def config(self) -> tuple[str, str]:
        return "--config", str(self.file)

    @property
    def database(self) -> Path:
        return self.directory / "lgsp.sqlite"

    def entries(self) -> list[dict[str, Any]]:
        """Return every entry of the log, read past the command that would add one."""
        import sqlite3

        with sqlite3.connect(self.database) as connection:
            rows = connection.execute("SELECT body FROM audit_entries ORDER BY idx").fetchall()
        connection.close()
        return [json.loads(body) for (body,) in rows]

    def rewrite(self, old: str, new: str) -> None:
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), encoding="utf-8")


async def _deploy(state: Path) -> None:
    running = await start(World(1, 20), state)
    try:
        addresses = {
            "listen": "127.0.0.1:0",
            "tls_listen": "127.0.0.1:0",
            "tls_host": "127.0.0.1",
            "public_url": "http://127.0.0.1:8080",
        }
        (state / "gateway.toml").write_text(configuration(running, addresses, 1), encoding="utf-8")
        await deploy(load(state / "gateway.toml"), state, running.pki)
    finally:
        await running.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("deployed") / "state"
    state.mkdir(mode=0o700)
    asyncio.run(_deploy(state))
    return state


@pytest.fixture
def deployed(template: Path, tmp_path: Path) -> Deployment:
    """A deployment of one's own; certificates and keys for sources are those of the template."""
    copy = tmp_path / "state"
    shutil.copytree(template, copy)
    return Deployment(copy)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running demo as its `demo.json` describes it."""
    state = tmp_path_factory.mktemp("demo") / "state"
    described = state / "demo.json"
    for _ in range(3):
        process = subprocess.Popen(
            [SCRIPT, "demo", "--state", state, "--port", "0", "--people", "30"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wait_for(lambda process=process: described.exists() or process.poll() is not None, "demo.json")  # type: ignore[misc]
        if process.poll() is None:
            break
        output, _ = process.communicate()
        # Between looking for a free port and listening on it, another demo may have found the same.
        assert "in use" in output, output
    try:
        yield json.loads(described.read_text(encoding="utf-8"))
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output


def wait_for(look: Callable[[], Any], what: str, seconds: float = 100.0) -> Any:
    """Ask again until there is something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
    return found
