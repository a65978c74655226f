"""The request side of HTTP/1.1 for one endpoint: target and head as bytes, prepared once for each method and path."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache

from yarl import URL

# Field lines as RFC 9110 section 5 has them, without the control characters that would begin another line, and without
# the fields that this module writes itself: a second one of those would let two readers see two messages.
_FIELDS = re.compile(
    r"(?:(?!(?:host|user-agent|accept-encoding|connection|expect|content-length|transfer-encoding|te|trailer|upgrade):)"
    r"[!#$%&'*+.^_`|~0-9a-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*",
    re.IGNORECASE | re.ASCII,
)
_METHOD = re.compile(r"[A-Z]+")
# Answers to these have no body although their head announces one, or are no answers at all: nothing here needs them.
_UNUSED = ("HEAD", "CONNECT")


class Requests:
    """The requests to the address `url` of an endpoint; raises ValueError for an address that is none of HTTP.

    A user and password in the address become HTTP Basic, which a message with its own Authorization must not meet.
    """

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/")
        address = URL(self._base)
        if address.scheme not in ("http", "https") or not address.raw_host or address.port is None:
            raise ValueError("not an http or https address")
        self.host = address.raw_host.rstrip(".")
        self.port = address.port
        self.secure = address.scheme == "https"
        lines = [f"Host: {address.host_port_subcomponent}", "User-Agent: lgsp-gateway", "Accept-Encoding: identity"]
        self._proof = ""
        if address.user is not None or address.password is not None:
            pair = f"{address.user or ''}:{address.password or ''}".encode()
            self._proof = f"Authorization: Basic {b64encode(pair).decode()}\r\n"
        self._fixed = "".join(f"{line}\r\n" for line in lines)
        # Paths are constants of the declarations and most headers are, too; the bound is for those that are not.
        self._head = lru_cache(maxsize=256)(self._headed)

    def written(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> bytes:
        """Return the whole request; raises ValueError for a method or header that cannot be written as it is."""
        fields = tuple(headers.items())
        head = self._headed(method, path, fields, query) if query else self._head(method, path, fields)
        if body or method != "GET":
            return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
        return head + b"\r\n"

    def _headed(
        self, method: str, path: str, headers: tuple[tuple[str, str], ...], query: Mapping[str, str] | None = None
    ) -> bytes:
        """Return everything that stands before the length of the body."""
        if _METHOD.fullmatch(method) is None or method in _UNUSED:
            raise ValueError(f"the method {method!r} is not for questions")
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
        # As many lines as fields: a value may hold no whole line of its own either.
        if _FIELDS.fullmatch(fields) is None or fields.count("\r\n") != len(headers):
            raise ValueError("a header with control characters, or one that the transport writes itself")
        if self._proof and any(name.lower() == "authorization" for name, _ in headers):
            raise ValueError("a log-in of its own and credentials in the address exclude each other")
        address = URL(self._base + path)
        if query:
            address = address.with_query(dict(query))
        return f"{method} {address.raw_path_qs} HTTP/1.1\r\n{self._fixed}{fields}{self._proof}".encode()
