"""The gateway of a demo on a slow machine is waited for; one that ended is not, and its log is shown."""

import asyncio
from pathlib import Path

import pytest

from sandbox import gateway_process
from sandbox.gateway_process import DemoFailed, GatewayProcess


class Started(GatewayProcess):
    """A gateway whose processes are played: it runs until `ended` is set."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, "127.0.0.1:1")
        self.ended = asyncio.Event()

    async def wait(self) -> int:
        await self.ended.wait()
        return 1


async def test_a_gateway_that_needs_a_minute_and_a_half_to_start_is_waited_for(tmp_path, monkeypatch):
    async def answering(host: str, port: int, seconds: float) -> None:
        if seconds < 90:
            raise TimeoutError

    monkeypatch.setattr(gateway_process, "answering", answering)
    await Started(tmp_path).answers()


async def test_one_that_ended_is_not_waited_for_and_its_last_words_are_shown(tmp_path, monkeypatch):
    async def answering(host: str, port: int, seconds: float) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(gateway_process, "answering", answering)
    (tmp_path / "gateway.log").write_text("the last words\n")
    gateway = Started(tmp_path)
    gateway.ended.set()
    with pytest.raises(DemoFailed, match="the last words"):
        await gateway.answers()
