"""Putting a backup back without the entry about it and the witnesses that `lgsp storage restore` asks."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from storage.backup import drafted, put_back
from storage.transfer import Copied, Root


async def restore(
    file: Path, url: str, *, root: Root, admit: Callable[[Connection], str | None] = lambda _: None
) -> Copied:
    """Replace the database by a backup that `admit` has nothing to say against."""
    async with drafted(file, url) as draft:
        assert await draft.read(admit) is None
        return await put_back(draft, url, root=root, last_look=lambda _: None)
