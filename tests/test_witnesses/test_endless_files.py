"""What is no regular file where checkpoints or archives should be: it is named, and nobody waits for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.test_witnesses.sites import Site


def _put(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["pipe", "device"])
async def test_what_never_ends_is_not_compared(site: Site, kind: str) -> None:
    await site.grow(2)
    notes, held = site.directory / "notes", site.directory / "held"
    checkpoint = held / f"{3:020d}.checkpoint"
    _put(notes, kind)
    _put(checkpoint, kind)
    for witness, named in ((str(notes), notes), (str(held), checkpoint), ("paper", checkpoint)):
        code, shown = await site.verify("--against", witness)
        silent: dict[str, str]
        (silent,) = shown["against"]  # type: ignore[misc]
        assert (code, shown["valid"], "no regular file" in silent["not_compared"]) == (1, True, True)
        assert str(named) in silent["not_compared"]
