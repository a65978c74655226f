"""Appending: receipts, indexes, group commit, further writes, idempotence, failure."""

import asyncio
import base64
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, Text, func, insert, select
from sqlalchemy.exc import IntegrityError

from schemas.errors import EvidenceUnavailable
from security.audit.batch import Batch, Item
from security.audit.canonical import canonical
from security.audit.checkpoint import opened
from security.audit.entries import commitment
from security.audit.log import AuditLog
from security.audit.merkle import is_consistent, is_included, leaf_hash
from security.audit.receipt import Receipt
from security.audit.tables import CHECKPOINTS, ENTRIES
from security.audit.verification import verify
from storage.errors import CommitUnknown, StorageUnavailable
from tests.test_audit.audit_world import World, a_signer, a_world, evidence

NOTES = Table("notes", MetaData(), Column("key", Text, primary_key=True))


async def test_receipt_proves_the_entry_offline(world: World) -> None:
    for _ in range(3):
        await world.log.record(evidence("001090123456"))
    receipt = await world.log.record(evidence("001090123456", data=b"{}"))
    proof = await world.log.proof(receipt)
    shown = receipt.as_json(proof)
    assert (shown["log"], shown["index"]) == ("lgsp.example/log", 3)
    entry = base64.b64decode(str(shown["entry"]))
    leaf = base64.b64decode(str(shown["leaf"]))
    assert leaf == sha256(b"\0" + entry).digest()
    signed = opened(receipt.checkpoint, [world.signer.verifier])
    assert is_included(3, signed.size, leaf, proof, signed.root)
    assert receipt.salt is not None
    stated = (await world.reader.show(3)).entry["commitments"]
    assert isinstance(stated, dict)
    assert stated["data"] == commitment(receipt.salt, b"{}")


async def test_receipt_without_data_has_no_salt(world: World) -> None:
    receipt = await world.log.record(evidence("001090123456", data=None))
    assert receipt.as_json()["salt"] is None
    assert set(receipt.as_json()) == {"log", "index", "leaf", "salt", "checkpoint"}


async def test_many_at_once_share_commits_and_leave_no_gap(world: World) -> None:
    receipts = await asyncio.gather(*(world.log.record(evidence("001090123456")) for _ in range(300)))
    assert sorted(each.index for each in receipts) == list(range(300))
    commits = await world.storage.read(
        lambda connection: connection.execute(select(func.count()).select_from(CHECKPOINTS)).scalar_one()
    )
    assert commits < 10
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid, found
    assert found.entries == 300


async def test_every_receipts_proof_holds_across_tiles(world: World) -> None:
    receipts = []
    for size in (1, 254, 2, 1, 300, 45):
        receipts += await asyncio.gather(*(world.log.record(evidence()) for _ in range(size)))
    for receipt in receipts[::41]:
        signed = opened(receipt.checkpoint, [world.signer.verifier])
        proof = await world.log.proof(receipt)
        assert is_included(receipt.index, signed.size, receipt.leaf, proof, signed.root)
        newest = await world.reader.prove(receipt.index)
        assert newest.size == 603
        head = opened(newest.checkpoint, [world.signer.verifier])
        assert is_included(receipt.index, 603, receipt.leaf, newest.path, head.root)
        path = await world.reader.consistency(signed.size, 603)
        assert is_consistent(signed.size, signed.root, 603, head.root, path)


async def test_writes_travel_with_their_entry_and_fail_alone(world: World) -> None:
    await world.storage.write(NOTES.create)
    seen: list[int] = []

    def note(key: str):  # type: ignore[no-untyped-def]
        def write(connection: Connection, index: int) -> None:
            seen.append(index)
            connection.execute(insert(NOTES).values(key=key))

        return write

    def refuse(connection: Connection, index: int) -> None:
        connection.execute(insert(NOTES).values(key="never"))
        raise LookupError("the caller's own refusal")

    results = await asyncio.gather(
        world.log.record(evidence(), writes=[note("a")]),
        world.log.record(evidence(), writes=[note("b"), note("a")]),
        world.log.record(evidence(), writes=[refuse]),
        world.log.record(evidence(), writes=[note("c")]),
        world.log.record(evidence()),
        return_exceptions=True,
    )
    assert isinstance(results[1], IntegrityError)
    assert isinstance(results[2], LookupError)
    indexes = [each.index for each in results if not isinstance(each, BaseException)]
    assert indexes == [0, 1, 2]
    kept = await world.storage.read(lambda connection: connection.execute(select(NOTES.c.key)).scalars().all())
    assert sorted(kept) == ["a", "c"]
    assert seen[0] == 0
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid


