"""The looks as a whole: all at once, each bounded, one that breaks does not take the others along."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from config.settings import Endpoint, Settings, load
from routes import surroundings as whole
from routes.surroundings import surroundings
from tests.test_doctor.papers import answering, listening
from tests.test_resilience.doubles import leap


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text("", encoding="utf-8")
    return load(file)


async def test_a_look_that_takes_too_long_or_breaks_is_a_finding(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(_settings: Settings) -> list[whole.Finding]:
        await asyncio.Event().wait()
        return []

    async def broken(_settings: Settings) -> list[whole.Finding]:
        raise RuntimeError("001085012345")

    monkeypatch.setattr(whole, "signers", endless)
    monkeypatch.setattr(whole, "face", broken)
    async with listening(answering()) as url:
        endpoints = {"land": Endpoint(url=url)}
        looking = asyncio.create_task(surroundings(settings.model_copy(update={"endpoints": endpoints})))
        # Until this test, the whole and the endless one are all that is left.
        while len(asyncio.all_tasks()) != 3:
            await asyncio.sleep(0.01)
        leap(whole._LONGEST_S)
        found = {one.code: one for one in await looking}
    assert {"look-timeout", "look-broken", "connected", "storage-refused"} <= found.keys()
    assert "001085012345" not in str(found)


async def test_every_look_runs_at_once(settings: Settings) -> None:
    """Each source answers only when all are being asked."""
    everybody = asyncio.Barrier(3)
    loop = asyncio.get_running_loop()

    def talk(connection: object) -> None:
        asyncio.run_coroutine_threadsafe(everybody.wait(), loop).result(60)
        answering()(connection)  # type: ignore[arg-type]

    async with listening(talk) as one, listening(talk) as two, listening(talk) as three:
        endpoints = {name: Endpoint(url=url) for name, url in {"land": one, "tax": two, "population": three}.items()}
        found = await surroundings(settings.model_copy(update={"endpoints": endpoints}))
    assert [finding.code for finding in found].count("connected") == 3
