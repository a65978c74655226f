"""A forger between the gateway and the registries of a demo: their genuine answers go through its hands."""

import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.pki import Pki
from tests.test_attacks.attack import Source
from tests.test_attacks.messages import Document, Envelope

VICTIMS = {"population": b"Ten", "tax": b"TenNNT", "land": b"TenChu"}
"""The signing databases, and the element of their answers whose text is forged: it says somebody's name."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b; charset=utf-8\r\nContent-Length: %d\r\n\r\n"


def answered(body: bytes, media: bytes = b"text/xml") -> bytes:
    """An ordinary HTTP answer."""
    return _HEAD % (media, len(body)) + body


class Forger:
    """One server for each database; `forge` makes of a signed answer the bytes that the gateway gets instead."""

    def __init__(self) -> None:
        self.forge: Callable[[str, bytes], bytes] | None = None
        self.targets: dict[str, tuple[str, int]] = {}
        self._sources: dict[str, tuple[Any, ...]] = {}
        self._servers = {name: _Server(("127.0.0.1", 0), _handler(self, name)) for name in VICTIMS}
        for server in self._servers.values():
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def environment(self, state: Path) -> dict[str, str]:
        """What makes the gateway of a demo ask here.

        Land's certificates are looked for in a file, so that those which a forger has made can be held against it;
        about those of tax the responder is asked, which knows none of them.
        """
        anchor, lists = (json.dumps([str(state / "pki" / name)]) for name in ("registries-ca.pem", "registries.crl"))
        trusted = {"land": ("", anchor, lists), "tax": ("registries", "[]", "[]")}
        found = {}
        for name, server in self._servers.items():
            found[f"LGSP_ENDPOINTS__{name.upper()}__URL"] = f"http://127.0.0.1:{server.server_port}"
        for name, values in trusted.items():
            for setting, value in zip(("DOMAIN", "TRUST", "CRL"), values, strict=True):
                found[f"LGSP_ENDPOINTS__{name.upper()}__{setting}"] = value
        return found

    def follow(self, state: Path) -> None:
        """Take the place of this demo's registries, with their keys in hand."""
        described = json.loads((state / "demo.json").read_text())
        pki = Pki(state / "pki")
        anchor = x509.load_pem_x509_certificate((state / "pki" / "registries-ca.pem").read_bytes())
        anchor_key = load_pem_private_key((state / "pki" / "registries-ca.key").read_bytes(), None)
        for name in VICTIMS:
            address = urlsplit(described["registries"][name]["url"])
            self.targets[name] = (str(address.hostname), int(address.port or 0))
            self._sources[name] = (pki.signer(name), anchor, anchor_key, pki.signer(name, "revoked"))

    def taken_apart(self, name: str, answer: bytes) -> Envelope | Document:
        """A genuine answer of a database as what attacks are made of."""
        key, anchor, anchor_key, revoked = self._sources[name]
        source = Source(key, anchor, anchor_key, datetime.now(UTC), VICTIMS[name], revoked)
        return Document(answer, source) if name == "land" else Envelope(answer, source)

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers.values():
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave unsaid that the gateway hung up: it does on what it will not read."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(forger: Forger, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The gateway waits for a whole answer: no reason to hold its end back.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            registry = HTTPConnection(*forger.targets[name], timeout=60)
            try:
                registry.request("POST", self.path, question, dict(self.headers.items()))
                answer = registry.getresponse()
                body = answer.read()
                media = answer.headers["Content-Type"].partition(";")[0].encode()
            finally:
                registry.close()
            # Log-ins, faults and refusals go through as they are.
            if forger.forge is not None and b"SignedInfo" in body:
                self.wfile.write(forger.forge(name, body))
            else:
                self.wfile.write(answered(body, media).replace(b"200 OK", b"%d X" % answer.status, 1))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
