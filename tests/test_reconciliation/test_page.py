"""What the page about dossiers says of reconciliation and figures is what the code does."""

import re
from dataclasses import fields

from config.sync import Sync
from sync.comparison import KINDS
from sync.statistics import Count
from tests.test_docs.pages import rows, section, text_of

PAGE = text_of("docs/dossiers.md")


def named(cells: list[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_findings() -> None:
    told = rows(section(PAGE, "### 5.1 Comparing a day with the portal"))
    kinds = named([row[0] for row in told if "queued" not in row[1] and row[0] != "finding"])
    assert sorted(set(kinds)) == sorted(KINDS)


def test_the_settings() -> None:
    told = set(re.findall(r"`sync\.(reconcile_[a-z]+)`", section(PAGE, "### 5.1 Comparing a day with the portal")))
    assert told == {name for name in Sync.model_fields if name.startswith("reconcile")}


def test_the_figures() -> None:
    told = named([row[0] for row in rows(section(PAGE, "### 5.2 Figures of a year"))])
    assert set(told) == {each.name for each in fields(Count)} | {"on_time_rate"}
