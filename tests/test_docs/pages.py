"""The pages of the documentation, and the parts of them that can be held to the code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^( *)```.*?\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def text_of(name: str) -> str:
    """Return the text of a page, named relative to the root of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Return what stands between fences."""
    return [match[2] for match in _FENCE.finditer(text)]


def spans(text: str) -> list[str]:
    """Return what stands between backticks on one line."""
    return _SPAN.findall(without_blocks(text))


def without_blocks(text: str) -> str:
    """Return a page without what stands between fences."""
    return _FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of its rank or above; raises ValueError without it."""
    rank = heading.index(" ")
    begin = text.index(f"\n{heading}\n") + len(heading) + 2
    end = re.compile(rf"^#{{1,{rank}}} ", re.MULTILINE).search(text, begin)
    return text[begin : end.start() if end else None]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row, without header lines."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = [place for place, row in enumerate(cells) if all(set(cell) <= set("-:") and cell for cell in row)]
    return [row for place, row in enumerate(cells) if place not in rules and place + 1 not in rules]
