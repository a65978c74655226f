"""What the page for callers says about XML and JSON: an answer over SOAP becomes that of REST, its receipt holds."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

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


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a script isolated and with the standard library alone, as whoever copied it may have to."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *command],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={"PYTHONUTF8": "1"},
        check=False,
    )


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("kind", ["recorded", "not-understood"])
def test_a_fault_is_told_as_rest_tells_it_and_its_receipt_holds(
    live: Live, version: str, kind: str, tmp_path: Path
) -> None:
    papers = live.described["clients"]["ministry"]
    headers = {
        "Content-Type": "text/xml" if version == "1.1" else "application/soap+xml",
        "Authorization": encode_basic_auth(papers["client_id"], papers["client_secret"]),
        "Lgsp-Receipt": "full",
    }
    soap = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
    block = '<x xmlns="urn:x" e:mustUnderstand="1"/>' if kind == "not-understood" else ""
    asked = '<Person xmlns="urn:lgsp:population:1"><personalId>1</personalId></Person>'
    envelope = (
        f'<e:Envelope xmlns:e="{soap[version]}"><e:Header><g:Purpose xmlns:g="urn:lgsp:gateway:1">inspection'
        f"</g:Purpose>{block}</e:Header><e:Body>{asked}</e:Body></e:Envelope>"
    )
    request = Request(f"{live.described['gateway']}/soap/population", envelope.encode(), headers)
    with pytest.raises(HTTPError) as failure, urlopen(request):
        pass
    (tmp_path / "answer.xml").write_bytes(failure.value.read())
    (tmp_path / "answer.wsdl").write_bytes(get(live, "/soap/population?wsdl"))
    (tmp_path / "check_receipt.py").write_text(CHECK, encoding="utf-8")
    done = run(tmp_path, str(ROOT / "docs/clients/soap_answer.py"), "answer.xml", "answer.wsdl")
    assert (done.returncode, done.stderr) == (2, "")
    told = json.loads(done.stdout)
    if (kind, version) == ("not-understood", "1.1"):
        assert told == {}
        return
    expected = {"recorded": ("invalid", 422), "not-understood": ("malformed", 400)}[kind]
    assert (told["code"], told["status"], told["retryable"]) == (*expected, False)
    assert told["request_id"]
    if kind == "recorded":
        assert [flaw["pointer"] for flaw in told["errors"]] == ["/Person/personalId"]
    (tmp_path / "answer.json").write_text(done.stdout, encoding="utf-8")
    checked = run(tmp_path, "check_receipt.py", "answer.json", live.described["log_key"])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [line.partition(":")[0] for line in checked.stdout.splitlines()] == ["holds"] * 4


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_the_answer_is_that_of_rest_and_its_commitment_opens(live: Live, database: Database, tmp_path: Path) -> None:
    (tmp_path / "answer.wsdl").write_bytes(get(live, f"/soap/{database.name}?wsdl"))
    (tmp_path / "check_receipt.py").write_text(CHECK, encoding="utf-8")
    for operation, envelope in zip(database.operations, answers(live, database), strict=True):
        (tmp_path / "answer.xml").write_bytes(envelope)
        script = ROOT / "docs/clients/soap_answer.py"
        done = run(tmp_path, str(script), "answer.xml", "answer.wsdl")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["data"] == sandbox_examples()[f"{database.name}/{operation.name}"]["data"]
        assert told["exchange"]["operation"] == operation.name
        receipt = told["receipt"]
        entry = base64.b64decode(receipt["entry"])
        assert told["exchange"]["fields"] == json.loads(entry)["fields"]
        assert base64.b64encode(hashlib.sha256(b"\0" + entry).digest()).decode() == receipt["leaf"]
        data = json.dumps(told["data"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        opened = hashlib.sha256(base64.b64decode(receipt["salt"]) + data).digest()
        assert base64.b64encode(opened).decode() == json.loads(entry)["commitments"]["data"]
    # The last one also by the script that checks answers of REST.
    (tmp_path / "answer.json").write_text(done.stdout, encoding="utf-8")
    checked = run(tmp_path, "check_receipt.py", "answer.json", live.described["log_key"])
    assert checked.returncode == 0, checked.stdout + checked.stderr
