"""Receive call-backs of the gateway, believe only what it signed, and print each once as a line of JSON.

Nhận lời gọi lại của cổng: kiểm tra chữ ký, mỗi sự kiện một lần. One file to copy, for Python's standard library alone:

    python3 webhook_receiver.py --secret-file FILE [--secret-file FORMER] [--port 8099]

Put it behind something that speaks TLS: the gateway calls http on its own machine only. A call-back holds codes and a
link, never data of persons: what is behind the link is asked for with a token of one's own. It may come more than once
and in any order: `verified` says whether it is genuine, `webhook-id` whether it is new. What was taken is answered with
204; anything else but 2xx has it sent again, 410 ends the call-backs until an operator enables them.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOLERANCE = 300
LONGEST = 65_536
REMEMBERED = 100_000
SEEN = OrderedDict()


def verified(headers, body, secrets, now):
    """Return the payload if one of the signatures holds under one of the secrets; raise ValueError otherwise."""
    identifier, sent, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (sent.isascii() and sent.isdigit()) or abs(now - int(sent)) > TOLERANCE:
        raise ValueError("the time is missing or far from ours")
    content = f"{identifier}.{sent}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        right = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        for signature in signatures.split():
            if hmac.compare_digest(signature.encode(), right.encode()):
                return json.loads(body)
    raise ValueError("no signature holds")


class Receiver(BaseHTTPRequestHandler):
    """Answers one request. A system of record would keep the ids it has seen where it keeps what it did."""

    secrets = ()

    def do_POST(self):
        """Take a call-back."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LONGEST:
            self.answer(413)
            return
        try:
            payload = verified(self.headers, self.rfile.read(int(length)), self.secrets, time.time())
        except ValueError as flaw:
            say(sys.stderr, f"refused: {flaw}")
            self.answer(401)
            return
        identifier = self.headers["webhook-id"]
        if identifier not in SEEN:
            SEEN[identifier] = None
            if len(SEEN) > REMEMBERED:
                SEEN.popitem(last=False)
            say(sys.stdout, json.dumps({"id": identifier, **payload}, ensure_ascii=False))
        self.answer(204)

    def answer(self, status):
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing of each request."""


def say(where, line):
    """Write a line at once."""
    where.write(f"{line}\n")
    where.flush()


def main():
    """Listen until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--secret-file", action="append", required=True, help="file with whsec_...; twice while rotating"
    )
    parser.add_argument("--port", type=int, default=8099, help="on this machine; 0 takes a free one")
    options = parser.parse_args()
    Receiver.secrets = [Path(name).read_text(encoding="ascii").strip() for name in options.secret_file]
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Receiver)
    say(sys.stderr, f"listening on http://127.0.0.1:{server.server_port}/")
    server.serve_forever()


if __name__ == "__main__":
    main()
