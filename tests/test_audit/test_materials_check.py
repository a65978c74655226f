"""A piece of evidence about signers that was changed is a finding, and is not handed out as genuine."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select, update

from security.audit.materials import MATERIALS, Shown, about, keep
from security.audit.verification import verify
from security.trust_materials import Collected
from tests.test_audit.audit_world import World, evidence
from tests.test_audit.test_materials import AUTHORITY, LEAF, NOW, ROOT, collected, der, entry, trusting

__all__ = ["collected"]
PIECES = {"signer": der(LEAF.certificate), "issuer": der(AUTHORITY.certificate)}


async def changed(world: World, content: bytes, other: Any) -> str:
    """Change what stands in the row of this content; return the name of the row."""
    query = select(MATERIALS.c.sha256).where(MATERIALS.c.content == content)
    digest: str = await world.storage.read(lambda connection: connection.execute(query).scalar_one())
    row = update(MATERIALS).where(MATERIALS.c.sha256 == digest).values(content=other)
    await world.storage.write(lambda connection: connection.execute(row))
    return f"sha256:{digest}"


async def shown(world: World) -> Shown:
    return await world.storage.read(lambda connection: about(connection, entry()))


@pytest.mark.parametrize("piece", ["signer", "issuer", "list"])
@pytest.mark.parametrize("other", [b"\x30\x00", der(ROOT.certificate)], ids=["nothing", "another"])
async def test_a_changed_piece_is_found_and_left_out(
    world: World, collected: Collected, piece: str, other: bytes
) -> None:
    lists = AUTHORITY.crl(), ROOT.crl()
    trusting(*lists).accept(der(LEAF.certificate), NOW)
    await keep(world.storage, collected)
    await world.log.record(evidence())
    await world.log.record(evidence())
    assert (await verify(world.storage, [world.signer.verifier])).valid
    whole = await shown(world)
    assert (len(whole.members), whole.absent) == (3, {})
    name = await changed(world, PIECES.get(piece, der(lists[0])), other)
    found = await verify(world.storage, [world.signer.verifier])
    said = f"the certificate or revocation evidence {name} was changed"
    assert [(each.first, each.last, each.what) for each in found.found] == [(0, 1, said)]
    left = await shown(world)
    why = f"damaged in the database, and left out: {name}"
    if piece == "signer":
        assert set(left.absent) == {"certificates.pem", "revocation/list.der"}
        assert (left.members, left.absent["certificates.pem"]) == ({}, why)
        return
    assert left.absent == {"revocation/damaged.der": why}
    path = whole.members["certificates.pem"] if piece == "list" else LEAF.certificate.public_bytes(Encoding.PEM)
    assert left.members["certificates.pem"] == path
    words = [der(lists[1])] if piece == "list" else [der(lists[0])]
    assert [content for member, content in left.members.items() if member.startswith("revocation/")] == words
