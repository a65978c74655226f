"""Many lines in one request: in order, each with an end of its own, whatever the others are."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from schemas.errors import EvidenceUnavailable
from sync.intake import Intake
from tests.test_intake.source import Source, a_code
from tests.test_intake.world import a_dossier, a_status


def a_line(code: str, key: str, status: str = "4", **said: Any) -> dict[str, Any]:
    return {"code": code, "key": f"{code}-{key}", **a_status(status, **said)}


def test_every_line_is_answered_in_its_order(province: Source) -> None:
    code, other = a_code(), a_code()
    lines = [
        {"code": code, "key": f"{code}-d", "dossier": a_dossier()},
        a_line(code, "1", sequence=1),
        a_line(code, "1", sequence=1),
        a_line(code, "1", "9", sequence=1),
        b"{not json",
        b"",
        a_line(code, "3", "9", sequence=3),
        a_line(other, "1"),
        a_line(code, "4", "?"),
        {"code": "x", "key": "k", **a_status()},
        [1],
        a_line(code, "2", sequence=2),
        {"code": code, **a_status()},
    ]
    results = province.stream(lines)
    assert [result["line"] for result in results] == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13]
    assert [
        (result["result"], result.get("reason") or result.get("problem", {}).get("code")) for result in results
    ] == [
        ("accepted", None),
        ("accepted", None),
        ("duplicate", None),
        ("refused", "idempotency-key-reused"),
        ("refused", "malformed"),
        ("waiting", "gap"),
        ("waiting", "unregistered"),
        ("quarantined", "unknown-status"),
        ("refused", "invalid"),
        ("refused", "invalid"),
        ("accepted", None),
        ("refused", "invalid"),
    ]
    assert results[0]["version"] == 1
    assert results[2]["receipt"] == results[1]["receipt"]
    assert all(("receipt" in result) is (result["result"] != "refused") for result in results)
    assert results[1].items() >= {"code": code, "key": f"{code}-1"}.items()
    assert results[-1]["code"] == code


def test_sending_everything_again_changes_nothing(province: Source) -> None:
    codes = [a_code() for _ in range(40)]
    lines: list[Any] = [{"code": code, "key": f"{code}-d", "dossier": a_dossier()} for code in codes]
    lines += [a_line(code, str(place), sequence=place) for place in range(1, 16) for code in codes]
    first = province.stream(lines)
    assert {result["result"] for result in first} == {"accepted"}
    again = province.stream(lines)
    assert {result["result"] for result in again} == {"duplicate"}
    assert [result["receipt"]["leaf"] for result in again] == [result["receipt"]["leaf"] for result in first]
    seen = province.ask("GET", f"/v1/dossiers/{codes[7]}").json
    assert [one["sequence"] for one in seen["deliveries"]] == [None, *range(1, 16)]
    # The same event by itself is the same event.
    single = province.push(codes[0], a_status(sequence=1), key=f"{codes[0]}-1")
    assert single.headers["Idempotency-Replayed"] == "true"


def test_a_key_in_quotation_marks_is_the_same_key_at_every_door(province: Source) -> None:
    code = a_code()
    province.put(code)
    first = province.push(code, a_status("4"), key=f'"{code}-q"').json
    again = [{"code": code, "key": key, **a_status("4")} for key in (f"{code}-q", f'"{code}-q"', f'"{code}-q')]
    results = province.stream(again)
    assert [result["result"] for result in results] == ["duplicate", "duplicate", "refused"]
    assert {result["delivery"] for result in results[:2]} == {first["delivery"]}


def test_refused_lines_leave_evidence(province: Source) -> None:
    answer = province.stream([b"{", {"code": a_code(), "key": "k"}, b"{"])
    assert [result["problem"]["code"] for result in answer] == ["malformed", "invalid", "malformed"]
    index = province.push(a_code(), key=a_code(), Lgsp_Receipt="full").json["receipt"]["index"]
    reader = province.deployed.gateway.storage
    body = json.loads(entry(reader.url.database or "", index - 1))
    assert (body["kind"], body["details"]) == ("unreadable", {"refused_lines": {"invalid": 1, "malformed": 2}})


def entry(path: str, index: int) -> bytes:
    import sqlite3

    with sqlite3.connect(path) as connection:
        found: bytes = connection.execute("SELECT body FROM audit_entries WHERE idx = ?", (index,)).fetchone()[0]
    connection.close()
    return found


def test_what_a_stream_must_be(province: Source) -> None:
    def sent(**headers: str) -> str:
        return str(province.ask("POST", "/v1/dossiers/statuses", b"", **headers).json["code"])

    kind = {"Content_Type": "application/x-ndjson"}
    assert sent(Content_Type="application/json") == "unsupported-media-type"
    assert sent(**kind, Content_Encoding="gzip") == "unsupported-media-type"
    assert sent(**kind, Signature="x=:AA==:") == "signature-rejected"
    assert province.stream([]) == []


def test_lines_beyond_the_limit_are_not_taken(province: Source, monkeypatch: Any) -> None:
    monkeypatch.setattr("routes.dossiers.stream.LINES", 5)
    code = a_code()
    results = province.stream([a_line(code, str(place), sequence=place) for place in range(1, 9)])
    assert [result["result"] for result in results] == [*["waiting"] * 5, "refused"]
    assert results[-1]["line"] == 6
    assert results[-1]["problem"]["code"] == "too-large"


def test_bytes_beyond_the_limit_are_not_read(province: Source, monkeypatch: Any) -> None:
    monkeypatch.setattr("routes.dossiers.stream.BYTES", 2_000)
    answer = province.ask("POST", "/v1/dossiers/statuses", b" " * 2_001, Content_Type="application/x-ndjson")
    assert (answer.status, answer.json["code"]) == (413, "too-large")


@pytest.mark.parametrize("size", [1_100_000, 3_000_000])
def test_a_line_that_is_too_long_is_one_refused_line(province: Source, size: int) -> None:
    code = a_code()
    long = b"{" + b" " * size + b"}"
    results = province.stream([a_line(code, "1"), long, a_line(code, "2"), b"x" * size])
    assert [(result["line"], result["result"]) for result in results] == [
        (1, "waiting"),
        (2, "refused"),
        (3, "waiting"),
        (4, "refused"),
    ]
    assert {results[place]["problem"]["code"] for place in (1, 3)} == {"too-large"}


def test_empty_lines_count_and_the_end_of_the_last_line_does_not(province: Source, monkeypatch: Any) -> None:
    monkeypatch.setattr("routes.dossiers.stream.LINES", 3)
    code = a_code()
    assert [result["line"] for result in province.stream([b"", b" ", a_line(code, "1"), b""])] == [3]
    (refused,) = province.stream([b"", b"", b"", b" "])
    assert (refused["line"], refused["problem"]["code"]) == (4, "too-large")


def test_a_caller_that_reads_nothing_until_everything_is_sent_is_served(province: Source) -> None:
    codes = [a_code() for _ in range(10)]
    lines = [a_line(code, str(place), sequence=place, note="x" * 400) for place in range(1, 401) for code in codes]
    body = "\n".join(json.dumps(line) for line in lines).encode()
    address = urlsplit(province.deployed.url)
    head = (
        f"POST /v1/dossiers/statuses HTTP/1.1\r\nHost: x\r\nAuthorization: {province.bearer}\r\nConnection: close\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        # Small buffers on our side: the answer does not fit into what the kernel takes.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        connection.sendall(head.encode() + body)
        # Read through a window that small, the answer would take half a minute.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_048_576)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b'"result":"waiting"') == len(lines)
    assert len(answer) > 2_000_000


def test_lines_are_answered_while_others_are_on_their_way(province: Source) -> None:
    code = a_code()
    address = urlsplit(province.deployed.url)
    group = [json.dumps(a_line(code, str(place), sequence=place)).encode() + b"\n" for place in range(1, 257)]
    head = (
        f"POST /v1/dossiers/statuses HTTP/1.1\r\nHost: x\r\nAuthorization: {province.bearer}\r\n"
        "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    ).encode()

    def chunk(data: bytes) -> bytes:
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"

    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head + chunk(b"".join(group)))
        answer = b""
        while answer.count(b'"line":') < 256:
            piece = connection.recv(65_536)
            assert piece
            answer += piece
        last = json.dumps(a_line(code, "257", sequence=257)).encode()
        connection.sendall(chunk(last) + b"0\r\n\r\n")
        while piece := connection.recv(65_536):
            answer += piece
    assert answer.count(b'"line":') == 257


def test_a_source_may_wait_for_the_answer_to_each_line(province: Source) -> None:
    code = a_code()
    address = urlsplit(province.deployed.url)
    head = (
        f"POST /v1/dossiers/statuses HTTP/1.1\r\nHost: x\r\nAuthorization: {province.bearer}\r\n"
        "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    ).encode()
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head)
        answer = b""
        for place in (1, 2, 3):
            line = json.dumps(a_line(code, str(place), sequence=place)).encode() + b"\n"
            connection.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            while answer.count(b"}\n") < place:
                piece = connection.recv(65_536)
                assert piece
                answer += piece
        connection.sendall(b"0\r\n\r\n")
        while piece := connection.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b'"result":"waiting"') == 3


def test_a_stream_that_breaks_off_keeps_what_came(province: Source) -> None:
    code = a_code()
    province.put(code)
    address = urlsplit(province.deployed.url)
    whole = b"".join(json.dumps(a_line(code, str(n), sequence=n)).encode() + b"\n" for n in range(1, 257))
    head = (
        f"POST /v1/dossiers/statuses HTTP/1.1\r\nHost: x\r\nAuthorization: {province.bearer}\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(whole) + 100}\r\n\r\n"
    ).encode()
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head + whole)
        answer = b""
        while answer.count(b'"line":') < 256:
            answer += connection.recv(65_536)
    lines = [a_line(code, str(n), sequence=n) for n in range(1, 258)]
    results = province.stream(lines)
    assert [result["result"] for result in results] == [*["duplicate"] * 256, "accepted"]


def test_nothing_durable_is_503_and_a_failure_on_the_way_is_told_line_by_line(
    province: Source, monkeypatch: Any
) -> None:
    code = a_code()
    lines = [a_line(code, str(place), sequence=place) for place in range(1, 301)]
    real, calls = Intake.take, []

    async def failing(self: Intake, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) in (1, 3):
            raise EvidenceUnavailable(retry_after=2)
        return await real(self, *arguments)

    monkeypatch.setattr(Intake, "take", failing)
    # However slow the machine is, the first 256 lines are one group.
    monkeypatch.setattr("routes.dossiers.stream.GATHER_SECONDS", 60.0)
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    answer = province.ask("POST", "/v1/dossiers/statuses", body, Content_Type="application/x-ndjson")
    assert (answer.status, answer.json["code"]) == (503, "evidence-unavailable")
    assert answer.headers["Retry-After"] == "2"
    results = province.stream(lines)
    assert [result["result"] for result in results] == [*["waiting"] * 256, *["refused"] * 44]
    assert {result["problem"]["code"] for result in results[256:]} == {"evidence-unavailable"}
    assert all(result["problem"]["retryable"] for result in results[256:])
    assert [result["result"] for result in province.stream(lines)] == [*["duplicate"] * 256, *["waiting"] * 44]


def test_only_so_many_streams_at_once(province: Source, monkeypatch: Any) -> None:
    monkeypatch.setattr("routes.dossiers.stream.AT_ONCE", 0)
    answer = province.ask("POST", "/v1/dossiers/statuses", b"{}", Content_Type="application/x-ndjson")
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
