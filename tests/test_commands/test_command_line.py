"""What holds for every command: help, JSON, exit codes, and nothing heavy before it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from commands import app
from tests.test_commands.conftest import lgsp, quick

ROOT = Path(__file__).parents[2]
# These run until they are stopped, or print a document of their own.
WITHOUT_JSON = {"demo", "serve", "worker", "sandbox dump", "openapi", "wsdl", "witness"}
GROUPS = {"clients", "dossiers", "keys", "pki", "storage", "audit", "sandbox", "signature"}


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))


def test_every_command_of_the_contract_is_there() -> None:
    promised = """demo|serve|worker|reload|sandbox|sandbox dump|check|doctor|openapi|wsdl|clients add|clients list|
        clients show|clients grant|clients revoke|clients rotate|clients apply|keys list|keys rotate|keys export|
        storage status|storage upgrade|storage copy|storage backup|storage restore|audit verify|audit show|
        audit search|audit export|audit prove|audit redact|audit checkpoint|audit verifier|signature verify"""
    assert {tuple(name.split()) for name in promised.split("|")} <= COMMANDS.keys()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = quick(*path, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    options = [parameter for parameter in COMMANDS[path].params if isinstance(parameter, click.Option)]
    assert all(option.help for option in options)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_that_prints_results_prints_json(path: tuple[str, ...]) -> None:
    name = " ".join(path)
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    if name and name not in WITHOUT_JSON and name not in GROUPS - {"sandbox"}:
        assert "--json" in options


def test_no_command_takes_a_personal_identifier() -> None:
    words = re.compile(r"person|subject(?!.file)|citizen|cccd|insur|tax|identity")
    for path, command in COMMANDS.items():
        for parameter in command.params:
            assert not words.search(" ".join([parameter.name or "", *parameter.opts])), path


def test_help_loads_nothing_heavy() -> None:
    heavy = ("aiohttp", "sqlalchemy", "cryptography", "pydantic", "lxml", "structlog", "asyncio", "rich")
    code = f"import gateway, sys; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"


def test_the_script_and_the_module_are_the_same() -> None:
    script = lgsp("--help")
    module = subprocess.run([sys.executable, ROOT / "gateway.py", "--help"], capture_output=True, text=True, check=True)
    assert script.returncode == 0
    assert script.stdout.splitlines()[1:] == module.stdout.splitlines()[1:]


@pytest.mark.parametrize(
    "wrong",
    [
        ["nonsense"],
        ["clients", "nonsense"],
        ["clients", "show"],
        ["clients", "rotate", "ministry", "--overlap", "soon"],
        ["clients", "grant", "ministry", "population", "--purpose", "inspection", "--field", "*"],
        ["clients", "revoke", "ministry", "--credential", "a", "--operation", "population/person"],
        ["clients", "register", "ministry"],
        ["keys", "rotate", "tls"],
        ["storage", "restore", "no-such-file"],
        ["storage", "copy", "--to", "rubbish"],
        ["storage", "copy", "--to", "env:LGSP_TEST_UNSET"],
        ["storage", "copy", "--to", "mysql://somewhere/db"],
        ["audit", "show"],
        ["audit", "show", "1", "--last", "2"],
        ["audit", "search", "--from", "yesterday"],
        ["audit", "search", "--to", "2026-11-30T08:00:00"],
        ["audit", "search", "--client", "001090123456"],
        ["audit", "search", "--subject-file", "no-such-file"],
        ["audit", "search", "--as", "personal-id"],
        ["audit", "redact", "1"],
        ["audit", "redact", "1", "--reason", "asked by 001090123456"],
        ["audit", "redact", "1", "--reason", " "],
        ["audit", "bundle", "1"],
        ["audit", "bundle", "1", "--out", "x.zip", "--closed", "--subject-file", "-"],
        ["serve", "--workers", "0"],
        ["demo", "--fault", "enterprise:unsigned"],
        ["sandbox", "--fault", "population:nonsense"],
        ["sandbox", "--fault", "nobody:down"],
        ["sandbox", "dump", "--database", "nobody"],
        ["sandbox", "dump", "--people", "0"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_2_and_says_so_on_stderr(wrong: list[str]) -> None:
    result = quick(*wrong)
    assert result.exit_code == 2
    assert result.stderr.strip()
    assert not result.stdout.strip()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["clients list", "keys list", "storage upgrade", "audit verify", "doctor", "serve"])
def test_a_configuration_that_cannot_be_read_is_a_finding(command: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[server]\nlisten_on = 'x'\n")
    result = quick(*command.split(), "--config", str(file))
    assert result.exit_code == 1
    assert "server.listen_on: there is no such setting" in result.stderr
