"""`lgsp sandbox` and `lgsp sandbox dump`: registries alone, and the truth as lines."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from pathlib import Path

from adapters import DATABASES
from tests.test_commands.conftest import SCRIPT, lgsp, quick

# Nothing on the way between a test and its registries.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def test_the_registries_run_alone_until_interrupted(tmp_path: Path) -> None:
    arguments = [SCRIPT, "sandbox", "--state", tmp_path / "state", "--port", "0", "--people", "20", "--json"]
    arguments += ["--fault", "tax:down", "--fault", "portal:throttled=9/s,error=0.5"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    described = json.loads(process.stdout.readline())
    try:
        assert {database.name for database in DATABASES} < described["registries"].keys()
        assert Path(described["accounts"]).stat().st_mode & 0o077 == 0
        with OPENER.open(f"{described['registries']['tax']}/_faults", timeout=60) as answer:
            assert json.load(answer)["fault"] == "down"
        with OPENER.open(f"{described['portal']}/_faults", timeout=60) as answer:
            assert json.load(answer)["fault"] == "throttled"
        with OPENER.open(f"{described['portal']}/_ledger", timeout=60) as answer:
            assert answer.read() == b""
        with OPENER.open(described["contracts"]["population"], timeout=60) as answer:
            assert b"definitions" in answer.read()
        for name in described["accounts"], described["trust"]:
            assert json.dumps(described).count(json.dumps(name)) == 1
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        process.stdout.close()


def test_a_second_portal_on_the_same_state_is_a_finding(tmp_path: Path) -> None:
    import asyncio

    from sandbox.portal.ledger import FILE, Ledger

    ledger = Ledger(tmp_path / FILE)
    result = lgsp("sandbox", "--state", str(tmp_path), "--people", "20", "--port", "0")
    asyncio.run(ledger.close())
    assert result.returncode == 1
    assert "--state" in result.stderr


def test_a_port_that_is_taken_is_a_finding(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = lgsp("sandbox", "--state", str(tmp_path), "--people", "20", "--port", str(port))
    assert result.returncode == 1
    assert "--port" in result.stderr


def test_the_truth_is_lines_that_depend_on_seed_and_people_only() -> None:
    first = quick("sandbox", "dump", "--seed", "5", "--people", "20")
    assert first.exit_code == 0
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert all(line.keys() == {"database", "operation", "request", "answer"} for line in lines)
    operations = {(database.name, operation.name) for database in DATABASES for operation in database.operations}
    assert {(line["database"], line["operation"]) for line in lines} == operations
    again = lgsp("sandbox", "dump", "--seed", "5", "--people", "20", env={"PYTHONHASHSEED": "7", "TZ": "UTC-9"})
    assert again.stdout == first.stdout
    assert quick("sandbox", "dump", "--seed", "6", "--people", "20").stdout != first.stdout
    tax = quick("sandbox", "dump", "--seed", "5", "--people", "20", "--database", "tax").stdout.splitlines()
    assert tax == [line for line in first.stdout.splitlines() if json.loads(line)["database"] == "tax"]


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    dump = subprocess.Popen(
        [SCRIPT, "sandbox", "dump", "--people", "2000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert dump.stdout is not None
    assert dump.stderr is not None
    json.loads(dump.stdout.readline())
    dump.stdout.close()
    assert dump.stderr.read() == b""
    assert dump.wait(timeout=60) == 0
    dump.stderr.close()
