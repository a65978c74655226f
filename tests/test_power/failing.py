"""A program that is recorded, and the directories that power failures at any moment of it may leave."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tools.power_recording import recorded
from tools.power_replay import Disk, records

# What it told and how long the records were then: everything that led to it is among them.
TELLING = """
import json, os, sys
from pathlib import Path

def tell(what):
    print(json.dumps([os.stat(os.environ["LGSP_POWER_LOG"]).st_size, what]), flush=True)

live = Path(sys.argv[1])
"""


@dataclass
class Programs:
    """Programs below one directory, one after the other; `told` what they told and when."""

    library: Path
    folder: Path

    def __post_init__(self) -> None:
        self.live, self._records = self.folder / "live", self.folder / "records"
        self.live.mkdir(mode=0o700)
        self.told: list[tuple[int, Any]] = []

    def run(self, program: str) -> None:
        """Run one; it may end as it likes."""
        environment = {**os.environ, **recorded(self.library, self.live, self._records)}
        command = [sys.executable, "-c", TELLING + program, str(self.live)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=Path.cwd(), check=False)
        assert "Traceback" not in done.stderr, done.stderr
        self.told += [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    def failures(self, seeds: int, least: int = 0) -> Iterator[tuple[list[Any], Path]]:
        """Yield what had been told, and a directory as it may be, after failures behind each change.

        The same ones each time: `seeds` behind each, once `least` things had been told.
        """
        disk, state = Disk(self.live), self.folder / "after"
        for number, record in enumerate(records(self._records.read_bytes())):
            disk.take(record)
            told = [what for moment, what in self.told if moment <= record.end]
            for seed in range(seeds if len(told) >= least else 0):
                state.mkdir(mode=0o700)
                disk.fail(state, Random(f"{number} {seed}"))
                yield told, state
                shutil.rmtree(state)
        assert disk.differences() == []
