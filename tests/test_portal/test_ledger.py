"""The ledger tells what went wrong in a delivery: doubled, lost, out of order; and it outlives a kill."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox.portal.ledger import FILE, Ledger, LedgerTaken
from tests.test_portal.conftest import Opens
from tests.test_portal.visitor import CODE, Visitor, dossier, record

OTHER = "G09.20-20260609-0092637"
SCRIPT = Path(sys.executable).with_name("lgsp")


async def test_a_doubled_delivery_is_seen(visitor: Visitor) -> None:
    await visitor.register(dossier())
    for one in (record(1, "2"), record(2, "4"), record(1, "2")):
        assert (await visitor.advance(one))["error_code"] == "00"
    assert await visitor.ledger() == [(CODE, 1, "2", 2), (CODE, 2, "4", 1)]
    (found,) = await visitor.look_up()
    assert [one["TrangThai"] for one in found["DanhSachTienDo"]] == ["2", "4", "2"]
    assert found["TrangThaiHoSo"] == "2"


async def test_a_doubled_delivery_is_seen_though_its_time_is_another(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.advance(record(7, "4"))
    await visitor.advance(record(7, "4", ThoiDiemXuLy="20260105090001", NguoiXuLy="Người Khác"))
    assert await visitor.ledger() == [(CODE, 7, "4", 2)]


async def test_an_id_tells_events_apart_that_look_alike(visitor: Visitor) -> None:
    await visitor.register(dossier())
    for mark in ("[#/a-1]", "[#/a-2]", "[#/a-1]", "[#9/a-3]"):
        await visitor.advance(record(None, "4", NoiDungXuLy=f"Đang xử lý {mark}"))
    assert await visitor.ledger() == [(CODE, 1, "4", 2), (CODE, 2, "4", 1), (CODE, 9, "4", 1)]


async def test_one_sequence_with_two_statuses_is_two_events(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.advance(record(1, "2"), record(1, "4"))
    assert await visitor.ledger() == [(CODE, 1, "2", 1), (CODE, 1, "4", 1)]


async def test_without_a_mark_an_event_is_known_by_all_that_it_says(visitor: Visitor) -> None:
    await visitor.register(dossier(), dossier(OTHER))
    same = [record(None, "4"), record(None, "4")]
    others = [
        record(None, "5"),
        record(None, "4", ThoiDiemXuLy="20260105090001"),
        record(None, "4", NguoiXuLy="Người Khác"),
        record(None, "4", NoiDungXuLy="Bước khác"),
        record(None, "4", OTHER),
    ]
    await visitor.advance(*same, *others)
    expected = [(CODE, 1, "4", 2), (CODE, 2, "5", 1), (CODE, 3, "4", 1), (CODE, 4, "4", 1), (CODE, 5, "4", 1)]
    assert await visitor.ledger() == [*expected, (OTHER, 1, "4", 1)]


async def test_reordering_and_loss_are_seen(visitor: Visitor) -> None:
    await visitor.register(dossier(), dossier(OTHER))
    for one in (record(3, "9"), record(1, "2"), record(1, "2", OTHER), record(3, "9", OTHER)):
        await visitor.advance(one)
    seen: dict[str, list[int]] = {}
    for code, sequence, _, _ in await visitor.ledger():
        seen.setdefault(code, []).append(sequence)
    assert seen == {CODE: [3, 1], OTHER: [1, 3]}


async def test_times_say_when_something_was_applied(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.advance(record(1, "2"))
    before = (await visitor.lines("_ledger"))[0]["applied_at"]
    await visitor.advance(record(2, "4"), record(1, "2"))
    first, second = await visitor.lines("_ledger")
    assert first["applied_at"] == before <= second["applied_at"]
    assert before.endswith("Z")


async def test_registrations_are_no_events(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.register(dossier(TrangThaiHoSo="9"), updating=True)
    assert await visitor.ledger() == []
    (line,) = await visitor.lines("_dossiers")
    assert (line["status"], line["updates"]) == ("9", 1)


async def test_everything_is_there_after_a_restart(opens: Opens) -> None:
    visitor = await opens()
    await visitor.register(dossier(), dossier(OTHER))
    await visitor.advance(record(1, "2"), record(2, "4"), record(1, "2"), record(None, "2", OTHER))
    value = (await visitor.second("GetNextValue", {}))[0]
    assert value == 405
    ledger, held, found = await visitor.lines("_ledger"), await visitor.lines("_dossiers"), await visitor.look_up()
    await visitor.close()
    again = await opens()
    assert await again.lines("_ledger") == ledger
    assert await again.lines("_dossiers") == held
    assert await again.look_up() == found
    await again.advance(record(2, "4"), record(None, "4", OTHER))
    assert await again.ledger() == [(CODE, 1, "2", 2), (CODE, 2, "4", 2), (OTHER, 1, "2", 1), (OTHER, 2, "4", 1)]


async def test_what_a_kill_left_half_written_is_gone(opens: Opens, state: Path) -> None:
    visitor = await opens()
    await visitor.register(dossier())
    await visitor.advance(record(1, "2"))
    await visitor.close()
    with (state / FILE).open("ab") as file:
        file.write(b'{"progress":"000.00.00.H26-26')
    again = await opens()
    assert (state / FILE).read_bytes().endswith(b"\n")
    assert await again.ledger() == [(CODE, 1, "2", 1)]
    await again.advance(record(2, "4"))
    await again.close()
    assert await (await opens()).ledger() == [(CODE, 1, "2", 1), (CODE, 2, "4", 1)]


async def test_a_ledger_has_one_writer(opens: Opens, state: Path) -> None:
    await opens()
    with pytest.raises(LedgerTaken, match="--state"):
        Ledger(state / FILE)
    assert (state / FILE).stat().st_mode & 0o077 == 0


async def test_the_file_holds_nobody_in_plain_text(visitor: Visitor, state: Path) -> None:
    await visitor.register(dossier())
    await visitor.advance(record(1, "2"))
    told = (state / FILE).read_bytes()
    assert told.count(b"\n") == 2
    for value in ("Nguyễn Thị Mẫu", "0900000000", "Trần Văn Mẫu"):
        assert value.encode() not in told
        assert value.encode() not in b"".join(base64.b64decode(line) for line in told.splitlines())


async def test_a_failed_write_may_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / FILE)
    ledger.register(CODE, {"MaHoSo": CODE}, "1")
    write = os.pwrite

    def full(descriptor: int, data: bytes, place: int) -> int:
        if place or len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:10], place)

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            await ledger.settled()
    ledger.advance(CODE, {"NoiDungXuLy": "[#1]"}, "2")
    await ledger.close()
    again = Ledger(tmp_path / FILE)
    assert [(entry.sequence, entry.status) for entry in again.entries()] == [(1, "2")]
    await again.close()


async def test_nothing_is_answered_before_it_is_on_the_disk(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    await visitor.register(dossier())
    bearer = {"Authorization": f"Bearer {await visitor.token()}"}
    step = {"NguoiXuLy": "x", "ThoiDiemXuLy": "2026-06-10T07:47:28.329", "NoiDungXuLy": "x", "TrangThai": 4}
    created = {"MaHoSo": OTHER, "MaTTHC": "1.005129", "ChuHoSo": "x", "LoaiDoiTuong": 0, "MaDonViTiepNhan": "G09.20"}
    sync, release = os.fdatasync, threading.Event()

    def slow(descriptor: int) -> None:
        release.wait(60)
        sync(descriptor)

    async def number() -> None:
        async with visitor.http.get(f"{visitor.url}/dvc/2.0/GetNextValue?code=H26", headers=bearer) as answer:
            await answer.json()

    monkeypatch.setattr(os, "fdatasync", slow)
    asked: list[asyncio.Future[object]] = [
        asyncio.ensure_future(each)
        for each in (
            visitor.advance(record(1, "2")),
            visitor.register(dossier(TrangThaiHoSo="4"), updating=True),
            visitor.look_up(),
            visitor.second("CapNhatTienTrinh", [{"MaHoSo": CODE, **step}]),
            visitor.second("Create", created),
            visitor.second("TraCuuHoSo", {"MaHoSo": CODE}),
            number(),
            visitor.lines("_ledger"),
            visitor.lines("_dossiers"),
        )
    ]
    early, _ = await asyncio.wait(asked, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    release.set()
    await asyncio.gather(*asked)
    assert not early
    assert await visitor.ledger() == [(CODE, 1, "2", 1), (CODE, 2, "4", 1)]


@pytest.mark.timeout(120)
async def test_who_comes_the_moment_a_write_has_ended_is_served(tmp_path: Path) -> None:
    """A write that is over is not waited for again: that would never give way to anybody."""
    ledger = Ledger(tmp_path / FILE)
    ledger.register(CODE, {}, "1")
    first = asyncio.ensure_future(ledger.settled())
    while ledger._writing is None or not ledger._writing.done():
        await asyncio.sleep(0)
    ledger.advance(CODE, {"NoiDungXuLy": "[#1]"}, "2")
    await ledger.settled()
    await first
    await ledger.close()
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 2


async def test_without_a_file_a_ledger_forgets() -> None:
    ledger = Ledger()
    ledger.register(CODE, {}, "1")
    ledger.advance(CODE, {"NoiDungXuLy": "x"}, "2")
    await ledger.settled()
    assert [entry.sequence for entry in ledger.entries()] == [1]
    await ledger.close()


def _sandbox(state: Path) -> tuple[subprocess.Popen[str], dict[str, str]]:
    command = [SCRIPT, "sandbox", "--state", state, "--port", "0", "--people", "20", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


async def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    from aiohttp import ClientSession, ClientTimeout

    from tests.test_portal.visitor import DSTCODE, XRD

    async with ClientSession(timeout=ClientTimeout(60)) as http:
        for life in (1, 2):
            process, described = _sandbox(tmp_path)
            assert process.stdout is not None
            try:
                portal = described["portal"]
                secret = json.loads(Path(described["accounts"]).read_text())["portal"]
                body = {"username": "lgsp-portal", "password": secret}
                async with http.post(f"{portal}{XRD}/login?dstcode={DSTCODE}", json=body) as answer:
                    session = (await answer.json())["session"]

                async def call(service: str, portal: str = portal, session: str = session, **more: object) -> str:
                    asked = {"session": session, "madonvi": "H26", "service": service, **more}
                    async with http.post(f"{portal}{XRD}/g?dstcode={DSTCODE}", json=asked) as answer:
                        return str((await answer.json())["error_code"])

                code = await call("DongBoHoSoMC", isUpdating="False", data=[dossier()])
                assert code == ("00" if life == 1 else "3")
                assert await call("CapNhatTienDoHoSoMC", data=[record(life, "4")]) == "00"
                process.send_signal(signal.SIGKILL)
            finally:
                process.kill()
                process.wait(timeout=60)
                process.stdout.close()
    ledger = Ledger(tmp_path / FILE)
    assert [(entry.sequence, entry.times_applied) for entry in ledger.entries()] == [(1, 1), (2, 1)]
    await ledger.close()
