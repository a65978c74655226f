"""What a signer was believed by is kept once, and found again for an exchange of that time; OpenSSL believes it too."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import func, select

from security.audit.materials import MATERIALS, about, keep, keeping
from security.signature import Rejected
from security.trust import AnchoredTrust, PinnedTrust
from security.trust_domain import TrustDomain
from security.trust_materials import Collected
from security.trust_revocation import RevocationLists
from security.trust_signer import ExpectedSigner
from security.trust_status import StatusPolicy, StatusRegister
from storage.errors import StorageUnavailable
from tests.test_audit.audit_world import World
from tests.test_revocation.issuing import DAY, HOUR, NOW, Holder, der

ROOT = Holder.root()
AUTHORITY = ROOT.authority()
LEAF = AUTHORITY.issue()
OTHER = AUTHORITY.issue("CSDL khác")


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collected]:
    fresh = Collected()
    for module in ("security.trust", "security.trust_status", "security.trust_revocation"):
        monkeypatch.setattr(f"{module}.COLLECTED", fresh)
    return fresh


def trusting(*lists: x509.CertificateRevocationList, answers: tuple[bytes, ...] = ()) -> AnchoredTrust:
    certificates = [ROOT.certificate, AUTHORITY.certificate]
    register = StatusRegister(certificates, StatusPolicy(), clock=lambda: NOW)
    for one in lists:
        register.take_list(one)
    for answer in answers:
        register.take_answer(answer)
    domain = TrustDomain.of("thử", [ROOT.certificate], [AUTHORITY.certificate], register)
    return AnchoredTrust.within(domain, ExpectedSigner())


def entry(holder: Holder = LEAF, at: datetime = NOW, **details: Any) -> dict[str, Any]:
    signer = f"sha256:{sha256(der(holder.certificate)).hexdigest()}"
    return {"at": at.isoformat(), "details": {"signer": signer, **details}}


async def rows(world: World) -> int:
    count: int = await world.storage.read(
        lambda connection: connection.execute(select(func.count()).select_from(MATERIALS)).scalar_one()
    )
    return count


async def test_path_and_words_are_kept_once_and_shown(world: World, collected: Collected, tmp_path: Path) -> None:
    lists = AUTHORITY.crl(), ROOT.crl()
    trust = trusting(*lists, answers=(answer := AUTHORITY.answer(LEAF, nonce=b"n" * 16),))
    for _ in range(3):
        trust.accept(der(LEAF.certificate), NOW)
    trust.forget()
    trust.accept(der(LEAF.certificate), NOW)
    # Three certificates, two lists, an answer.
    assert await keep(world.storage, collected) == await rows(world) == 6
    trust.forget()
    trust.accept(der(LEAF.certificate), NOW)
    assert await keep(world.storage, collected) == 0
    shown = await world.storage.read(lambda connection: about(connection, entry()))
    assert shown.absent == {}
    path = x509.load_pem_x509_certificates(shown.members.pop("certificates.pem"))
    assert path == [LEAF.certificate, AUTHORITY.certificate, ROOT.certificate]
    assert shown.members == {
        "revocation/01-ocsp.der": answer,
        "revocation/02-crl.der": der(lists[0]),
        "revocation/03-crl.der": der(lists[1]),
    }
    files = {"chain.pem": path[1:], "root.pem": path[2:], "leaf.pem": path[:1]}
    for name, certificates in files.items():
        (tmp_path / name).write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    crls = [x509.load_der_x509_crl(shown.members[f"revocation/0{number}-crl.der"]) for number in (2, 3)]
    (tmp_path / "lists.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in crls))
    command = [shutil.which("openssl") or "openssl", "verify", "-attime", str(int(NOW.timestamp()))]
    command += ["-CAfile", "root.pem", "-untrusted", "chain.pem", "-CRLfile", "lists.pem", "-crl_check_all", "leaf.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


async def test_each_time_has_the_words_of_its_time(world: World, collected: Collected) -> None:
    early, late = AUTHORITY.crl(until=NOW + HOUR), AUTHORITY.crl(since=NOW + HOUR, until=NOW + DAY)
    roots = ROOT.crl()
    trusting(early, roots).accept(der(LEAF.certificate), NOW)
    trusting(late, roots).accept(der(LEAF.certificate), NOW + 2 * HOUR)
    await keep(world.storage, collected)

    async def at(moment: datetime, holder: Holder = LEAF) -> tuple[set[bytes], dict[str, str]]:
        shown = await world.storage.read(lambda connection: about(connection, entry(holder, moment)))
        return {content for name, content in shown.members.items() if name.startswith("revocation/")}, shown.absent

    assert await at(NOW) == ({der(early), der(roots)}, {})
    assert await at(NOW + 2 * HOUR) == ({der(late), der(roots)}, {})
    assert await at(NOW + 3 * DAY) == (
        set(),
        {"revocation/list.der": "no list and no answer was kept that was current then"},
    )
    # Nobody gave a verdict on that one.
    _, absent = await at(NOW, OTHER)
    assert set(absent) == {"certificates.pem", "revocation/list.der"}


async def test_answers_are_of_one_certificate(world: World, collected: Collected) -> None:
    answers = tuple(AUTHORITY.answer(holder) for holder in (LEAF, OTHER))
    trust = trusting(ROOT.crl(), answers=answers)
    for holder in (LEAF, OTHER):
        trust.accept(der(holder.certificate), NOW)
    await keep(world.storage, collected)
    for holder, answer in zip((LEAF, OTHER), answers, strict=True):
        shown = await world.storage.read(lambda connection, holder=holder: about(connection, entry(holder)))  # type: ignore[misc]
        assert shown.members["revocation/01-ocsp.der"] == answer


async def test_nothing_is_kept_of_who_was_not_believed(world: World, collected: Collected) -> None:
    trust = trusting(AUTHORITY.crl(LEAF), ROOT.crl())
    with pytest.raises(Rejected):
        trust.accept(der(LEAF.certificate), NOW)
    await keep(world.storage, collected)
    kinds = await world.storage.read(lambda connection: connection.execute(select(MATERIALS.c.kind)).scalars().all())
    assert "certificate" not in kinds


async def test_a_pinned_signer_and_a_signed_question_are_shown_too(world: World, collected: Collected) -> None:
    lists = RevocationLists([AUTHORITY.crl()], [AUTHORITY.certificate])
    PinnedTrust([LEAF.certificate], lists).accept(der(LEAF.certificate), NOW)
    PinnedTrust([OTHER.certificate]).accept(der(OTHER.certificate), NOW)
    await keep(world.storage, collected)
    asked = entry()["details"]["signer"]
    shown = await world.storage.read(lambda connection: about(connection, entry(OTHER, caller_signer=asked)))
    path = x509.load_pem_x509_certificates(shown.members["certificates.pem"])
    assert path == [OTHER.certificate, LEAF.certificate]
    assert "revocation/01-crl.der" in shown.members
    plain = await world.storage.read(lambda connection: about(connection, {"at": NOW.isoformat()}))
    assert (plain.members, set(plain.absent)) == ({}, {"certificates.pem"})


async def test_what_could_not_be_written_waits(
    world: World, collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected.path([LEAF.certificate])

    async def refused(_work: Any) -> Any:
        raise StorageUnavailable("down")

    with monkeypatch.context() as patched:
        patched.setattr(world.storage, "write", refused)
        with pytest.raises(StorageUnavailable):
            await keep(world.storage, collected)
    assert await keep(world.storage, collected) == 1


async def test_what_came_last_is_kept_at_the_end(world: World, collected: Collected) -> None:
    task = asyncio.create_task(keeping(world.storage, collected))
    await asyncio.sleep(0)
    collected.path([LEAF.certificate])
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await rows(world) == 1


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.trust_materials._MOST_WAITING", 2)
    collected = Collected()
    for holder in (LEAF, OTHER, AUTHORITY, ROOT):
        collected.path([holder.certificate])
    assert len(collected.take()) == 2
    # What there was no room for is brought by the next verdict.
    collected.path([LEAF.certificate, AUTHORITY.certificate])
    assert [one.name for one in collected.take()] == [AUTHORITY.certificate.subject]
