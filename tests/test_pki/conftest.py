"""An office's authority made by the command line, and `openssl` to say what others think of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from commands import app

PASSPHRASE = "đi một ngày đàng"


def openssl(*arguments: str | Path, code: int = 0) -> str:
    """Run a command of OpenSSL; return what it printed."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Office:
    """The authority of one directory."""

    directory: Path

    def run(self, command: str, *arguments: str | Path, **options: Any) -> Result:
        words = ["pki", command, str(self.directory), *map(str, arguments)]
        return CliRunner(env={"PKI_WORDS": PASSPHRASE}).invoke(app, words, **options)

    def did(self, command: str, *arguments: str | Path, **options: Any) -> Any:
        """Run a command with --json; return what it printed."""
        result = self.run(command, *arguments, "--json", **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def verify(self, certificate: str | Path, *options: str, code: int = 0) -> str:
        """What OpenSSL says of a certificate, the lists included."""
        publish = self.directory / "publish"
        lists = [part for name in ("root", "issuing") for part in ("-CRLfile", publish / f"{name}.crl")]
        chain = ("-CAfile", self.directory / "root.pem", "-untrusted", self.directory / "issuing.pem")
        return openssl("verify", "-crl_check_all", *lists, *chain, *options, certificate, code=code)


def made(directory: Path, *options: str) -> Office:
    office = Office(directory)
    office.did("init", "--organization", "Sở TT&TT", *options)
    return office


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("office") / "ca"
    made(directory, "--publish-at", "http://pki.example/x/", "--ocsp", "http://pki.example/ocsp")
    return directory


@pytest.fixture
def office(template: Path, tmp_path: Path) -> Office:
    """An authority of one's own."""
    shutil.copytree(template, tmp_path / "ca")
    return Office(tmp_path / "ca")


def inspected(*arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """What `lgsp pki inspect --json` says."""
    result = CliRunner().invoke(app, ["pki", "inspect", *map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def problems(found: Sequence[dict[str, Any]]) -> str:
    """All findings in one text."""
    return "\n".join(line for one in found for line in one["findings"])
