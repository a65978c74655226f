"""Mutation testing of the signature verifier: `python -m tools.mutants [PATTERN...]`.

mutmut changes one expression of a function at a time and runs the tests that reach it; a change that no test notices is
a survivor. Each survivor is explained in `mutants.toml` or makes this end with 1. It all happens in a copy of the
checkout below `.lgsp/mutants`, on one core. Changes of nothing but the text of an error are left out: texts are not
promised.
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
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / ".lgsp" / "mutants"
EXPLAINED = Path(__file__).with_name("mutants.toml")
# Making the mutants and finding out which test reaches what takes a run of its own; this one is as good as any.
FIRST = "security.freshness.x_fresh_until__mutmut_1"
# Calls whose argument at this place is only ever shown to people.
MESSAGES = {
    "malformed": 0,
    "Rejected": 1,
    "XmlRefused": 1,
    "ValueError": 0,
    "LookupError": 0,
    "text_of": 2,
    "strict_base64": 1,
    "instant": 1,
    "expect": 3,
    "_method": 1,
}


class _WithoutMessages(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        place = MESSAGES.get(ast.unparse(node.func))
        if place is not None and len(node.args) > place:
            node.args[place] = ast.Constant("")
        return node


def copied() -> None:
    """Put what is, or would be, committed into the copy, as it is now; results of earlier runs stay."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = ROOT / name, COPY / name
        if source.exists() and (not target.exists() or target.read_bytes() != source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def mutmut(*arguments: str) -> str:
    """What a command of mutmut prints, in the copy."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=COPY, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"mutmut {arguments[0]} failed:\n{_plain(done.stdout)}{done.stderr[-2000:]}")
    return done.stdout


def _plain(told: str) -> str:
    """The last lines without the many in which a wheel turns."""
    return "\n".join(line for line in told.splitlines() if line and not "\u2800" <= line[0] <= "\u28ff")[-2000:]


class Mutants:
    """Every mutant that changes more than the text of an error, with what it changes."""

    def __init__(self) -> None:
        self.changes: dict[str, str] = {}
        for path in sorted((COPY / "mutants" / "security").glob("*.py")):
            text = path.read_text(encoding="utf-8")
            functions = {node.name: node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
            for name, function in functions.items():
                base, _, number = name.rpartition("__mutmut_")
                if not number.isdigit():
                    continue
                genuine = functions[f"{base}__mutmut_orig"]
                if _form(function) != _form(genuine):
                    where = f"{path.stem}{re.sub('^xǁ?_?|ǁ', '.', base)}".replace("..", ".")
                    self.changes[f"security.{path.stem}.{name}"] = f"{where}: {_difference(text, genuine, function)}"


def _form(function: ast.FunctionDef) -> str:
    return "\n".join(ast.unparse(_WithoutMessages().visit(copy.deepcopy(part))) for part in function.body)


def _difference(text: str, genuine: ast.FunctionDef, mutant: ast.FunctionDef) -> str:
    """The lines that differ, each side joined to one."""
    before, after = (text.splitlines()[node.lineno : node.end_lineno] for node in (genuine, mutant))
    lines = [line for line in difflib.ndiff(before, after) if line[:1] in "+-"]
    old, new = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return f"{old} => {new}"


def outcomes() -> dict[str, str]:
    """What became of each mutant that was run."""
    lines = (line.partition(": ") for line in mutmut("results", "--all", "true").splitlines())
    return {name.strip(): outcome for name, _, outcome in lines if outcome and outcome != "not checked"}


class Explained:
    """What `mutants.toml` says: which changes are not made at all, and which may survive."""

    def __init__(self) -> None:
        table = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
        self._outside = [pattern for group in table["outside"] for pattern in group["changes"]]
        self._survives = [pattern for group in table["survives"] for pattern in group["changes"]]

    def outside(self, change: str) -> bool:
        """Tell whether a change is of something else than the verifier."""
        return _fits(change, self._outside)

    def may_survive(self, change: str) -> bool:
        """Tell whether there is a reason for a change to survive."""
        return _fits(change, self._survives)


def _fits(change: str, patterns: Iterable[str]) -> bool:
    # Code is full of brackets; only the star is a wildcard here.
    return any(fnmatchcase(change, one.replace("[", "[[]").replace("?", "[?]")) for one in patterns)


def main(wanted: list[str]) -> int:
    """Run the mutants that fit one of the patterns, all of them without one; return the exit code."""
    copied()
    mutmut("run", "--max-children", "1", FIRST)
    reasons, changes = Explained(), Mutants().changes
    chosen = [name for name, change in changes.items() if not reasons.outside(change)]
    chosen = [name for name in chosen if not wanted or any(fnmatchcase(name, pattern) for pattern in wanted)]
    print(f"{len(chosen)} mutants", flush=True)
    told = mutmut("run", "--max-children", "1", *chosen)
    found = {name: outcome for name, outcome in outcomes().items() if name in set(chosen)}
    if len(found) < len(chosen):
        raise SystemExit(f"mutmut ran {len(found)} of {len(chosen)}; the end of what it said:\n{_plain(told)}")
    survivors = [changes[name] for name, outcome in found.items() if outcome in ("survived", "no tests")]
    unknown = sorted(one for one in survivors if not reasons.may_survive(one))
    for one in unknown:
        print(f"SURVIVES {one}")
    print(", ".join(f"{outcome}: {number}" for outcome, number in Counter(found.values()).most_common()))
    print(f"survivors explained: {len(survivors) - len(unknown)}, not explained: {len(unknown)}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
