"""Mutation testing of what must not be wrong: `python -m tools.mutants [TARGET [PATTERN...]]`.

mutmut changes one expression of a function at a time and runs the tests that reach it; a change that no test notices is
a survivor. `mutants.toml` names the targets, modules with the tests that hold them, and explains survivors; one without
a reason makes this end with 1. Each target has a copy of the checkout of its own below `.lgsp/mutants`, and one core.
Changes of nothing but the text of an error are left out: texts are not promised.
"""

import ast
import copy
import difflib
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COPIES = ROOT / ".lgsp" / "mutants"
REASONS = Path(__file__).with_name("mutants.toml")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Target:
    """Modules of one folder and the tests that hold them.

    `first` is one mutant: making all of them and finding out which test reaches what takes a run of its own. `messages`
    are calls with the place or the name of an argument that is only ever shown to people.
    """

    name: str
    folder: str
    modules: list[str]
    tests: list[str]
    first: str
    messages: Mapping[str, int | str]
    arguments: list[str]

    @property
    def copy(self) -> Path:
        """Where the copy of the checkout is."""
        return COPIES / self.name

    @property
    def paths(self) -> list[str]:
        """The modules, from the root of a checkout."""
        return [f"{self.folder}/{module}.py" for module in self.modules]

    def make(self) -> None:
        """Put what is, or would be, committed into the copy, as it is now, with a configuration of mutmut."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        names = [name for name in filter(None, listed.decode().split("\0")) if (ROOT / name).exists()]
        for name in names:
            source, target = ROOT / name, self.copy / name
            if not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
                if name.startswith("tests/"):
                    # Which test reaches what may be different now, and mutmut only looks at their names.
                    (self.copy / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
        root = self.folder.partition("/")[0]
        self._configure(sorted({name.partition("/")[0] for name in names} - {root, "tests"}))

    def _configure(self, others: list[str]) -> None:
        lists = {
            "source_paths": [self.folder.partition("/")[0]],
            "only_mutate": self.paths,
            "also_copy": others,
            "pytest_add_cli_args_test_selection": self.tests,
            "pytest_add_cli_args": ["-p", "no:cacheprovider", *self.arguments],
        }
        written = ConfigParser(interpolation=None)
        written["mutmut"] = {name: "\n".join(["", *each]) for name, each in lists.items()} | {
            "timeout_constant": "10.0",
            "timeout_multiplier": "3.0",
            "track_dependencies": "false",
            "use_git_change_detection": "false",
        }
        with (self.copy / "setup.cfg").open("w", encoding="utf-8") as out:
            written.write(out)

    def mutmut(self, *arguments: str) -> str:
        """What a command of mutmut prints, in the copy."""
        command = [sys.executable, "-m", "mutmut", *arguments]
        done = subprocess.run(command, cwd=self.copy, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"mutmut {arguments[0]} failed:\n{_plain(done.stdout)}{done.stderr[-2000:]}")
        return done.stdout + done.stderr

    def changes(self) -> dict[str, str]:
        """Every mutant that changes more than the text of an error, with what it changes."""
        found: dict[str, str] = {}
        for path in self.paths:
            text = (self.copy / "mutants" / path).read_text(encoding="utf-8")
            functions = {node.name: node for node in ast.walk(ast.parse(text)) if isinstance(node, Function)}
            module, stem = path.removesuffix(".py").replace("/", "."), Path(path).stem
            for name, function in functions.items():
                base, _, number = name.rpartition("__mutmut_")
                if not number.isdigit():
                    continue
                genuine = functions[f"{base}__mutmut_orig"]
                if self._form(function) != self._form(genuine):
                    where = f"{stem}{re.sub('^xǁ?_?|ǁ', '.', base)}".replace("..", ".")
                    found[f"{module}.{name}"] = f"{where}: {_difference(text, genuine, function)}"
        return found

    def _form(self, function: Function) -> str:
        stripped = _WithoutMessages(self.messages)
        return "\n".join(ast.unparse(stripped.visit(copy.deepcopy(part))) for part in function.body)

    def outcomes(self) -> dict[str, str]:
        """What became of each mutant that was run."""
        lines = (line.partition(": ") for line in self.mutmut("results", "--all", "true").splitlines())
        return {name.strip(): outcome for name, _, outcome in lines if outcome and outcome != "not checked"}


class _WithoutMessages(ast.NodeTransformer):
    def __init__(self, messages: Mapping[str, int | str]) -> None:
        self._messages = messages

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        place = self._messages.get(ast.unparse(node.func))
        if isinstance(place, int) and len(node.args) > place:
            node.args[place] = ast.Constant("")
        for keyword in node.keywords:
            if place is not None and keyword.arg == place:
                keyword.value = ast.Constant("")
        return node


def _plain(told: str) -> str:
    """The last lines without the many in which a wheel turns."""
    return "\n".join(line for line in told.splitlines() if line and not "\u2800" <= line[0] <= "\u28ff")[-2000:]


def _difference(text: str, genuine: Function, mutant: Function) -> str:
    """The lines that differ, each side joined to one."""
    before, after = (text.splitlines()[node.lineno : node.end_lineno] for node in (genuine, mutant))
    lines = [line for line in difflib.ndiff(before, after) if line[:1] in "+-"]
    old, new = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return f"{old} => {new}"


class Explained:
    """What `mutants.toml` says: which changes are not made at all, and which may survive."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._outside = [pattern for group in table["outside"] for pattern in group["changes"]]
        self._survives = [pattern for group in table["survives"] for pattern in group["changes"]]

    def outside(self, change: str) -> bool:
        """Tell whether a change is of something else than what the target is about."""
        return _fits(change, self._outside)

    def may_survive(self, change: str) -> bool:
        """Tell whether there is a reason for a change to survive."""
        return _fits(change, self._survives)


