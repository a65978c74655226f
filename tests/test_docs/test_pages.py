"""What the pages say about files, commands and metrics is so."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer.main
from typer.core import TyperGroup

from commands import app
from config.metrics import metrics
from tests.test_docs.pages import PAGES, ROOT, blocks, rows, section, spans, text_of, without_blocks

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_COMMAND = re.compile(r"\s*(?:\$ )?(?:sudo -u \w+ )?(?:\S*/)?lgsp +(.*)")
LGSP = typer.main.get_command(app)
_OPTION = re.compile(r"--[a-z][a-z-]*")

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    plain = (re.sub(r"[^\w\- ]", "", heading).lower() for heading in _HEADING.findall(path.read_text(encoding="utf-8")))
    return {name.replace(" ", "-") for name in plain}


@page
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    broken = []
    for target in _LINK.findall(without_blocks(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        found = (path.parent / file).resolve() if file else path
        if not found.exists() or not found.is_relative_to(ROOT) or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert not broken


def commands_in(text: str) -> list[str]:
    """What follows `lgsp` wherever a line of a block, or code within a sentence, is such a command."""
    lines = [line for block in blocks(text) for line in block.replace("\\\n", " ").splitlines()]
    parts = [part for line in (*lines, *spans(text)) for part in re.split(r"&&|[|;]", line)]
    return [match[1] for part in parts if (match := _COMMAND.fullmatch(part))]


def refusal(words: str) -> str | None:
    """Why `lgsp WORDS` cannot be run, None if it can."""
    command = LGSP
    for word in words.split():
        if not isinstance(command, TyperGroup):
            break
        if word.startswith(("-", "...")):
            break
        if word not in command.commands:
            return f"lgsp {words}: there is no command {word}"
        command = command.commands[word]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    unknown = [option for option in _OPTION.findall(words) if option not in known]
    return f"lgsp {words}: no option {', '.join(unknown)}" if unknown else None


@page
def test_every_command_exists(path: Path) -> None:
    refusals = [refusal(words) for words in commands_in(path.read_text(encoding="utf-8"))]
    assert not [each for each in refusals if each]


def test_commands_are_found_and_told_from_what_does_not_exist() -> None:
    text = "x `lgsp keys list` y\n\n```\nsudo -u lgsp /a/bin/lgsp storage upgrade --config f\n$ lgsp keys melt\n```\n"
    assert commands_in(text) == ["storage upgrade --config f", "keys melt", "keys list"]
    assert refusal("storage upgrade --config f") is None
    assert refusal("keys melt") == "lgsp keys melt: there is no command melt"
    assert refusal("keys list --loud") == "lgsp keys list --loud: no option --loud"


def leaves(command: object, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command line without options, groups left out."""
    if not isinstance(command, TyperGroup):
        yield " ".join(words)
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*words, name))


def test_the_operators_page_lists_every_command() -> None:
    listed = commands_in(section(text_of("docs/operators.md"), "## 11. All commands"))
    # The registries alone are a command that has one below it.
    assert sorted(listed) == sorted([*leaves(LGSP), "sandbox"])


def test_the_operators_page_names_every_metric() -> None:
    told = [
        re.findall(r"`([a-z_]+)", row[0])[0]
        for row in rows(section(text_of("docs/operators.md"), "## 8. What to watch"))
    ]
    all_metrics = metrics()
    real = []
    for field in dataclasses.fields(all_metrics):
        (family,) = getattr(all_metrics, field.name).describe()
        real.append(family.name + "_total" if family.type == "counter" else family.name)
    assert sorted(told) == sorted(real)


def test_pages_name_no_machine_and_no_index() -> None:
    for path in PAGES:
        assert not re.findall(
            r"/w[o]rk/|/t[m]p/|/r[o]ot/|p[y]pi|files\.pythonhosted|artifactor", path.read_text(encoding="utf-8")
        )
