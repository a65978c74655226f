"""A database that is moved takes events, queues and keys along."""

from pathlib import Path

from security.audit.continuity import root
from storage.commands import copy
from sync.tables import DOSSIER_EVENTS, DOSSIER_TRACKS, DOSSIER_VERSIONS, DOSSIERS, IDEMPOTENCY
from tests.test_intake.world import a_desk, a_status

TABLES = (DOSSIERS, DOSSIER_TRACKS, DOSSIER_VERSIONS, DOSSIER_EVENTS, IDEMPOTENCY)


async def test_what_was_answered_here_is_known_there(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    async with a_desk(sqlite_url, vault) as desk:
        await desk.put()
        first = [await desk.push(a_status(sequence=place), key=f"k-{place}") for place in (1, 2, 4)]
        before = [await desk.rows(table) for table in TABLES]
    await copy(sqlite_url, postgres_url, root)
    async with a_desk(postgres_url, vault) as desk:
        assert [await desk.rows(table) for table in TABLES] == before
        again = [await desk.push(a_status(sequence=place), key=f"k-{place}") for place in (1, 2, 4)]
        assert all(one.replayed for one in again)
        assert [one.receipt for one in again] == [one.receipt for one in first]
        assert (await desk.push(a_status(sequence=3), key="k-3")).result == "accepted"
        assert [row["state"] for row in await desk.rows()] == ["queued"] * 5
