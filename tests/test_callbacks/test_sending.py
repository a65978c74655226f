"""What is told arrives at least once, whatever the receiver does, signed so that another implementation believes it."""

import asyncio
import base64
import re
import time
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError

from sync.callback_tables import CALLBACK_RECEIVERS, CALLBACKS
from sync.callbacks import Callback, Sent, Told, claim, end, expire, switch
from tests.test_callbacks.receiver import FORMER, SECRET, Receiver
from tests.test_callbacks.world import CODE, Office, a_webhook, filed


async def test_it_is_signed_as_the_standard_says(office: Office, receiver: Receiver) -> None:
    hook = a_webhook(f"{receiver.url}?from=lgsp")
    await office.configure(province=hook)
    await office.tell(filed())
    office.start(province=hook)
    await office.states("delivered")
    (call,) = receiver.calls
    assert call.path == "/lgsp?from=lgsp"
    assert call.headers["content-type"] == "application/json"
    assert re.fullmatch(r"msg_[0-9a-f]{32}", call.id)
    told = call.verified()
    assert told.keys() == {"type", "timestamp", "data"}
    assert (told["type"], told["data"]) == ("dossier.filed", {"code": CODE})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told["timestamp"])
    with pytest.raises(WebhookVerificationError):
        call.verified(FORMER)


async def test_both_secrets_sign_while_they_are_rotated(local: Office, receiver: Receiver) -> None:
    hook = a_webhook(receiver.url, secrets=[SECRET, FORMER])
    await local.configure(province=hook)
    await local.tell(filed())
    local.start(province=hook)
    await receiver.called(1)
    (call,) = receiver.calls
    assert len(call.headers["webhook-signature"].split(" ")) == 2
    assert call.verified(SECRET) == call.verified(FORMER)


async def test_agencies_are_told_of_their_units_and_of_what_they_asked_for(office: Office) -> None:
    hook = a_webhook("http://127.0.0.1:9/")
    only = a_webhook("http://127.0.0.1:9/", events=["dossier.dead"])
    await office.configure(province=hook, ward=hook, neighbour=hook, old=only, nobody=hook)
    dead = Told("dossier.dead", "000.00.18.H26", {"code": CODE})
    await office.tell(filed("H26"), filed("H26.18", "000.00.00.H26-261130-0002"), filed("H2"), dead)
    assert sorted((row["client_id"], row["type"]) for row in await office.rows()) == [
        ("old", "dossier.dead"),
        ("province", "dossier.dead"),
        ("province", "dossier.filed"),
        ("province", "dossier.filed"),
        ("ward", "dossier.dead"),
        ("ward", "dossier.filed"),
    ]


async def test_who_is_configured_no_more_is_told_nothing_more(local: Office) -> None:
    await local.configure(province=a_webhook("http://127.0.0.1:9/"))
    await local.configure()
    await local.tell(filed())
    assert await local.rows() == []


@pytest.mark.parametrize("status", [500, 404, 302, 429])
async def test_what_is_not_taken_comes_again_under_the_same_id(local: Office, receiver: Receiver, status: int) -> None:
    receiver.answers(status, Location="/elsewhere")
    hook = a_webhook(receiver.url)
    await local.configure(province=hook)
    await local.tell(filed())
    local.start(province=hook)
    await local.states("delivered")
    first, second = receiver.calls
    # A redirect is an answer like any other: nobody follows it.
    assert (first.path, second.path) == ("/lgsp", "/lgsp")
    assert (first.id, first.body) == (second.id, second.body)
    assert first.verified() == second.verified()
    (row,) = await local.rows()
    assert (row["attempts"], row["outcome"]) == (2, "204")
    assert (await local.receiver())["failures"] == 0


async def test_a_receiver_that_is_slow_or_endless_has_not_taken_it(local: Office, receiver: Receiver) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async def endless(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 1_000_000)

    receiver.reactions += [slow, endless]
    # The third is answered within it, however busy the machine is.
    hook = a_webhook(receiver.url, timeout=3.0)
    await local.configure(province=hook)
    await local.tell(filed())
    local.start(province=hook)
    await local.states("delivered")
    assert len(set(receiver.ids())) == 1
    (row,) = await local.rows()
    assert row["attempts"] == 3


async def test_one_that_is_down_delays_no_other_and_is_left_alone(office: Office, receiver: Receiver) -> None:
    down = a_webhook("http://127.0.0.1:9/", pause=600.0, longest_pause=3600.0)
    hook = a_webhook(receiver.url)
    await office.configure(old=down, province=hook)
    await office.tell(*(filed(code=f"000.00.00.H26-261130-{number:04}") for number in range(1, 6)))
    office.start(old=down, province=hook)
    await receiver.called(5)

    async def tried() -> bool:
        return bool((await office.receiver("old"))["failures"])

    await office.until(tried)
    begun = time.time_ns() // 1_000_000
    await office.states(*["delivered"] * 5, *["waiting"] * 5)
    at = await office.receiver("old")
    assert at["due_at"] > begun + 200_000
    assert sum(row["attempts"] for row in await office.rows() if row["client_id"] == "old") <= 4


async def test_after_a_failure_one_shows_whether_the_others_may_follow(office: Office) -> None:
    await office.configure(province=a_webhook("http://127.0.0.1:9/"))
    await office.tell(*(filed(code=f"000.00.00.H26-261130-{number:04}") for number in range(3)))
    now = time.time_ns() // 1_000_000

    async def taken() -> list[Callback]:
        found, _ = await office.storage.write(lambda connection: claim(connection, "province", "me", now, now + 1, 10))
        return found

    assert len(await taken()) == 3
    failed = [Sent(each, "500", ok=False, due_at=now) for each in await taken()]
    await office.storage.write(lambda connection: end(connection, "province", "me", failed, now, now))
    (probe,) = await taken()
    passed = [Sent(probe, "204", ok=True)]
    await office.storage.write(lambda connection: end(connection, "province", "me", passed, now, now))
    assert len(await taken()) == 2


