"""The same on PostgreSQL: changes of rows are reported, and the log is valid again when they are undone."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text

from security.audit.verification import verify
from tests.test_audit.audit_world import World, a_world
from tests.test_tampering import tables

BULK = 20
CHANGES = (
    "UPDATE audit_head SET id = 2",
    "UPDATE audit_head SET frontier = set_byte(frontier, 3, 0)",
    "INSERT INTO audit_head VALUES (2, 1, '')",
    "UPDATE audit_entries SET body = set_byte(body, 40, 7) WHERE idx = 5",
    "UPDATE audit_entries SET leaf = set_byte(leaf, 31, get_byte(leaf, 31) # 1) WHERE idx = 5",
    "UPDATE audit_entries SET client = NULL WHERE idx = 5",
    "UPDATE audit_entries SET request_id = request_id || ' ' WHERE idx = 5",
    "DELETE FROM audit_entries WHERE idx = 5",
    "UPDATE audit_checkpoints SET note = replace(note, 'lgsp', 'lqsp') WHERE size = 6",
    "DELETE FROM audit_checkpoints WHERE size > 20",
    "DELETE FROM audit_checkpoints WHERE size = 5",
    "INSERT INTO audit_witnessed SELECT size + 1, 'x', note, NULL, 0 FROM audit_checkpoints WHERE size = 6",
    "UPDATE audit_openings SET sealed = set_byte(sealed, 60, get_byte(sealed, 60) # 1) WHERE idx = 5",
    "UPDATE audit_openings SET slot = slot + 1 WHERE idx = 5",
    "UPDATE audit_openings SET period = '1999-01' WHERE idx = 5",
    "UPDATE audit_openings SET redacted_by = NULL WHERE idx = 3",
    "UPDATE audit_openings SET redacted_by = (SELECT redacted_by FROM audit_openings WHERE idx = 3) WHERE idx = 5",
    "UPDATE audit_subjects SET tag = set_byte(tag, 9, get_byte(tag, 9) # 1) WHERE idx = 5",
    "DELETE FROM audit_subjects WHERE idx = 5",
    "INSERT INTO audit_tiles VALUES (0, 0, '', '')",
)


def _saving(connection: Connection) -> None:
    for name in tables.KEYS:
        connection.execute(text(f"CREATE TABLE kept_{name} AS TABLE {name}"))


def _undoing(connection: Connection) -> None:
    for name in tables.KEYS:
        connection.execute(text(f"DELETE FROM {name}"))
        connection.execute(text(f"INSERT INTO {name} SELECT * FROM kept_{name}"))


def _doing(statement: str) -> Callable[[Connection], int]:
    return lambda connection: connection.execute(text(statement)).rowcount


async def test_changes_on_postgresql_are_reported(postgres_url: str, tmp_path: Path) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world:
        await tables.fill(world, BULK)
        assert await _valid(world)
        await world.storage.write(_saving)
        for statement in CHANGES:
            assert await world.storage.write(_doing(statement)) > 0, statement
            assert not await _valid(world), statement
            await world.storage.write(_undoing)
        assert await _valid(world)


async def test_two_rows_of_one_number_are_reported(postgres_url: str, tmp_path: Path) -> None:
    async with a_world(postgres_url, tmp_path / "vault") as world:
        await tables.fill(world, BULK)

        def double(connection: Connection) -> None:
            for key in (
                "audit_entries DROP CONSTRAINT pk_audit_entries",
                "audit_entries DROP CONSTRAINT uq_audit_entries_id",
            ):
                connection.execute(text(f"ALTER TABLE {key}"))
            connection.execute(text("INSERT INTO audit_entries SELECT * FROM audit_entries WHERE idx = 5"))

        await world.storage.write(double)
        found = await verify(world.storage, [world.signer.verifier])
        assert found.first_bad == 5


async def _valid(world: World) -> bool:
    return (await verify(world.storage, [world.signer.verifier])).valid