def _fits(change: str, patterns: Iterable[str]) -> bool:
    # Code is full of brackets; only the star is a wildcard here.
    return any(fnmatchcase(change, one.replace("[", "[[]").replace("?", "[?]")) for one in patterns)


def run(target: Target, reasons: Explained, wanted: list[str]) -> int:
    """Run the mutants of a target that fit one of the patterns, all of them without one; return the exit code."""
    target.make()
    told = target.mutmut("run", "--max-children", "1", target.first)
    if target.first not in target.outcomes():
        raise SystemExit(f"mutmut could not begin; the end of what it said:\n{_plain(told)}")
    changes = target.changes()
    chosen = [name for name, change in changes.items() if not reasons.outside(change)]
    chosen = [name for name in chosen if not wanted or any(fnmatchcase(name, pattern) for pattern in wanted)]
    print(f"{target.name}: {len(chosen)} mutants", flush=True)
    if not chosen:
        return 1
    told = target.mutmut("run", "--max-children", "1", *chosen)
    found = {name: outcome for name, outcome in target.outcomes().items() if name in set(chosen)}
    if len(found) < len(chosen):
        raise SystemExit(f"mutmut ran {len(found)} of {len(chosen)}; the end of what it said:\n{_plain(told)}")
    survivors = [changes[name] for name, outcome in found.items() if outcome in ("survived", "no tests")]
    unknown = sorted(one for one in survivors if not reasons.may_survive(one))
    for one in unknown:
        print(f"SURVIVES {one}")
    print(", ".join(f"{outcome}: {number}" for outcome, number in Counter(found.values()).most_common()))
    print(f"survivors explained: {len(survivors) - len(unknown)}, not explained: {len(unknown)}", flush=True)
    return 1 if unknown else 0


def main(arguments: list[str]) -> int:
    """Run one target, or without a name all of them; return the exit code."""
    table = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    targets = {name: Target(name=name, **told) for name, told in table["targets"].items()}
    if arguments and arguments[0] not in targets:
        raise SystemExit(f"no target {arguments[0]}; there are {', '.join(targets)}")
    chosen = [targets[arguments[0]]] if arguments else list(targets.values())
    reasons = Explained(table)
    return max(run(target, reasons, arguments[1:]) for target in chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
