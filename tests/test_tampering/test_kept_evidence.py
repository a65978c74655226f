"""What is said of a kept certificate, revocation list or OCSP answer follows from it: any other word is a finding."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from sqlalchemy import Connection, delete, insert, select, text, update

from security.audit.findings import Findings
from security.audit.materials import MATERIALS, keep
from security.audit.verification import verify
from security.trust_materials import Collected
from security.trust_ocsp import judged
from security.trust_revocation import RevocationLists
from tests.test_audit.audit_world import World, a_world, evidence
from tests.test_revocation.issuing import DAY, HOUR, NOW, REVOKED, Holder, der
from tests.test_tampering.changes import byte_changed, emptied, lengthened, shortened

ROOT = Holder.root()
AUTHORITY = ROOT.authority(after=NOW + 3 * DAY)
LEAF = AUTHORITY.issue()
RESPONDER = AUTHORITY.responder(after=NOW + 2 * HOUR)
NAME = ocsp.OCSPResponderEncoding.NAME
# By what they are: answers of the authority itself and of a responder, with every way in which they end.
ANSWERS = {
    "by-key": AUTHORITY.answer(LEAF),
    "by-name": AUTHORITY.answer(LEAF, encoding=NAME),
    "sha256": AUTHORITY.answer(LEAF, named_by=hashes.SHA256()),
    "endless": AUTHORITY.answer(LEAF, since=NOW - timedelta(minutes=5), until=None),
    "a-week": ROOT.answer(AUTHORITY, until=NOW + 20 * DAY),
    "ends-with-authority": AUTHORITY.answer(LEAF, until=NOW + 5 * DAY),
    "responder": AUTHORITY.answer(LEAF, responder=RESPONDER),
    "ends-with-responder": AUTHORITY.answer(LEAF, responder=RESPONDER, encoding=NAME, until=NOW + 5 * HOUR),
}
COLUMNS = ("kind", "name", "serial", "since", "until")


def answered(collected: Collected, issuer: Holder, octets: bytes, at: datetime = NOW) -> None:
    collected.answer(issuer.certificate, judged(octets, issuer.certificate, at))


async def genuine(world: World) -> None:
    """Entries, and everything that can be kept."""
    for _ in range(3):
        await world.log.record(evidence())
    collected = Collected()
    collected.path([LEAF.certificate, AUTHORITY.certificate, ROOT.certificate])
    for authority in (AUTHORITY, ROOT):
        lists = RevocationLists([authority.crl()], [authority.certificate])
        held = lists.of(LEAF.certificate if authority is AUTHORITY else AUTHORITY.certificate, None)
        assert held is not None
        collected.revocation_list(held)
    for kind, octets in ANSWERS.items():
        answered(collected, ROOT if kind == "a-week" else AUTHORITY, octets)
    assert await keep(world.storage, collected) == 5 + len(ANSWERS)


async def found(world: World) -> Findings:
    return await verify(world.storage, [world.signer.verifier])


async def rows(world: World) -> Sequence[Any]:
    ordered = select(MATERIALS).order_by(MATERIALS.c.kind, MATERIALS.c.sha256)
    return await world.storage.read(lambda connection: connection.execute(ordered).all())


def changed(digest: str, **values: object) -> Any:
    statement = update(MATERIALS).where(MATERIALS.c.sha256 == digest).values(values)
    return lambda connection: connection.execute(statement)


async def test_every_column_of_every_piece_is_held_to_its_content(world: World) -> None:
    await genuine(world)
    assert (await found(world)).valid
    for row in await rows(world):
        for column in COLUMNS:
            old = getattr(row, column)
            for new in {byte_changed(old, 3, 1), byte_changed(old, 0, 0)} - {old}:
                await world.storage.write(changed(row.sha256, **{column: new}))
                told = (await found(world)).found
                assert told, (row.kind, column, old, new)
                assert all((each.first, each.last) == (0, 2) for each in told)
                assert any(f"sha256:{row.sha256} " in each.what for each in told), told
                await world.storage.write(changed(row.sha256, **{column: old}))
    assert (await found(world)).valid


@pytest.mark.parametrize("kind", sorted(ANSWERS))
async def test_when_an_answer_ends_is_told_exactly(local: World, kind: str) -> None:
    """Earlier and later, as far as the authority's own certificate, or the responder's, lets it."""
    await genuine(local)
    digest = sha256(ANSWERS[kind]).hexdigest()
    (until,) = [row.until for row in await rows(local) if row.sha256 == digest]
    for by in (-1, 1, -3600, 3600, 30 * 86400):
        await local.storage.write(changed(digest, until=until + by))
        (only,) = (await found(local)).found
        assert only.what == f"of the certificate or revocation evidence sha256:{digest} until was changed"


@pytest.mark.parametrize("how", [byte_changed, shortened, lengthened, emptied])
@pytest.mark.parametrize("column", ["sha256", "content", *COLUMNS])
async def test_values_of_any_form_are_findings(local: World, column: str, how: Any) -> None:
    await genuine(local)
    for place, row in enumerate(await rows(local)):
        old = getattr(row, column)
        new = how(old, 5 + place, 2)
        if new == old or (new is None and column != "serial"):
            continue
        await local.storage.write(changed(row.sha256, **{column: new}))
        assert not (await found(local)).valid, (row.kind, column, new)
        digest = new if column == "sha256" else row.sha256
        await local.storage.write(changed(digest, **{column: old}))


async def test_a_piece_of_another_kind_and_one_put_there_by_hand_are_findings(local: World) -> None:
    await genuine(local)
    before = await rows(local)
    (held,) = [row for row in before if row.content == der(LEAF.certificate)]
    kinds = {"certificate", "crl", "ocsp", "key", ""}
    for row in before:
        for kind in kinds - {row.kind}:
            await local.storage.write(changed(row.sha256, kind=kind))
            (only,) = (await found(local)).found
            assert (
                only.what == f"of the certificate or revocation evidence sha256:{row.sha256} the content is no {kind}"
            )
        await local.storage.write(changed(row.sha256, kind=row.kind))
    for content in (b"", b"nothing", der(LEAF.certificate) + b"\0", der(AUTHORITY.crl())[:-1]):
        digest = sha256(content).hexdigest()
        made = {**held._mapping, "sha256": digest, "content": content}
        await local.storage.write(lambda connection, made=made: connection.execute(insert(MATERIALS).values(made)))
        assert not (await found(local)).valid
        gone = delete(MATERIALS).where(MATERIALS.c.sha256 == digest)
        await local.storage.write(lambda connection, gone=gone: connection.execute(gone))
    assert (await found(local)).valid


async def test_what_says_of_two_pieces_is_exchanged(local: World) -> None:
    await genuine(local)
    before = await rows(local)
    for one, other in pairwise(before):
        said = [{name: getattr(row, name) for name in COLUMNS} for row in (one, other)]
        if said[0] == said[1]:
            continue
        await local.storage.write(changed(one.sha256, **said[1]))
        await local.storage.write(changed(other.sha256, **said[0]))
        assert not (await found(local)).valid, (one.kind, other.kind)
        await local.storage.write(changed(one.sha256, **said[0]))
        await local.storage.write(changed(other.sha256, **said[1]))


async def test_answers_alone_are_no_finding(local: World) -> None:
    """A process that was killed, a full queue or an older release kept them, and not who gave them."""
    await genuine(local)

    def forget(connection: Connection) -> None:
        connection.execute(delete(MATERIALS).where(MATERIALS.c.kind == "certificate"))

    await local.storage.write(forget)
    assert (await found(local)).valid
    await local.storage.write(lambda c: c.execute(delete(MATERIALS).where(MATERIALS.c.kind == "crl")))
    assert (await found(local)).valid
    # What an answer has of itself still holds.
    for kind, column, new in (("by-key", "serial", "1"), ("by-key", "since", 5), ("sha256", "name", "0" * 64)):
        digest = sha256(ANSWERS[kind]).hexdigest()
        (row,) = [row for row in await rows(local) if row.sha256 == digest]
        await local.storage.write(changed(digest, **{column: new}))
        assert not (await found(local)).valid, kind
        await local.storage.write(changed(digest, **{column: getattr(row, column)}))
    digest, end = sha256(ANSWERS["by-key"]).hexdigest(), int((NOW + HOUR).timestamp())
    for until in (end + 1, 5, -5):
        await local.storage.write(changed(digest, until=until))
        assert not (await found(local)).valid, until
    await local.storage.write(changed(digest, until=end))
    assert (await found(local)).valid
    blob = f"UPDATE audit_materials SET name = CAST(name AS BLOB) WHERE sha256 = '{digest}'"
    await local.storage.write(lambda connection: connection.exec_driver_sql(blob))
    assert not (await found(local)).valid


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        pytest.param("by-key", der(AUTHORITY.certificate), id="its-certificate"),
        pytest.param("by-key", der(LEAF.certificate), id="what-it-issued"),
        pytest.param("by-key", None, id="its-list"),
        pytest.param("by-name", b"", id="the-answer"),
        pytest.param("responder", b"", id="the-responder"),
    ],
)
async def test_the_authority_of_an_answer_is_known_by_any_of_its_pieces(
    local: World, kind: str, by: bytes | None
) -> None:
    await genuine(local)
    digest = sha256(ANSWERS[kind]).hexdigest()
    others = MATERIALS.c.sha256 != digest
    # Lists of its own and of the root are there or not together.
    others &= (MATERIALS.c.kind != "crl") if by is None else (MATERIALS.c.content != by)
    await local.storage.write(lambda connection: connection.execute(delete(MATERIALS).where(others)))
    assert (await found(local)).valid
    await local.storage.write(changed(digest, name=sha256(b"another").hexdigest()))
    (only,) = (await found(local)).found
    assert only.what == f"of the certificate or revocation evidence sha256:{digest} name was changed"


async def test_answers_of_any_time_hold(local: World) -> None:
    """Made beforehand, ahead of our clock, of a revocation for good: what was believed then is believed now."""
    await local.log.record(evidence())
    collected, soon = Collected(), timedelta(seconds=50)
    answered(collected, AUTHORITY, AUTHORITY.answer(LEAF, since=NOW + soon, until=NOW + soon))
    answered(collected, AUTHORITY, AUTHORITY.answer(LEAF, since=NOW - 6 * DAY, until=NOW + DAY))
    answered(collected, AUTHORITY, AUTHORITY.answer(LEAF, REVOKED, since=NOW - DAY, until=NOW - HOUR))
    bare = AUTHORITY.responder(nocheck=False)
    listed = AUTHORITY.answer(LEAF, responder=bare)
    collected.answer(AUTHORITY.certificate, judged(listed, AUTHORITY.certificate, NOW, listed=lambda _: False))
    brief = AUTHORITY.responder(after=NOW + timedelta(seconds=20))
    answered(collected, AUTHORITY, AUTHORITY.answer(LEAF, responder=brief, since=NOW + soon))
    assert await keep(local.storage, collected) == 6
    assert (await found(local)).valid
    for row in [each for each in await rows(local) if each.kind == "ocsp"]:
        for until in (row.until - 1, row.until + 1):
            await local.storage.write(changed(row.sha256, until=until))
            assert not (await found(local)).valid, row
        await local.storage.write(changed(row.sha256, until=row.until))


async def test_odd_certificates_hold(local: World) -> None:
    """No basic constraints, a name that nobody reads: a pinned certificate may be like that."""
    await local.log.record(evidence())
    collected = Collected()
    collected.path([ROOT.issue("Không ràng buộc", constrained=False).certificate])
    unreadable = der(LEAF.certificate).replace("CA cấp".encode(), b"CA c\xff\xff\xffp")
    collected.path([x509.load_der_x509_certificate(unreadable)])
    assert await keep(local.storage, collected) == 2
    assert (await found(local)).valid


async def test_rows_out_of_order_are_counted(tmp_path: Path) -> None:
    """A table that was freed of its key holds what no order finds."""
    async with a_world(f"sqlite:///{tmp_path}/gateway.db", tmp_path / "vault") as world:
        await genuine(world)

        def free(connection: Connection) -> None:
            connection.execute(text("CREATE TABLE freed AS SELECT * FROM audit_materials"))
            connection.execute(text("DROP TABLE audit_materials"))
            connection.execute(text("ALTER TABLE freed RENAME TO audit_materials"))
            connection.execute(text("UPDATE audit_materials SET sha256 = NULL WHERE kind = 'crl'"))

        await world.storage.write(free)
        told = [each.what for each in (await found(world)).found]
        assert "certificates or revocation evidence of no order, 2 times" in told
