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
            "audit_witnessed is no table but a view",
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
        (["ALTER TABLE audit_subjects ENABLE ROW LEVEL SECURITY"], "audit_subjects has row security"),
        (
            [
                "ALTER TABLE audit_witnessed RENAME TO others",
                "CREATE VIEW audit_witnessed AS SELECT * FROM others WHERE size > 9",
            ],
            "audit_witnessed is no table",
        ),
    ],
}


@pytest.mark.parametrize("place", range(4))
async def test_what_is_beside_a_table_of_the_log(storage_url: str, tmp_path: Path, place: int) -> None:
    cases = MADE[storage_url.partition(":")[0].partition("+")[0]]
    statements, expected = cases[place % len(cases)]
    async with a_world(storage_url, tmp_path / "vault") as world:
        for _ in range(3):
            await world.log.record(evidence())
        assert (await verify(world.storage, [world.signer.verifier])).valid
        await world.storage.write(lambda connection: [connection.execute(text(each)) for each in statements])
        (only,) = (await verify(world.storage, [world.signer.verifier])).found
        assert (only.first, only.last) == (0, 2)
        assert only.what == f"{expected}: what was written or read there may not be all"
