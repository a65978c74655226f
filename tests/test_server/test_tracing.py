"""Traces: what a collector receives of real exchanges, and that nobody waits for it."""

import asyncio
import base64
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from adapters import DATABASES
from config import tracing
from config.settings import ConfigurationError, Settings, Telemetry, load
from routes.openapi import document
from sandbox.ports import free_port
from tests.test_gateway.leaks import found
from tests.test_openapi.deployment import PUBLIC, Answer, Deployment, deployment

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PATH = "/v1/population/person"


@dataclass
class Collector:
    """Takes OTLP/HTTP; while `holding` it answers nobody."""

    endpoint: str = ""
    payloads: list[bytes] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        async with self.changed:
            self.payloads.append(await request.read())
            self.changed.notify_all()
        await self.answering.wait()
        return web.Response()

    async def until(self, enough: Callable[[list[Span]], bool]) -> list[Span]:
        """Return the spans, oldest first, as soon as they are enough."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: enough(self.spans))
        return self.spans

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(payload) for payload in self.payloads]
        found = [
            s for r in requests for resource in r.resource_spans for scope in resource.scope_spans for s in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    one = Collector()
    one.answering.set()
    app = web.Application()
    app.router.add_post("/v1/traces", one.take)
    async with TestServer(app) as server:
        one.endpoint = str(server.make_url("/v1/traces"))
        yield one
        one.answering.set()


@pytest.fixture
def question() -> dict[str, str]:
    shown = document(DATABASES, PUBLIC)["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]
    return dict(shown["examples"]["sandbox"]["value"])


@dataclass(frozen=True)
class Asker:
    deployed: Deployment
    bearer: str

    async def __call__(self, body: Any, path: str = PATH, **headers: str) -> Answer:
        sent = {"Authorization": self.bearer, "Lgsp_Purpose": "dossier-processing"} | headers
        return await asyncio.to_thread(self.deployed.ask, "POST", path, body, **sent)


@asynccontextmanager
async def traced(state: Path, **telemetry: Any) -> AsyncIterator[Asker]:
    keys = "\n".join(f"{name} = {json.dumps(value)}" for name, value in telemetry.items())

    def adjusted(text: str) -> str:
        changed, count = re.subn(r"(?m)^endpoint = \"\".*$", keys, text)
        assert count == 1
        return changed

    async with deployment(state, adjust=adjusted) as deployed:
        token = await asyncio.to_thread(deployed.token, "ministry")
        yield Asker(deployed, f"Bearer {token}")


def told(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}


def of_request(spans: list[Span], request_id: str) -> list[Span]:
    """The span of the request with this id and those below it."""
    (server,) = [span for span in spans if told(span).get("lgsp.request_id") == request_id]
    return [server, *(span for span in spans if span.parent_span_id == server.span_id)]


async def test_an_exchange_is_a_span_with_one_below_it_for_each_attempt(
    tmp_path: Path, collector: Collector, question: dict[str, str], lines: Any
) -> None:
    async with traced(tmp_path, endpoint=collector.endpoint, service="lgsp-test") as ask:
        assert (await ask(question, X_Request_Id="r-ok")).status == 200
        ask.deployed.registries.faults["population"].set("down")
        assert (await ask(question, X_Request_Id="r-down")).status == 503
    # The token, two questions, and four attempts.
    spans = await collector.until(lambda spans: len(spans) == 7)
    assert spans[0].name == "POST /oauth2/token"

    server, attempt = of_request(spans, "r-ok")
    client = ask.deployed.clients["ministry"]["client_id"]
    assert (server.name, server.kind, server.parent_span_id) == (f"POST {PATH}", Span.SPAN_KIND_SERVER, b"")
    assert told(server) == {
        "http.response.status_code": 200,
        "lgsp.request_id": "r-ok",
        "lgsp.client_id": client,
    }
    assert (attempt.name, attempt.kind) == ("population", Span.SPAN_KIND_CLIENT)
    assert told(attempt) == {"lgsp.endpoint": "population", "lgsp.outcome": "ok"}
    assert server.start_time_unix_nano <= attempt.start_time_unix_nano
    assert attempt.end_time_unix_nano <= server.end_time_unix_nano
    assert {server.status.code, attempt.status.code} == {Status.STATUS_CODE_UNSET}

    server, *attempts = of_request(spans, "r-down")
    assert told(server)["lgsp.code"] == "upstream-unavailable"
    assert [told(each)["lgsp.outcome"] for each in attempts] == ["upstream-unavailable"] * 3
    assert {span.status.code for span in (server, *attempts)} == {Status.STATUS_CODE_ERROR}
    assert {span.status.message for span in spans} == {""}
    assert not any(span.events for span in spans)

    request = ExportTraceServiceRequest.FromString(collector.payloads[0])
    (name,) = [each for each in request.resource_spans[0].resource.attributes if each.key == "service.name"]
    assert name.value.string_value == "lgsp-test"
    written = {line["request_id"]: line["trace_id"] for line in lines() if line["event"] == "request"}
    for request_id in ("r-ok", "r-down"):
        assert {span.trace_id.hex() for span in of_request(spans, request_id)} == {written[request_id]}


async def test_a_callers_trace_goes_on_and_its_decision_counts(
    tmp_path: Path, collector: Collector, question: dict[str, str], lines: Any
) -> None:
    async with traced(tmp_path, endpoint=collector.endpoint, ratio=0.0) as ask:
        await ask(question, X_Request_Id="r-none")
        await ask(question, X_Request_Id="r-not", traceparent=f"00-{TRACE}-{PARENT}-00")
        await ask(question, X_Request_Id="r-yes", traceparent=f"00-{TRACE}-{PARENT}-01")
    spans = await collector.until(lambda spans: len(spans) == 2)
    server, attempt = of_request(spans, "r-yes")
    assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE, PARENT)
    assert attempt.trace_id.hex() == TRACE
    written = {line["request_id"]: line["trace_id"] for line in lines() if line["event"] == "request"}
    assert (written["r-yes"], written["r-not"]) == (TRACE, TRACE)
    assert written["r-none"] not in (None, TRACE)


async def test_no_identifier_reaches_the_collector(
    tmp_path: Path, collector: Collector, question: dict[str, str], lines: Any
) -> None:
    number = question["personal_id"]
    inside = base64.b64encode(number.encode()).decode()
    long = number.rjust(32, "0")
    shown: list[dict[str, str]] = [
        {"X_Request_Id": number},
        {"X_Request_Id": f"a{inside}"},
        {"traceparent": number},
        {"traceparent": f"00-{long}-{PARENT}-01"},
        {"traceparent": f"00-{TRACE}-{long[16:]}-01"},
        {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": f"a={number}", "baggage": f"a={number}"},
        {"Lgsp_Officer": number, "Lgsp_Dossier": number, "User_Agent": number},
        {"Lgsp_Purpose": number},
        {"Authorization": f"Bearer {number}"},
    ]
    async with traced(tmp_path, endpoint=collector.endpoint) as ask:
        for headers in shown:
            await ask(question, **headers)
        for path in (f"/v1/{number}", f"/{inside}?q={quote(number)}", f"{PATH}?fields={number}"):
            await ask(question, path)
        for wrong in ({"personal_id": f"{number}x"}, {**question, number: number}, {"personal_id": int(number)}):
            await ask(wrong)
        for fault in ("tampered", "wrong-answer", "malformed", "down"):
            ask.deployed.registries.faults["population"].set(fault)
            await ask(question)
    asked = len(shown) + 3 + 3 + 4
    of_server = Span.SPAN_KIND_SERVER
    spans = await collector.until(lambda spans: sum(span.kind == of_server for span in spans) == asked + 1)
    payload = b"\n".join(collector.payloads)
    names = {text.encode() for text in question.values() if not text.isascii()}
    assert found(payload, {number.encode()}, names) == set()
    for disguise in (number, quote(number), inside, inside.rstrip("="), number.encode().hex()):
        assert disguise.encode() not in payload
    ids = [span.trace_id.hex() + " " + span.span_id.hex() + " " + span.parent_span_id.hex() for span in spans]
    assert number not in " ".join(ids)
    assert sum(span.trace_id.hex() == TRACE for span in spans if span.kind == of_server) == 1
    assert {span.name for span in spans if span.kind == of_server} == {
        f"POST {PATH}",
        "POST unmatched",
        "POST /oauth2/token",
    }
    assert {span.name for span in spans if span.kind != of_server} == {"population"}


@pytest.mark.parametrize("how", ["refuses", "hangs"])
async def test_a_dead_collector_holds_nobody_up(
    tmp_path: Path, collector: Collector, question: dict[str, str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    collector.answering.clear()
    endpoint = collector.endpoint if how == "hangs" else f"http://127.0.0.1:{free_port()}/v1/traces"
    async with traced(tmp_path, endpoint=endpoint) as ask:
        assert (await ask(question)).status == 200
        if how == "hangs":
            await collector.until(lambda spans: len(spans) > 0)
        answers = [await ask(question) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert not collector.answering.is_set()


async def test_configured_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match="run `make otel`"):
        async with tracing.exporting(Telemetry(endpoint="http://127.0.0.1:4318/v1/traces")):
            pytest.fail("it started")


def test_without_an_address_nothing_is_imported() -> None:
    program = """
import asyncio, sys
import routes.application
from config import tracing
from config.settings import Telemetry

async def main():
    async with tracing.exporting(Telemetry()):
        assert tracing.serving({}) is None
        assert tracing.asking("tax") is None

asyncio.run(main())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "[]\n"


def test_made_trace_ids_never_look_like_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([0x089077133265, int("1" * 32, 16), int(TRACE, 16)])
    provider = tracing._provider(Telemetry(endpoint="http://127.0.0.1:9/v1/traces"))
    monkeypatch.setattr("random.getrandbits", lambda _bits: next(drawn))
    assert provider.id_generator.generate_trace_id() == int(TRACE, 16)
    provider.shutdown()


@pytest.mark.parametrize("wrong", ['endpoint = "collector:4318"', "ratio = 1.5", "sampler = 1"])
def test_wrong_settings_are_named(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f"[telemetry]\n{wrong}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"telemetry\.{wrong.split()[0]}"):
        load(path)
    assert Settings().telemetry.endpoint == ""
