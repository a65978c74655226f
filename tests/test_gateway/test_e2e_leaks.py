"""After a run over everybody, no identifier and no name stands in any file, log line, metric or address."""

import base64
import binascii
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.test_gateway.leaks import found, secrets_of
from tests.test_gateway.live import Caller, Live

# What the demo tells its user, and the registries' own keys: they are no part of the gateway.
NOT_THE_GATEWAYS = ("demo.json", "pki")


def test_the_search_finds_every_disguise() -> None:
    numbers, names = secrets_of([{"a": ["089077133265", {"full_name": "Lê Ngọc Hiếu"}], "c": "x", "d": "H26 Sở"}])
    assert numbers == {b"089077133265"}
    number, name = "089077133265", "Lê Ngọc Hiếu"
    for before in ("", "a", "ab", "abc", '{"so": "'):
        for disguise in (
            number.encode(),
            base64.b64encode((before + number + '"}').encode()),
            base64.urlsafe_b64encode((before + number).encode()),
            binascii.hexlify(number.encode()),
            "".join(f"%{ord(digit):02x}" for digit in number).encode(),
        ):
            assert found(b"\x00x " + disguise + b"=\xff", numbers, names) == {number.encode()}, disguise
    for disguise in (name, quote(name), base64.b64encode(name.encode()).decode()):
        assert found(b"x " + disguise.encode() + b" y", numbers, names) == {name.encode()}, disguise
    assert found(b"089077133264 \xff", numbers, names) == set()
    # A short one is not looked for in what is random, and only there.
    short, uuid = b"123456789", b"01a22eea-eeee-70c5-b688-"
    for text in (uuid + b"0123456789ab", b"a" * 23 + short, b"sha256:" + b"0123456789abcdef" * 4):
        assert found(text, {short}, set()) == set()
    for text in (b"0" + short, b"a" + short, b"12345678-9012-3456-7890-012345678901-a", b"1" * 23 + short + b"-a"):
        assert found(text, {short}, set()) == {short}
    assert found(uuid + number.encode(), numbers, names) == numbers


async def everything_is_asked(caller: Caller, live: Live) -> list[object]:
    """Answers, misses, refusals, rejected answers and bad questions, about everybody."""
    truth = live.truth()
    for sentence in truth[::7]:
        await caller.ask(f"{sentence['database']}/{sentence['operation']}", sentence["request"])
    for name, persons in live.described["cases"].items():
        for person in persons:
            await caller.ask(name, person["body"])
            await caller.ask(name, person["body"], client="auditor")
    body = caller.samples["population/person"]["body"]
    number = body["personal_id"]
    encoded = base64.b64encode(number.encode()).decode()
    for database, kind in (("population", "tampered"), ("tax", "wrong-answer"), ("land", "unsigned"),
                           ("enterprise", "malformed"), ("civil-status", "down")):  # fmt: skip
        await caller.fault(database, kind)
        await caller.ask(caller.operations(database)[0])
        await caller.healed([database])
    for headers in ({"X-Request-Id": number}, {"X-Request-Id": f"a{encoded}"}, {"Lgsp-Officer": number},
                    {"Lgsp-Dossier": number}, {"Lgsp-Purpose": number}, {"User-Agent": number},
                    {"traceparent": number}, {"Accept-Language": number}):  # fmt: skip
        await caller.ask("population/person", headers=headers)
    bearer = {"Authorization": f"Bearer {await caller.token()}"}
    for path in (f"/v1/{number}", f"/v1/population/person?personal_id={number}", f"/{encoded}?q={quote(number)}",
                 f"/v1/population/{number}?fields={number}"):  # fmt: skip
        await caller.send("POST", path, json=body, headers=bearer)
        await caller.send("GET", path)
    await caller.ask("population/person", {"personal_id": number, number: number})
    await caller.ask("population/person", {"personal_id": int(number)})
    return [truth, live.described["cases"], live.described["samples"]]


@pytest.fixture
async def secrets(caller: Caller, live: Live) -> tuple[set[bytes], set[bytes]]:
    numbers, names = secrets_of(await everything_is_asked(caller, live))
    assert len(numbers) > 200
    assert len(names) > 50
    return numbers, names


async def test_nothing_personal_is_left_anywhere(
    caller: Caller, live: Live, secrets: tuple[set[bytes], set[bytes]]
) -> None:
    metrics = await caller.send("GET", "/metrics")
    # What was measured has seventeen digits in hundreds of lines; all that could be told stands before it.
    told = [line if line.startswith(b"#") else line.rpartition(b" ")[0] for line in metrics.body.splitlines()]
    assert found(b"\n".join(told), *secrets) == set()
    files = [path for path in live.state.rglob("*") if path.is_file()]
    names = {str(path.relative_to(live.state)).partition("/")[0] for path in files}
    assert {"lgsp.sqlite", "lgsp.sqlite-wal", "vault", "gateway.log"} <= names
    for path in files:
        if str(path.relative_to(live.state)).startswith(NOT_THE_GATEWAYS):
            continue
        assert found(path.read_bytes(), *secrets) == set(), path
    values = list(stored_values(Path(live.described["database"])))
    texts = b"\n".join(value if isinstance(value, bytes) else value.encode() for value in values if not measured(value))
    assert found(texts, *secrets) == set()
    # Moments in milliseconds have any digits at their ends: a number is one of somebody as a whole.
    assert {value for value in values if measured(value)}.isdisjoint(map(int, secrets[0]))


def measured(value: object) -> bool:
    return isinstance(value, int | float)


def stored_values(database: Path) -> Iterator[Any]:
    """Every value of every row, as SQLite reads it: pages that lie in the write-ahead log included."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            yield from (value for value in row if value is not None)
    connection.close()


async def test_log_lines_are_json_and_say_what_happened(caller: Caller, live: Live) -> None:
    reply = await caller.ask("population/person", headers={"X-Request-Id": "seen-in-the-log"})
    assert reply.status == 200
    lines = [json.loads(line) for line in (live.state / "gateway.log").read_text().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "seen-in-the-log"]
    assert (line["route"], line["status"], line["client_id"]) == ("/v1/population/person", 200, "ministry")
    assert not [line for line in lines if line.get("event") == "internal-error"]
    assert Path(live.described["database"]).stat().st_mode & 0o077 == 0
