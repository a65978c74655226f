"""`serve` as an operator meets it: real processes, real signals, requests in flight."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
"""A worker may have to start first, on a busy machine."""
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"


class Gateway:
    """A running `serve`; its log is read line by line, so that waiting is for events and never for time."""

    def __init__(self, settings: dict[str, Any], failing: str, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.test_server.served", json.dumps(settings)],
            cwd=ROOT,
            env={**os.environ, "FAILING": failing, "TMPDIR": str(directory)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._incoming: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        # Whoever does not read a pipe stops the one who writes to it.
        self._reading = threading.Thread(target=self._read_log)
        self._reading.start()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._incoming.put(json.loads(line))
        self._incoming.put(None)

    def ready(self) -> None:
        assert self.process.stdout is not None
        self.addresses = {role: tuple(pair) for role, pair in json.loads(self.process.stdout.readline()).items()}

    def wait_for(self, event: str) -> dict[str, Any]:
        while (line := self._incoming.get(timeout=PATIENCE_S)) is not None:
            self.lines.append(line)
            if line["event"] == event:
                return line
        raise AssertionError(f"the log ended without {event}: {self.lines}")

    def connect(self) -> socket.socket:
        return socket.create_connection(self.addresses["http"], timeout=PATIENCE_S)

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self.addresses["http"], timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def about(self) -> dict[str, int]:
        return dict(json.loads(self.get("/about")[1]))

    def about_each(self, workers: int, wanted: Callable[[dict[str, int]], bool] = lambda _: True) -> dict[int, int]:
        """Ask until every worker has answered as wanted; return their process ids by index."""
        found: dict[int, int] = {}
        end = time.monotonic() + PATIENCE_S
        while len(found) < workers:
            assert time.monotonic() < end, f"only {found} answered as wanted"
            one = self.about()
            if wanted(one):
                found[one["worker"]] = one["pid"]
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def log_ended(self) -> None:
        """Return when nobody holds the log open any more, so when the last process has ended."""
        while (line := self._incoming.get(timeout=PATIENCE_S)) is not None:
            self.lines.append(line)
        self._reading.join()

    def end(self) -> int:
        self.log_ended()
        return self.process.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reading.join(timeout=PATIENCE_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    started: list[Gateway] = []

    def start(workers: int = 1, *, ready: bool = True, failing: str = "", **server: Any) -> Gateway:
        one = Gateway({"server": {"listen": "127.0.0.1:0", "workers": workers, **server}}, failing, tmp_path)
        started.append(one)
        if ready:
            one.ready()
        return one

    yield start
    for one in started:
        one.close()


def wait_until_gone(watched: int) -> None:
    """Return when the process behind this pidfd has ended."""
    readable, _, _ = select.select([watched], [], [], PATIENCE_S)
    os.close(watched)
    assert readable


def in_flight(gateway: Gateway) -> socket.socket:
    """Begin a request and return its connection once the handler is at work on it."""
    connection = gateway.connect()
    connection.sendall(UPLOAD)
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    return connection


def read_all(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_workers_share_one_address_and_one_metrics_page(gateway: Callable[..., Gateway]) -> None:
    one = gateway(workers=2)
    pids = one.about_each(2)
    assert len(set(pids.values())) == 2
    asked = 0
    for _ in range(3):
        asked += one.get("/livez")[0] == 200
    page = one.get("/metrics")[1].decode()
    assert f'lgsp_http_requests_total{{method="GET",route="/livez",status="200"}} {asked}.0' in page
    assert "lgsp_http_in_flight 1.0" in page
    watched = [os.pidfd_open(pid) for pid in pids.values()]
    one.signal(signal.SIGTERM)
    assert one.end() == 0
    for worker in watched:
        wait_until_gone(worker)


def test_told_to_stop_while_workers_start_it_stops(gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    one = gateway(ready=False, failing="late")
    one.wait_for("preparing")
    one.signal(signal.SIGTERM)
    one.wait_for("stopping")
    (tmp_path / "go").touch()
    assert one.end() == 0


def test_a_worker_that_is_killed_while_it_starts_is_started_again(
    gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    one = gateway(ready=False, failing="late")
    one.wait_for("preparing")
    parent = one.process.pid
    os.kill(int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]), signal.SIGKILL)
    assert one.wait_for("worker-died")["exit"] == -signal.SIGKILL
    (tmp_path / "go").touch()
    one.ready()
    one.signal(signal.SIGTERM)
    assert one.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_what_is_in_flight(gateway: Callable[..., Gateway], number: signal.Signals) -> None:
    one = gateway()
    busy, idle = in_flight(one), one.connect()
    idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(4096).startswith(b"HTTP/1.1 200")
    one.signal(number)
    assert read_all(idle) == b""
    busy.sendall(b"{}")
    answer = read_all(busy)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer
    assert one.end() == 0
    with pytest.raises(ConnectionRefusedError):
        one.connect()


def test_ctrl_c_in_a_terminal_reaches_all_and_still_waits(gateway: Callable[..., Gateway]) -> None:
    one = gateway(grace=3600.0)
    with in_flight(one) as busy, one.connect() as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096)
        os.killpg(one.process.pid, signal.SIGINT)
        assert idle.recv(1) == b""
        busy.sendall(b"{}")
        assert busy.recv(4096).startswith(b"HTTP/1.1 200")
    assert one.end() == 0


def test_what_outlasts_the_grace_is_cut_off(gateway: Callable[..., Gateway]) -> None:
    one = gateway(grace=0.1)
    with one.connect() as connection:
        connection.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        one.about()
        one.signal(signal.SIGTERM)
        assert connection.recv(100) == b""
    assert one.end() == 0
    assert "cut-off" in [line["event"] for line in one.lines]


def test_a_second_signal_ends_sooner(gateway: Callable[..., Gateway]) -> None:
    one = gateway(grace=3600.0)
    with in_flight(one) as connection, one.connect() as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096)
        one.signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        one.signal(signal.SIGTERM)
        assert connection.recv(1) == b""
    assert one.end() == 0


def test_a_killed_worker_is_replaced_and_its_counts_stay(gateway: Callable[..., Gateway]) -> None:
    one = gateway(workers=2)
    before = one.about_each(2)
    for _ in range(20):
        one.get("/livez")
    os.kill(before[0], signal.SIGKILL)
    died = one.wait_for("worker-died")
    assert (died["worker"], died["exit"]) == (0, -signal.SIGKILL)
    after = one.about_each(2, lambda about: about["pid"] != before[0])
    assert after[1] == before[1]
    page = one.get("/metrics")[1].decode()
    assert 'lgsp_http_requests_total{method="GET",route="/livez",status="200"} 20.0' in page
    assert "lgsp_worker_restarts_total 1.0" in page
    assert "lgsp_http_in_flight 1.0" in page
    one.signal(signal.SIGTERM)
    assert one.end() == 0


def test_what_a_dead_worker_had_in_flight_is_not_counted_for_ever(gateway: Callable[..., Gateway]) -> None:
    one = gateway()
    with in_flight(one):
        assert "lgsp_http_in_flight 2.0" in one.get("/metrics")[1].decode()
        os.kill(one.about()["pid"], signal.SIGKILL)
        one.wait_for("worker-died")
    # Who asks meanwhile waits in the parent's socket for the next worker.
    assert "lgsp_http_in_flight 1.0" in one.get("/metrics")[1].decode()
    one.signal(signal.SIGTERM)
    assert one.end() == 0


def test_workers_end_with_their_parent(gateway: Callable[..., Gateway]) -> None:
    one = gateway(workers=2)
    watched = [os.pidfd_open(pid) for pid in one.about_each(2).values()]
    busy = in_flight(one)
    one.process.kill()
    one.process.wait()
    busy.sendall(b"{}")
    assert read_all(busy).startswith(b"HTTP/1.1 200")
    one.log_ended()
    for worker in watched:
        wait_until_gone(worker)


def test_a_reload_reaches_every_worker_and_drops_nobody(gateway: Callable[..., Gateway]) -> None:
    one = gateway(workers=2)
    before = one.about_each(2)
    busy = in_flight(one)
    one.signal(signal.SIGHUP)
    after = one.about_each(2, lambda about: about["reloads"] == 1)
    assert after == before
    busy.sendall(b"{}")
    assert busy.recv(4096).startswith(b"HTTP/1.1 200")
    busy.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert busy.recv(4096).startswith(b"HTTP/1.1 200")
    busy.close()
    one.signal(signal.SIGTERM)
    assert one.end() == 0


@pytest.mark.parametrize("failing", ["configuration", "surprise"])
def test_what_cannot_start_says_so_and_ends(gateway: Callable[..., Gateway], failing: str) -> None:
    one = gateway(workers=2, ready=False, failing=failing)
    assert one.end() == 1
    failed = next(line for line in one.lines if line["event"] == "worker-failed")
    if failing == "configuration":
        assert failed["hint"] == "keys.directory: nothing there"
    else:
        assert failed["exception"][0]["type"] == "builtins.RuntimeError"
    assert "001085012345" not in json.dumps(one.lines)


def test_every_log_line_is_json_and_names_templates(gateway: Callable[..., Gateway]) -> None:
    one = gateway()
    one.get("/about?q=001085012345")
    one.get("/001085012345")
    one.signal(signal.SIGTERM)
    assert one.end() == 0
    routes = [line["route"] for line in one.lines if line["event"] == "request"]
    assert routes == ["/about", "unmatched"]
    assert {"serving", "stopping", "stopped"} <= {line["event"] for line in one.lines}
    assert "001085012345" not in json.dumps(one.lines)
