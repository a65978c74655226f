"""Finding out whether certificates were revoked: at first sight, ahead of the end, for all workers, over real HTTP."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from adapters.revocation_files import name_of
from config.metrics import metrics
from security.signature import Rejected
from security.trust_status import Source, Subject, Unsettled
from tests.test_revocation.conftest import Deployment, Place, Worker, fresh, lists, now, refused, settled
from tests.test_revocation.issuing import DAY, HOUR, REVOKED, UNKNOWN, Holder, der


def age(deployment: Deployment, seconds: float) -> None:
    """Let everything that was fetched be fetched so long ago."""
    for path in deployment.directory.glob("*.*"):
        os.utime(path, (time.time() - seconds,) * 2)


@asynccontextmanager
async def following(worker: Worker):
    task = asyncio.create_task(worker.keeper.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_certificate_never_seen_before_is_asked_about_once(place: Place, root, tmp_path) -> None:
    place.answer = fresh()
    leaf = place.issue(root)
    async with Deployment(tmp_path, root).worker() as worker:
        place.wait = asyncio.Event()
        asking = [asyncio.create_task(settled(worker, leaf)) for _ in range(20)]
        await place.waiting.wait()
        assert len(worker.keeper._learning) == 1
        place.wait.set()
        found = await asyncio.gather(*asking)
        assert {signer.assurance for signer in found} == {("public", "good")}
        assert await settled(worker, leaf) is await settled(worker, leaf)
        assert place.asked == ["ocsp"]


async def test_a_revoked_one_is_refused_and_an_unknown_one_too(place: Place, root, tmp_path) -> None:
    async with Deployment(tmp_path, root, when_silent="accept").worker() as worker:
        place.answer = fresh(REVOKED)
        assert (await refused(worker, place.issue(root))).reason == "revoked"
        place.answer = fresh(UNKNOWN)
        unknown = await refused(worker, place.issue(root))
        assert (unknown.reason, "does not know" in unknown.detail) == ("untrusted", True)


async def test_lists_are_asked_for_where_the_responder_is_silent(place: Place, root, tmp_path) -> None:
    good, bad = place.issue(root), place.issue(root)
    place.listed = lists(root, bad)
    async with Deployment(tmp_path, root).worker() as worker:
        assert (await settled(worker, good)).assurance.revocation == "good"
        assert (await refused(worker, bad)).reason == "revoked"
        assert place.asked == ["ocsp", "crl"]


async def test_a_configured_address_is_asked_instead_of_those_in_certificates(place: Place, root, tmp_path) -> None:
    leaf = place.issue(root, ocsp_url="http://127.0.0.1:9/", crl_urls=["http://127.0.0.1:9/list"])
    place.listed = lists(root)
    configured = {"crl_urls": (place.crl_url,), "from_certificates": False}
    async with Deployment(tmp_path, root, **configured).worker() as worker:
        assert (await settled(worker, leaf)).assurance.revocation == "good"
    place.answer = fresh()
    folder = tmp_path / "ocsp"
    folder.mkdir()
    async with Deployment(folder, root, ocsp_url=place.ocsp_url).worker() as worker:
        assert (await settled(worker, leaf)).assurance.revocation == "good"
    assert place.asked == ["crl", "ocsp"]


async def test_silence_is_what_the_policy_says_and_is_waited_for_once(place: Place, root, tmp_path) -> None:
    for policy in ("refuse", "accept"):
        leaf = place.issue(root)
        folder = tmp_path / policy
        folder.mkdir()
        place.asked.clear()
        async with Deployment(folder, root, when_silent=policy).worker() as worker:
            with capture_logs() as logs:
                if policy == "accept":
                    first = await settled(worker, leaf)
                    assert first.assurance == ("public", "indeterminate")
                    assert worker.accept(leaf) is first
                else:
                    assert (await refused(worker, leaf)).reason == "untrusted"
                    with pytest.raises(Rejected) as again:
                        worker.accept(leaf)
                    assert not isinstance(again.value, Unsettled)
            assert place.asked == ["ocsp", "crl"]
            told = [(line["event"], line.get("kind")) for line in logs]
            assert told == [
                ("revocation-not-fetched", "ocsp"), ("revocation-not-fetched", "crl"), ("revocation-unknown", None)
            ]  # fmt: skip
            assert all(line["hint"] for line in logs)


async def test_an_indeterminate_signer_becomes_good_when_the_responder_is_back(place: Place, root, tmp_path) -> None:
    leaf = place.issue(root)
    async with Deployment(tmp_path, root, when_silent="accept").worker() as worker:
        assert (await settled(worker, leaf)).assurance.revocation == "indeterminate"
        place.answer = fresh()
        worker.keeper._fresh._retry_at.clear()
        with capture_logs() as logs:
            await worker.keeper._refresh()
        assert worker.accept(leaf).assurance.revocation == "good"
        assert [line["event"] for line in logs] == ["revocation-known-again"]


async def test_nobody_waits_past_the_deadline_and_the_asking_goes_on(place: Place, root, tmp_path) -> None:
    place.wait = asyncio.Event()
    place.answer = fresh()
    leaf = place.issue(root)
    async with Deployment(tmp_path, root).worker() as worker:
        change = worker.changed()
        with pytest.raises(Unsettled):
            await settled(worker, leaf, within=0.1)
        await place.waiting.wait()
        place.wait.set()
        await change.wait()
        assert worker.accept(leaf).assurance.revocation == "good"
        assert place.asked == ["ocsp"]


async def test_a_responder_that_never_answers_is_given_up(place: Place, root, tmp_path) -> None:
    place.wait = asyncio.Event()
    async with Deployment(tmp_path, root).worker(timeout=0.05) as worker:
        assert (await refused(worker, place.issue(root))).reason == "untrusted"


async def test_what_one_worker_fetched_serves_the_others_and_after_a_restart(place: Place, root, tmp_path) -> None:
    place.answer = fresh()
    deployment = Deployment(tmp_path, root)
    leaf = place.issue(root)
    async with deployment.worker() as one, deployment.worker() as other:
        assert await settled(one, leaf)
        assert await settled(other, leaf)
    async with deployment.worker() as later:
        assert later.accept(leaf).assurance == ("public", "good")
    assert place.asked == ["ocsp"]


async def test_only_one_worker_asks_at_a_time(place: Place, root, tmp_path) -> None:
    place.wait = asyncio.Event()
    place.answer = fresh()
    deployment = Deployment(tmp_path, root)
    leaf = place.issue(root)
    async with deployment.worker() as one, deployment.worker() as other:
        waiting = [asyncio.create_task(settled(worker, leaf)) for worker in (one, other)]
        await place.waiting.wait()
        place.wait.set()
        assert [signer.assurance.revocation for signer in await asyncio.gather(*waiting)] == ["good", "good"]
        assert place.asked == ["ocsp"]


async def test_a_revocation_counts_at_once_in_every_worker(place: Place, root, tmp_path) -> None:
    deployment = Deployment(tmp_path, root)
    leaf = place.issue(root, ocsp_url="")
    place.listed = lists(root, since=now() - HOUR)
    async with deployment.worker() as one, deployment.worker() as other:
        for worker in (one, other):
            assert await settled(worker, leaf)
        place.listed = lists(root, leaf)
        age(deployment, 7200)
        change = other.changed()
        async with following(other):
            await one.keeper._read()
            await one.keeper._refresh()
            with pytest.raises(Rejected) as revoked:
                one.accept(leaf)
            assert revoked.value.reason == "revoked"
            await change.wait()
        with pytest.raises(Rejected) as revoked:
            other.accept(leaf)
        assert revoked.value.reason == "revoked"
    assert place.asked == ["crl", "crl"]


async def test_what_is_current_is_fetched_again_before_its_end(place: Place, root, tmp_path) -> None:
    deployment = Deployment(tmp_path, root)
    leaf = place.issue(root)
    place.answer = fresh(since=now() - HOUR)
    async with deployment.worker(refresh=86_400.0) as worker:
        assert await settled(worker, leaf)
        place.answer = fresh(REVOKED)
        for seconds, asked in ((3500, 1), (3700, 2)):  # it is current for an hour more
            age(deployment, seconds)
            await worker.keeper._read()
            await worker.keeper._refresh()
            assert len(place.asked) == asked
        assert (await refused(worker, leaf)).reason == "revoked"


async def test_expected_signers_and_configured_lists_are_known_before_the_first_message(
    place: Place, root, tmp_path
) -> None:
    place.listed = lists(root)
    leaf = place.issue(root, ocsp_url="", crl_urls=[])
    async with Deployment(tmp_path, root, crl_urls=(place.crl_url,)).worker() as worker:
        await worker.keeper._refresh()
        assert worker.accept(leaf).assurance.revocation == "good"
    place.answer = fresh()
    folder = tmp_path / "ocsp"
    folder.mkdir()
    leaf = place.issue(root)
    async with Deployment(folder, root).worker() as worker:
        worker.register.expect(Subject(leaf.certificate, root.certificate))
        await worker.keeper._refresh()
        assert worker.accept(leaf).assurance.revocation == "good"
    assert place.asked == ["crl", "ocsp"]


async def test_a_list_that_the_operator_renews_is_read_by_itself(root, tmp_path) -> None:
    leaf = root.issue()
    path = tmp_path / "ca.crl"
    path.write_bytes(der(root.crl(since=now() - HOUR)))
    async with Deployment(tmp_path, root, crl=(path,)).worker() as worker:
        assert worker.accept(leaf).assurance.revocation == "good"
        await worker.keeper._read()
        path.write_bytes(b"half")
        with capture_logs() as logs:
            await worker.keeper._read()
            await worker.keeper._read()
        assert [line["event"] for line in logs] == ["revocation-list-unusable"]
        assert worker.accept(leaf)
        path.write_bytes(der(root.crl(leaf, since=now())))
        await worker.keeper._read()
        assert (await refused(worker, leaf)).reason == "revoked"


BIG = Holder.root("CA lớn")


@pytest.mark.parametrize(
    ("listed", "outcome"),
    [
        (lambda root: b"<html>not here</html>", "unusable"),
        (lambda root: b"", "unusable"),
        (lambda root: der(BIG.crl()), "unusable"),
        (lambda root: der(root.crl(since=now() - 2 * DAY, until=now() - DAY)), "unusable"),
        (lambda root: b"x" * 20_001, "unfetched"),
        (lambda root: web.Response(status=302, headers={"Location": "/lists/ca.crl?full=1"}), "unfetched"),
        (lambda root: web.Response(status=500), "unfetched"),
    ],
    ids=["html", "empty", "of another", "expired", "too large", "redirect", "500"],
)
async def test_what_proves_nothing_is_as_good_as_silence(place: Place, root, tmp_path, listed, outcome) -> None:
    place.listed = lambda: listed(root)
    leaf = place.issue(root, ocsp_url="")
    counted = metrics().revocation_fetches.labels("public", "crl", outcome)
    before = counted._value.get()
    async with Deployment(tmp_path, root).worker() as worker:
        assert (await refused(worker, leaf)).reason == "untrusted"
    assert place.asked == ["crl"]
    assert counted._value.get() == before + 1


async def test_an_answer_with_another_nonce_or_about_another_is_as_good_as_silence(
    place: Place, root, tmp_path
) -> None:
    other = place.issue(root, "CSDL khác")
    wrong = (
        lambda holder, issuer, nonce: fresh()(holder, issuer, b"another nonce"),
        lambda holder, issuer, nonce: fresh()(other, issuer, nonce),
        lambda holder, issuer, nonce: fresh()(holder, BIG, nonce),
        lambda holder, issuer, nonce: b"x" * 100_000,
    )
    async with Deployment(tmp_path, root).worker() as worker:
        for number, answer in enumerate(wrong):
            place.answer = answer
            assert (await refused(worker, place.issue(root, crl_urls=[]))).reason == "untrusted", number
    assert list((tmp_path / "revocation").glob("*.ocsp")) == []


async def test_addresses_of_certificates_that_are_not_believed_are_never_asked(place: Place, root, tmp_path) -> None:
    place.answer = fresh()
    async with Deployment(tmp_path, root).worker() as worker:
        for holder in (
            place.issue(Holder.root()),
            place.issue(root, "CSDL khác"),
            place.issue(root, after=now() - HOUR),
            place.issue(root.issue("CA giả")),
            place.issue(root, ca=True),
        ):
            assert not isinstance(await refused(worker, holder), Unsettled)
        await worker.keeper._refresh()
    assert place.asked == []


async def test_kept_files_that_were_tampered_with_prove_nothing(place: Place, root, tmp_path) -> None:
    place.answer = fresh(REVOKED)
    deployment = Deployment(tmp_path, root)
    leaf = place.issue(root)
    async with deployment.worker() as worker:
        assert (await refused(worker, leaf)).reason == "revoked"
    file = deployment.directory / name_of(Source("ocsp", ""), Subject(leaf.certificate, root.certificate))
    *rest, last = file.read_bytes()
    for forged in (b"", BIG.answer(leaf), root.answer(place.issue(root)), bytes([*rest, last ^ 1])):
        file.write_bytes(forged)
        async with deployment.worker() as worker:
            with pytest.raises(Unsettled):
                worker.accept(leaf)
    # What is older than anything that could count is cleared away.
    os.utime(file, (1, 1))
    async with deployment.worker():
        assert not file.exists()


async def test_a_reload_forgets_nothing(place: Place, root, tmp_path) -> None:
    place.answer = fresh()
    deployment = Deployment(tmp_path, root)
    leaf = place.issue(root)
    silent = place.issue(root, ocsp_url="http://127.0.0.1:9/", crl_urls=[])
    async with deployment.worker() as worker:
        assert await settled(worker, leaf)
        assert (await refused(worker, silent)).reason == "untrusted"
        domains, trust, register = deployment.load()
        await worker.keeper.prepare(domains)
        worker.keeper.take(domains)
        renewed = Worker(worker.keeper, domains, trust, register)
        assert renewed.accept(leaf).assurance == ("public", "good")
        with pytest.raises(Rejected) as again:
            renewed.accept(silent)
        assert not isinstance(again.value, Unsettled)
        assert [subject.certificate for subject in register.asked_about()] == [leaf.certificate, silent.certificate]
        # What an exchange that began before the reload wants to know is found out for the new domains.
        late = place.issue(root)
        with pytest.raises(Unsettled):
            await settled(worker, late)
        assert renewed.accept(late).assurance == ("public", "good")
    assert place.asked == ["ocsp", "ocsp"]


async def test_what_comes_in_during_a_reload_is_not_missed(place: Place, root, tmp_path) -> None:
    path = tmp_path / "ca.crl"
    path.write_bytes(der(root.crl(since=now() - HOUR)))
    deployment = Deployment(tmp_path, root, crl=(path,))
    fetched, listed = place.issue(root), root.issue()
    async with deployment.worker() as one, deployment.worker() as other:
        domains, trust, register = deployment.load()
        await one.keeper.prepare(domains)
        place.answer = fresh(REVOKED)
        other.register.expect(Subject(fetched.certificate, root.certificate))
        await other.keeper._refresh()
        path.write_bytes(der(root.crl(listed, since=now())))
        await one.keeper._read()
        one.keeper.take(domains)
        await one.keeper._read()
        renewed = Worker(one.keeper, domains, trust, register)
        for holder in (fetched, listed):
            assert (await refused(renewed, holder)).reason == "revoked"
    assert place.asked == ["ocsp"]


async def test_a_directory_that_cannot_be_written_is_silence_and_not_a_failure(place: Place, root, tmp_path) -> None:
    place.answer = fresh()
    deployment = Deployment(tmp_path, root)
    async with deployment.worker() as worker:
        deployment.directory.rmdir()
        deployment.directory.write_bytes(b"")
        assert (await refused(worker, place.issue(root, crl_urls=[]))).reason == "untrusted"
        deployment.directory.unlink()
        deployment.directory.mkdir()
