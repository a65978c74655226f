"""What our HTTP client writes: the head for an address and a message, and what it refuses to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http_request import Requests
from adapters.transport import Message, Transport
from config.settings import ConfigurationError, Endpoint
from tests.test_resilience.doubles import in_seconds, on_both_loops
from tests.test_resilience.http_wire import PLAIN, Wire

FIXED = "User-Agent: lgsp-gateway\r\nAccept-Encoding: identity\r\n"


def written(url: str, message: Message) -> bytes:
    return Requests(url).written(message.method, message.path, message.query, message.headers, message.body)


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("http://source", "/ask", "source"),
        ("http://source/", "/ask", "source"),
        ("http://source:80", "/ask", "source"),
        ("https://source:443/base/", "/base/ask", "source"),
        ("http://source:443", "/ask", "source:443"),
        ("https://source:8443/a b", "/a%20b/ask", "source:8443"),
        ("http://[::1]:8080", "/ask", "[::1]:8080"),
        ("https://[2001:db8::1]", "/ask", "[2001:db8::1]"),
        ("http://nguồn.vn", "/ask", "xn--ngun-dy5a.vn"),
    ],
)
def test_target_and_host(url: str, line: str, host: str) -> None:
    expected = f"POST {line} HTTP/1.1\r\nHost: {host}\r\n{FIXED}Content-Length: 1\r\n\r\nq"
    assert written(url, Message("POST", "/ask", {}, b"q")) == expected.encode()


def test_query_fields_and_length() -> None:
    message = Message("GET", "/a b/é", {"Accept": "application/json", "X-Name": "đỏ"}, b"", {"q": "1 +&é/=?"})
    expected = f"GET /a%20b/%C3%A9?q=1+%2B%26%C3%A9/%3D? HTTP/1.1\r\nHost: h\r\n{FIXED}"
    assert written("http://h", message) == f"{expected}Accept: application/json\r\nX-Name: đỏ\r\n\r\n".encode()
    assert b"Content-Length: 0\r\n" in written("http://h", Message("POST", "/"))


def test_credentials_in_the_address_become_basic() -> None:
    request = written("http://us%20er:p%40w@h", Message("POST", "/", {"Accept": "*/*"}))
    assert b"Host: h\r\n" in request
    assert b"Authorization: Basic dXMgZXI6cEB3\r\n" in request
    with pytest.raises(ValueError, match="exclude"):
        written("http://u:p@h", Message("POST", "/", {"authorization": "Bearer x"}))


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "Connection", "expect", "TE", "Upgrade"]
)
def test_fields_of_ours_are_not_written_twice(name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        written("http://h", Message("POST", "/", {"Accept": "*/*", name: "1"}, b"q"))


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é", "a\x00"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        written("http://h", Message("POST", "/", {name: "1"}, b"q"))


@pytest.mark.parametrize("value", ["b\r\nC: d", "b\r\nC: d\r\nE: f", "\r\nC:", "b\r\n\r\nGET / HTTP/1.1", "b\r\n"])
def test_no_line_in_a_value(value: str) -> None:
    with pytest.raises(ValueError, match="header"):
        written("http://h", Message("POST", "/", {"A": value}, b"q"))


@given(before=st.text(max_size=5), sign=st.sampled_from("\r\n\x00\x0b\x1f\x7f"), after=st.text(max_size=5))
def test_no_control_character_in_a_value(before: str, sign: str, after: str) -> None:
    with pytest.raises(ValueError, match="header"):
        written("http://h", Message("POST", "/", {"A": f"{before}{sign}{after}"}, b"q"))


@given(path=st.text(max_size=20), query=st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=3))
def test_no_path_and_no_query_reaches_the_next_line(path: str, query: dict[str, str]) -> None:
    try:
        head = written("http://h/base", Message("POST", "/" + path, {}, b"", query))
    except ValueError:
        return
    first, *rest = head.split(b"\r\n")
    assert first.startswith(b"POST /base/"[:6])
    assert first.endswith(b" HTTP/1.1")
    assert first.count(b" ") == 2
    assert all(0x20 < byte < 0x7F or byte == 0x20 for byte in first)
    assert rest == [b"Host: h", *FIXED.encode().split(b"\r\n")[:2], b"Content-Length: 0", b"", b""]


@pytest.mark.parametrize("method", ["HEAD", "CONNECT", "get", "GET /", "", "POST\r\n"])
def test_methods_that_are_not_for_questions(method: str) -> None:
    with pytest.raises(ValueError, match="method"):
        written("http://h", Message(method, "/"))


@pytest.mark.parametrize("url", ["", "source", "ftp://source", "http://", "http://source:99999", "unix:/run/x"])
def test_addresses_that_are_none_of_http(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[endpoints.source\]: url"):
        Transport("source", Endpoint(url=url))


@on_both_loops
async def test_what_cannot_be_written_takes_no_slot() -> None:
    async with Wire(PLAIN).met(concurrency=1) as link:
        for _ in range(3):
            with pytest.raises(ValueError, match="header"):
                await link.send(Message("POST", "/", {"A": "b\r\nC: d"}), deadline=in_seconds(10))
        assert (await link.send(Message("POST", "/"), deadline=in_seconds(10))).body == b"ok"