async def test_same_entry_again_is_the_same_record(world: World) -> None:
    await world.storage.write(NOTES.create)
    entry, secrets = evidence("001090123456").recorded()

    def note(connection: Connection, _index: int) -> None:
        connection.execute(insert(NOTES).values(key="once"))

    first = await world.log.append(entry, secrets=secrets, writes=[note])
    again = await world.log.append(entry, secrets=secrets, writes=[note])
    both = await asyncio.gather(world.log.append(entry, secrets=secrets), world.log.record(evidence()))
    assert first.index == again.index == both[0].index == 0
    assert both[1].index == 1
    with pytest.raises(ValueError, match="another entry has this id"):
        await world.log.append({**entry, "purpose": "other"})
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid


@pytest.mark.parametrize("arrived", [True, False])
async def test_lost_commit_answer_is_settled_by_the_id(
    world: World, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    real, lost = world.storage.write, []

    async def losing(work, *, prepare=None):  # type: ignore[no-untyped-def]
        if lost:
            return await real(work, prepare=prepare)
        lost.append(True)
        if arrived:
            await real(work, prepare=prepare)
        raise CommitUnknown("the connection broke")

    monkeypatch.setattr(world.storage, "write", losing)
    receipts = await asyncio.gather(*(world.log.record(evidence()) for _ in range(5)))
    assert [each.index for each in receipts] == list(range(5))
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).entries == 5


@pytest.mark.parametrize("comes_back", [True, False])
async def test_doubtful_commit_is_asked_about_until_the_database_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    monkeypatch.setattr("security.audit.log.SETTLE_PAUSE_S", 0)
    real, calls = world.storage.write, []

    async def breaking(work, *, prepare=None):  # type: ignore[no-untyped-def]
        calls.append(work)
        if len(calls) == 1:
            await real(work, prepare=prepare)
            raise CommitUnknown("the connection broke")
        if len(calls) < 4 or not comes_back:
            raise StorageUnavailable("not yet")
        return await real(work, prepare=prepare)

    with monkeypatch.context() as patch:
        patch.setattr(world.storage, "write", breaking)
        results = await asyncio.gather(world.log.record(evidence()), return_exceptions=True)
    if comes_back:
        assert not isinstance(results[0], BaseException)
        assert results[0].index == 0
    else:
        assert isinstance(results[0], EvidenceUnavailable)
    assert (await world.log.record(evidence())).index == 1
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).entries == 2


async def test_another_key_does_not_continue_the_log(world: World) -> None:
    await world.log.record(evidence())
    stranger = a_signer(seed=b"x" * 32)
    with pytest.raises(EvidenceUnavailable):
        await AuditLog.open(world.storage, stranger, world.sealer)
    rotated = await AuditLog.open(world.storage, stranger, world.sealer, former=[world.signer.verifier])
    assert (await rotated.record(evidence())).index == 1
    found = await verify(world.storage, [world.signer.verifier, stranger.verifier])
    assert found.valid, found
    await rotated.close()


async def test_key_rotates_without_a_restart(world: World) -> None:
    await world.log.record(evidence())
    rotated = a_signer(seed=b"r" * 32)
    world.log.sign_with(rotated)
    receipt = await world.log.record(evidence())
    assert opened(receipt.checkpoint, [rotated.verifier]).size == 2
    assert (await verify(world.storage, [rotated.verifier, world.signer.verifier])).valid
    assert not (await verify(world.storage, [rotated.verifier])).valid
    with pytest.raises(ValueError, match="key is of"):
        world.log.sign_with(a_signer(name="other"))


@pytest.mark.parametrize(
    "wrong",
    [{"id": "x" * 37}, {"dossier": "a\0b"}, {"purpose": 5}, {"at": None}, {"duration_ms": 1.5}, {"officer": "\ud800"}],
)
async def test_bad_entry_fails_alone(world: World, wrong: dict[str, object]) -> None:
    entry, secrets = evidence().recorded()
    bad, good = await asyncio.gather(
        world.log.append({**entry, **wrong}, secrets=secrets),  # type: ignore[dict-item]
        world.log.record(evidence()),
        return_exceptions=True,
    )
    assert isinstance(bad, ValueError)
    assert not isinstance(good, BaseException)
    assert good.index == 0


@pytest.mark.parametrize(
    "wrong", [{"id": "x" * 37}, {"dossier": "a\0b"}, {"request_id": "\\\0"}, {"officer": "\ud800"}]
)
async def test_bad_evidence_fails_alone(world: World, wrong: dict[str, str]) -> None:
    bad, good = await asyncio.gather(
        world.log.record(replace(evidence(), **wrong)),  # type: ignore[arg-type]
        world.log.record(replace(evidence(), purpose="\\u0000")),
        return_exceptions=True,
    )
    assert isinstance(bad, ValueError)
    assert not isinstance(good, BaseException)
    assert good.index == 0


async def test_log_goes_on_after_a_restart(storage_url: str, tmp_path: Path) -> None:
    for expected in range(3):
        async with a_world(storage_url, tmp_path / "vault") as world:
            assert (await world.log.record(evidence("001090123456"))).index == expected
    async with a_world(storage_url, tmp_path / "vault") as world:
        assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid


