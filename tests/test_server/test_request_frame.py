"""What every request gets, over real sockets: ids, headers, problems, bounds, and answers to what is not HTTP."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from config.metrics import render
from routes.listening import running
from tests.test_server.wire import HELD, RELEASE, Client, application, receive, served


async def test_an_answer_has_the_common_headers(client: Client) -> None:
    answer = await client.post(b'{"a": 1}', "X-Request-Id: req-7", "Lgsp-Purpose: thu-tuc")
    assert (answer.status, answer.json) == (200, {"value": {"a": 1}, "purpose": "thu-tuc"})
    assert answer.headers["x-request-id"] == "req-7"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["server"] == "lgsp"


@pytest.mark.parametrize(
    "sent",
    [
        *("001085012345", "a" * 129, "a b", "a\tb", "á", "", "x-MDAxMDg1MDEyMzQ1", "<script>", '"', "DN4010112345678"),
        *("079.077.972.257", "079-077-972-257", "req=079.077.972.257", "204:601:995"),
        *("0791-8877-6655", "x0791_8877.6655y", "079-188776655", "1234-56789", "0912-345-678", "a:01-0123-4567"),
    ],
)
async def test_unfit_request_ids_are_replaced(client: Client, sent: str) -> None:
    answer = await client.get("/livez", f"X-Request-Id: {sent}")
    assert answer.status == 200
    assert uuid.UUID(answer.headers["x-request-id"]).version == 7


@pytest.mark.parametrize(
    "sent",
    [
        *("7d444840-9dc0-41d1-b245-5ffdce74fad2", "job/17:3", "4bf92f3577b34da6a3ce929d0e0e4736"),
        *("a1b2c3d4-0791-4877-8655-5ffdce74fad2", "r-a1b2c3d4-0791-4877-8655-5ffdce74fad2"),
        *("2026-12-01-0001", "20261201-005542", "H26-260105-0001", "000.00.00.H26-260105-0001", "10.0.0.1:8080"),
    ],
)
async def test_fit_request_ids_are_kept(client: Client, sent: str) -> None:
    assert (await client.get("/livez", f"X-Request-Id: {sent}")).headers["x-request-id"] == sent


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nowhere/001085012345", "GET", 404, "not-found"),
        ("/echo", "GET", 405, "method-not-allowed"),
        ("/echo", "TRACE", 405, "method-not-allowed"),
        ("/fail/ours", "GET", 404, "no-record"),
        ("/fail/token", "GET", 401, "unauthenticated"),
        ("/fail/unforeseen", "GET", 500, "internal"),
    ],
)
async def test_failures_are_problems(client: Client, path: str, method: str, status: int, code: str) -> None:
    answer = await client.get(path, "Accept-Language: en", "X-Request-Id: r-1", method=method)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json["code"], answer.json["request_id"]) == (code, "r-1")
    assert answer.json["type"] == f"https://lgsp.example/problems/{code}"
    assert "Nguyễn" not in answer.body.decode()
    assert answer.headers["x-request-id"] == "r-1"
    if status == 405:
        assert answer.headers["allow"] == "POST"
    if path.startswith("/fail"):
        assert answer.headers["ratelimit"] == '"default";r=1;t=1'


async def test_redirects_pass(client: Client) -> None:
    answer = await client.get("/fail/away", "X-Request-Id: r-2")
    assert (answer.status, answer.headers["location"], answer.headers["x-request-id"]) == (303, "/elsewhere", "r-2")


async def test_an_unknown_expectation_is_a_problem(client: Client) -> None:
    answer = await client.get("/livez", "Expect: the-unexpected", "X-Request-Id: r-3")
    assert (answer.status, answer.json["code"]) == (400, "malformed")
    assert answer.headers["x-request-id"] == "r-3"


@pytest.mark.parametrize(
    "name", ["Authorization", "Lgsp-Purpose", "lgsp-dossier", "Lgsp-Officer", "X-Request-Id", "Accept-Language"]
)
async def test_a_header_that_may_come_once_may_not_come_twice(client: Client, name: str) -> None:
    answer = await client.get("/livez", f"{name}: a", f"{name.upper()}: a")
    assert (answer.status, answer.json["code"]) == (400, "malformed")
    assert answer.json["errors"][0]["header"] == name.lower()


async def test_repeatable_headers_may_come_twice(client: Client) -> None:
    assert (await client.get("/livez", "Accept: a/b", "Accept: c/d")).status == 200


async def test_header_values_have_to_be_ascii(client: Client) -> None:
    answer = await client.post(b"{}", "Lgsp-Purpose: thủ tục")
    assert (answer.status, answer.json["code"], answer.json["errors"][0]["header"]) == (
        400,
        "malformed",
        "Lgsp-Purpose",
    )


async def test_beyond_the_bound_the_gateway_says_that_it_is_overloaded(settings_with: Any) -> None:
    async with served(settings_with(max_in_flight=1)) as client:
        first = asyncio.create_task(client.get("/hold"))
        await client.app[HELD].wait()
        second = await client.get("/hold")
        assert (second.status, second.json["code"], second.headers["retry-after"]) == (503, "overloaded", "1")
        assert (await client.get("/livez")).status == 200
        client.app[RELEASE].set()
        assert (await first).status == 200
        assert (await client.get("/hold")).status == 200


async def test_the_access_line_names_template_and_ids_only(client: Client, lines: Any) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await client.get(
        "/fail/001085012345?q=001085012345",
        "X-Request-Id: r-9",
        "Authorization: Bearer 001085012345",
        f"traceparent: 00-{trace}-00f067aa0ba902b7-01",
    )
    await client.get("/nowhere/001085012345")
    written = lines()
    first = next(line for line in written if line["event"] == "request" and line["request_id"] == "r-9")
    assert {name: first[name] for name in ("route", "method", "status", "code", "client_id", "trace_id")} == {
        "route": "/fail/{how}",
        "method": "GET",
        "status": 500,
        "code": "internal",
        "client_id": None,
        "trace_id": trace,
    }
    assert first["duration_ms"] >= 0
    error = next(line for line in written if line["event"] == "internal-error")
    assert (error["request_id"], error["exception"][0]["type"]) == ("r-9", "builtins.ValueError")
    assert [line["route"] for line in written if line["status" if "status" in line else "event"] == 404] == [
        "unmatched"
    ]
    assert "001085012345" not in json.dumps(written)
    assert "Nguyễn" not in json.dumps(written, ensure_ascii=False)
    assert b"001085012345" not in render()


async def test_odd_methods_do_not_become_labels(client: Client) -> None:
    await client.get("/livez", method="PROPFIND")
    assert b"PROPFIND" not in render()
    assert b'lgsp_http_requests_total{method="other",route="unmatched",status="405"}' in render()


async def test_a_slow_head_is_cut_off(settings_with: Any, lines: Any) -> None:
    async with served(settings_with(), head_seconds=0.05) as client:
        reader, writer = await asyncio.open_connection(*client.address)
        writer.write(b"GET /livez HTTP/1.1\r\nHost")
        assert await reader.read() == b""
        writer.close()
        assert [line["event"] for line in lines()] == ["slow-head"]


async def test_a_slow_body_or_a_quiet_connection_is_not_a_slow_head(settings_with: Any) -> None:
    # The head itself comes within it, however busy the machine is.
    async with served(settings_with(), head_seconds=1) as client:
        reader, writer = await asyncio.open_connection(*client.address)
        writer.write(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.app[HELD].wait()
        loop = asyncio.get_running_loop()
        passed = loop.create_future()
        loop.call_later(1.5, passed.set_result, None)
        await passed
        client.app[RELEASE].set()
        assert (await receive(reader)).status == 200
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await receive(reader)).status == 200
        writer.close()


async def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    reader, writer = await asyncio.open_connection(*client.address)
    for number in range(5):
        writer.write(f"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: p-{number}\r\n\r\n".encode())
    assert [(await receive(reader)).headers["x-request-id"] for _ in range(5)] == [f"p-{n}" for n in range(5)]
    writer.close()


async def test_the_end_waits_for_a_body_that_is_still_arriving(settings_with: Any) -> None:
    settings = settings_with()
    app = application(settings.server)
    async with running(settings, app) as serving:
        address = serving.addresses["http"]
        reader, writer = await asyncio.open_connection(*address)
        idle_reader, idle_writer = await asyncio.open_connection(*address)
        head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        closing = asyncio.create_task(serving.close())
        assert await idle_reader.read() == b""
        idle_writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        writer.write(b"{}")
        answer = await receive(reader)
        assert (answer.status, answer.json["value"], answer.headers["connection"]) == (200, {}, "close")
        await closing
        assert await reader.read() == b""
        writer.close()
