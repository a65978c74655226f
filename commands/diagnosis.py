"""`lgsp check` (is the configuration right?) and `lgsp doctor` (is the world right?)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from commands.common import AsJson, Config, run, show

if TYPE_CHECKING:
    from routes.findings import Finding


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(check)
    app.command()(doctor)


def check(config: Config = None, as_json: AsJson = False) -> None:
    """Is the configuration right? Every finding comes with the next step; 1 where `serve` would not do."""
    from adapters import DATABASES
    from config.settings import ConfigurationError, load
    from routes.diagnosis import configuration, stored
    from routes.findings import problem

    try:
        settings = load(config)
    except ConfigurationError as failure:
        step = f"correct {config}" if config else "correct the LGSP_ variables"
        _tell([problem("configuration", line, step) for line in str(failure).splitlines()], as_json)
        return
    findings = configuration(settings, DATABASES)
    if all(finding.level != "problem" or not finding.subject.startswith("storage") for finding in findings):
        findings += run(lambda: stored(settings))
    _tell(findings, as_json)


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Is the world right: endpoints, clock, certificates, storage, Redis? Every finding comes with the next step."""
    from config.settings import load
    from routes.surroundings import surroundings

    async def work() -> list[Finding]:
        return await surroundings(load(config))

    _tell(run(work), as_json)


def _tell(findings: Sequence[Finding], as_json: bool) -> None:
    """Print what was found, the worst at the end where it is seen, and end with 1 if that is a problem."""
    order = ("ok", "warning", "problem")
    found = sorted(findings, key=lambda finding: order.index(finding.level))
    counted = {level: sum(finding.level == level for finding in found) for level in order}
    if as_json:
        show({"findings": [dataclasses.asdict(finding) for finding in found], "counts": counted})
    else:
        for finding in found:
            code = f" [{finding.code}]" if finding.code else ""
            typer.echo(f"{finding.level:<8} {finding.subject}: {finding.text}{code}")
            if finding.next:
                typer.echo(f"         next: {finding.next}")
        typer.echo(f"{counted['problem']} problems, {counted['warning']} warnings, {counted['ok']} in order")
    if counted["problem"]:
        raise typer.Exit(1)
