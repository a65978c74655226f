"""A SOAP source that does not sign, through X-Road: the plain envelope, and errors told technically or within it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from adapters.population import DATABASE
from config.carriage import Xroad
from config.settings import Endpoint
from schemas.errors import GatewayError, NoRecord, UpstreamRefused, UpstreamUnavailable, UpstreamUnreadable
from tests.test_carriage.carried import Asking, reached
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.provider_link import Service
from tests.test_xroad.double.soap_answer import SoapAnswer
from tests.test_xroad.double.soap_request import SoapRequest

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ANSWERED = "http://www.mic.gov.vn/dancu/1.0"
NAME = "XacThucThongTinCongDan"
(MATCH,) = (each for each in DATABASE.operations if each.name == "match")
UNSIGNED = replace(DATABASE, operations=(replace(MATCH, signed=False, faults={**MATCH.faults, "KhongCo": NoRecord}),))
BODY = {"personal_id": "001077012345", "full_name": "NGUYỄN VĂN A & B"}


def payload(inside: str, request: SoapRequest) -> str:
    asked = re.search(rb"<MaYeuCau>([^<]*)<", request.envelope)
    assert asked is not None
    return f'<a:{NAME}Response xmlns:a="{ANSWERED}" MaYeuCau="{asked[1].decode()}">{inside}</a:{NAME}Response>'


@asynccontextmanager
async def answering(inside: str, status: int = 200) -> AsyncIterator[tuple[Asking, ConsumerServer]]:
    """A provider that puts `inside` into its answer's payload, or a fault into the Body with status 500."""

    async def provider(request: SoapRequest) -> SoapAnswer:
        body = payload(inside, request) if status == 200 else inside
        envelope = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'
        return SoapAnswer(status, "text/xml; charset=utf-8", envelope.encode())

    async with ConsumerServer({NAME: Service("soap", provider)}) as server:
        road = Xroad(client="VN/GOV/H26/lgsp", provider="VN/GOV/G01/dancu")
        how = Endpoint(url=f"{server.url}/", via="xroad", xroad=road, params={"MaCanBo": "1"})
        async with reached("population", how, (UNSIGNED,)) as ask:
            yield ask, server


async def test_the_plain_envelope_is_right_and_its_answer_is_read() -> None:
    async with answering("<a:TonTai>true</a:TonTai>") as (ask, server):
        answer = await ask("population", "match", BODY)
        assert answer.data["exists"] is True
        assert answer.provenance is None
        assert server.violations == []
        (call,) = server.calls
        assert call.body.count(b"<env:Header>") == 1
        assert b"Security" not in call.body
        for kind in ("reorder-headers", "drop-header", "wrong-namespace", "repeated-response-header"):
            server.misbehave(kind, times=1)
            with pytest.raises(UpstreamUnreadable):
                await ask("population", "match", BODY)


@pytest.mark.parametrize(
    ("code", "error", "shown"),
    [
        ("TrungYeuCau", UpstreamRefused, "TrungYeuCau"),
        ("LoiHeThong", UpstreamUnavailable, "LoiHeThong"),
        ("KhongCo", NoRecord, "KhongCo"),
        ("số 001077012345 sai", UpstreamRefused, "?"),
    ],
    ids=["refused", "ill", "no-record", "unknown"],
)
@pytest.mark.parametrize("form", ["<fault xmlns=''>{}</fault>", "<a:fault>{}</a:fault>"], ids=["bare", "qualified"])
async def test_an_error_within_a_good_envelope_is_a_result_code_of_the_source(
    code: str, error: type[GatewayError], shown: str, form: str
) -> None:
    prefix = "a:" if form.startswith("<a:") else ""
    told = f"<{prefix}faultCode>{code}</{prefix}faultCode><{prefix}faultString>x</{prefix}faultString>"
    async with answering("<a:TonTai>false</a:TonTai>" + form.format(told)) as (ask, server):
        with pytest.raises(error) as caught:
            await ask("population", "match", BODY)
        assert caught.value.detail.en == f"The source's result code is {shown}"
        # The headers are looked at first: another question's error is not ours either.
        server.misbehave("drop-header")
        with pytest.raises(UpstreamUnreadable):
            await ask("population", "match", BODY)


async def test_a_fault_of_the_source_comes_through_as_its_own() -> None:
    fault = (
        f"<s:Fault><faultcode>s:Server</faultcode><faultstring>x</faultstring><detail><LoiDanCu xmlns='{ANSWERED}'>"
        "<MaLoi>KhongCoQuyen</MaLoi></LoiDanCu></detail></s:Fault>"
    )
    async with answering(fault, 500) as (ask, _):
        with pytest.raises(UpstreamRefused, match="SOAP fault KhongCoQuyen"):
            await ask("population", "match", BODY)


@pytest.mark.parametrize("kind", ["close-connection", "close-midway", "not-a-message"])
async def test_what_breaks_on_the_way_is_no_answer(kind: str) -> None:
    async with answering("<a:TonTai>true</a:TonTai>") as (ask, server):
        server.misbehave(kind, times=1)
        with pytest.raises((UpstreamUnavailable, UpstreamUnreadable)):
            await ask("population", "match", BODY)
        assert (await ask("population", "match", BODY)).data["exists"] is True
