"""Reloads while certificates are being asked about: nobody honest is refused for them, and nothing old stays behind."""

import asyncio
import gc
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.revocation import RevocationKeeper
from adapters.revocation_files import Kept
from security.signature import Rejected
from security.trust_status import StatusRegister, Unsettled
from tests.test_revocation.conftest import Deployment, Place, Worker, fresh, lists
from tests.test_revocation.issuing import REVOKED, der

POLICIES = pytest.mark.parametrize("policy", ["refuse", "accept"])


class Exchanges:
    """What exchanges do, each by the newest trust: judge, ask if that may help, judge again."""

    def __init__(self, deployment: Deployment, worker: Worker) -> None:
        self.deployment = deployment
        self.newest = worker

    async def reload(self) -> None:
        domains, trust, register = self.deployment.load()
        keeper = self.newest.keeper
        await keeper.prepare(domains)
        keeper.take(domains)
        self.newest = Worker(keeper, domains, trust, register)

    async def settled(self, holder: Any, within: float = 20.0) -> Any:
        try:
            return self.newest.accept(holder)
        except Unsettled as unknown:
            await self.newest.keeper.settle(unknown, asyncio.get_running_loop().time() + within)
            return self.newest.accept(holder)

    def begin(self, holder: Any, within: float = 20.0) -> asyncio.Task[Any]:
        return asyncio.create_task(self.settled(holder, within))


@POLICIES
async def test_an_answer_to_the_old_register_counts_after_a_reload(place: Place, root, tmp_path, policy) -> None:
    place.wait = asyncio.Event()
    place.answer = fresh()
    leaf = place.issue(root)
    deployment = Deployment(tmp_path, root, when_silent=policy)
    async with deployment.worker() as worker:
        exchanges = Exchanges(deployment, worker)
        early = exchanges.begin(leaf)
        await place.waiting.wait()
        await exchanges.reload()
        # This one meets the new register while the answer to the old one is still under way.
        late = exchanges.begin(leaf)
        place.wait.set()
        for signer in await asyncio.gather(early, late):
            assert signer.assurance == ("public", "good")
    assert place.asked == ["ocsp"]


async def test_many_reloads_during_one_question_change_nothing(place: Place, root, tmp_path) -> None:
    place.wait = asyncio.Event()
    place.answer = fresh()
    leaf = place.issue(root)
    deployment = Deployment(tmp_path, root)
    async with deployment.worker() as worker:
        exchanges = Exchanges(deployment, worker)
        asking = [exchanges.begin(leaf)]
        await place.waiting.wait()
        for _ in range(5):
            await exchanges.reload()
            asking.append(exchanges.begin(leaf))
        place.wait.set()
        with capture_logs() as logs:
            assert {signer.assurance for signer in await asyncio.gather(*asking)} == {("public", "good")}
        # Nobody was silent: registers of before say nothing any more.
        assert logs == []
    assert place.asked == ["ocsp"]


@POLICIES
async def test_silence_during_a_reload_is_what_the_policy_says(place: Place, root, tmp_path, policy) -> None:
    place.wait = asyncio.Event()
    leaf = place.issue(root)
    deployment = Deployment(tmp_path, root, when_silent=policy)
    async with deployment.worker() as worker:
        exchanges = Exchanges(deployment, worker)
        asking = exchanges.begin(leaf)
        await place.waiting.wait()
        await exchanges.reload()
        place.wait.set()
        if policy == "accept":
            assert (await asking).assurance == ("public", "indeterminate")
        else:
            with pytest.raises(Rejected, match="nobody says") as refused:
                await asking
            assert not isinstance(refused.value, Unsettled)
    assert place.asked == ["ocsp", "crl"]


