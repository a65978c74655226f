"""What must be true of a state directory after a power failure, found out as its operator would: by starting on it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from commands import app
from config.settings import Settings, load
from security.audit.assembly import log_verifiers
from security.audit.checkpoint import opened
from security.audit.continuity import leaves
from security.audit.merkle import Frontier
from security.audit.tables import OPENINGS
from security.audit.vault import Destroyed, Vault, VaultDamaged
from security.keys import KeyRing
from sync.database import open_storage
from sync.tables import DOSSIER_EVENTS
from tools.chaos_processes import ROOT, free_port

_PATIENCE: Final = 60.0
_ASKED: Final = 3


@dataclass(slots=True)
class Known:
    """What somebody outside was told in the course of a recording, and how long the recording was when he knew it.

    `receipts` are whole answers, `statuses` code and sequence, `kept` files as a command left them (SHA-256), `erased`
    from where to where a redaction ran, of which entry, and what stood in the vault for it; `rotating` from where to
    where the log's key was rotated. `question` is what may be asked of the gateway, `client` the secrets of clients; it
    `began` when it was set up.
    """

    receipts: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    statuses: list[tuple[int, str, int]] = field(default_factory=list)
    kept: list[tuple[int, str, str]] = field(default_factory=list)
    erased: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    rotating: list[tuple[int, int]] = field(default_factory=list)
    question: dict[str, Any] = field(default_factory=dict)
    client: dict[str, str] = field(default_factory=dict)
    began: int = 0


def judged(known: Known, moment: int, state: Path, configuration: str) -> list[str]:
    """Return what does not hold of `state` after a power failure at `moment`; `configuration` is one for it."""
    flaws = _at_rest(known, moment, state)
    port = free_port()
    config = state / "gateway.toml"
    config.write_text(configuration.replace("LISTEN", str(port)).replace("TLS", str(free_port())), encoding="utf-8")
    config.chmod(0o600)
    code, said = _lgsp("check", "--config", str(config))
    if code:
        flaws.append(f"lgsp check: {said[-800:]}")
    fresh, told = _served(known, port, config)
    flaws += told
    flaws += _verified(known, moment, state, config)
    settings = load(config)
    receipts = [answer["receipt"] for at, answer in known.receipts if at <= moment]
    receipts += [answer["receipt"] for answer in fresh]
    try:
        flaws += asyncio.run(_held(settings, known, moment, receipts))
        recent = [answer for at, answer in known.receipts if at <= moment and "data" in answer][-_ASKED:]
        flaws += _by_the_tool([*recent, *fresh], settings)
    except Exception as failure:  # noqa: BLE001 - whatever it is, the log cannot be read
        flaws.append(f"the log cannot be read: {type(failure).__name__}: {failure}")
    return flaws


def _at_rest(known: Known, moment: int, state: Path) -> list[str]:
    """Look before anything is started: files that were finished are whole, and what was erased is nowhere."""
    flaws = []
    for at, name, digest in known.kept:
        if at <= moment:
            path = state / name
            if not path.exists():
                flaws.append(f"{name} is gone")
            elif sha256(path.read_bytes()).hexdigest() != digest:
                flaws.append(f"{name} is not as it was")
    slots = b"".join(path.read_bytes() for path in sorted((state / "vault-of" / "vault").glob("*.slots")))
    flaws += [
        f"what opens entry {index} is still in the vault, though it was redacted"
        for _, at, index, slot in known.erased
        if at <= moment and slot in slots
    ]
    return flaws


def _lgsp(*words: str) -> tuple[int, str]:
    """Run a command of the operator in a process of its own, which has everything imported already."""
    with tempfile.TemporaryFile() as said:
        pid = _forked(words, said.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        return code, said.read().decode("utf-8", "replace")


def _forked(words: tuple[str, ...], said: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        app(list(words))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _served(known: Known, port: int, config: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Start the gateway, ask it, stop it; return the answers and what went wrong."""
    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryFile() as said:

        def end_of_it() -> str:
            said.seek(0)
            return said.read().decode("utf-8", "replace")[-1500:]

        pid = _forked(("serve", "--config", str(config), "--no-worker", "--workers", "1"), said.fileno())
        address, gives_up = f"http://127.0.0.1:{port}", time.monotonic() + _PATIENCE
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return answers, [f"the gateway ended with {os.waitstatus_to_exitcode(status)}: {end_of_it()}"]
            with suppress(OSError):
                token = _token(address, "ministry", known.client["ministry"])
                break
            if time.monotonic() > gives_up:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return answers, [f"the gateway does not answer: {end_of_it()}"]
            time.sleep(0.05)
        flaws = []
        try:
            for _ in range(_ASKED):
                headers = {**known.question["headers"], "Authorization": f"Bearer {token}"}
                body = json.dumps(known.question["body"]).encode()
                answers.append(_sent(address + known.question["path"], body, headers))
        except OSError as failure:
            flaws.append(f"a question is not answered: {failure}: {end_of_it()}")
        os.kill(pid, signal.SIGTERM)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            flaws.append(f"the gateway stopped with {code}: {end_of_it()}")
    return answers, flaws


