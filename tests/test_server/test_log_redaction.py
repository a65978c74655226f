"""What may stand in a log line, and what never does."""

import asyncio
import base64
import io
import json
import logging
import re
import secrets
import uuid
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config.logging import MASK, configure, identifier_shaped, masked, write_access

identifiers = st.one_of(
    st.from_regex(r"[0-9]{9}", fullmatch=True),
    st.from_regex(r"[0-9]{10}", fullmatch=True),
    st.from_regex(r"0[0-9]{11}", fullmatch=True),
    st.from_regex(r"[0-9]{13}", fullmatch=True),
    st.from_regex(r"[0-9]{10}-[0-9]{3}", fullmatch=True),
    st.from_regex(r"[A-Z]{2}[0-9]{13}", fullmatch=True),
)
# Around an identifier in a sentence or document stands something that is neither letter nor digit.
surroundings = st.text(st.sampled_from(' "{}:.,=/áử?&|'), max_size=8)


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@given(identifiers, surroundings, surroundings)
def test_raw_identifiers_are_masked(identifier: str, before: str, after: str) -> None:
    assert identifier not in masked(before + identifier + after)
    assert identifier_shaped(before + identifier + after)


@given(identifiers, surroundings, surroundings)
def test_percent_encoded_identifiers_are_masked(identifier: str, before: str, after: str) -> None:
    assert percent(identifier) not in masked(f"x={percent(identifier)}&y")
    encoded = quote(before) + quote(identifier) + quote(after)
    assert identifier not in masked(encoded)


@given(identifiers, st.text(max_size=8), st.text(max_size=8), st.booleans())
def test_base64_identifiers_are_masked(identifier: str, before: str, after: str, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    encoded = encode((before + identifier + after).encode()).decode()
    assert encoded not in masked(f"token {encoded}.")
    assert encoded.rstrip("=") not in masked(f"token {encoded.rstrip('=')}")


@pytest.mark.parametrize(
    "text",
    [
        "00000000-0000-0000-0000-001085012345",
        "4bf92f35-77b3-4da6-a3ce-001085012345",
        "abcdef001085012345abcdef",
        "٠٠١٠٨٥٠١٢٣٤٥",
        "303031303835303132333435",
        "000000001085012345000",
        "citizen-001085012345",
    ],
)
def test_disguised_identifiers_count(text: str) -> None:
    assert identifier_shaped(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/v1/{database}/{operation}",
        "2026-11-22T23:24:57.123456Z",
        "req-1234-abc",
        "config/logging.py:123 masked",
        "10.0.0.1",
        "7d444840-9dc0-41d1-b245-5ffdce74fad2",
        "4bf92f3577b34da6a3ce929d0e0e4736",
    ],
)
def test_what_identifies_nobody_stays_readable(text: str) -> None:
    assert masked(text) == text


def test_random_ids_stay_readable() -> None:
    ids = [str(uuid.uuid4()) for _ in range(500)] + [secrets.token_hex(32) for _ in range(500)]
    assert sum(masked(one) == one for one in ids) > 990


def test_every_value_of_an_event_is_masked(lines: Any) -> None:
    structlog.get_logger().info(
        "looked up 001085012345", deep={"001085012345": [("a 0101234567",)]}, thing=object(), raw=b"001085012345"
    )
    (line,) = lines()
    assert line["event"] == f"looked up {MASK}"
    assert line["deep"] == {MASK: [[f"a {MASK}"]]}
    assert (line["thing"], line["raw"]) == ("object", "bytes")
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_exceptions_show_types_and_frames_only(lines: Any) -> None:
    def asks(name: str) -> None:
        raise LookupError(f"nobody called {name}")

    try:
        try:
            asks("Nguyễn Văn An")
        except LookupError as error:
            raise RuntimeError("Nguyễn Văn An 001085012345") from error
    except RuntimeError:
        structlog.get_logger().exception("failed")
    (line,) = lines()
    types = [link["type"] for link in line["exception"]]
    assert types == ["builtins.RuntimeError", "builtins.LookupError"]
    assert any("asks" in place and "test_log_redaction.py" in place for place in line["exception"][1]["at"])
    assert "Nguyễn" not in json.dumps(line, ensure_ascii=False)


def test_what_libraries_log_loses_its_values(lines: Any) -> None:
    logging.getLogger("library").error("cannot read %s", "Nguyễn Văn An")
    logging.getLogger("library").debug("noise")
    (line,) = lines()
    assert (line["logger"], line["event"]) == ("library", "cannot read %s")
    assert "Nguyễn" not in json.dumps(line, ensure_ascii=False)


async def test_asyncio_does_not_print_the_result_of_a_lost_task(lines: Any) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": ValueError("Nguyễn Văn An"), "task": "An"}
    )
    (line,) = lines()
    assert line["event"] == "Task exception was never retrieved"
    assert line["exception"][0]["type"] == "builtins.ValueError"
    assert "Nguyễn" not in json.dumps(line, ensure_ascii=False)


texts = st.one_of(st.none(), st.text(max_size=40), identifiers)


@given(
    texts.map(str), st.sampled_from(["GET", "other"]), st.integers(100, 599), texts, texts, texts.map(str), texts, texts
)
def test_an_access_line_is_what_any_line_would_be(
    route: str,
    method: str,
    status: int,
    code: str | None,
    reason: str | None,
    request_id: str,
    client_id: str | None,
    trace_id: str | None,
) -> None:
    handlers = logging.getLogger().handlers[:]
    stream = io.StringIO()
    configure("info", stream)
    try:
        ids = {"request_id": request_id, "client_id": client_id, "trace_id": trace_id}
        write_access(route, method, status, code, reason, duration_ms=0.25, **ids)
        known = {"route": route, "method": method, "status": status, "code": code, "reason": reason}
        structlog.get_logger().info("request", **known, duration_ms=0.25, **ids)
        written, expected = stream.getvalue().split("\n")[:2]
        form = r'"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z"}$'
        assert re.sub(form, "T", written) == re.sub(form, "T", expected)
        assert written.endswith("}")
        assert re.search(form, written)
    finally:
        logging.getLogger().handlers[:] = handlers
        structlog.reset_defaults()


def test_above_its_level_no_access_line_is_written(lines: Any) -> None:
    stream = io.StringIO()
    configure("warning", stream)
    write_access("/livez", "GET", 200, None, None, duration_ms=0.1, request_id="r", client_id=None, trace_id=None)
    assert stream.getvalue() == ""


def test_a_stream_that_fails_takes_nobody_along(lines: Any) -> None:
    stream = io.StringIO()
    configure("info", stream)
    stream.close()
    write_access("/livez", "GET", 200, None, None, duration_ms=0.1, request_id="r", client_id=None, trace_id=None)
    structlog.get_logger().info("said")
