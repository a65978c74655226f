"""Keys of the log that overlap: who signs which checkpoint, who believes it, and what of it verification still sees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from security.audit.assembly import log_signer, log_verifiers
from security.audit.bundle import around, openings_of, write_bundle
from security.audit.canonical import canonical
from security.audit.checkpoint import Along, CheckpointRejected, Signer, VerifierKey, opened, taken_apart
from security.audit.export import write_export
from security.audit.export_reading import examine
from security.audit.log import AuditLog
from security.audit.tables import CHECKPOINTS
from security.audit.verification import verify
from security.audit.witnessed import keep, witnessed
from security.keys import KeyRing
from tests.test_audit.audit_world import ORIGIN, World, a_signer, a_world, evidence
from tests.test_verify_audit.made import ANSWER, answer, cosigned, judged

ROOT = bytes(range(32))
WEEK = timedelta(days=7)
OLD, NEW = a_signer(seed=b"o" * 32), a_signer(seed=b"n" * 32)


def signers(note: str) -> list[bytes]:
    return [line.blob[:4] for line in taken_apart(note)[2]]


def ids(*keys: Signer | VerifierKey) -> list[bytes]:
    return [(key.verifier if isinstance(key, Signer) else key).key_id for key in keys]


class Clocks:
    """A wall clock that may be set, and one that only runs."""

    wall = 1_000_000.0
    steady = 50.0

    def signer(self, left: float = 100.0) -> Signer:
        private = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
        along = [Along(OLD, self.wall + 100, left)]
        return Signer(ORIGIN, private, along, clock=lambda: self.wall, steady=lambda: self.steady)

    def run(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_in_overlap_either_key_alone_opens_a_checkpoint(clocks: Clocks) -> None:
    note = clocks.signer().sign(7, ROOT)
    assert signers(note) == ids(NEW, OLD)
    assert [opened(note, keys).size for keys in ([OLD.verifier], [NEW.verifier], [NEW.verifier, OLD.verifier])] == [
        7
    ] * 3
    with pytest.raises(CheckpointRejected):
        opened(note, [a_signer().verifier])


def test_an_overlap_ends_by_itself(clocks: Clocks) -> None:
    signer = clocks.signer()
    clocks.run(99)
    assert signers(signer.sign(7, ROOT)) == ids(NEW, OLD)
    clocks.run(1)
    assert signers(signer.sign(8, ROOT)) == ids(NEW)


def test_a_clock_that_is_set_back_lengthens_no_overlap(clocks: Clocks) -> None:
    signer = clocks.signer()
    clocks.wall -= 1_000
    assert signers(signer.sign(7, ROOT)) == ids(NEW, OLD)
    clocks.run(100)
    assert signers(signer.sign(8, ROOT)) == ids(NEW)


def test_a_machine_that_slept_through_the_end_signs_with_the_new_key_alone(clocks: Clocks) -> None:
    signer = clocks.signer()
    clocks.wall += 100
    assert signers(signer.sign(7, ROOT)) == ids(NEW)


def test_every_key_in_overlap_signs_and_none_that_was_put_out_of_use(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ring = KeyRing.create(tmp_path / "keys", now=now - timedelta(days=90))
    ring.rotate("log", overlap=WEEK, now=now - timedelta(days=30))
    ring.rotate("log", overlap=WEEK, now=now - timedelta(days=2))
    ring.rotate("log", overlap=WEEK, now=now)
    fourth, third, second, _ = log_verifiers(ring, ORIGIN)
    assert signers(log_signer(ring, ORIGIN).sign(1, ROOT)) == ids(fourth, third, second)
    # Stolen: from this moment on nothing is signed with it, by whatever clock.
    ring.rotate("log", overlap=timedelta(0), now=now + timedelta(hours=1))
    fifth = log_verifiers(ring, ORIGIN)[0]
    assert signers(log_signer(ring, ORIGIN).sign(1, ROOT)) == ids(fifth, third, second)


def test_an_overlap_is_never_longer_than_it_was_made(tmp_path: Path) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    ring = KeyRing.create(tmp_path / "keys", now=now - WEEK)
    ring.rotate("log", overlap=WEEK, now=now)
    assert [left for _, left in ring.in_overlap("log", now - timedelta(days=400))] == [WEEK]
    assert [left for _, left in ring.in_overlap("log", now + timedelta(days=6))] == [timedelta(days=1)]
    assert ring.in_overlap("log", now + WEEK) == ()


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keys", now=datetime.now(UTC) - timedelta(days=30))


@pytest.fixture
async def rotated(sqlite_url: str, tmp_path: Path, ring: KeyRing) -> AsyncIterator[World]:
    """Three entries under the first key, three in overlap, and three under the second alone."""
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        world.log = await AuditLog.open(world.storage, log_signer(ring, ORIGIN), world.sealer)
        await three(world)
        ring.rotate("log", overlap=WEEK)
        world.log.sign_with(log_signer(ring, ORIGIN))
        await three(world)
        world.log.sign_with(Signer(ORIGIN, private_of(ring)))
        await three(world)
        yield world
        await world.log.close()


def private_of(ring: KeyRing) -> Ed25519PrivateKey:
    private = ring.current("log").private()
    assert isinstance(private, Ed25519PrivateKey)
    return private


async def three(world: World) -> None:
    for _ in range(3):
        await world.log.record(evidence("001085012345"))


async def note_of(world: World, size: int) -> str:
    query = select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.size == size)
    return str(await world.storage.read(lambda connection: connection.execute(query).scalar()))


async def test_the_log_verifies_and_either_key_reads_the_checkpoints_of_its_time(rotated: World, ring: KeyRing) -> None:
    new, old = log_verifiers(ring, ORIGIN)
    found = await verify(rotated.storage, [new, old])
    assert (found.valid, found.entries, found.checkpoints) == (True, 9, 9)
    notes = [await note_of(rotated, size) for size in range(1, 10)]
    assert [signers(note) for note in notes] == [ids(old)] * 3 + [ids(new, old)] * 3 + [ids(new)] * 3
    # What was signed in overlap may be the newest that a restored copy begins with, for who has either key.
    for keys in ([old], [new]):
        assert opened(notes[4], keys).size == 5


async def test_evidence_of_an_overlap_verifies_with_either_key_alone(
    rotated: World, ring: KeyRing, tmp_path: Path
) -> None:
    rotated.log.sign_with(log_signer(ring, ORIGIN))
    new, old = log_verifiers(ring, ORIGIN)
    asked = evidence("001085012345", data=canonical(ANSWER))
    receipt = await rotated.log.record(asked)
    proof = await rotated.reader.prove(receipt.index)
    secrets = await rotated.reader.open(receipt.index)
    files = {name: tmp_path / name for name in ("answer.json", "note.txt", "bundle.zip", "export.zip")}
    files["answer.json"].write_text(answer(asked, receipt, await rotated.log.proof(receipt)))
    files["note.txt"].write_text(receipt.checkpoint)
    entry = (await rotated.reader.show(receipt.index)).entry
    with files["bundle.zip"].open("w+b") as out:
        found = await rotated.storage.read(lambda connection: around(connection, receipt.index, entry))
        write_bundle(out, receipt.entry, proof, [new, old], openings_of(entry, secrets, {}), {}, found)
    with files["export.zip"].open("w+b") as out:
        await write_export(rotated.storage, [new], out)
    for key in (new, old):
        assert len(examine(files["export.zip"], [key]).leaves) == receipt.size
    judges = [(new, 0), (old, 0), (a_signer().verifier, 1)]
    for place, (key, expected) in enumerate(judges):
        known = tmp_path / f"{place}.vkey"
        known.write_text(key.encode() + "\n")
        assert {name: judged(file, key=known)[0] for name, file in files.items()} == dict.fromkeys(files, expected)


Change = Callable[[str, list[str]], str]


def spoilt(line: str, at: int) -> str:
    """The line with another letter there, which base64 may have in that place whatever stood in it."""
    return line[:at] + ("E" if line[at] == "A" else "A") + line[at + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda head, lines: head + lines[0] * 2, id="one-twice"),
        pytest.param(lambda head, lines: head + lines[0] + lines[1] + lines[0], id="one-again"),
        pytest.param(lambda head, lines: head + lines[1] + lines[0], id="swapped"),
        pytest.param(lambda head, lines: head + "".join(lines) + "— witness.example AAAAAAEC\n", id="foreign"),
        pytest.param(lambda head, lines: head + lines[0] + f"— {ORIGIN} AAAAAAEC\n", id="unknown-key"),
        pytest.param(lambda head, lines: cosigned(head + "".join(lines)), id="cosigned"),
        pytest.param(lambda head, lines: head + lines[0] + spoilt(lines[1], -3), id="byte-of-the-second"),
        pytest.param(lambda head, lines: head + spoilt(lines[0], -9) + lines[1], id="byte-of-the-first"),
    ],
)
async def test_whatever_else_stands_in_a_checkpoint_is_found(rotated: World, ring: KeyRing, change: Change) -> None:
    _, text, lines = taken_apart(await note_of(rotated, 5))
    await altered(rotated, 5, change(text + "\n", [line.line for line in lines]))
    found = await verify(rotated.storage, log_verifiers(ring, ORIGIN))
    assert [(finding.first, finding.last) for finding in found.found] == [(4, 4)]


async def altered(world: World, size: int, note: str) -> None:
    query = update(CHECKPOINTS).where(CHECKPOINTS.c.size == size).values(note=note)
    await world.storage.write(lambda connection: connection.execute(query))


@pytest.mark.parametrize("kept", [0, 1])
async def test_a_line_of_an_overlap_taken_away_is_seen(rotated: World, ring: KeyRing, kept: int) -> None:
    """What is left is what a process signs that was not told of the rotation: the entry behind it knows better."""
    _, text, lines = taken_apart(await note_of(rotated, 5))
    await altered(rotated, 5, f"{text}\n{lines[kept].line}")
    found = await verify(rotated.storage, log_verifiers(ring, ORIGIN))
    assert [(each.first, each.last) for each in found.found] == [(4, 4)]
    assert "signatures were taken away" in found.found[0].what


async def test_a_checkpoint_of_two_keys_of_the_log_was_not_witnessed_by_that(rotated: World) -> None:
    early, late = cosigned(await note_of(rotated, 4)), await note_of(rotated, 6)

    def kept(connection: object) -> str | None:
        keep(connection, "office", 4, early, None, 0)  # type: ignore[arg-type]
        keep(connection, "paper", 6, late, None, 0)  # type: ignore[arg-type]
        return witnessed(connection)  # type: ignore[arg-type]

    assert await rotated.storage.write(kept) == early
