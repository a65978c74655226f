"""A key whose first request is still under way: in another connection, in another process, with half a body."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.errors import IdempotencyInProgress
from sync.pushes import key_tag
from sync.sealing import DossierSealer
from sync.under_way import UnderWay
from tests.test_intake.source import Source, a_code
from tests.test_intake.world import PROVINCE, Desk, a_status

_HOLD = """
import sys
from pathlib import Path
from sync.under_way import UnderWay
held = UnderWay(Path(sys.argv[1]))
print(held.begin(bytes.fromhex(sys.argv[2])), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_holding(path: Path, tag: bytes) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", _HOLD, str(path), tag.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_key_is_of_one_process_until_that_lets_go_or_dies(tmp_path: Path) -> None:
    path, tag = tmp_path / "keys", os.urandom(16)
    here = UnderWay(path)
    assert here.begin(tag)
    assert not here.begin(tag)
    here.end(tag)
    with another_process_holding(path, tag) as process:
        assert not here.begin(tag)
        assert here.begin(os.urandom(16))
        process.kill()
        process.wait()
        assert here.begin(tag)
    here.close()


async def test_a_request_waits_for_no_other_process_but_is_told(desk: Desk, tmp_path: Path) -> None:
    tag = key_tag(DossierSealer(desk.world.sealer), PROVINCE, "k-1")
    with another_process_holding(tmp_path / "under-way.lock", tag) as process:
        with pytest.raises(IdempotencyInProgress):
            await desk.push(a_status(), key="k-1")
        # Another key is nobody's.
        await desk.push(a_status(), key="k-2")
        process.kill()
        process.wait()
        first = await desk.push(a_status(), key="k-1")
    assert not first.replayed
    # Who was answered before is answered again, whatever another process does with the key.
    with another_process_holding(tmp_path / "under-way.lock", tag):
        assert (await desk.push(a_status(), key="k-1")).replayed


async def test_a_key_that_another_process_wrote_meanwhile_is_answered_as_that_was(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.put()
    first = await desk.push(a_status(), key="k-1")
    # The look before the write saw nothing yet, as on a node that shares no file with the first.
    monkeypatch.setattr("sync.intake.answered", lambda connection, tags: {})
    again = await desk.push(a_status(), key="k-1")
    assert (again.replayed, again.event_id, again.receipt) == (True, first.event_id, first.receipt)
    assert len(await desk.rows()) == 2


def test_the_first_is_under_way_while_its_body_comes(province: Source) -> None:
    code, key = a_code(), "half"
    body = json.dumps(a_status()).encode()
    address = urlsplit(province.deployed.url)
    head = (
        f"POST /v1/dossiers/{code}/statuses HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {province.bearer}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=60) as first:
        first.sendall(head.encode())
        # Its head was read: nothing else is a sign of that.
        assert first.recv(4096).startswith(b"HTTP/1.1 100 ")
        first.sendall(body[:10])
        second = province.push(code, key=key)
        assert (second.status, second.json["code"], second.headers["Retry-After"]) == (
            409,
            "idempotency-in-progress",
            "1",
        )
        first.sendall(body[10:])
        assert first.makefile("rb").read().startswith(b"HTTP/1.1 202 ")
    again = province.push(code, key=key)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (202, "true")


def test_a_first_that_breaks_off_leaves_the_key_to_the_next(province: Source) -> None:
    code, key = a_code(), "broken"
    address = urlsplit(province.deployed.url)
    head = (
        f"POST /v1/dossiers/{code}/statuses HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {province.bearer}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: 100\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=60) as first:
        first.sendall(head.encode())
        assert first.recv(4096).startswith(b"HTTP/1.1 100 ")
    answers = (province.push(code, key=key) for _ in range(1000))
    done = next(answer for answer in answers if answer.status != 409)
    assert (done.status, "Idempotency-Replayed" in done.headers) == (202, False)
