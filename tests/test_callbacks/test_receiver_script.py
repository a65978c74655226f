"""The script that receivers copy believes what the gateway signs, once, and nothing else."""

import base64
import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Standard

from sync.callback_message import message_of
from sync.callbacks import Callback
from tests.test_callbacks.receiver import FORMER, SECRET
from tests.test_callbacks.world import CODE, a_webhook

SCRIPT = Path(__file__).parents[2] / "docs" / "clients" / "webhook_receiver.py"
DATA = json.dumps({"code": CODE}, separators=(",", ":"))


class Running:
    """The script at work, isolated and with the standard library alone."""

    def __init__(self, folder: Path) -> None:
        (folder / "now").write_text(SECRET)
        (folder / "former").write_text(f"{FORMER}\n")
        command = [sys.executable, "-I", "-S", str(SCRIPT), "--port", "0"]
        command += ["--secret-file", "now", "--secret-file", "former"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self.process.stderr is not None
        self.port = int(self.process.stderr.readline().strip().rstrip("/").rpartition(":")[2])

    def post(self, headers: dict[str, str], body: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def close(self) -> list[dict[str, object]]:
        self.process.terminate()
        told, _ = self.process.communicate(timeout=60)
        return [json.loads(line) for line in told.splitlines()]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    if made.process.poll() is None:
        made.close()


def signed(secret: str = SECRET, identifier: str = "msg_1", at: int | None = None) -> tuple[dict[str, str], bytes]:
    callback = Callback(identifier, "province", "dossier.filed", DATA, 1_780_000_000_000, 0)
    hook = a_webhook("http://127.0.0.1:9/", secrets=[secret])
    message = message_of(callback, hook, int(time.time()) if at is None else at)
    return dict(message.headers), message.body


def test_it_takes_what_is_genuine_once(running: Running) -> None:
    headers, body = signed()
    assert running.post(headers, body) == 204
    assert running.post(headers, body) == 204
    assert running.post(*signed(FORMER, "msg_2")) == 204
    told = running.close()
    assert [one["id"] for one in told] == ["msg_1", "msg_2"]
    assert (told[0]["type"], told[0]["data"]) == ("dossier.filed", {"code": CODE})


def test_it_refuses_what_is_not(running: Running) -> None:
    headers, body = signed()
    other = "whsec_" + base64.b64encode(b"somebody-else-entirely-today").decode()
    assert running.post(headers, body.replace(b"filed", b"dead")) == 401
    assert running.post(headers | {"webhook-id": "msg_3"}, body) == 401
    assert running.post(headers | {"webhook-signature": "v1,"}, body) == 401
    assert running.post({"Content-Type": "application/json"}, body) == 401
    assert running.post(*signed(other)) == 401
    assert running.post(*signed(at=int(time.time()) - 400)) == 401
    assert running.close() == []


def test_the_signature_is_that_of_the_standards_own_implementation() -> None:
    headers, body = signed(at=1_780_000_100)
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    right = hmac.new(key, b"msg_1.1780000100." + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(right).decode()
    theirs = Standard(SECRET).sign("msg_1", datetime.fromtimestamp(1_780_000_100, UTC), body.decode())
    assert theirs == headers["webhook-signature"]
