"""The script of docs/security.md accepts a genuine receipt and nothing else; OpenSSL agrees about the signature."""

import base64
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit.canonical import canonical
from security.audit.checkpoint import Signer
from security.audit.entries import Evidence, Outcome
from security.audit.merkle import inclusion_proof, leaf_hash, range_root, root_of
from security.audit.receipt import Receipt
from tests.test_docs.pages import blocks, section, text_of

PAGE = section(text_of("docs/security.md"), "### Check a receipt by hand")
SCRIPT, SESSION = blocks(PAGE)
ORIGIN = "lgsp.example.gov.vn/log"
DATA = {"full_name": "Nguyễn Bá Bình", "birth_date": "1977-01-19", "children": [{"sex": None}], "count": 2, "note": ""}
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.generate())

Check = Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]


def answer(index: int, size: int) -> dict[str, Any]:
    """An answer whose entry is number `index` of `size`, as a caller gets it who asked for the full receipt."""
    evidence = Evidence(
        "6b94dd3e-9f7a-46e1-845c-cad9af778997",
        "exchange",
        datetime(2026, 11, 23, tzinfo=UTC),
        outcome=Outcome("ok", 200),
        data=canonical(DATA),
    )
    entry, secrets = evidence.recorded()
    assert secrets is not None
    body = canonical(entry)
    entries = [body if place == index else b"entry %d" % place for place in range(size)]
    leaves = [leaf_hash(each) for each in entries]

    def nodes(level: int, place: int) -> bytes:
        return root_of(leaves[place << level : (place + 1) << level])

    note = SIGNER.sign(size, range_root(0, size, nodes))
    receipt = Receipt(ORIGIN, index, leaves[index], secrets.salts["data"], note, size, body)
    return {"data": DATA, "receipt": receipt.as_json(inclusion_proof(index, size, nodes))}


@pytest.fixture
def check(tmp_path: Path) -> Check:
    (tmp_path / "check_receipt.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "log.vkey").write_text(SIGNER.verifier.encode() + "\n", encoding="utf-8")

    def run(shown: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "answer.json").write_text(json.dumps(shown), encoding="utf-8")
        # Isolated and without site-packages: the standard library has to be enough.
        return subprocess.run(
            [sys.executable, "-I", "-S", "check_receipt.py", "answer.json", "log.vkey"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (1, 2), (4, 5), (2, 7), (6, 7), (3, 8), (10, 11)])
def test_the_script_accepts_a_genuine_receipt_and_prints_what_the_page_shows(
    index: int, size: int, check: Check
) -> None:
    ran = check(answer(index, size))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    shown = [line for line in SESSION.splitlines() if line.startswith("holds:")]
    assert ran.stdout.splitlines() == shown


def test_openssl_verifies_the_signature_with_the_command_of_the_page(tmp_path: Path, check: Check) -> None:
    assert shutil.which("openssl") is not None
    assert check(answer(2, 7)).returncode == 0
    (command,) = [line[2:] for line in SESSION.splitlines() if line.startswith("$ openssl ")]
    ran = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Signature Verified Successfully" in ran.stdout
    note = tmp_path / "note.txt"
    note.write_text(note.read_text(encoding="utf-8").replace("\n7\n", "\n8\n"), encoding="utf-8")
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_a_file_of_several_keys_needs_one_that_signed(tmp_path: Path, check: Check) -> None:
    (command,) = [line[2:] for line in SESSION.splitlines() if line.startswith("$ openssl ")]
    others = [Signer(ORIGIN, Ed25519PrivateKey.generate()).verifier for _ in range(2)]
    for keys, expected in (([others[0], SIGNER.verifier], 0), ([SIGNER.verifier, others[0]], 0), (others, 1)):
        (tmp_path / "log.vkey").write_text("".join(f"{key.encode()}\n" for key in keys), encoding="utf-8")
        assert check(answer(2, 7)).returncode == expected
        verified = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
        assert (verified.returncode == 0) == (expected == 0)


def spoiled(shown: dict[str, Any], what: str) -> dict[str, Any]:
    """The same answer with one thing about it changed."""
    other = copy.deepcopy(shown)
    receipt = other["receipt"]
    foreign = base64.b64encode(bytes(32)).decode()
    match what:
        case "data":
            other["data"]["full_name"] = "Nguyễn Bá Bính"
        case "entry":
            receipt["entry"] = base64.b64encode(base64.b64decode(receipt["entry"]).replace(b"200", b"403")).decode()
        case "leaf" | "salt":
            receipt[what] = foreign
        case "proof":
            receipt["proof"][0] = foreign
        case "shorter-proof":
            receipt["proof"].pop()
        case "index":
            receipt["index"] += 1
        case "log":
            receipt["log"] = "elsewhere.example/log"
        case "key":
            text = receipt["checkpoint"].split("\n\n")[0]
            receipt["checkpoint"] = Signer(ORIGIN, Ed25519PrivateKey.generate()).sign(
                7, base64.b64decode(text.split("\n")[2])
            )
    return other


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("data", "data is what the entry committed to"),
        ("salt", "data is what the entry committed to"),
        ("entry", "leaf is the hash of the entry"),
        ("leaf", "leaf is the hash of the entry"),
        ("proof", "the entry stands in the tree of the checkpoint"),
        ("shorter-proof", "the entry stands in the tree of the checkpoint"),
        ("index", "the entry stands in the tree of the checkpoint"),
        ("log", "checkpoint and key are of this log"),
        ("key", "the checkpoint names this key"),
    ],
)
def test_the_script_refuses_what_was_changed(what: str, line: str, check: Check) -> None:
    ran = check(spoiled(answer(2, 7), what))
    assert ran.returncode == 1
    assert f"DOES NOT HOLD: {line}" in ran.stdout.splitlines()
