"""A caller of the portal who knows its interface and none of the gateway's code."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from sandbox.run import Running, start
from sandbox.world.world import World

XRD = "/XrdAdapter/RestService/forward/mapi"
DSTCODE = "VN:GOV:000.00.00.G22:vpcpdvcprovider"
CODE = "000.00.00.H26-260105-0001"


@dataclass
class Visitor:
    """Asks the portal over HTTP, with everything right unless told otherwise."""

    running: Running
    http: ClientSession
    session: str = ""
    bearer: str = ""

    @property
    def url(self) -> str:
        return str(self.running.portal)

    @property
    def secret(self) -> str:
        return self.running.accounts["portal"].secret

    async def fault(self, text: str | None) -> tuple[int, Any]:
        async with self.http.put(f"{self.url}/_faults", json={"fault": text}) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        async with self.http.post(f"{self.url}{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def login(self) -> str:
        body = {"username": "lgsp-portal", "password": self.secret}
        status, told = await self.post(f"{XRD}/login?dstcode={DSTCODE}", body)
        assert (status, told["error_code"]) == (200, 0)
        self.session = told["session"]
        return self.session

    async def call(self, service: str, **more: object) -> dict[str, Any]:
        """Call a service of generation 1; logs in when there is no session yet."""
        session = self.session or await self.login()
        body = {"session": session, "madonvi": "H26", "service": service, **more}
        status, told = await self.post(f"{XRD}/g?dstcode={DSTCODE}", body)
        assert status == 200
        assert isinstance(told, dict)
        return told

    async def register(self, *dossiers: dict[str, Any], updating: bool = False) -> dict[str, Any]:
        return await self.call("DongBoHoSoMC", isUpdating=str(updating), data=list(dossiers))

    async def advance(self, *records: dict[str, Any]) -> dict[str, Any]:
        return await self.call("CapNhatTienDoHoSoMC", data=list(records))

    async def look_up(self, code: str = CODE) -> list[dict[str, Any]]:
        told = await self.call("TraCuuHoSo", mahoso=code)
        assert told["error_code"] == "0"
        found: list[dict[str, Any]] = told["result"]
        return found

    async def token(self) -> str:
        status, told = await self.post("/dvc/2.0/token", {"client_id": "lgsp-portal", "client_secret": self.secret})
        assert (status, told["code"]) == (200, 200)
        self.bearer = told["data"]["access_token"]
        return self.bearer

    async def second(self, operation: str, body: object) -> tuple[int, Any]:
        """Call an operation of generation 2; gets a token when there is none yet."""
        token = self.bearer or await self.token()
        return await self.post(f"/dvc/2.0/{operation}", body, Authorization=f"Bearer {token}")

    async def lines(self, name: str) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}/{name}") as answer:
            assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def ledger(self) -> list[tuple[str, int, str, int]]:
        """The ledger's lines without their times."""
        lines = await self.lines("_ledger")
        for line in lines:
            assert list(line) == ["dossier", "sequence", "status", "applied_at", "times_applied"]
        return [(line["dossier"], line["sequence"], line["status"], line["times_applied"]) for line in lines]

    async def close(self) -> None:
        await self.http.close()
        await self.running.close()


@asynccontextmanager
async def visiting(world: World, state: Path) -> AsyncIterator[Visitor]:
    running = await start(world, state, registries=(), portal=True)
    visitor = Visitor(running, ClientSession())
    yield visitor
    await visitor.close()


def dossier(code: str = CODE, **more: object) -> dict[str, Any]:
    """An element of DongBoHoSoMC.data; a value of None drops the field."""
    right = {
        "MaHoSo": code,
        "MaTTHC": "2.002492",
        "TenTTHC": "Đăng ký khai sinh",
        "MaLinhVuc": "G15-HT01",
        "TenLinhVuc": "Hộ tịch",
        "KenhThucHien": "1",
        "ChuHoSo": "Nguyễn Thị Mẫu",
        "LoaiDoiTuong": "1",
        "MaDoiTuong": "",
        "Email": "",
        "SoDienThoai": "0900000000",
        "TrichYeuHoSo": "",
        "NgayTiepNhan": "20260105083000",
        "NgayHenTra": "20260112170000",
        "TrangThaiHoSo": "2",
        "HinhThuc": "0",
        "DonViXuLy": "H26",
        "TaiLieuNop": [],
        **more,
    }
    return {name: value for name, value in right.items() if value is not None}


def record(sequence: int | None, status: str, code: str = CODE, **more: object) -> dict[str, Any]:
    """An element of CapNhatTienDoHoSoMC.data that carries a sequence; a value of None drops the field."""
    right = {
        "MaHoSo": code,
        "NguoiXuLy": "Trần Văn Mẫu",
        "ChucDanh": "",
        "ThoiDiemXuLy": "20260105090000",
        "PhongBanXuLy": "",
        "NoiDungXuLy": "Chuyển bước" + ("" if sequence is None else f" [#{sequence}]"),
        "TrangThai": status,
        "NgayBatDau": "",
        "NgayKetThucTheoQuyDinh": "",
        **more,
    }
    return {name: value for name, value in right.items() if value is not None}
