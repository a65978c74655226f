"""What the page for callers says about XML and JSON: an answer over SOAP becomes that of REST, its receipt holds."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth

from adapters import DATABASES
from routes.developers.example import examples_of
from routes.openapi import sandbox_examples
from schemas.exchange import Database
from tests.test_docs.pages import ROOT, blocks, section, text_of
from tests.test_gateway.live import Live
from tests.test_snippets.conftest import get
from tests.test_snippets.test_importable import post

CHECK, _ = blocks(section(text_of("docs/security.md"), "### Check a receipt by hand"))


def answers(live: Live, database: Database) -> list[bytes]:
    """What each operation answers to its example, with the full receipt."""
    papers = live.described["clients"]["ministry"]
    headers = {
        "Content-Type": "text/xml",
        "Authorization": encode_basic_auth(papers["client_id"], papers["client_secret"]),
        "Lgsp-Receipt": "full",
    }
    examples = examples_of(database, live.described["gateway"], sandbox_examples())
    return [post(example.soap, example.envelope().encode(), headers) for example in examples]


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_the_answer_is_that_of_rest_and_its_commitment_opens(live: Live, database: Database, tmp_path: Path) -> None:
    (tmp_path / "answer.wsdl").write_bytes(get(live, f"/soap/{database.name}?wsdl"))
    (tmp_path / "check_receipt.py").write_text(CHECK, encoding="utf-8")
    for operation, envelope in zip(database.operations, answers(live, database), strict=True):
        (tmp_path / "answer.xml").write_bytes(envelope)
        script = ROOT / "docs/clients/soap_answer.py"
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(script), "answer.xml", "answer.wsdl"],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            env={"PYTHONUTF8": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["data"] == sandbox_examples()[f"{database.name}/{operation.name}"]["data"]
        assert told["exchange"]["operation"] == operation.name
        receipt = told["receipt"]
        entry = base64.b64decode(receipt["entry"])
        assert base64.b64encode(hashlib.sha256(b"\0" + entry).digest()).decode() == receipt["leaf"]
        data = json.dumps(told["data"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        opened = hashlib.sha256(base64.b64decode(receipt["salt"]) + data).digest()
        assert base64.b64encode(opened).decode() == json.loads(entry)["commitments"]["data"]
    # The last one also by the script that checks answers of REST.
    (tmp_path / "answer.json").write_text(done.stdout, encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-I", "-S", "check_receipt.py", "answer.json", live.described["log_key"]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