def _token(address: str, client: str, secret: str) -> str:
    proof = base64.b64encode(f"{client}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {proof}", "Content-Type": "application/x-www-form-urlencoded"}
    return str(_sent(f"{address}/oauth2/token", b"grant_type=client_credentials", headers)["access_token"])


def _sent(url: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http
            told: dict[str, Any] = json.loads(answer.read())
            return told
    except urllib.error.HTTPError as refused:
        if refused.code < 500:
            raise RuntimeError(f"{refused.code}: {refused.read()!r}") from None
        raise


def _verified(known: Known, moment: int, state: Path, config: Path) -> list[str]:
    archive = ("--archive", str(state / "archive")) if (state / "archive").exists() else ()
    words = ("audit", "verify", "--values", *archive, "--config", str(config))
    code, said = _lgsp(*words)
    if code and "no key file holds" in said and any(begin <= moment < end for begin, end in known.rotating):
        # The documentation says what to do where a rotation broke off.
        _lgsp("keys", "rotate", "log", "--config", str(config))
        code, said = _lgsp(*words)
    flaws = [f"lgsp audit verify ended with {code}: {said[-1500:]}"] if code else []
    return flaws + ([f"lgsp audit verify: {said[-1500:]}"] if not code and "were not opened" in said else [])


async def _held(settings: Settings, known: Known, moment: int, receipts: list[dict[str, Any]]) -> list[str]:
    """Hold what callers have to the database."""
    keys = log_verifiers(KeyRing(settings.keys.directory), settings.keys.origin)
    notes = {note: opened(note, keys) for note in {receipt["checkpoint"] for receipt in receipts}}
    vault = Vault(settings.keys.vault)

    def look(connection: Connection) -> list[str]:
        tree, roots, hashes, flaws = Frontier(), {}, [], []
        wanted = {each.size for each in notes.values()}
        for leaf in leaves(connection):
            tree.append(leaf)
            hashes.append(leaf)
            if tree.size in wanted:
                roots[tree.size] = tree.root()
        flaws += [
            f"the checkpoint of {each.size} entries is of another log"
            for each in notes.values()
            if roots.get(each.size) != each.root
        ]
        flaws += [
            f"entry {receipt['index']} is not the one of its receipt"
            for receipt in receipts
            if receipt["index"] >= len(hashes) or hashes[receipt["index"]] != base64.b64decode(receipt["leaf"])
        ]
        there = {tuple(row) for row in connection.execute(select(DOSSIER_EVENTS.c.code, DOSSIER_EVENTS.c.sequence))}
        flaws += [
            f"status {sequence} of {code} was accepted and is gone"
            for at, code, sequence in known.statuses
            if at <= moment and (code, sequence) not in there
        ]
        for _, at, index, _ in known.erased:
            row = connection.execute(select(OPENINGS).where(OPENINGS.c.idx == index)).one_or_none()
            if at <= moment and (row is None or row.redacted_by is None or row.sealed is not None):
                flaws.append(f"the redaction of entry {index} is gone")
            elif at <= moment and row is not None:
                with suppress(Destroyed, VaultDamaged):
                    vault.read(row.period, row.slot)
                    flaws.append(f"entry {index} was redacted and has a key")
        return flaws

    storage = await open_storage(settings.storage.url)
    try:
        return await storage.read(look)
    finally:
        await storage.close()


def _by_the_tool(answers: list[dict[str, Any]], settings: Settings) -> list[str]:
    """What outsiders find with nothing but answers and the keys."""
    keys = log_verifiers(KeyRing(settings.keys.directory), settings.keys.origin)
    with tempfile.TemporaryDirectory() as folder:
        vkeys = Path(folder, "keys.txt")
        vkeys.write_text("".join(f"{key.encode()}\n" for key in keys), encoding="utf-8")
        files = []
        for number, answer in enumerate(answers):
            files.append(Path(folder, f"answer{number}.json"))
            files[-1].write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
        command = [sys.executable, str(ROOT / "tools" / "verify_audit.py"), *map(str, files), "--key", str(vkeys)]
        done = subprocess.run([*command, "--lang", "en"], capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"verify_audit.py: {done.stdout[-500:]}{done.stderr[-500:]}"]
