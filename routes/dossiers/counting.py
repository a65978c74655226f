"""What became of what is handed in, counted by door, in words of ours alone (đếm sự kiện tiếp nhận)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from config.metrics import metrics
from schemas.errors import GatewayError
from sync.intake import Taken

Door = Literal["rest", "stream", "soap"]


def word_of(taken: Taken) -> str:
    """What the result of a line is called: one that was answered before is a duplicate, whatever it was then."""
    return "duplicate" if taken.replayed else taken.result


def count(door: Door, results: Iterable[Taken | GatewayError]) -> None:
    """Count what became of these pushes."""
    for (result, reason), times in Counter(map(_labels, results)).items():
        metrics().pushes.labels(door, result, reason).inc(times)


@contextmanager
def counted_refusals(door: Door) -> Iterator[None]:
    """Count the error that ends the block, if one does."""
    try:
        yield
    except GatewayError as error:
        count(door, [error])
        raise


def _labels(result: Taken | GatewayError) -> tuple[str, str]:
    if isinstance(result, GatewayError):
        return "refused", result.code
    return word_of(result), result.reason or ""
