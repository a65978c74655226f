"""The files of the project, as the rules look at them."""

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "commands", "config", "routes", "sandbox", "schemas", "security", "storage", "sync")


def product() -> Iterator[Path]:
    """Every module that is shipped."""
    yield ROOT / "gateway.py"
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def tracked() -> list[Path]:
    """Every file that is, or would be, committed; a copy without the history has the same."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = (".git", *(line.rstrip("/") for line in lines))
    found: list[Path] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not any(fnmatch(name, one) for one in ignored)]
        found += [Path(folder, name) for name in files if not any(fnmatch(name, one) for one in ignored)]
    return sorted(found)


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path: Path) -> str:
    """The name of a file as people say it."""
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute or name; nothing for other expressions."""
    if isinstance(node, ast.Attribute):
        below = dotted(node.value)
        return f"{below}.{node.attr}" if below else ""
    return node.id if isinstance(node, ast.Name) else ""


def imported(module: ast.Module) -> Iterator[tuple[str, str]]:
    """What a module imports, anywhere in it: (module, name), the name empty for `import module`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def called(module: ast.Module) -> Iterator[tuple[int, str]]:
    """What a module calls: (line, dotted name)."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            yield node.lineno, name
