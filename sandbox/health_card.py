"""The simulated hospital gateway (cổng giám định BHYT), where health cards are asked: a host and tokens of its own.

`/api/token/take` takes {username, password as MD5 in hexadecimal}; a call carries the access token as Bearer and the
other in `Id-Token`, and a token that has ended is answered with HTTP 200 and the result code 401, as other failures of
a look-up are with theirs (maKetQua).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from sandbox.insurance_records import card_body, issues
from sandbox.ngsp import NotMembers, contract, json_object, members, name_key, post_item, same_name, texts
from sandbox.registry import Account, Context, application
from sandbox.world.holdings import Insurance
from sandbox.world.model import Person
from sandbox.world.world import World

NAME: Final = "health-card"
TAKE: Final = "/api/token/take"
LOOKUP: Final = "/api/egw/KQNhanLichSuKCB2024"
LIFETIME: Final = 3000.0

_CARD: Final = re.compile(r"[A-Z]{2}[1-5][0-9]{12}|[0-9]{10}|[0-9]{12}", re.ASCII)
_BIRTH: Final = re.compile(r"([0-9]{2}/[0-9]{2}/)?[0-9]{4}", re.ASCII)
_ASKED: Final = ("maThe", "hoTen", "ngaySinh", "hoTenCb", "cccdCb")


def _verdict(code: str, text: str) -> web.Response:
    return web.json_response({"maKetQua": code, "ghiChu": text})


class HospitalGateway:
    """Answers for the cards of one world to one account; `lifetime` of tokens in seconds of `clock`."""

    def __init__(
        self,
        world: World,
        account: Account,
        officer: Mapping[str, str],
        *,
        lifetime: float = LIFETIME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._world = world
        self._account = account
        self._officer = officer
        self._lifetime = lifetime
        self._clock = clock
        self._tokens: dict[tuple[str, str], float] = {}

    async def take(self, request: web.Request) -> web.Response:
        """`POST /api/token/take`: a pair of tokens for user name and hashed password."""
        try:
            asked = texts(await json_object(request), ("username", "password"))
        except NotMembers:
            return web.json_response({"maKetQua": "401", "APIKey": None})
        # The real gateway asks for MD5; the connection is what protects it.
        password = hashlib.md5(self._account.secret.encode(), usedforsecurity=False).hexdigest()
        if asked["username"] != self._account.username or not secrets.compare_digest(
            asked["password"].encode(), password.encode()
        ):
            return web.json_response({"maKetQua": "401", "APIKey": None})
        now = self._clock()
        self._tokens = {pair: end for pair, end in self._tokens.items() if end > now}
        pair = secrets.token_hex(16), secrets.token_hex(16)
        self._tokens[pair] = now + self._lifetime
        key = {
            "access_token": pair[0],
            "id_token": pair[1],
            "token_type": "bearer",
            "username": self._account.username,
            "expires_in": int(self._lifetime),
        }
        return web.json_response({"maKetQua": "200", "APIKey": key})

    async def look_up(self, request: web.Request) -> web.Response:
        """`POST KQNhanLichSuKCB2024`: the card of the person described."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        pair = token, request.headers.get("Id-Token", "")
        if scheme != "Bearer" or self._tokens.get(pair, 0.0) <= self._clock():
            return _verdict("401", "Phiên làm việc không hợp lệ hoặc đã hết hạn")
        try:
            asked = texts(await json_object(request), _ASKED)
        except NotMembers:
            return web.json_response({"Message": "The request is invalid."}, status=400)
        if any(asked[name] != value for name, value in self._officer.items()):
            return _verdict("401", "Cán bộ tra cứu không hợp lệ")
        return self._card(asked["maThe"], asked["hoTen"], asked["ngaySinh"])

    def _card(self, key: str, name: str, birth: str) -> web.Response:
        if len(key) not in (10, 12, 15):
            return _verdict("051", "Mã thẻ không đúng độ dài")
        if not _CARD.fullmatch(key):
            return _verdict("052", "Mã thẻ không đúng quy tắc")
        if not _BIRTH.fullmatch(birth):
            return _verdict("070", "Thẻ sai ngày sinh")
        held = self._held(key)
        if held is None:
            return _verdict("050", "Không thấy thông tin thẻ BHYT")
        found, person = held
        if not same_name(name, person.full_name):
            alike = _initials(name) == _initials(person.full_name)
            return _verdict("061", "Thẻ sai họ tên (đúng ký tự đầu)") if alike else _verdict("060", "Thẻ sai họ tên")
        if birth not in (str(person.birth.year), "/".join(reversed(person.birth.text.split("-")))):
            return _verdict("070", "Thẻ sai ngày sinh")
        if found.card is None:
            return _verdict("050", "Không thấy thông tin thẻ BHYT")
        printings = issues(found.card)
        asked = next((issue for issue in printings if issue.code == key), printings[0])
        return web.json_response(card_body(found, person, found.card, asked))

    def _held(self, key: str) -> tuple[Insurance, Person] | None:
        if len(key) == 12:
            person = self._world.person_by_id(key)
            found = self._world.insurance(person.index) if person else None
        else:
            found = self._world.insurance_by_number(key[-10:])
            if found is None or found.card is None:
                return None
            if key != found.number and key not in (issue.code for issue in issues(found.card)):
                return None
            person = self._world.person(found.person)
        return (found, person) if found and person else None


def _initials(name: str) -> list[str]:
    return [word[0] for word in name_key(name).split()]


def build(context: Context, officer: Mapping[str, str]) -> web.Application:
    """Build the application; `officer` is the registered member of staff whom questions must name."""
    app = application(context)
    desk = HospitalGateway(context.world, context.account(NAME), officer)
    app.router.add_post(TAKE, desk.take)
    app.router.add_post(LOOKUP, desk.look_up)
    app.router.add_get("/openapi.json", contract("Cổng tiếp nhận dữ liệu BHYT", _paths()))
    return app


def _paths() -> dict[str, Any]:
    card = members(
        (
            *("maKetQua", "ghiChu", "maThe", "hoTen", "ngaySinh", "gioiTinh", "diaChi", "maDKBD", "tenDKBD", "cqBHXH"),
            *("gtTheTu", "gtTheDen", "maKV", "ngayDu5Nam", "maSoBHXH", "maTheCu", "maTheMoi"),
            *("gtTheTuMoi", "gtTheDenMoi"),
        )
    )
    take = post_item("Lấy phiên làm việc", ("username", "password"), (), members(("maKetQua",)))
    return {TAKE: take, LOOKUP: post_item("Tra cứu thẻ BHYT", _ASKED, (), card)}