async def test_closed_log_takes_nothing_more_but_finishes_what_it_took(world: World) -> None:
    taken = asyncio.create_task(world.log.record(evidence()))
    await asyncio.sleep(0)
    await world.log.close()
    assert (await taken).index == 0
    with pytest.raises(EvidenceUnavailable):
        await world.log.record(evidence())


async def test_caller_that_goes_away_does_not_disturb_the_others(world: World) -> None:
    tasks = [asyncio.create_task(world.log.record(evidence())) for _ in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert sum(not isinstance(each, BaseException) for each in results) == 9
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert found.valid
    assert found.entries == 10


async def test_row_repeats_and_body_is_canonical(world: World) -> None:
    receipt = await world.log.record(evidence("001090123456"))
    shown = await world.reader.show(receipt.index)
    assert shown.body == canonical(shown.entry) == receipt.entry  # type: ignore[arg-type]
    row = await world.storage.read(lambda connection: connection.execute(select(ENTRIES)).one())
    assert (row.client, row.database, row.outcome) == ("ministry", "population", "ok")


async def stated(world: World) -> list[int | None]:
    """What each entry says of the checkpoint before it."""
    bodies = await world.storage.read(
        lambda connection: connection.execute(select(ENTRIES.c.body).order_by(ENTRIES.c.idx)).scalars().all()
    )
    return [json.loads(body).get("after", {}).get("size") for body in bodies]


async def test_first_entry_of_each_commit_names_the_checkpoint_before_it(world: World) -> None:
    receipts = []
    for size in (1, 3, 1, 2):
        receipts += await asyncio.gather(*(world.log.record(evidence("001090123456")) for _ in range(size)))
    found = await stated(world)
    assert found[0] is None
    named = {index for index in found if index is not None}
    assert named == {index for index, size in enumerate(found) if size == index}
    assert named | {7} == set(await signed_sizes(world))
    for receipt in receipts:
        shown = await world.reader.show(receipt.index)
        assert (receipt.entry, receipt.leaf) == (shown.body, sha256(b"\0" + shown.body).digest())
        assert canonical(json.loads(shown.body)) == shown.body


async def signed_sizes(world: World) -> list[int]:
    return list(await world.storage.read(lambda connection: connection.execute(select(CHECKPOINTS.c.size)).scalars()))


async def test_entry_appended_again_is_the_same_whatever_it_says_of_its_place(world: World) -> None:
    await world.log.record(evidence())

    async def hashed(size: int) -> str:
        note = select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.size == size)
        text = await world.storage.read(lambda connection: connection.execute(note).scalar_one())
        return base64.b64encode(sha256(text.encode()).digest()).decode()

    one = {"id": "a", "at": "2026-11-22T10:00:00.000000Z", "kind": "admin", "v": 1}
    twice = await asyncio.gather(world.log.append(one), world.log.append(one))
    again = await world.log.append(one)
    assert [(each.index, each.leaf, each.entry) for each in (*twice, again)] == [(1, twice[0].leaf, twice[0].entry)] * 3
    assert json.loads(again.entry) == {**one, "after": {"note": await hashed(1), "size": 1}}
    with pytest.raises(ValueError, match="another entry"):
        await world.log.append({**one, "kind": "start"})
    # Members that come before it in order have their place too.
    other = await world.log.append({**one, "id": "b", "_": 1})
    assert other.entry == canonical({**one, "id": "b", "_": 1, "after": {"note": await hashed(2), "size": 2}})


@pytest.mark.parametrize("sealed", [True, False])
async def test_entry_of_an_attempt_that_was_given_up_says_where_it_came_to_stand(world: World, sealed: bool) -> None:
    """Between two attempts another process may append, and this entry may not be the first of its commit any more."""
    await world.log.record(evidence())

    def items() -> list[Item]:
        made = [evidence("001090123456") if sealed else evidence(data=None, officer=None) for _ in range(2)]
        waiting = asyncio.get_running_loop().create_future()
        return [
            Item(str(repeated[0]), str(repeated[1]), repeated, body, leaf_hash(body), secrets, (), waiting)
            for body, repeated, secrets in (each.written() for each in made)
        ]

    first, second = items()
    batch = Batch([first, second], world.signer, world.sealer)
    batch.seal()
    batch.careful = True

    def undone(connection: Connection) -> None:
        batch.write(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await world.storage.write(undone)
    await world.log.record(evidence())
    await world.storage.write(batch.write)
    assert await stated(world) == [None, 1, 2, None]
    # As after a lost answer: both stand already.
    await world.storage.write(batch.write)
    kept = [result.entry for result in batch.results if isinstance(result, Receipt)]
    assert kept == [(await world.reader.show(index)).body for index in (2, 3)]
    alone = Batch([second], world.signer, world.sealer)
    alone.careful = True
    await world.storage.write(alone.write)
    assert await stated(world) == [None, 1, 2, None]
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid
