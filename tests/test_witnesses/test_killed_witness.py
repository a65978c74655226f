"""`lgsp witness` as a process: started twice, killed at any moment, asked by many."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession
from typer.testing import CliRunner

from commands import app
from security.audit.cosignature import WitnessKey, answered
from tests.test_audit.audit_world import a_signer
from tests.test_witnesses.logs import MemoryLog

ROOT = Path(__file__).resolve().parents[2]
KILLS = 3


async def started(state: Path, *options: str) -> tuple[Process, WitnessKey, str]:
    command = [sys.executable, str(ROOT / "gateway.py"), "witness", "--state", str(state), "--listen", "127.0.0.1:0"]
    process = await asyncio.create_subprocess_exec(
        *command, "--log", a_signer().verifier.encode(), *options, stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    key, url = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
    assert process.stderr is not None
    while b"witnessing" not in await process.stderr.readline():
        pass
    return process, WitnessKey.decode(key), url


async def test_what_was_answered_is_never_forgotten(tmp_path: Path) -> None:
    log, chance = MemoryLog.of(20_000), random.Random(7)
    state, acknowledged, seen = tmp_path / "state", 0, set()
    async with ClientSession() as session:
        for _ in range(KILLS):
            process, key, url = await started(state, "--name", "w.example")
            seen.add(key)
            # It may have remembered one more than was answered, never one less.
            async with session.post(f"{url}/add-checkpoint", data=log.submission(19_999, 20_000)) as told:
                assert told.status == 409
                old = int(await told.text())
            assert old in (acknowledged, acknowledged + 1)
            acknowledged = old
            posts, last = chance.randrange(1, 12), asyncio.get_running_loop().create_future()
            killer = asyncio.create_task(_kill(process, last, chance.random() * 0.01))
            try:
                for number in range(200):
                    async with session.post(
                        f"{url}/add-checkpoint", data=log.submission(acknowledged, acknowledged + 1)
                    ) as told:
                        assert told.status == 200
                        assert answered(log.checkpoint(acknowledged + 1).text, await told.text(), [key])
                        acknowledged += 1
                    if number == posts:
                        last.set_result(None)
            except (ClientError, OSError):
                pass
            await killer
        assert acknowledged > KILLS
    assert len(seen) == 1


async def _kill(process: Process, last: asyncio.Future[None], pause: float) -> None:
    await last
    await asyncio.sleep(pause)
    process.kill()
    await process.communicate()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "which log"),
        (["--log", "x+y+z"], "it must be the key of a log"),
        (["--log", a_signer().verifier.encode(), "--name", "a b"], "name of a witness"),
        (["--log", a_signer().verifier.encode(), "--listen", "nowhere"], "write host:port"),
    ],
    ids=["no-log", "no-key", "no-name", "no-address"],
)
def test_wrong_use_is_said(tmp_path: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["witness", "--state", str(tmp_path / "state"), *options])
    assert result.exit_code in (1, 2)
    assert said in result.output
