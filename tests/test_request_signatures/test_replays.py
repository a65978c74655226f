"""A signature counts once, whoever sends it again, to whichever process; what was refused before may come again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.population import DATABASE
from schemas.errors import EvidenceUnavailable, SignatureRejected
from schemas.exchange import Answer, Caller, CallerSignature, Credential, Exchange, Handler
from security.assertions import UsedAssertions
from security.request_signatures import NotRemembered, counted_once
from storage.engine import Storage
from storage.errors import StorageUnavailable
from sync.database import open_storage, upgrade
from tests.test_request_signatures.callers import CREATED, NOW

# Nothing is forgotten sooner, in case the clock was ahead.
DAY = 86_400
SIGNED = CallerSignature("sha256:" + "0" * 64, NOW, "n-1", CREATED + 420)


def exchange(signed: CallerSignature | None) -> Exchange:
    operation = DATABASE.operations[0]
    return Exchange(
        id="e",
        database=DATABASE,
        operation=operation,
        question=operation.question.model_construct(),
        caller=Caller("ministry", "G15", Credential("secret", "s"), {}),
        purpose=None,
        asked_at=NOW,
        deadline=0.0,
        signed=signed,
    )


async def source(_: Exchange) -> Answer:
    return Answer({})


@pytest.fixture
async def stores(storage_url: str) -> AsyncIterator[list[Storage]]:
    """Two processes' views of one database."""
    await upgrade(storage_url)
    opened = [await open_storage(storage_url), await open_storage(storage_url)]
    yield opened
    for one in opened:
        await one.close()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Any:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faces(stores: list[Storage], clock: Clock) -> list[Handler]:
    return [counted_once(UsedAssertions(one), clock=clock)(source) for one in stores]


async def replayed(face: Handler, signed: CallerSignature) -> bool:
    reason = None
    try:
        await face(exchange(signed))
    except SignatureRejected as error:
        reason = error.reason
    assert reason in (None, "replayed")
    return reason is not None


async def test_a_signature_counts_once_for_all_processes(faces: list[Handler]) -> None:
    assert not await replayed(faces[0], SIGNED)
    assert await replayed(faces[0], SIGNED)
    assert await replayed(faces[1], SIGNED)
    # Whatever else is signed with the same nonce.
    assert await replayed(faces[1], replace(SIGNED, signed_at=NOW + timedelta(seconds=1)))
    assert not await replayed(faces[1], replace(SIGNED, nonce="n-2"))


async def test_a_nonce_is_the_certificates_own(faces: list[Handler]) -> None:
    assert not await replayed(faces[0], SIGNED)
    assert not await replayed(faces[0], replace(SIGNED, certificate="sha256:" + "1" * 64))


async def test_of_many_at_once_one_is_accepted(faces: list[Handler]) -> None:
    seen = await asyncio.gather(*(replayed(face, SIGNED) for face in faces * 4))
    assert sorted(seen) == [False, *[True] * 7]


async def test_it_is_remembered_until_it_may_be_forgotten(faces: list[Handler], clock: Clock) -> None:
    assert not await replayed(faces[0], SIGNED)
    for seconds in (60, 240, 420, 420 + DAY):
        clock.now = NOW + timedelta(seconds=seconds)
        # Others come and go, and what has ended is forgotten.
        assert not await replayed(faces[1], replace(SIGNED, nonce=f"at-{seconds}"))
        assert await replayed(faces[0], SIGNED)
    clock.now = NOW + timedelta(seconds=421 + DAY)
    assert not await replayed(faces[0], SIGNED)


class Lost:
    """A memory that cannot be asked: the database is gone, or Redis may have forgotten something."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def first_use(
        self, client_id: str, token_id: str, expires_at: int, now: int, signed_at: object = None
    ) -> bool:
        raise self.failure


@pytest.mark.parametrize(("failure", "wait"), [(StorageUnavailable("gone"), 1), (NotRemembered(370.5), 370.5)])
async def test_without_a_memory_nothing_signed_passes(failure: Exception, wait: float) -> None:
    face = counted_once(Lost(failure))(source)
    with pytest.raises(EvidenceUnavailable) as caught:
        await face(exchange(SIGNED))
    assert (caught.value.reason, caught.value.retry_after) == ("replay-memory", wait)
    assert (await face(exchange(None))).data == {}
