"""Through a strict security server to the sandbox: every message is right and the answers are the truth."""

import ssl
from pathlib import Path

import pytest
from lxml import etree

from sandbox.run import Running
from schemas.errors import (
    UpstreamRefused,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from tests.test_carriage.carried import DOSSIER, OFFICER, reached, rest_way, soap_way
from tests.test_carriage.conftest import truths
from tests.test_resilience.test_transport_tls import issue
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.provider_link import Service
from tests.test_xroad.double.rest_message import RestRequest
from tests.test_xroad.double.soap_request import SoapRequest


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


async def test_the_security_server_knows_us_by_our_certificate(running: Running, tmp_path: Path) -> None:
    authority = issue("ca", tmp_path)
    issue("server", tmp_path, authority)
    issue("client", tmp_path, authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    (truth, *_) = truths(running, "enterprise")
    services = {"enterprise": Service("rest", running.urls["enterprise"])}
    async with ConsumerServer(services, tls=context) as server:
        way = rest_way(running, server, "enterprise").model_copy(update={"tls_ca": tmp_path / "ca.pem"})
        async with reached("enterprise", way) as ask:
            with pytest.raises(UpstreamUnavailable):
                await ask("enterprise", truth.operation, truth.request)
        known = {"tls_certificate": tmp_path / "client.pem", "tls_key": tmp_path / "client.key"}
        async with reached("enterprise", way.model_copy(update=known)) as ask:
            assert (await ask("enterprise", truth.operation, truth.request)).data == truth.answer
        assert server.violations == []
        certificate = server.calls[-1].certificate
        assert certificate is not None
        assert certificate["subject"] == ((("commonName", "client"),),)
