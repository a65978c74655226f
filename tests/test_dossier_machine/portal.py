"""The national portal as a model in this process: generation 1 as its clients see it, in whatever mood a test wants.

It stands in the place of the network: codecs, log-in, retries and breaker in front of it are the gateway's own.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.breakers import Breakers
from adapters.carriage import login_for, scheme_of
from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from adapters.portal import PORTAL
from adapters.resilience import retried
from adapters.transport import Message, Reply, Undelivered
from config.settings import Endpoint
from schemas.errors import UpstreamTimeout, UpstreamUnavailable
from schemas.exchange import Handler
from tests.test_portal_adapter.wiring import at
from tests.test_resilience.exchanges import NoStore

_MARK: Final = re.compile(r" \[#([0-9]*)/([A-Za-z0-9-]+)\]$")
_DONE: Final = ("00", "Cập nhật thành công")
_WRONG: Final = ("1", "Dữ liệu không hợp lệ: TrangThai")
_FAILED: Final = ("9", "Cập nhật thất bại")

APPLIES: Final = (
    "well",
    "lost",
    "late-answer",
    "garbage",
    "no-list",
    "other-order",
    "passes-one-over",
    "contradicts-itself",
    "says-it-was-there",
)
"""Moods in which everything that is sent is applied."""
LEAVES: Final = ("unreached", "cut", "throttled", "busy", "takes-no-session", "fails", "contradicts-itself-idle")
"""Moods in which nothing is applied, and the same may be taken the next time."""
OTHER: Final = ("session-ends", "refuses-one", "does-half")
LOOKS: Final = ("unreached", "lost", "garbage", "busy", "takes-no-session")
"""Moods in which a question about a dossier is not answered."""


class Killed(BaseException):
    """The process that was sending is no more."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A step as the portal applied it first; `event` is the id in its mark."""

    code: str
    sequence: int | None
    event: str
    status: str