async def test_an_answer_between_the_halves_of_a_reload_counts(place: Place, root, tmp_path) -> None:
    place.answer = fresh()
    leaf = place.issue(root)
    deployment = Deployment(tmp_path, root)
    async with deployment.worker() as worker:
        domains, trust, register = deployment.load()
        await worker.keeper.prepare(domains)
        assert await Exchanges(deployment, worker).settled(leaf)
        worker.keeper.take(domains)
        renewed = Worker(worker.keeper, domains, trust, register)
        assert (await Exchanges(deployment, renewed).settled(leaf)).assurance == ("public", "good")
    assert place.asked == ["ocsp"]


async def test_a_reload_while_files_are_being_read_misses_none(place: Place, root, tmp_path) -> None:
    place.answer = fresh(REVOKED)
    leaf = place.issue(root)
    deployment = Deployment(tmp_path, root)
    async with deployment.worker() as one, deployment.worker() as other:
        domains, trust, _ = deployment.load()
        await one.keeper.prepare(domains)
        with pytest.raises(Rejected):
            await Exchanges(deployment, other).settled(leaf)
        loop, changed = asyncio.get_running_loop(), one.keeper._files.changed

        async def taken() -> None:
            one.keeper.take(domains)

        def read_and_reloaded() -> list[Kept]:
            asyncio.run_coroutine_threadsafe(taken(), loop).result()
            one.keeper._files.changed = changed  # type: ignore[method-assign]
            return changed()

        one.keeper._files.changed = read_and_reloaded  # type: ignore[method-assign]
        await one.keeper._read()
        with pytest.raises(Rejected) as refused:
            trust.accept(der(leaf.certificate), datetime.now(UTC))
        assert refused.value.reason == "revoked"


async def test_a_new_address_is_asked_where_the_old_one_was_silent(place: Place, root, tmp_path) -> None:
    place.wait = asyncio.Event()
    place.listed = lists(root)
    leaf = place.issue(root, crl_urls=[])
    deployment = Deployment(tmp_path, root)
    async with deployment.worker() as worker:
        exchanges = Exchanges(deployment, worker)
        asking = exchanges.begin(leaf)
        await place.waiting.wait()
        deployment.section = deployment.section.model_copy(update={"crl_urls": (place.crl_url,)})
        await exchanges.reload()
        place.wait.set()
        assert (await asking).assurance == ("public", "good")
    assert place.asked == ["ocsp", "crl"]


async def test_reloads_do_not_prolong_the_waiting(place: Place, root, tmp_path) -> None:
    place.wait = asyncio.Event()
    leaf = place.issue(root)
    deployment = Deployment(tmp_path, root)
    async with deployment.worker() as worker:
        exchanges = Exchanges(deployment, worker)
        asking = exchanges.begin(leaf, within=0.3)
        await place.waiting.wait()
        while not asking.done():
            await exchanges.reload()
        with pytest.raises(Unsettled):
            await asking
    assert place.asked == ["ocsp"]


async def test_registers_of_before_are_garbage(place: Place, root, tmp_path) -> None:
    place.answer = fresh()
    known, silent = place.issue(root), place.issue(root, ocsp_url="http://127.0.0.1:9/", crl_urls=[])
    deployment = Deployment(tmp_path, root, when_silent="accept")
    old: list[weakref.ref[StatusRegister]] = []
    async with deployment.worker() as worker:
        exchanges = Exchanges(deployment, worker)
        del worker
        following = asyncio.create_task(exchanges.newest.keeper.follow())
        for _ in range(20):
            for holder in (known, silent):
                await exchanges.settled(holder)
            old.append(weakref.ref(exchanges.newest.register))
            await exchanges.reload()
        following.cancel()
        await asyncio.wait([following])
        gc.collect()
        # The fixture of the worker holds the first one.
        assert [register() for register in old[1:]] == [None] * 19
        assert left_of(exchanges.newest.keeper) == (0, 2)


def left_of(keeper: RevocationKeeper) -> tuple[int, int]:
    return len(keeper._learning), len(keeper.domains.registers()["public"].asked_about())
