"""What stands on the tables of the log and changes or hides rows is a finding on either database."""

from pathlib import Path

import pytest
from sqlalchemy import text

from security.audit.verification import verify
from tests.test_audit.audit_world import a_world, evidence

MADE = {
    "sqlite": [
        (
            ["CREATE TRIGGER quiet BEFORE INSERT ON audit_materials BEGIN SELECT RAISE(IGNORE); END"],
            "audit_materials has a trigger (quiet)",
        ),
        (
            [
                "ALTER TABLE audit_witnessed RENAME TO others",
                "CREATE VIEW audit_witnessed AS SELECT * FROM others WHERE size > 9",
            ],
            "audit_witnessed is a view",
        ),
        (
            ["CREATE TRIGGER quiet AFTER INSERT ON Audit_Head BEGIN SELECT 1; END"],
            "audit_head has a trigger (quiet)",
        ),
        (
            [
                "CREATE TABLE other (a)",
                "CREATE TRIGGER quiet AFTER INSERT ON other BEGIN DELETE FROM audit_subjects; END",
            ],
            "other has a trigger (quiet)",
        ),
        (
            [
                "DROP TABLE audit_witnessed",
                (
                    "CREATE TABLE audit_witnessed (size TEXT NOT NULL, witness VARCHAR(48) NOT NULL, note TEXT NOT"
                    " NULL, token BLOB, PRIMARY KEY (size) ON CONFLICT IGNORE)"
                ),
            ],
            (
                "audit_witnessed was declared with CONFLICT, has size TEXT, not INTEGER, has at missing, not INTEGER,"
                " has the primary key (size)"
            ),
        ),
        (
            [
                "DROP TABLE audit_tiles",
                (
                    "CREATE TABLE audit_tiles (level INTEGER NOT NULL, number INTEGER NOT NULL CHECK (number < 99), "
                    "hashes, root BLOB AS (NULL), PRIMARY KEY (level, number))"
                ),
            ],
            "audit_tiles was declared with CHECK, has hashes of no type, not BLOB, has root computed, not BLOB",
        ),
    ],
    "postgresql": [
        (
            [
                "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
                "CREATE TRIGGER quiet BEFORE INSERT ON audit_materials FOR EACH ROW EXECUTE FUNCTION quiet()",
            ],
            "audit_materials has a trigger",
        ),
        (["CREATE RULE quiet AS ON INSERT TO audit_witnessed DO INSTEAD NOTHING"], "audit_witnessed has a rule"),
        (["ALTER TABLE audit_subjects SET UNLOGGED"], "audit_subjects is lost in a crash (unlogged)"),
        (["CREATE TABLE further () INHERITS (audit_witnessed)"], "audit_witnessed inherits or is inherited from"),
        (["ALTER TABLE audit_head ADD CHECK (size < 99)"], "audit_head has further constraints"),
        (["ALTER TABLE audit_subjects ENABLE ROW LEVEL SECURITY"], "audit_subjects has row security"),
        (
            [
                "ALTER TABLE audit_witnessed RENAME TO others",
                "CREATE VIEW audit_witnessed AS SELECT * FROM others WHERE size > 9",
            ],
            "audit_witnessed is none",
        ),
    ],
}


@pytest.mark.parametrize("place", range(7))
async def test_what_is_beside_a_table_of_the_log(storage_url: str, tmp_path: Path, place: int) -> None:
    cases = MADE[storage_url.partition(":")[0].partition("+")[0]]
    statements, expected = cases[place % len(cases)]
    async with a_world(storage_url, tmp_path / "vault") as world:
        for _ in range(3):
            await world.log.record(evidence())
        assert (await verify(world.storage, [world.signer.verifier])).valid
        await world.storage.write(lambda connection: [connection.execute(text(each)) for each in statements])
        (only,) = (await verify(world.storage, [world.signer.verifier])).found
        assert (only.first, only.last) == (3, 3)
        table, _, what = expected.partition(" ")
        said = f"{table} is not as the gateway makes it: it {what}; rows may be changed or hidden on their way"
        assert only.what == said
