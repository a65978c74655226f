"""First uses of signatures in the SQL storage: one for each, whoever asks at the same time, on both databases."""

import asyncio

import pytest

from security.used_signatures import UsedSignatures
from storage.errors import StorageUnavailable
from sync.database import open_storage, upgrade

NOW = 1_800_000_000
UNTIL = NOW + 480


@pytest.fixture
async def storage(storage_url):
    await upgrade(storage_url)
    opened = await open_storage(storage_url)
    yield opened
    await opened.close()


async def uses(memory: UsedSignatures, *names: str) -> list[bool]:
    return list(await asyncio.gather(*(memory.first_use("signature:c", name, UNTIL, NOW) for name in names)))


async def test_a_signature_counts_once(storage):
    memory = UsedSignatures(storage)
    assert await uses(memory, "a") == [True]
    assert await uses(memory, "a") == [False]
    assert await memory.first_use("signature:other", "a", UNTIL, NOW)


async def test_of_those_who_come_together_with_one_signature_one_is_the_first(storage):
    memory = UsedSignatures(storage)
    found = await uses(memory, *(["a", "b"] * 40))
    assert sorted(found, reverse=True)[:3] == [True, True, False]
    assert found[:2] == [True, True]


async def test_processes_share_the_memory(storage, storage_url):
    other = await open_storage(storage_url)
    try:
        ours, theirs = UsedSignatures(storage), UsedSignatures(other)
        names = [str(number) for number in range(100)]
        first, second = await asyncio.gather(uses(ours, *names), uses(theirs, *names))
        assert [one + another for one, another in zip(first, second, strict=True)] == [1] * 100
    finally:
        await other.close()


async def test_those_who_wait_share_a_commit(storage, monkeypatch):
    commits = 0
    write = type(storage).write

    async def counted(self, work, **options):
        nonlocal commits
        commits += 1
        return await write(self, work, **options)

    monkeypatch.setattr(type(storage), "write", counted)
    assert all(await uses(UsedSignatures(storage), *map(str, range(200))))
    assert commits <= 2


async def test_a_failure_is_told_to_all_who_wait_and_the_next_are_served(storage, monkeypatch):
    memory = UsedSignatures(storage)
    write = type(storage).write

    async def fail(self, work, **options):
        monkeypatch.setattr(type(storage), "write", write)
        raise StorageUnavailable("gone")

    monkeypatch.setattr(type(storage), "write", fail)
    found = await asyncio.gather(*(memory.first_use("c", name, UNTIL, NOW) for name in "abc"), return_exceptions=True)
    assert [type(one) for one in found] == [StorageUnavailable] * 3
    assert await uses(memory, "a") == [True]


async def test_whoever_goes_away_has_used_its_signature(storage):
    memory = UsedSignatures(storage)
    leaving = asyncio.create_task(memory.first_use("signature:c", "a", UNTIL, NOW))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await uses(memory, "b") == [True]
    assert await uses(memory, "a") == [False]
