"""A kept time-stamp is over the note that it stands beside, and signed: changed or exchanged, it is a finding."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from rfc3161_client import decode_timestamp_response
from sqlalchemy import update

from security.audit.checkpoint import taken_apart
from security.audit.timestamps import StampRejected, hold, question, stamped_at
from security.audit.verification import verify
from security.audit.witnessed import WITNESSED, keep
from tests.test_audit.audit_world import World, evidence
from tests.test_witnesses.authority import Authority, an_authority

TEXT = "lgsp.example/log\n1\nAAAA\n"
SIZE = 5
# Names in DER: of the first attribute that is signed, of the digest and of the algorithm of the signature.
CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
SHA256 = bytes.fromhex("0609608648016503040201")
RSA = bytes.fromhex("06092a864886f70d010101")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return an_authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture(scope="module")
def stamp(authority: Authority) -> bytes:
    return authority.answer(question(TEXT)[0])


async def stamped(world: World, authority: Authority) -> list[bytes]:
    """Entries with their checkpoints, each stamped, and what others said of these."""
    tokens = []
    for size in range(1, SIZE + 1):
        await world.log.record(evidence())
        note = str(await world.reader.checkpoint())
        tokens.append(authority.answer(question(taken_apart(note)[0].text)[0]))
        for witness, token in (("directory", None), ("tsa", tokens[-1]), ("tsb", tokens[-1])):
            await world.storage.write(
                lambda c, row=(witness, size, note, token): keep(c, *row, at=0)  # type: ignore[misc]
            )
    return tokens


async def told(world: World) -> list[tuple[int, int, str]]:
    found = await verify(world.storage, [world.signer.verifier])
    return [(each.first, each.last, each.what) for each in found.found]


def put(size: int, witness: str = "tsa", **values: object) -> Callable[[Any], Any]:
    statement = update(WITNESSED).where(WITNESSED.c.size == size, WITNESSED.c.witness == witness).values(values)
    return lambda connection: connection.execute(statement)


async def test_each_stamp_is_held_to_its_note(
    world: World, authority: Authority, stamp: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await stamped(world, authority)
    assert await told(world) == []
    spoilt = [token[:-1] + bytes([token[-1] ^ 1]) for token in tokens]
    cases = [
        (2, stamp, "it is over another text"),
        (SIZE, tokens[0], "it is over another text"),
        (3, b"", ""),
        (3, b"\x30\x03\x02\x01\x00", ""),
        (3, tokens[2][:-1], ""),
        (3, tokens[2] + b"\0", ""),
        (1, spoilt[0], "its signature does not hold"),
        (SIZE, spoilt[-1], "its signature does not hold"),
    ]
    for rows in (256, 3):
        # Pages that end between what two said of one checkpoint, and behind both.
        monkeypatch.setattr("security.audit.witnessed_check._PAGE", rows)
        for size, other, why in cases:
            await world.storage.write(put(size, token=other))
            said = f"the time-stamp of tsa over {size} entries does not hold: {why}"
            ((first, last, what),) = await told(world)
            assert (first, last, what[: len(said)]) == (size - 1, size - 1, said)
            await world.storage.write(put(size, token=tokens[size - 1]))
    for size in range(1, SIZE + 1):
        await world.storage.write(put(size, "tsb", token=stamp))
    assert [first for first, _, _ in await told(world)] == [*range(SIZE)]


async def test_what_a_stamp_alone_does_not_show(local: World, authority: Authority, tmp_path: Path) -> None:
    """That it is gone, that another authority made it, our time beside it: who has the roots sees more."""
    tokens = await stamped(local, authority)
    await local.storage.write(put(2, token=None))
    stranger = an_authority(tmp_path / "stranger")
    text = taken_apart(str(await local.reader.checkpoint()))[0].text
    await local.storage.write(put(SIZE, token=stranger.answer(question(text)[0])))
    await local.storage.write(put(3, at=1))
    assert await told(local) == []
    assert len(tokens) == SIZE


@pytest.mark.parametrize("value", ["CAST('x' AS TEXT)", "5", "x''", "zeroblob(3000)"])
async def test_a_stamp_of_another_type_is_a_finding(local: World, authority: Authority, value: str) -> None:
    await stamped(local, authority)
    change = f"UPDATE audit_witnessed SET token = {value} WHERE size = 3 AND witness = 'tsa'"
    await local.storage.write(lambda connection: connection.exec_driver_sql(change))
    ((first, last, what),) = await told(local)
    assert (first, last, what.partition(":")[0]) == (2, 2, "the time-stamp of tsa over 3 entries does not hold")


async def test_a_note_that_is_no_text_is_one_finding(local: World, authority: Authority) -> None:
    await stamped(local, authority)
    change = "UPDATE audit_witnessed SET note = CAST(note AS BLOB) WHERE size = 3 AND witness = 'tsa'"
    await local.storage.write(lambda connection: connection.exec_driver_sql(change))
    ((first, last, what),) = await told(local)
    assert (first, last, what[:25]) == (2, 2, "what tsa saw of 3 entries")


@pytest.mark.parametrize("number", ["'x'", "2.5", "-1", "99"])
async def test_a_stamp_of_a_broken_number_is_no_failure(local: World, authority: Authority, number: str) -> None:
    await stamped(local, authority)
    change = f"UPDATE audit_witnessed SET size = {number}, token = x'00' WHERE size = 3 AND witness = 'tsa'"
    await local.storage.write(lambda connection: connection.exec_driver_sql(change))
    assert await told(local)


def test_no_changed_byte_of_what_is_signed_goes_through(authority: Authority, stamp: bytes) -> None:
    """By the response alone: content, attributes, signature, and the certificate of who signed."""
    certificate = load_pem_x509_certificate((authority.directory / "tsa.pem").read_bytes()).public_bytes(Encoding.DER)
    hold(stamp, TEXT)
    assert certificate in stamp
    content = decode_timestamp_response(stamp).tst_info.as_bytes()
    begin = stamp.index(content)
    # The signed attributes, and what is behind them: the name of the algorithm, which is not signed, and the signature.
    attributes, algorithm = stamp.index(CONTENT_TYPE) - 2, stamp.rindex(RSA) - 2
    signed = [*range(begin, begin + len(content)), *range(attributes, algorithm), *range(algorithm + 15, len(stamp))]
    # Which digest the signature is over stands twice outside, and has to be the same.
    signed += [place + at for place in (stamp.index(SHA256), stamp.rindex(SHA256)) for at in range(2, len(SHA256))]
    chance = random.Random(5)
    changed = [stamp[:at] + bytes([stamp[at] ^ (1 << chance.randrange(8))]) + stamp[at + 1 :] for at in signed]
    for at in chance.sample(range(len(certificate)), 100):
        other = certificate[:at] + bytes([certificate[at] ^ (1 << chance.randrange(8))]) + certificate[at + 1 :]
        changed.append(stamp.replace(certificate, other))
    for each in changed:
        with pytest.raises(StampRejected):
            hold(each, TEXT)


def test_who_keeps_a_stamp_asks_no_less(authority: Authority, stamp: bytes) -> None:
    """What is kept holds by itself, or verification would report it for ever."""
    roots = [load_pem_x509_certificate(authority.anchor.read_bytes())]
    chance = random.Random(7)
    for at in chance.sample(range(len(stamp)), 150):
        changed = stamp[:at] + bytes([stamp[at] ^ (1 << chance.randrange(8))]) + stamp[at + 1 :]
        try:
            stamped_at(changed, TEXT, roots)
        except StampRejected:
            continue
        hold(changed, TEXT)
