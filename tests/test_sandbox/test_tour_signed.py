"""The tour's signed requests: a gateway that cannot tell yet what was used is waited for, not called broken."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from adapters.transport import Message
from sandbox import tour_signed
from sandbox.guide import Guide, Told
from sandbox.tour_signed import signed_tour

REFUSED = {"code": "evidence-unavailable", "reason": "replay-memory"}


class Gateway(Guide):
    """Stands in for the gateway: remembers bodies, and only after `whole_from` on a clock that waiting moves."""

    def answer_from(self, whole_from: float, *, ever: bool = True) -> None:
        self.now, self.whole_from, self.ever, self.signed_ones, self.used = 0.0, whole_from, ever, 0, set[bytes]()

    async def signed(self, name: str, client: str) -> Message:
        self.signed_ones += 1
        return Message("POST", f"/v1/{name}", {"Signature": str(self.now)}, b'{"number": %d}' % self.signed_ones)

    async def send(self, message: Message, way: Any = None) -> Told:
        if b"{ " in message.body:
            return Told(403, {}, {"code": "signature-rejected", "reason": "altered"})
        # The signature says a whole second, so a moment after `whole_from` may still be before it.
        if not self.ever or int(float(message.headers["Signature"])) < self.whole_from:
            return Told(503, {"Retry-After": str(max(1, int(self.whole_from - self.now)))}, REFUSED)
        if message.body in self.used:
            return Told(403, {}, {"code": "signature-rejected", "reason": "replayed"})
        self.used.add(message.body)
        return Told(200, {}, {})


@pytest.fixture
async def gateway(monkeypatch):
    async with AsyncExitStack() as stack:
        made = Gateway({}, stack)

        async def sleep(seconds: float) -> None:
            made.now += seconds

        monkeypatch.setattr(tour_signed, "sleep", sleep)
        yield made


async def test_a_gateway_that_remembers_is_not_waited_for(gateway, capsys):
    gateway.answer_from(0)
    await signed_tour(gateway)
    said = capsys.readouterr().out.splitlines()
    assert (gateway.failures, gateway.now, len(said)) == (0, 0, 1)
    assert said[0].startswith("ok   signed request ")


async def test_one_that_does_not_know_yet_is_waited_for_and_the_tour_says_so(gateway, capsys):
    gateway.answer_from(59.7)
    await signed_tour(gateway)
    waits, signed = capsys.readouterr().out.splitlines()
    assert gateway.failures == 0
    assert waits.startswith("wait signed requests ")
    assert f" {gateway.now:.0f} s: " in waits
    assert signed.startswith("ok   signed request ")


async def test_one_that_never_knows_is_found_broken_after_one_wait(gateway, capsys):
    gateway.answer_from(30, ever=False)
    await signed_tour(gateway)
    waits, signed = capsys.readouterr().out.splitlines()
    assert gateway.failures == 1
    assert waits.startswith("wait ")
    assert signed.startswith("FAIL signed request ")
    assert "replay-memory" in signed
