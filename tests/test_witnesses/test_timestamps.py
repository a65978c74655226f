"""Checkpoints stamped by an authority (RFC 3161): openssl as the authority, and as a second verifier."""

from __future__ import annotations

import random
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import Connection, update

from adapters.witnesses import office as way_to
from config.settings import ConfigurationError
from config.witness import Witness
from security.audit.timestamps import StampRejected, question, stamped_at
from security.audit.witnessed import WITNESSED, notes_of, stamped, standing, witnessed
from sync.witnessing import Witnessing
from tests.test_audit.audit_world import World, evidence
from tests.test_witnesses.authority import Authority, an_authority, answering
from tests.test_witnesses.sites import Site

TEXT = "lgsp.example/log\n1\nAAAA\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return an_authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture
async def authority(made: Authority) -> AsyncIterator[Authority]:
    made.spoil = bytes
    async with answering(made):
        yield made


def shown_to(world: World, authority: Authority) -> Witnessing:
    settings = Witness(kind="rfc3161", url=authority.url, anchors=(authority.anchor,))
    return Witnessing("tsa", settings, way_to("tsa", settings), world.storage, world.log, "me")


async def test_a_checkpoint_is_stamped_and_openssl_verifies_it(
    local: World, authority: Authority, tmp_path: Path
) -> None:
    for _ in range(2):
        await local.log.record(evidence())
    loop = shown_to(local, authority)
    await loop._safely()
    found = await local.storage.read(lambda connection: standing(connection, "tsa"))
    assert (found.trouble, found.size) == (None, 2)
    for at_least, there in ((0, True), (2, True), (3, False)):
        kept = await local.storage.read(lambda connection, at=at_least: stamped(connection, at))  # type: ignore[misc]
        assert (kept is not None) == there
    note, token = (await local.storage.read(lambda connection: stamped(connection, 1))) or ("", b"")
    assert note == await local.reader.checkpoint() == await local.storage.read(witnessed)
    (tmp_path / "token.tsr").write_bytes(token)
    digest = sha256(note.partition("\n\n")[0].encode() + b"\n").hexdigest()
    command = [
        "openssl",
        "ts",
        "-verify",
        "-in",
        tmp_path / "token.tsr",
        "-digest",
        digest,
        "-CAfile",
        authority.anchor,
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Verification: OK" in told.stdout + told.stderr
    # The certificate is asked for, and a nonce stands in it.
    (tmp_path / "query.tsq").write_bytes(authority.asked[0])
    read = subprocess.run(
        ["openssl", "ts", "-query", "-in", tmp_path / "query.tsq", "-text"], capture_output=True, text=True, check=True
    ).stdout
    assert "Certificate required: yes" in read
    assert "Nonce: 0x" in read
    await loop._office.close()


@pytest.mark.parametrize("what", ["cut", "empty", "page", "other-request", "one-byte"])
async def test_what_is_no_stamp_of_this_request_is_not_kept(local: World, authority: Authority, what: str) -> None:
    other = authority.answer(question(TEXT)[0])
    spoilt: dict[str, Callable[[bytes], bytes]] = {
        "cut": lambda answer: answer[:-20],
        "empty": lambda _: b"",
        "page": lambda _: b"<html>Welcome</html>",
        "other-request": lambda _: other,
        "one-byte": lambda answer: answer[:-5] + bytes([answer[-5] ^ 1]) + answer[-4:],
    }
    authority.spoil = spoilt[what]
    await local.log.record(evidence())
    loop = shown_to(local, authority)
    await loop._safely()
    found = await local.storage.read(lambda connection: standing(connection, "tsa"))
    assert (found.trouble, found.size) == ("bad-time-stamp", 0)
    assert await local.storage.read(lambda connection: notes_of(connection, "tsa")) == []
    await loop._office.close()


def test_nonce_text_and_anchor_have_to_be_the_right_ones(made: Authority, tmp_path: Path) -> None:
    roots = [load_pem_x509_certificate(made.anchor.read_bytes())]
    asked, nonce = question(TEXT)
    answer = made.answer(asked)
    assert abs(stamped_at(answer, TEXT, roots, nonce).timestamp() - (tmp_path.stat().st_mtime)) < 300
    assert stamped_at(answer, TEXT, roots) == stamped_at(answer, TEXT, roots, nonce)
    stranger = an_authority(tmp_path / "stranger")
    strangers = [load_pem_x509_certificate(stranger.anchor.read_bytes())]
    for text, trusted, expected in ((TEXT, roots, nonce + 1), (TEXT + "x", roots, nonce), (TEXT, strangers, nonce)):
        with pytest.raises(StampRejected):
            stamped_at(answer, text, trusted, expected)
    # SHA3-224 in place of SHA-256: the authority does not know it.
    odd = asked.replace(bytes.fromhex("0609608648016503040201"), bytes.fromhex("0609608648016503040207"))
    refused = made.answer(odd)
    with pytest.raises(StampRejected, match="refused"):
        stamped_at(refused, TEXT, roots)


@pytest.mark.parametrize("kind", ["other-purpose", "not-critical", "ended"])
def test_a_certificate_has_to_be_for_time_stamps(tmp_path: Path, kind: str) -> None:
    given = {
        "other-purpose": {"use": ExtendedKeyUsageOID.CODE_SIGNING},
        "not-critical": {"critical": False},
        "ended": {"ended": True},
    }[kind]
    authority = an_authority(tmp_path / "odd", **given)  # type: ignore[arg-type]
    roots = [load_pem_x509_certificate(authority.anchor.read_bytes())]
    try:
        answer = authority.answer(question(TEXT)[0])
    except subprocess.CalledProcessError:
        # openssl does not stamp with it either.
        return
    with pytest.raises(StampRejected):
        stamped_at(answer, TEXT, roots)


def test_no_changed_byte_of_a_stamp_goes_through(made: Authority) -> None:
    roots = [load_pem_x509_certificate(made.anchor.read_bytes())]
    asked, nonce = question(TEXT)
    answer, chance = made.answer(asked), random.Random(7)
    right = stamped_at(answer, TEXT, roots, nonce)
    for place in chance.sample(range(len(answer)), 300):
        changed = bytearray(answer)
        changed[place] ^= 1 << chance.randrange(8)
        with suppress(StampRejected):
            # What is not signed (the order of sets, a text) may change: the time may not.
            assert stamped_at(bytes(changed), TEXT, roots, nonce) == right


async def test_a_log_is_compared_with_the_stamps_that_are_left(site: Site, authority: Authority) -> None:
    text = f'[witness.tsa]\nkind = "rfc3161"\nurl = "{authority.url}"\nanchors = ["{authority.anchor}"]\n'
    site.file.write_text(site.file.read_text() + text)
    await site.grow(4)
    code, shown = await site.verify("--against", "tsa")
    assert (code, shown["against"][0]["agrees_up_to"]) == (0, 4)  # type: ignore[index]
    await site.forget(2, heard=False)
    code, shown = await site.verify("--against", "tsa")
    assert (code, shown["first_bad"]) == (1, 2)

    def spoil(connection: Connection) -> None:
        rows = update(WITNESSED).where(WITNESSED.c.witness == "tsa", WITNESSED.c.size == 4)
        connection.execute(rows.values(token=b"x"))

    await site.storage.write(spoil)
    code, shown = await site.verify("--against", "tsa")
    told = [found["what"] for found in shown["findings"]]  # type: ignore[attr-defined]
    assert any("time-stamp that does not hold" in each for each in told)


def test_anchors_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"\[witness.tsa\]: anchors"):
        way_to("tsa", Witness(kind="rfc3161", url="http://127.0.0.1:9/", anchors=(tmp_path / "no.pem",)))
