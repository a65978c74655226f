"""`make fuzz`: coverage-guided fuzzing of everything that reads signed bytes from outside, for a bounded time.

`FUZZ_SECONDS` (60) is shared by all targets, or belongs to the one that `FUZZ_TARGET` names. What made new ground stays
in `.lgsp/fuzz/corpus`. An input that breaks a promise is written to `.lgsp/fuzz/found` and replays with
`python -m fuzz FILE`, without the fuzzer. Exit code 1 when something was found.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(".lgsp", "fuzz")
FOUND: Final = FOLDER / "found"
_LONGEST = 16_384
_PATIENCE = 10
"""Seconds that one input may take, with the instruments in the code, before it is a finding."""
_MEMORY = 2_048
_PROGRESS = re.compile(r"#(\d+)\s+(INITED|NEW|REDUCE|pulse|DONE).* cov: (\d+) ft: (\d+) corp: (\d+)")


def main() -> int:
    """Fuzz, or replay the files that are named."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="replay these inputs instead")
    parser.add_argument("--target", help="(of the program itself) be the fuzzer of this target")
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "60")))
    told = parser.parse_args()
    if told.files:
        return max(_replayed(path) for path in told.files)
    if told.target:
        return _fuzz(told.target, told.seconds)
    return _run(os.environ.get("FUZZ_TARGET"), told.seconds)


def _replayed(path: Path) -> int:
    """Give one file to its target; what it raises is printed as Python prints it."""
    from fuzz.targets import TARGETS

    name = path.name.partition("-")[0]
    if name not in TARGETS:
        raise SystemExit(f"{path}: the name of an input begins with one of {', '.join(TARGETS)} and a hyphen")
    print(f"{path}: {TARGETS[name][0](path.read_bytes())}")
    return 0


def _run(only: str | None, seconds: int) -> int:
    """Fuzz the targets one after the other, each in a process of its own, and say what came of it."""
    from fuzz.targets import TARGETS

    names = [name for name in TARGETS if only in (None, name)]
    if not names:
        raise SystemExit(f"FUZZ_TARGET must be one of {', '.join(TARGETS)}")
    _write_dictionary()
    FOUND.mkdir(parents=True, exist_ok=True)
    share = max(seconds // len(names), 1)
    broken = []
    print(f"{'target':12}{'executions':>12}{'a second':>10}{'coverage':>14}{'features':>10}{'inputs':>8}")
    for name in names:
        _write_seeds(name)
        told = FOLDER / f"{name}.log"
        with told.open("wb") as log:
            command = [sys.executable, "-m", "fuzz", "--target", name, "--seconds", str(share)]
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        print(_summary(name, told.read_text("utf-8", "replace"), share))
        if code:
            broken.append(told)
    for told in broken:
        print(f"\nsomething was found, or the fuzzer could not run: {told} ends with")
        print("\n".join(told.read_text("utf-8", "replace").splitlines()[-25:]))
    if broken:
        print(f"\nInputs that break a promise are in {FOUND}; replay one with: {sys.executable} -m fuzz {FOUND}/NAME")
    return bool(broken)


def _summary(name: str, log: str, seconds: int) -> str:
    """One line of the table: coverage as the seeds reached it and as it was at the end."""
    seen = [tuple(map(int, found.group(1, 3, 4, 5))) for found in _PROGRESS.finditer(log)]
    if not seen:
        return f"{name:12}{'did not run':>12}"
    (_, first, *_), (runs, last, features, inputs) = seen[0], seen[-1]
    return f"{name:12}{runs:>12}{runs // seconds:>10}{f'{first} to {last}':>14}{features:>10}{inputs:>8}"


def _write_dictionary() -> None:
    from fuzz.seeds import words

    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in words() if len(word) <= 128]
    (FOLDER / "dictionary").write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")


def _write_seeds(name: str) -> None:
    from fuzz.targets import TARGETS

    for folder in (FOLDER / "seeds" / name, FOLDER / "corpus" / name):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name][1]()):
        (FOLDER / "seeds" / name / str(number)).write_bytes(seed)


def _fuzz(name: str, seconds: int) -> int:
    """Be the fuzzer of one target until the time is over or something is found; libFuzzer ends the process."""
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=["security"]):
        from fuzz.targets import TARGETS

    from fuzz.mutations import mutated

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        return mutated(data, longest, seed) if seed % 2 else atheris.Mutate(data, longest)

    target = TARGETS[name][0]
    options = (
        f"-max_total_time={seconds} -timeout={_PATIENCE} -rss_limit_mb={_MEMORY} -max_len={_LONGEST} -len_control=0"
        f" -dict={FOLDER / 'dictionary'} -artifact_prefix={FOUND}/{name}- -use_value_profile=1"
    )
    atheris.Setup(
        [sys.argv[0], *options.split(), *(str(FOLDER / kind / name) for kind in ("corpus", "seeds"))],
        target,
        custom_mutator=changed,
    )
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
