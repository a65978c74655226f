"""What a refusal costs: processor time of this thread, and the memory of this process at its highest."""

import ctypes
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBC = ctypes.CDLL(None)
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_SMALL = 100_000
_kept = _SMALL + 1
"""The size of the document before: what a large one needed may not have been given back."""

MAX_SECONDS = 0.5
"""Five times what the product promises: the machine that runs the tests has other things to do."""
MAX_MEGABYTES = 50.0

SPENT: dict[str, list[tuple[float, float, str]]] = {}
"""By family: seconds, megabytes and the name of each attack that was refused."""


@contextmanager
def bounded(family: str, name: str, size: int) -> Iterator[None]:
    """Fail if what happens inside, with a document of `size` bytes, costs more than a refusal may."""
    global _kept
    if _kept > _SMALL:
        # What was freed is given back first: it would hide what is needed now.
        _LIBC.malloc_trim(0)
    _kept = size
    _CLEAR.write_text("5")
    before = _megabytes("VmRSS")
    # The tests hold a hundred thousand objects, and looking at those is nobody's cost.
    gc.disable()
    began = time.thread_time()
    try:
        yield
    finally:
        seconds = time.thread_time() - began
        gc.enable()
    megabytes = max(0.0, _megabytes("VmHWM") - before)
    SPENT.setdefault(family, []).append((seconds, megabytes, name))
    assert seconds < MAX_SECONDS, f"{family}: {name}: {seconds:.3f} s"
    assert megabytes < MAX_MEGABYTES, f"{family}: {name}: {megabytes:.1f} MB"


def _megabytes(field: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def table() -> str:
    """What was spent, a line for each family."""
    lines = [f"{'family':34} {'cases':>5} {'max ms':>7} {'max MB':>7}  dearest"]
    for family, spent in SPENT.items():
        slowest, largest = max(spent), max(each[1] for each in spent)
        lines.append(f"{family:34} {len(spent):5} {slowest[0] * 1000:7.1f} {largest:7.1f}  {slowest[2]}")
    return "\n".join(lines)