async def test_a_pause_that_is_asked_for_is_kept(local: Office, receiver: Receiver) -> None:
    receiver.answers(503, Retry_After="3000")
    hook = a_webhook(receiver.url)
    await local.configure(province=hook)
    await local.tell(filed())
    begun = time.time_ns() // 1_000_000
    local.start(province=hook)

    async def failed() -> bool:
        return bool((await local.receiver())["failures"])

    await local.until(failed)
    (row,) = await local.rows()
    assert row["due_at"] >= begun + 2_900_000
    assert (await local.receiver())["due_at"] >= begun + 2_900_000


async def test_one_that_is_gone_is_called_no_more_until_somebody_enables_it(office: Office, receiver: Receiver) -> None:
    receiver.answers(410)
    hook = a_webhook(receiver.url, parallel=1)
    await office.configure(province=hook)
    await office.tell(filed(), filed(code="000.00.00.H26-261130-0002"))
    office.start(province=hook)

    async def disabled() -> bool:
        return (await office.receiver())["disabled_why"] == "gone"

    await office.until(disabled)
    await office.tell(filed(code="000.00.00.H26-261130-0003"))
    assert len(receiver.calls) == 1
    now = time.time_ns() // 1_000_000
    assert await office.storage.write(lambda connection: switch(connection, "province", now, on=True))
    await office.states("delivered", "delivered", "delivered")
    assert len(set(receiver.ids())) == 3


async def test_after_its_days_it_is_given_up(local: Office, receiver: Receiver) -> None:
    receiver.answers(500)
    hook = a_webhook(receiver.url, days=1.0)
    await local.configure(province=hook)
    await local.tell(filed(), filed(code="000.00.00.H26-261130-0002"))
    now = time.time_ns() // 1_000_000
    await local.change(CALLBACKS, created_at=now - 86_400_001)
    local.start(province=a_webhook(receiver.url, days=1.0, parallel=1))
    await local.states("delivered", "expired")
    await local.stop()
    await local.tell(filed(code="000.00.00.H26-261130-0003"))
    assert await local.storage.write(lambda connection: expire(connection, "province", now + 60_000)) == 1
    await local.states("delivered", "expired", "expired")


async def test_what_was_written_before_a_crash_is_sent_after_it(office: Office, receiver: Receiver) -> None:
    hook = a_webhook(receiver.url)
    await office.configure(province=hook)
    await office.tell(filed())
    # Whoever wrote it never lived to send it.
    office.start(province=hook)
    await office.states("delivered")
    assert len(receiver.calls) == 1


async def test_a_crash_after_the_sending_sends_it_again_under_the_same_id(office: Office, receiver: Receiver) -> None:
    taken = asyncio.Event()

    async def react(request: web.Request) -> web.StreamResponse:
        taken.set()
        await asyncio.Event().wait()
        raise AssertionError

    receiver.reactions.append(react)
    hook = a_webhook(receiver.url)
    await office.configure(province=hook)
    await office.tell(filed())
    office.start(province=hook)
    await taken.wait()
    await office.kill()
    held = await office.receiver()
    assert held["lease_owner"] is not None
    # As long as it may still be at work, nobody else sends.
    office.start(province=hook)
    second = asyncio.create_task(receiver.called(2))
    done, _ = await asyncio.wait([second], timeout=0.3)
    assert not done
    await office.change(CALLBACK_RECEIVERS, lease_until=0)
    await second
    await office.states("delivered")
    assert len(set(receiver.ids())) == 1


async def test_several_senders_share_a_receiver(office: Office, receiver: Receiver) -> None:
    hook = a_webhook(receiver.url)
    await office.configure(province=hook)
    await office.tell(*(filed(code=f"000.00.00.H26-261130-{number:04}") for number in range(40)))
    for _ in range(3):
        office.start(province=hook)
    await office.states(*["delivered"] * 40)
    # Nobody died: each was sent once.
    assert len(receiver.ids()) == len(set(receiver.ids())) == 40


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"url": "http://example.vn/x"}, id="plain-http"),
        pytest.param({"url": "https://example.vn/x#y"}, id="fragment"),
        pytest.param({"url": "ftp://127.0.0.1/"}, id="other-scheme"),
        pytest.param({"secrets": []}, id="no-secret"),
        pytest.param({"secrets": ["whsec_" + "A" * 16]}, id="short-secret"),
        pytest.param({"secrets": ["whsec_" + base64.b64encode(b"x" * 65).decode()]}, id="long-secret"),
        pytest.param({"secrets": [SECRET.removeprefix("whsec_")]}, id="no-prefix"),
        pytest.param({"secrets": ["whsec_!!!!"]}, id="no-base64"),
        pytest.param({"secrets": [SECRET, FORMER, SECRET]}, id="three-secrets"),
        pytest.param({"events": ["dossier.eaten"]}, id="unknown-event"),
    ],
)
def test_what_cannot_be_called_back_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Webhook") as caught:
        a_webhook(**{"url": "https://example.vn/lgsp", **wrong})
    assert SECRET not in str(caught.value)


def test_this_machine_may_be_called_back_without_tls() -> None:
    for url in ("http://[::1]:8080/x", "http://localhost/x", "http://127.0.0.2:1/"):
        assert a_webhook(url).url == url
