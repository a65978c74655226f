"""A seventh database: what would be `schemas/vehicle.py` and `adapters/vehicle.py`.

Beside it the registry itself, a small server of another hand.
"""

from base64 import b64encode
from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints

from adapters.bindings import Param, Rest
from adapters.schemes import ClientCredentials
from schemas.errors import NoRecord, Text
from schemas.exchange import Database, Operation
from schemas.fields import Question, Record, said
from schemas.forms import DAY_MONTH_YEAR, INTEGER
from schemas.identifiers import PersonalId
from schemas.values import PartialDate

Plate = Annotated[str, StringConstraints(pattern="^[0-9]{2}[A-Z]-[0-9]{3}\\.[0-9]{2}$")]


class PlateQuestion(Question):
    """Which vehicle: by its plate (biển số)."""

    plate: Plate = said("Biển số", "Number plate", "bienSo", required=True, examples=["30A-123.45"])


class Owner(Record):
    """Who a vehicle is registered to (chủ xe)."""

    full_name: str | None = said("Họ và tên", "Full name", "hoTen")
    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number", "soDinhDanh")


class Vehicle(Record):
    """One registered vehicle (phương tiện)."""

    plate: str | None = said("Biển số", "Number plate", "bienSo")
    make: str | None = said("Nhãn hiệu", "Make", "nhanHieu")
    seats: int | None = said("Số chỗ ngồi", "Number of seats", "soCho", INTEGER)
    registered_on: PartialDate | None = said("Ngày đăng ký", "Day of registration", "ngayDangKy", DAY_MONTH_YEAR)
    owner: Owner | None = said("Chủ xe", "Owner", "chuXe")


VEHICLE = Database(
    name="vehicle",
    title=Text("Cơ sở dữ liệu phương tiện", "Vehicle database"),
    owner=Text("Cục Cảnh sát giao thông", "Traffic Police Department"),
    logins={"vehicle": ClientCredentials()},
    operations=(
        Operation(
            name="registered-vehicle",
            title=Text("Tra cứu phương tiện", "Look up a vehicle"),
            question=PlateQuestion,
            answer=Vehicle,
            binding=Rest(
                method="POST",
                path="/tra-cuu",
                given=(("donVi", Param("unit")),),
                verdict="ma",
                accepted=frozenset({"0"}),
                record="xe",
            ),
            faults={"1": NoRecord},
        ),
    ),
)

OWNER = "001085012345"
TRUTH = {
    "plate": "30A-123.45",
    "make": "VinFast",
    "seats": 5,
    "registered_on": "2024-02-29",
    "owner": {"full_name": "Nguyễn Văn Ân", "personal_id": OWNER},
}


def registry() -> web.Application:
    """Return the registry: a token for its account, then one vehicle."""

    async def token(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Basic " + b64encode("lgsp:khóa".encode()).decode():
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})

    async def look_up(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer t":
            return web.Response(status=401)
        asked = await request.json()
        if asked != {"donVi": "H26", "bienSo": "30A-123.45"}:
            return web.json_response({"ma": "1"})
        owner = {"hoTen": "Nguyễn Văn Ân", "soDinhDanh": OWNER}
        vehicle = {
            "bienSo": "30A-123.45",
            "nhanHieu": "VinFast",
            "soCho": 5,
            "ngayDangKy": "29/02/2024",
            "chuXe": owner,
        }
        return web.json_response({"ma": "0", "xe": vehicle})

    app = web.Application()
    app.add_routes([web.post("/token", token), web.post("/tra-cuu", look_up)])
    return app
