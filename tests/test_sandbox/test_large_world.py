"""While a large world still indexes its names, registries answer whatever needs no name."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from sandbox.run import start
from sandbox.world.world import World
from tests.test_registries_rest.wiring import Client

KHAI_SINH = "/apiHoTichTuPhap/traCuuKhaiSinh"
FIND = "/apiBHXH/getMaSoBhxhTheoTieuChi"


@pytest.mark.parametrize("database", ["civil-status", "social-insurance"])
async def test_a_search_that_waits_for_the_index_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    world = World(7, 80)
    person = next(one for one in map(world.person, range(20, 80)) if one.personal_id)
    indexed, find = threading.Event(), world.names.find

    def slowly(name: str, year: str) -> list[int]:
        # Whoever waits here inside the event loop is found out below.
        indexed.wait(20)
        return find(name, year)

    monkeypatch.setattr(world.names, "find", slowly)
    running = await start(world, tmp_path)
    try:
        async with ClientSession() as session:
            client = Client(session, running)
            headers = await client.bearer(database)
            path, body = question(database, person.full_name, person.birth.text)
            waiting = asyncio.create_task(client.post(database, path, headers, body))
            by_number = {"maDonVi": "1010", "module": "KS", "soDinhDanh": person.personal_id}
            other = await client.bearer("civil-status")
            for _ in range(3):
                status, found = await client.post("civil-status", KHAI_SINH, other, by_number)
                assert (status, found["trangThai"]) == (200, "1")
            assert not waiting.done()
            indexed.set()
            status, _ = await waiting
            assert status == 200
    finally:
        indexed.set()
        await running.close()


def question(database: str, name: str, birth: str) -> tuple[str, dict[str, Any]]:
    if database == "civil-status":
        return KHAI_SINH, {"maDonVi": "1010", "module": "KS", "hoTen": name, "ngaySinh": birth}
    digits = birth.replace("-", "")
    kind = {8: "0", 4: "1", 6: "2"}[len(digits)]
    described = {"hoTen": name, "ngaySinh": digits, "loaiNgaySinh": kind, "gioiTinh": "1", "maTinhKs": "79"}
    return FIND, {**described, "isKs": "1"}
