"""A deployment without servers whose log has exchanges in it, as a gateway records them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from commands.desk import desk
from schemas.ids import new_id
from security.audit.canonical import canonical
from security.audit.entries import Caller, Evidence, Outcome, Subject
from security.audit.receipt import Receipt
from tests.test_commands.conftest import Deployment, printed

TOOL = Path(__file__).parents[2] / "tools" / "verify_audit.py"
LAN, MINH = "001190000018", "001090000025"
WHY = ("--reason", "complaint 12 of 2026")
ANSWER = {"full_name": "Nguyễn Thị Lan", "children": [{"order": 1, "personal_id": MINH}], "warnings": ["a", "b"]}


def exchange(
    *persons: str, at: datetime | None = None, officer: str = "nva", archive: bool = False, provable: bool = False
) -> Evidence:
    """The first person was asked about, the others were disclosed."""
    return Evidence(
        id=new_id(),
        kind="exchange",
        at=at or datetime.now(UTC),
        caller=Caller("ministry", "000.00.00.G15", "secret:1"),
        database="population",
        operation="person",
        purpose="dossier-processing",
        dossier="000.00.00.G15-261122-0001",
        officer=officer,
        request_id=new_id(),
        outcome=Outcome("ok", 200),
        fields=("full_name", "children"),
        duration_ms=12,
        endpoint="population",
        attempts=1,
        question=canonical({"personal_id": persons[0]}),
        data=canonical(ANSWER),
        request_messages=[b"<ask/>"],
        answer_messages=[b"<told/>"],
        subjects=[Subject("disclosed" if place else "asked", "personal-id", one) for place, one in enumerate(persons)],
        archive=archive,
        provable=provable,
    )


def recorded(deployed: Deployment, events: Sequence[Evidence]) -> list[Receipt]:
    """Put these into the log, each in a commit of its own."""

    async def work() -> list[Receipt]:
        async with desk(deployed.file) as at:
            return [await at.log.record(event) for event in events]

    return asyncio.run(work())


def key_file(deployed: Deployment, folder: Path) -> Path:
    """The verifier keys of the log, as its operator hands them out."""
    file = folder / "log.vkey"
    lines = [item["verifier_key"] for item in printed("keys", "export", *deployed.config)["log"]]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def checked(file: Path, key: Path, code: int = 0) -> list[tuple[str, str]]:
    """Check a file as an outsider does; return kind and text of every fact."""
    command = [sys.executable, "-I", "-S", str(TOOL), str(file), "--key", str(key), "--lang", "en", "--json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return [(fact["kind"], fact["text"]) for fact in json.loads(done.stdout)["facts"]]
