"""A signature counts once, whoever sends it again, to whichever process."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.tables import open_storage, upgrade
from security.assertions import UsedAssertions
from security.http_signature import OnceOnly, SignedRequest
from security.signature import Rejected
from storage.engine import Storage
from tests.test_request_signatures.callers import NOW, REQUEST, Holder, signed


@pytest.fixture
async def stores(tmp_path: Any) -> Any:
    """Two processes' views of one database."""
    url = f"sqlite:///{tmp_path / 'lgsp.sqlite'}"
    await upgrade(url)
    opened = [await open_storage(url), await open_storage(url)]
    yield opened
    for one in opened:
        await one.close()


async def test_a_signature_counts_once_for_all_processes(p256: Holder, stores: list[Storage]) -> None:
    first, second = (OnceOnly(UsedAssertions(one), clock=lambda: NOW) for one in stores)
    sent = signed(REQUEST, p256)
    assert (await first.verify(sent, p256.known)).signer == p256.signer
    for again in (first, second):
        with pytest.raises(Rejected, match="replayed: "):
            await again.verify(sent, p256.known)
    # The nonce is used up, whatever is signed with it.
    nonce = sent.fields["signature-input"][0].split('nonce="')[1].split('"')[0]
    with pytest.raises(Rejected, match="replayed: "):
        await second.verify(signed(replace(REQUEST, body=b"{}"), p256, nonce=nonce), p256.known)
    assert await second.verify(signed(REQUEST, p256), p256.known)


async def test_of_many_at_once_one_is_accepted(p256: Holder, stores: list[Storage]) -> None:
    once = [OnceOnly(UsedAssertions(one), clock=lambda: NOW) for one in stores]
    sent = signed(REQUEST, p256)
    results = await asyncio.gather(*(one.verify(sent, p256.known) for one in once * 4), return_exceptions=True)
    assert sum(isinstance(result, SignedRequest) for result in results) == 1
    assert {result.reason for result in results if isinstance(result, Rejected)} == {"replayed"}


async def test_a_nonce_is_the_signers_own(holders: dict[str, Holder], stores: list[Storage]) -> None:
    once = OnceOnly(UsedAssertions(stores[0]), clock=lambda: NOW)
    for by in holders.values():
        assert await once.verify(signed(REQUEST, by, nonce="same"), by.known)


async def test_nobody_uses_up_a_nonce_by_a_forgery(p256: Holder, stores: list[Storage]) -> None:
    once = OnceOnly(UsedAssertions(stores[0]), clock=lambda: NOW)
    sent = signed(REQUEST, p256, nonce="mine")
    with pytest.raises(Rejected, match="altered: "):
        await once.verify(replace(sent, body=b"{}"), p256.known)
    assert await once.verify(sent, p256.known)


async def test_it_is_remembered_for_as_long_as_it_could_be_accepted(p256: Holder, stores: list[Storage]) -> None:
    now = NOW
    once = OnceOnly(UsedAssertions(stores[0]), clock=lambda: now)
    sent = signed(REQUEST, p256, lasting=timedelta(hours=1))
    assert await once.verify(sent, p256.known)
    for minutes in (1, 3, 5):
        now = NOW + timedelta(minutes=minutes, seconds=59)
        # Others come and go, and what has ended is forgotten.
        assert await once.verify(signed(REQUEST, p256, created=int(now.timestamp())), p256.known)
        with pytest.raises(Rejected, match="replayed: "):
            await once.verify(sent, p256.known)
    now = NOW + timedelta(minutes=6)
    with pytest.raises(Rejected, match="stale: "):
        await once.verify(sent, p256.known)
