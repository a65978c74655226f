"""What is created, what is brought up to date, and what is refused with the name of the command that helps."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text, update

import storage.schema
from security.audit.redaction import PENDING
from security.audit.tables import ENTRIES
from security.client_store import GRANTS
from storage.commands import status
from storage.errors import SchemaUnknown
from storage.metadata import STATE
from storage.schema import STEPS, VERSION, Step, open_storage, upgrade


async def set_version(url: str, version: int) -> None:
    opened = await open_storage(url)
    await opened.write(lambda connection: connection.execute(update(STATE).values(version=version)))
    await opened.close()


async def test_new_database_is_created_once_even_by_several_at_once(storage_url: str) -> None:
    results = await asyncio.gather(*(upgrade(storage_url) for _ in range(4)))
    assert sorted(results) == [(), (), (), ("first schema",)]
    opened = await open_storage(storage_url)
    await opened.close()


async def test_missing_and_empty_databases_are_refused_and_not_created(storage_url: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaUnknown, match="lgsp storage upgrade"):
        await open_storage(storage_url)
    assert list(tmp_path.iterdir()) == []


async def test_newer_schema_is_refused_and_left_alone(storage_url: str) -> None:
    await upgrade(storage_url)
    await set_version(storage_url, VERSION + 1)
    with pytest.raises(SchemaUnknown, match="newer release"):
        await open_storage(storage_url)
    with pytest.raises(SchemaUnknown, match="newer release"):
        await upgrade(storage_url)
    found = await status(storage_url)
    assert found.reachable
    assert found.refusal is not None
    assert "newer release" in found.refusal


async def test_a_missing_table_is_named_and_not_called_an_older_schema(storage_url: str) -> None:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    await opened.write(lambda connection: connection.execute(text("DROP TABLE audit_openings")))
    await opened.close()
    with pytest.raises(SchemaUnknown, match="lacks audit_openings: `lgsp storage upgrade`") as refused:
        await open_storage(storage_url)
    assert "schema" not in str(refused.value)
    assert await upgrade(storage_url) == ("table audit_openings",)
    await (await open_storage(storage_url)).close()


async def test_a_view_in_place_of_a_table_is_no_missing_table(storage_url: str) -> None:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    for statement in ("ALTER TABLE audit_head RENAME TO other", "CREATE VIEW audit_head AS SELECT * FROM other"):
        await opened.write(lambda connection, statement=statement: connection.execute(text(statement)))  # type: ignore[misc]
    await opened.close()
    for work in (open_storage, upgrade):
        with pytest.raises(SchemaUnknown, match="views stand in place of audit_head") as refused:
            await work(storage_url)
        assert "lgsp storage upgrade" not in str(refused.value)


async def test_older_schema_goes_through_its_steps(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await upgrade(storage_url)

    def add_column(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE audit_head ADD COLUMN remark TEXT"))

    monkeypatch.setattr(storage.schema, "STEPS", (*STEPS, Step(VERSION + 1, "remarks", add_column)))
    monkeypatch.setattr(storage.schema, "VERSION", VERSION + 1)
    with pytest.raises(SchemaUnknown, match="lgsp storage upgrade"):
        await open_storage(storage_url)
    found = await status(storage_url)
    assert found.state is not None
    assert found.state.pending == ("remarks",)
    assert await upgrade(storage_url) == ("remarks",)
    assert await upgrade(storage_url) == ()
    opened = await open_storage(storage_url)
    await opened.read(lambda connection: connection.execute(text("SELECT remark FROM audit_head")).all())
    await opened.close()


async def test_a_database_of_the_first_release_gets_the_index_of_redactions(storage_url: str) -> None:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    declared = await opened.read(indexes)
    await opened.write(lambda connection: connection.execute(text("DROP INDEX ix_audit_openings_redacting")))
    assert await opened.read(indexes) != declared
    await opened.close()
    await set_version(storage_url, 1)
    with pytest.raises(SchemaUnknown, match="lgsp storage upgrade"):
        await open_storage(storage_url)
    assert await upgrade(storage_url) == tuple(step.title for step in STEPS[1:])
    opened = await open_storage(storage_url)
    assert await opened.read(indexes) == declared
    plan = await opened.read(explained)
    await opened.close()
    # No look at every opening when a worker starts.
    assert "ix_audit_openings_redacting" in plan


async def test_grants_of_an_older_release_are_not_provable_by_field(storage_url: str) -> None:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    await opened.write(lambda connection: connection.execute(text("ALTER TABLE client_grants DROP COLUMN provable")))
    old = """INSERT INTO client_grants VALUES ('old', 'population', 'person', 'inspection', '*', false, false, false,
        50, 100, 20000, NULL, false)"""
    await opened.write(lambda connection: connection.execute(text(old)))
    await opened.close()
    await set_version(storage_url, 3)
    assert await upgrade(storage_url) == ("grants whose answers are provable field by field",)
    opened = await open_storage(storage_url)
    kept = await opened.read(lambda connection: connection.execute(select(GRANTS.c.provable)).scalars().all())
    await opened.close()
    assert kept == [False]


def indexes(connection: Connection) -> list[str]:
    """How the database describes the indexes of openings."""
    name, described = ("name", "sql") if connection.dialect.name == "sqlite" else ("indexname", "indexdef")
    table, owner = ("sqlite_master", "tbl_name") if connection.dialect.name == "sqlite" else ("pg_indexes", "tablename")
    asked = f"SELECT {name}, {described} FROM {table} WHERE {owner} = 'audit_openings' ORDER BY 1"
    return [" ".join(str(part).replace('"', "").split()) for part in connection.execute(text(asked)).all()]


def explained(connection: Connection) -> str:
    """How the database means to find redactions that are not complete."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text(f"EXPLAIN QUERY PLAN {PENDING}")).all()
    else:
        # A table as small as that of the test would be read as a whole.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = connection.execute(text(f"EXPLAIN {PENDING}")).all()
    return str(rows)


async def test_failed_step_leaves_the_older_schema(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await upgrade(storage_url)

    def fail(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE audit_head ADD COLUMN remark TEXT"))
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(storage.schema, "STEPS", (*STEPS, Step(VERSION + 1, "fails", fail)))
        patch.setattr(storage.schema, "VERSION", VERSION + 1)
        with pytest.raises(RuntimeError):
            await upgrade(storage_url)
    opened = await open_storage(storage_url)
    columns = await opened.read(lambda connection: connection.execute(text("SELECT * FROM audit_head")).keys())
    await opened.close()
    assert "remark" not in list(columns)


async def test_missing_table_is_noticed_and_created(storage_url: str) -> None:
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    await opened.write(ENTRIES.drop)
    await opened.close()
    with pytest.raises(SchemaUnknown, match="lgsp storage upgrade"):
        await open_storage(storage_url)
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    await opened.close()


async def test_status_of_what_works_and_of_what_does_not(storage_url: str, tmp_path: Path) -> None:
    await upgrade(storage_url)
    good = await status(storage_url)
    assert (good.reachable, good.refusal) == (True, None)
    assert good.size is not None
    assert good.size > 10_000
    assert good.state is not None
    assert good.state.version == VERSION
    for url in (f"sqlite:///{tmp_path}/none", f"postgresql+asyncpg://u:secret@/x?host={tmp_path}"):
        bad = await status(url)
        assert not bad.reachable
        assert bad.refusal
        assert "secret" not in bad.url
    assert not (tmp_path / "none").exists()
