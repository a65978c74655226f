"""Through a strict security server to the sandbox: every message is right and the answers are the truth."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree
from pydantic import SecretStr

from adapters.schemes import LOGIN_PARAMS
from adapters.transport import Undelivered, maybe_applied
from config.carriage import Xroad
from config.settings import Endpoint
from sandbox.run import Running
from schemas.errors import (
    GatewayError,
    UpstreamRefused,
    UpstreamSignatureRejected,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from tests.test_carriage.carried import DOSSIER, OFFICER, endpoint, reached
from tests.test_carriage.conftest import truths
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.faults import old_spelling
from tests.test_xroad.double.rest_message import RestRequest
from tests.test_xroad.double.soap_request import SoapRequest

XROAD = {"client": "VN/GOV/H26/lgsp", "provider": "VN/GOV/G01/dancu"}


def soap_way(running: Running, server: ConsumerServer, **more: Any) -> Endpoint:
    known = endpoint(running, "population")
    params = {name: value for name, value in known.params.items() if name not in LOGIN_PARAMS}
    road = Xroad.model_validate(XROAD | more)
    return endpoint(
        running, "population", via="xroad", url=server.url, xroad=road, username="", secret=SecretStr(""), params=params
    )


def rest_way(running: Running, server: ConsumerServer, name: str, **more: Any) -> Endpoint:
    road = {"client": "VN/GOV/H26/lgsp", "provider": "VN/GOV/G12/dkdn", "service": name}
    return endpoint(running, name, via="xroad", url=server.url, xroad=Xroad.model_validate(road | more))


async def test_a_soap_source_behind_x_road_answers_the_truth_with_its_signature(
    running: Running, server: ConsumerServer
) -> None:
    asked = truths(running, "population", "match", "relation")
    assert {truth.operation for truth in asked} == {"match", "relation"}
    async with reached("population", soap_way(running, server)) as ask:
        for truth in asked:
            answer = await ask("population", truth.operation, truth.request)
            assert answer.data == truth.answer
            assert answer.provenance is not None
    assert server.violations == []
    assert len(server.calls) == len(asked)


async def test_a_soap_question_says_who_asks_for_what_and_why(running: Running, server: ConsumerServer) -> None:
    (truth, *_) = truths(running, "population", "match")
    more = {"represented_party": "GOV/H26.1", "security_server": "VN/GOV/G01/ss1", "version": "v1"}
    async with reached("population", soap_way(running, server, **more)) as ask:
        await ask("population", "match", truth.request)
        await ask("population", "match", truth.request, officer=None, dossier=None)
    assert server.violations == []
    first, second = (call.request for call in server.calls)
    assert isinstance(first, SoapRequest)
    assert isinstance(second, SoapRequest)
    assert (str(first.client), str(first.service)) == (
        "VN/GOV/H26/lgsp",
        "VN/GOV/G01/dancu/XacThucThongTinCongDan/v1",
    )
    said = {etree.QName(block).localname: "/".join(block.itertext()) for block in first.header}
    assert said["userId"] == f"VN{OFFICER}"
    assert said["issue"] == DOSSIER
    assert said["representedParty"] == "GOV/H26.1"
    assert said["securityServer"] == "VN/GOV/G01/ss1"
    assert {"userId", "issue"}.isdisjoint(etree.QName(block).localname for block in second.header)
    assert first.id != second.id
    assert server.calls[0].target == "/"


async def test_what_was_posted_stands_in_the_trail(running: Running, server: ConsumerServer) -> None:
    (truth, *_) = truths(running, "population", "match")
    async with reached("population", soap_way(running, server)) as ask:
        await ask("population", "match", truth.request)
        assert ask.exchange is not None
        assert ask.exchange.trail.messages[0] == ("sent", server.calls[0].body)


async def test_an_answer_that_is_not_called_after_its_service_never_comes_through(
    running: Running, server: ConsumerServer
) -> None:
    (truth, *_) = truths(running, "population", "person")
    async with reached("population", soap_way(running, server)) as ask:
        with pytest.raises(UpstreamUnreadable, match=r"service_failed\.inconsistent_headers"):
            await ask("population", "person", truth.request)


@pytest.mark.parametrize("name", ["land", "enterprise", "social-insurance", "health-card"])
async def test_a_rest_source_behind_x_road_answers_the_truth(
    running: Running, server: ConsumerServer, name: str
) -> None:
    owner = "social-insurance" if name == "health-card" else name
    asked = [
        truth
        for truth in truths(running, owner)
        if owner != "social-insurance" or (truth.operation == "health-card") == (name == "health-card")
    ]
    assert asked
    async with reached(name, rest_way(running, server, name)) as ask:
        for truth in asked:
            answer = await ask(owner, truth.operation, truth.request)
            assert answer.data == truth.answer
    assert server.violations == []
    # One of them was the log-in at the source.
    assert len(server.calls) == len(asked) + 1


async def test_a_rest_question_says_who_asks_for_what_and_why(running: Running, server: ConsumerServer) -> None:
    (truth, *_) = truths(running, "enterprise")
    more = {"represented_party": "H26.1", "security_server": "VN/GOV/G12/ss'1"}
    async with reached("enterprise", rest_way(running, server, "enterprise", **more)) as ask:
        await ask("enterprise", truth.operation, truth.request)
        await ask("enterprise", truth.operation, truth.request, officer=None, dossier=None)
    assert server.violations == []
    login, first, second = (call.request for call in server.calls)
    assert isinstance(login, RestRequest)
    assert isinstance(first, RestRequest)
    assert isinstance(second, RestRequest)
    assert login.path == "/token"
    assert first.path == "/apiCSDLDKDN/1.0/chiTietDoanhNghiep"
    assert first.query == second.query
    assert str(first.service) == "VN/GOV/G12/dkdn/enterprise"
    said = dict(first.headers)
    assert said["X-Road-UserId"] == f"VN{OFFICER}"
    assert said["X-Road-Issue"] == DOSSIER
    assert said["X-Road-Represented-Party"] == "H26.1"
    assert said["X-Road-Security-Server"] == "VN/GOV/G12/ss%271"
    assert {"X-Road-UserId", "X-Road-Issue"}.isdisjoint(dict(second.headers))
    assert len({login.id, first.id, second.id}) == 3


async def test_codes_are_encoded_each_by_itself(running: Running, server: ConsumerServer) -> None:
    (truth, *_) = truths(running, "enterprise")
    server.services["tra+cuu=1?"] = server.services["enterprise"]
    more = {"provider": "VN/GOV/(G12)/dk,dn'", "service": "tra+cuu=1?", "client": "VN/GOV/H26/l+g?"}
    async with reached("enterprise", rest_way(running, server, "enterprise", **more)) as ask:
        assert (await ask("enterprise", truth.operation, truth.request)).data == truth.answer
    assert server.violations == []
    assert {str(call.request.client) for call in server.calls if call.request} == {"VN/GOV/H26/l+g?"}


async def test_without_credentials_the_source_s_own_log_in_is_left_out(
    running: Running, server: ConsumerServer
) -> None:
    (truth, *_) = truths(running, "enterprise")
    way = rest_way(running, server, "enterprise").model_copy(update={"username": ""})
    async with reached("enterprise", way) as ask:
        with pytest.raises(UpstreamRefused, match="HTTP 401"):
            await ask("enterprise", truth.operation, truth.request)
    (only,) = server.calls
    assert "Authorization" not in dict(only.headers)


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


async def test_a_session_is_begun_and_lost_by_the_source_and_not_by_x_road(
    running: Running, server: ConsumerServer
) -> None:
    (truth, *_) = truths(running, "enterprise")
    async with reached("enterprise", rest_way(running, server, "enterprise")) as ask:
        # The log-in is the first that goes there.
        server.misbehave("fault", "server.serverproxy.unknown_service", times=1)
        with pytest.raises(UpstreamRefused, match=r"server\.serverproxy\.unknown_service"):
            await ask("enterprise", truth.operation, truth.request)
        await ask("enterprise", truth.operation, truth.request)
        server.misbehave("fault", "server.serverproxy.access_denied", times=1)
        with pytest.raises(UpstreamRefused):
            await ask("enterprise", truth.operation, truth.request)
        # X-Road's refusal says nothing about the source's token.
        paths = [call.request.path for call in server.calls if isinstance(call.request, RestRequest)]
        assert paths.count("/token") == 2
