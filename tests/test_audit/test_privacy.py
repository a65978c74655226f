"""No personal identifier in plain text in any file, at any time: database, journals, lock, vault, backup."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import quote

from security.audit.continuity import root
from security.audit.redaction import redact
from storage.backup import backup
from storage.sqlite import plain
from tests.test_audit.audit_world import a_world, evidence

PERSONS = [f"0010901{number:05}" for number in range(40)]
OFFICER = "079085123456"
DATA = '{"full_name":"Nguyễn Thị Lan","address":"12 Hàng Bông"}'.encode()
ANSWER = b"<Envelope>answer</Envelope>"


def spellings(value: bytes) -> list[bytes]:
    """How a value could stand in a file: raw, UTF-16, URL-encoded, hexadecimal, base64 at each of three offsets."""
    encoded = [base64.b64encode(b"\0" * pad + value)[4 if pad else 0 : -4] for pad in range(3)]
    text = value.decode()
    return [value, text.encode("utf-16-le"), quote(text).encode(), value.hex().encode(), *encoded]


def scan(folder: Path) -> int:
    """Look for every secret value in every file; return how many bytes were looked at."""
    looked = 0
    values = [*(each.encode() for each in PERSONS), OFFICER.encode(), DATA, "Nguyễn Thị Lan".encode(), ANSWER]
    needles = [each for value in values for each in spellings(value)]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            looked += len(content)
            for needle in needles:
                assert needle not in content, f"{needle!r} in {path.name}"
    return looked


async def test_no_plain_identifier_in_any_file_at_any_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    async with a_world(url, tmp_path / "vault") as world:
        for first in range(0, len(PERSONS), 8):
            await asyncio.gather(
                *(
                    world.log.record(evidence(person, PERSONS[-1], data=DATA, officer=OFFICER, archive=place % 2 == 0))
                    for place, person in enumerate(PERSONS[first : first + 8])
                )
            )
            assert scan(tmp_path) > 20_000
        await redact(world.storage, world.log, world.sealer, 3, reason="test", evidence=evidence(data=None))
        await backup(url, tmp_path / "backup.db", root)
        scan(tmp_path)
        with plain(tmp_path / "gateway.db") as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert scan(tmp_path) > 100_000
        assert [each.index for each in await world.reader.search("personal-number", PERSONS[5])] == [5]


def test_the_scan_would_find_one(tmp_path: Path) -> None:
    for number, needle in enumerate(spellings(PERSONS[0].encode())):
        path = tmp_path / f"file{number}"
        path.write_bytes(b"abc" + needle + b"def")
        try:
            scan(tmp_path)
        except AssertionError:
            path.unlink()
        else:
            raise RuntimeError(f"{needle!r} was not found")


async def test_entry_shows_no_value_and_no_digest_of_a_guessable_value(tmp_path: Path) -> None:
    async with a_world(f"sqlite:///{tmp_path}/gateway.db", tmp_path / "vault") as world:
        for _ in range(2):
            await world.log.record(evidence(PERSONS[0], officer=OFFICER))
        one, two = [(await world.reader.show(index)).entry for index in range(2)]
        # The same person, the same question, the same officer: nothing in the entries says so.
        for name in ("subjects", "commitments", "officer"):
            assert one[name] != two[name]
        assert isinstance(one["officer"], dict)
        await world.log.record(evidence(officer="nguyen.van.a@moj"))
        assert (await world.reader.show(2)).entry["officer"] == "nguyen.van.a@moj"
