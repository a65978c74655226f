"""Who works with a gateway that is recorded: callers and a source, who keep what they are told, and its operator."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, encode_basic_auth
from sqlalchemy import Row, select

from config.settings import load
from security.audit.tables import OPENINGS
from security.audit.vault import SLOT
from sync.database import open_storage
from tools.chaos_processes import ROOT, Process
from tools.power_judgement import Known

_PATIENCE: Final = 120.0
# Seconds between two questions of a caller: what counts is how many moments there are, not how many receipts.
_PAUSE: Final = 0.03


class Outside:
    """Callers and a source: they keep what they get, and how long the records were `now`."""

    def __init__(self, now: Callable[[], int], known: Known, http: ClientSession, address: str) -> None:
        self._now, self._known, self._http, self._address = now, known, http, address
        self._tokens: dict[str, str] = {}

    async def asks(self) -> None:
        """Ask the same question for ever."""
        question = self._known.question
        while True:
            told = await self._sent("ministry", question["path"], question["body"], question["headers"])
            if told is not None:
                self._known.receipts.append((self._now(), told))
            await asyncio.sleep(_PAUSE)

    async def pushes(self) -> None:
        """Report one status after the other."""
        code, sequence = "000.00.00.H26-260106-0001", 1
        while True:
            headers = {"Idempotency-Key": str(sequence), "Lgsp-Receipt": "full"}
            body = {"status": "4", "at": "2026-01-06T09:00:00+07:00", "sequence": sequence}
            told = await self._sent("province", f"/v1/dossiers/{code}/statuses", body, headers)
            if told is not None:
                length = self._now()
                self._known.statuses.append((length, code, sequence))
                self._known.receipts.append((length, told))
                sequence += 1
            await asyncio.sleep(_PAUSE)

    async def until(self, many: int, calling: list[asyncio.Task[None]]) -> None:
        async with asyncio.timeout(_PATIENCE):
            while len(self._known.receipts) < many:
                for task in calling:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.01)

    async def _sent(self, client: str, path: str, body: object, headers: dict[str, str]) -> dict[str, Any] | None:
        """Return the answer, None where there was none to keep: the gateway was killed, or does not run yet."""
        try:
            if client not in self._tokens:
                proof = {"Authorization": encode_basic_auth(client, self._known.client[client])}
                form = {"grant_type": "client_credentials"}
                async with self._http.post(f"{self._address}/oauth2/token", data=form, headers=proof) as granted:
                    self._tokens[client] = (await granted.json())["access_token"]
            headers = {**headers, "Authorization": f"Bearer {self._tokens[client]}"}
            async with self._http.post(self._address + path, json=body, headers=headers) as answer:
                told: dict[str, Any] = json.loads(await answer.text())
        except (ClientError, OSError):
            await asyncio.sleep(0.05)
            return None
        if answer.status == 401:
            self._tokens.pop(client, None)
        elif answer.status not in (200, 202, 503):
            raise RuntimeError(f"{path}: {answer.status}: {told}")
        return told if answer.status in (200, 202) else None


class Operator:
    """Does by commands what operators do while a gateway runs, and keeps what is left of it."""

    def __init__(self, now: Callable[[], int], live: Path, known: Known, config: Path, gateway: Process) -> None:
        self._now, self._live, self._known, self._config, self._gateway = now, live, known, config, gateway
        self._settings = load(config)
        self._number = 0

    async def does(self, act: str) -> None:
        """Do one of `WHOLE`, or nothing."""
        self._number += 1
        match act.split():
            case ["backup"]:
                await self._lgsp("storage", "backup", str(self._live / "out" / f"{self._number}.sqlite"))
            case ["redact"]:
                await self._redacts()
            case ["kill"]:
                self._gateway.kill()
            case ["archive"]:
                before = (datetime.now(UTC) - timedelta(days=420)).isoformat(timespec="seconds")
                folder = str(self._live / "archive")
                await self._lgsp("audit", "archive", "--before", before, "--out", folder)
            case ["bundle"]:
                index, file = str(self._known.receipts[-1][1]["receipt"]["index"]), f"{self._number}.zip"
                out = str(self._live / "out" / file)
                await self._lgsp("audit", "bundle", index, "--closed", "--out", out)
            case ["rotate", name]:
                begin = self._now()
                await self._lgsp("keys", "rotate", name)
                if name == "log":
                    self._known.rotating.append((begin, self._now()))
                await self._lgsp("reload")
                if name == "period":
                    await self._lgsp("keys", "rewrap")
        self._kept()

    async def _redacts(self) -> None:
        """Redact a young entry and an old one, which may lie in an archive."""
        taken = {index for _, _, index, _ in self._known.erased}
        old = next(index for _, told in self._known.receipts if (index := told["receipt"]["index"]) not in taken)
        young = next(
            told["receipt"]["index"]
            for _, told in reversed(self._known.receipts)
            if "data" in told and told["receipt"]["index"] not in taken
        )
        slots = {index: await self._slot(index) for index in (old, young)}
        begin = self._now()
        await self._lgsp("audit", "redact", str(old), str(young), "--reason", "a court order")
        end = self._now()
        self._known.erased += [(begin, end, index, slot) for index, slot in slots.items()]

    async def _slot(self, index: int) -> bytes:
        """Return what stands in the vault for an entry."""
        storage = await open_storage(self._settings.storage.url)
        try:
            query = select(OPENINGS.c.period, OPENINGS.c.slot).where(OPENINGS.c.idx == index)
            row: Row[tuple[str, int]] = await storage.read(lambda connection: connection.execute(query).one())
        finally:
            await storage.close()
        slots = (self._settings.keys.vault / f"{row.period}.slots").read_bytes()
        return slots[row.slot * SLOT : (row.slot + 1) * SLOT]

    async def _lgsp(self, *words: str) -> None:
        command = (sys.executable, "-m", "gateway", *words, "--config", str(self._config))
        done = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=-1, stderr=asyncio.subprocess.STDOUT)
        said, _ = await done.communicate()
        if done.returncode:
            raise RuntimeError(f"lgsp {' '.join(words)}: {said.decode()}")

    def _kept(self) -> None:
        """Remember every file that commands left and nobody changes any more."""
        names = {name for _, name, _ in self._known.kept}
        for pattern in ("archive/*", "out/*", "keys-of/keys/*.key"):
            for path in sorted(self._live.glob(pattern)):
                name = str(path.relative_to(self._live))
                if name not in names:
                    digest = sha256(path.read_bytes()).hexdigest()
                    self._known.kept.append((self._now(), name, digest))
