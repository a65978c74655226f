"""No personal value lies in plain text in the database, its journal or the vault."""

import base64
from pathlib import Path

import pytest

from security.audit.vault import Destroyed
from sync.opening import Opener
from sync.sealing import DossierSealer
from sync.tables import DOSSIER_EVENTS
from tests.test_intake.world import NAME, PERSON, Desk, a_desk, a_dossier, a_status

OFFICER = "Lê Quang Bình Minh"
NOTE = "Công dân ở số 12 phố Hàng Than"
FREE = "Anh Ba nộp thiếu giấy"
NUMBER = "079085123456"
UNKNOWN = "079188776655"
KEY = f"push-{PERSON}-7"


async def test_nothing_personal_is_stored_in_plain_text(sqlite_url: str, tmp_path: Path) -> None:
    async with a_desk(sqlite_url, tmp_path / "vault") as desk:
        await desk.put(a_dossier(phone="0912345678", email="anh@example.vn"))
        await desk.push(a_status(officer=OFFICER, note=NOTE), key=KEY)
        await desk.push(a_status(FREE))
        await desk.push(a_status(NUMBER))
        await desk.push(a_status(vocabulary=f"v{UNKNOWN}"))
        await desk.push(a_status("4", sequence=9, note=NOTE))
        texts = (NAME, PERSON, OFFICER, NOTE, FREE, NUMBER, UNKNOWN, KEY, "0912345678", "anh@example.vn")
        spellings = [spelling for text in texts for spelling in (text.encode(), base64.b64encode(text.encode()))]
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert any(path.suffix == ".db-wal" or path.name.endswith("-wal") for path in files)
        for path in files:
            held = path.read_bytes()
            assert not [spelling for spelling in spellings if spelling in held], path
        # The codes are there: what was searched is what is stored.
        assert any(b"000.00.00.H26-261130-0001" in path.read_bytes() for path in files)


async def test_a_destroyed_key_takes_the_body_with_it(desk: Desk) -> None:
    taken = await desk.push(a_status(note=NOTE))
    (row,) = await desk.rows(DOSSIER_EVENTS)
    sealer = DossierSealer(desk.world.sealer)
    assert NOTE.encode() in sealer.open(row["event_id"], row["period"], row["slot"], row["sealed"])
    desk.world.sealer.destroy_entry(row["period"], row["slot"])
    with pytest.raises(Destroyed):
        sealer.open(row["event_id"], row["period"], row["slot"], row["sealed"])

    class Row:
        event_id, period, slot, sealed = taken.event_id, row["period"], row["slot"], row["sealed"]

    assert await Opener(sealer).bodies([Row()]) == {}
