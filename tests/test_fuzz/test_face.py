"""The SOAP face under mutated envelopes: a part of what `make fuzz-soap` sends, and that wrong answers are seen."""

import asyncio
import random

import pytest

from fuzz.face import Wrong, changed, fuzzed, judged, seeds
from tests.test_gateway.live import Live


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    demo = Live(tmp_path_factory.mktemp("face") / "state", seed=11, people=200)
    yield demo
    demo.stop()


def test_every_mutated_request_ends_in_an_answer_or_a_fault_that_somebody_foresaw(live):
    ended, found = asyncio.run(fuzzed(live.described, requests=1_600, seed=5))
    assert found == []
    assert {"answered", "malformed", "signature-rejected", "invalid"} <= ended.keys()


def test_what_is_mutated_is_genuine(live):
    made = [make(random.Random(1)) for make in seeds(live.described)]
    assert len({request.service for request in made}) == 6
    assert all(changed(request, random.Random(0)).service == request.service for request in made)


FAULT = (
    b"HTTP/1.1 %d X\r\n\r\n<e:Envelope xmlns:e='urn:e' xmlns:g='urn:g'><e:Body><e:Fault><g:code>%b</g:code></e:Fault>"
    b"</e:Body></e:Envelope>"
)


def test_a_fault_is_named_by_its_code():
    assert judged(FAULT % (500, b"malformed")) == "malformed"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\nno XML",
        b"HTTP/1.1 200 OK\r\n\r\n<a/>",
        FAULT % (500, b"internal"),
        FAULT % (200, b"malformed"),
        b"HTTP/1.1 500 X\r\n\r\n<e:Envelope xmlns:e='urn:e'/>",
    ],
    ids=["nothing", "no-xml", "no-envelope", "internal", "fault-with-200", "500-without-fault"],
)
def test_wrong_answers_are_seen(answer):
    with pytest.raises(Wrong):
        judged(answer)
