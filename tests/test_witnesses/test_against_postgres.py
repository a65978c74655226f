"""A log on PostgreSQL beside what witnesses hold: its keeper has the database and the true key, and forgets."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete

from security.audit.witnessed import WITNESSED
from tests.test_witnesses.sites import a_site


async def test_a_log_that_was_cut_off_and_signed_anew_is_seen(postgres_url: str, tmp_path: Path) -> None:
    async with a_site(tmp_path, postgres_url) as site:
        await site.grow(5)
        assert (await site.verify("--against", "office", "--against", "paper"))[0] == 0
        await site.forget(3)
        await site.storage.write(lambda connection: connection.execute(delete(WITNESSED).where(WITNESSED.c.size > 3)))
        for told in ("ends at 3 entries", "rewritten, or forked"):
            assert (await site.verify())[0] == 0
            for name in ("office", "paper"):
                code, shown = await site.verify("--against", name)
                first = shown["findings"][0]  # type: ignore[index]
                assert (code, shown["first_bad"], first["first"], told in first["what"]) == (1, 3, 3, True)
            await site.grow(4, shown=False)
