"""What a security server may answer wrongly, or refuse: told apart by whose fault it is and what may be repeated."""

import re
from collections.abc import Callable

import pytest

from adapters.transport import Undelivered, maybe_applied
from sandbox.run import Running
from schemas.errors import (
    GatewayError,
    UpstreamRefused,
    UpstreamSignatureRejected,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from tests.test_carriage.carried import reached, rest_way, soap_way
from tests.test_carriage.conftest import truths
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.faults import old_spelling


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("reorder-headers", UpstreamUnreadable, None),
        ("drop-header", UpstreamUnreadable, None),
        ("wrong-namespace", UpstreamUnreadable, None),
        ("repeated-response-header", UpstreamUnreadable, None),
        ("change-value", UpstreamSignatureRejected, "not-answer-to-request"),
        ("change-service", UpstreamSignatureRejected, "not-answer-to-request"),
        ("wrong-request-hash", UpstreamSignatureRejected, "not-answer-to-request"),
        ("no-request-hash", None, None),
    ],
)
async def test_a_soap_answer_to_something_else_is_refused(
    running: Running, server: ConsumerServer, kind: str, error: type[GatewayError] | None, reason: str | None
) -> None:
    (truth, *_) = truths(running, "population", "match")
    async with reached("population", soap_way(running, server)) as ask:
        server.misbehave(kind, times=1)
        if error is None:
            assert (await ask("population", "match", truth.request)).data == truth.answer
        else:
            with pytest.raises(error) as caught:
                await ask("population", "match", truth.request)
            assert caught.value.reason == reason
            assert not caught.value.retryable
        assert (await ask("population", "match", truth.request)).data == truth.answer


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("drop-header", None, None),
        ("no-request-hash", None, None),
        ("repeated-response-header", UpstreamUnreadable, None),
        ("change-value", UpstreamSignatureRejected, "not-answer-to-request"),
        ("change-service", UpstreamSignatureRejected, "not-answer-to-request"),
    ],
)
async def test_a_rest_answer_to_something_else_is_refused(
    running: Running, server: ConsumerServer, kind: str, error: type[GatewayError] | None, reason: str | None
) -> None:
    (truth, *_) = truths(running, "enterprise")
    async with reached("enterprise", rest_way(running, server, "enterprise")) as ask:
        await ask("enterprise", truth.operation, truth.request)
        server.misbehave(kind, times=1)
        if error is None:
            assert (await ask("enterprise", truth.operation, truth.request)).data == truth.answer
        else:
            with pytest.raises(error) as caught:
                await ask("enterprise", truth.operation, truth.request)
            assert caught.value.reason == reason
        assert (await ask("enterprise", truth.operation, truth.request)).data == truth.answer


@pytest.mark.parametrize("spell", [str, old_spelling], ids=["since-7.8", "before"])
@pytest.mark.parametrize(
    ("code", "error", "applied"),
    [
        ("server.serverproxy.access_denied", UpstreamRefused, True),
        ("server.clientproxy.global_conf_outdated", Undelivered, False),
        ("server.serverproxy.service_failed.io_error", UpstreamUnavailable, True),
        ("server.serverproxy.service_failed.missing_body", UpstreamUnreadable, True),
        ("client.invalid_soap", UpstreamRefused, True),
    ],
)
async def test_an_error_of_x_road_is_told_from_one_of_the_source(
    running: Running,
    server: ConsumerServer,
    code: str,
    error: type[GatewayError],
    applied: bool,
    spell: Callable[[str], str],
) -> None:
    soap, rest, xml = (truths(running, name)[0] for name in ("population", "enterprise", "land"))
    async with (
        reached("population", soap_way(running, server)) as ask_soap,
        reached("enterprise", rest_way(running, server, "enterprise")) as ask_rest,
        reached("land", rest_way(running, server, "land")) as ask_xml,
    ):
        await ask_rest("enterprise", rest.operation, rest.request)
        await ask_xml("land", xml.operation, xml.request)
        server.misbehave("fault", spell(code))
        for asking in (
            ask_soap("population", soap.operation, soap.request),
            ask_rest("enterprise", rest.operation, rest.request),
            # What it accepts makes X-Road write its error as XML.
            ask_xml("land", xml.operation, xml.request),
        ):
            with pytest.raises(error, match=re.escape(code)) as caught:
                await asking
            assert type(caught.value) is error
            assert maybe_applied(caught.value) == applied


async def test_an_error_without_the_header_of_x_road_is_the_source_s(running: Running, server: ConsumerServer) -> None:
    (truth, *_) = truths(running, "enterprise")
    async with reached("enterprise", rest_way(running, server, "enterprise")) as ask:
        await ask("enterprise", truth.operation, truth.request)
        server.misbehave("error-without-x-road-error", times=1)
        with pytest.raises(UpstreamUnavailable, match="enterprise answered HTTP 500"):
            await ask("enterprise", truth.operation, truth.request)


async def test_an_error_inside_a_good_envelope_is_the_source_s(running: Running, server: ConsumerServer) -> None:
    (truth, *_) = truths(running, "population", "match")
    async with reached("population", soap_way(running, server)) as ask:
        server.misbehave("nontechnical-fault")
        # The source signs: what somebody put into its Body on the way is not heard.
        with pytest.raises(UpstreamSignatureRejected) as caught:
            await ask("population", "match", truth.request)
        assert caught.value.reason == "altered"
