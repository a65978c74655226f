"""`python -m bench.portal`: a portal that takes steps of dossiers as fast as Python can, and answers as the real one.

Generation 1: log-in, then one result for each element of a call. It looks at no more of a question than what its answer
repeats, keeps nothing but how much came, and is told nothing twice by anybody: the sandbox's portal is the one to test
against. An empty question is answered with how much came, `largest` with the call that had the most events.
"""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from typing import Final

import uvloop

from bench.upstream import Connection

SESSION: Final = "bench-session"
LARGEST: Final = b"largest"
_CODES: Final = re.compile(rb'"MaHoSo":\s*"([^"]+)"')
_SUCCESS: Final = json.dumps("Cập nhật tiến độ hồ sơ thành công").encode()
_ELEMENT: Final = b'{"MaHoSo": "%b", "error_code": "00", "message": ' + _SUCCESS + b"}"
_WHOLE: Final = b'{"error_code": "00", "message": ' + _SUCCESS + b', "result": [%b]}'
_OPENED: Final = json.dumps({"error_code": 0, "message": "Đăng nhập thành công", "session": SESSION}).encode()
_REFUSED: Final = json.dumps({"error_code": "-1", "message": "Phiên làm việc không hợp lệ hoặc đã hết hạn"}).encode()


class Portal:
    """What is asked of it and what it counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.events = 0
        self._largest = b""
        self._most = 0

    def answer(self, question: bytes) -> bytes:
        """Answer one question, told by its body alone."""
        if not question:
            return json.dumps({"calls": self.calls, "events": self.events}).encode()
        if question == LARGEST:
            return self._largest
        if b'"password"' in question:
            return _OPENED
        if SESSION.encode() not in question:
            return _REFUSED
        codes = _CODES.findall(question)
        self.calls += 1
        self.events += len(codes)
        if len(codes) > self._most:
            self._largest, self._most = question, len(codes)
        return _WHOLE % b", ".join([_ELEMENT % code for code in codes])


async def _serve() -> None:
    portal = Portal()
    loop = asyncio.get_running_loop()
    connected = partial(Connection, portal.answer, b"application/json")
    server = await loop.create_server(connected, "127.0.0.1", 0, backlog=256)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.create_future()


if __name__ == "__main__":
    uvloop.run(_serve())