@dataclass(eq=False)
class Model:
    """What the portal holds; `moods` has one for each coming write, `looks` one for each coming question.

    With `hold` the next write hangs until `let_go` is set, before it is applied or, with `hold = "after"`, behind that.
    """

    moods: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    dossiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    ledger: list[Applied] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    hold: str = ""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Future[None] | None = None
    name: str = "portal"
    _session: int = 0

    async def send(self, message: Message, *, deadline: float) -> Reply:
        """Be the transport: answer one HTTP request or fail as the network does."""
        asked = json.loads(message.body)
        if "password" in asked:
            self._session += 1
            return _reply({"error_code": 0, "message": "Đăng nhập thành công", "session": f"s{self._session}"})
        if asked.pop("session") != f"s{self._session}":
            return _reply({"error_code": "-1", "message": "Phiên làm việc không hợp lệ hoặc đã hết hạn"})
        service = asked["service"]
        moods = self.looks if service == "TraCuuHoSo" else self.moods
        mood = moods.pop(0) if moods else "well"
        if mood == "session-ends":
            self._session += 1
            return await self.send(message, deadline=deadline)
        if service == "TraCuuHoSo":
            return self._without(mood) or _look_up(self, asked["mahoso"])
        if self.hold:
            return await self._held(asked)
        return self._write(mood, asked)

    async def _held(self, asked: Mapping[str, Any]) -> Reply:
        when, self.hold = self.hold, ""
        self.let_go = asyncio.get_running_loop().create_future()
        reply = self._write("well", asked) if when == "after" else None
        self.held.set()
        await self.let_go
        return reply or self._write("well", asked)

    def _without(self, mood: str) -> Reply | None:
        """The answer of a portal that does nothing; None where it is in the mood to do something."""
        if mood == "unreached":
            raise Undelivered
        if mood == "killed-before":
            raise Killed
        if mood in ("cut", "lost"):
            raise UpstreamUnavailable
        if mood == "throttled":
            return Reply(429, {"Retry-After": "3"}, b"")
        if mood == "busy":
            return _reply({"error_code": "9", "message": "Hệ thống đang bận, thử lại sau"})
        if mood == "takes-no-session":
            return _reply({"error_code": "-1", "message": "Phiên làm việc không hợp lệ hoặc đã hết hạn"})
        if mood == "garbage":
            return Reply(200, {}, b"<html>")
        return None

    def _write(self, mood: str, asked: Mapping[str, Any]) -> Reply:
        if mood not in ("lost", "garbage") and (nothing := self._without(mood)):
            return nothing
        sent: list[dict[str, Any]] = asked["data"]
        if mood == "contradicts-itself-idle":
            return _reply({"error_code": "0", "message": "Cập nhật không thành công"})
        if mood == "fails":
            return _told(sent, [_FAILED] * len(sent))
        if mood == "does-half":
            for one in sent[: len(sent) // 2]:
                self._apply(asked, one)
            return _reply({"error_code": _FAILED[0], "message": _FAILED[1], "result": []})
        verdicts = [_WRONG if mood == "refuses-one" and one is sent[0] else self._apply(asked, one) for one in sent]
        if mood == "killed-after":
            raise Killed
        if mood == "lost":
            raise UpstreamUnavailable
        if mood == "late-answer":
            raise UpstreamTimeout
        if mood == "garbage":
            return Reply(200, {}, b"<html>")
        if mood == "contradicts-itself":
            return _reply({"error_code": "0", "message": "Cập nhật không thành công"})
        if mood == "says-it-was-there":
            return _told(sent, [("0", f"Hồ sơ {one['MaHoSo']} đã tồn tại") for one in sent])
        if mood == "no-list" and all(verdict == _DONE for verdict in verdicts):
            return _reply({"error_code": "00", "message": _DONE[1]})
        pairs = list(zip(sent, verdicts, strict=True))
        if mood == "other-order":
            pairs.reverse()
        elif mood == "passes-one-over" and len(pairs) > 1:
            pairs.pop()
        return _told([one for one, _ in pairs], [verdict for _, verdict in pairs])

    def _apply(self, asked: Mapping[str, Any], one: dict[str, Any]) -> tuple[str, str]:
        code = one["MaHoSo"]
        if asked["service"] == "DongBoHoSoMC":
            if (code in self.dossiers) != (asked["isUpdating"] == "True"):
                return ("3", f"Hồ sơ {code} đã tồn tại") if code in self.dossiers else _absent(code)
            self.dossiers[code] = one
            return _DONE
        if code not in self.dossiers:
            return _absent(code)
        marked = _MARK.search(one["NoiDungXuLy"])
        assert marked is not None, one
        self.steps.setdefault(code, []).append(one)
        if not self.times[marked[2]]:
            self.ledger.append(Applied(code, int(marked[1]) if marked[1] else None, marked[2], one["TrangThai"]))
        self.times[marked[2]] += 1
        return _DONE

    async def close(self) -> None:
        """Be the transport: there is nothing to close."""


def _look_up(model: Model, code: str) -> Reply:
    if code not in model.dossiers:
        return _reply({"error_code": "0", "message": "Không tìm thấy hồ sơ", "result": []})
    found = {**model.dossiers[code], "DanhSachTienDo": model.steps.get(code, [])}
    return _reply({"error_code": "0", "message": "Tra cứu thành công", "result": [found]})


def _absent(code: str) -> tuple[str, str]:
    return "2", f"Hồ sơ {code} chưa tồn tại"


def _told(sent: list[dict[str, Any]], verdicts: list[tuple[str, str]]) -> Reply:
    result = [
        {"MaHoSo": one["MaHoSo"], "error_code": code, "message": message}
        for one, (code, message) in zip(sent, verdicts, strict=True)
    ]
    code, message = next((verdict for verdict in verdicts if verdict[0] != "00"), _DONE)
    return _reply({"error_code": code, "message": message, "result": result})


def _reply(told: Mapping[str, Any]) -> Reply:
    return Reply(200, {}, json.dumps(told).encode())


@asynccontextmanager
async def reached(model: Model) -> AsyncIterator[tuple[Handler, Endpoint]]:
    """The way to the model: what an exchange of the gateway passes behind its own stages."""
    endpoint = at("http://127.0.0.1:9", "1")
    endpoints = {"portal": endpoint}
    scheme, address = login_for("portal", endpoint, scheme_of([PORTAL], "portal"))
    link = Link("portal", endpoint, scheme, login_url=address)
    transport: Any = model
    link._transport = link._at_login = link._login._transport = transport
    breakers = Breakers(endpoints, NoStore())
    codecs = compile_codecs([PORTAL], endpoints)
    try:
        yield retried(breakers, endpoints)(dispatch(codecs, {"portal": link})), endpoint
    finally:
        await breakers.close()
        await link.close()
