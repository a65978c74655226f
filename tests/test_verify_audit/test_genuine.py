"""What the gateway's own code hands out is verified by the one file, alone and in every useful combination."""

import ast
import asyncio
import json
from pathlib import Path

import pytest

from security.audit.export import write_export
from security.audit.reading import NoEntry
from tests.test_audit.audit_world import World, a_world, evidence
from tests.test_verify_audit.made import TOOL, WITNESS, judged, keys, run, told

SHOWN = {
    "answer": (["answer.json"], ["entry 1 stands in the log", "data: the content that the entry commits to"]),
    "receipt": (["receipt.json"], ["entry 1 stands in the log", "only the receipt is here"]),
    "proof": (["proof.json"], ["entry 0 stands in the log lgsp.example/log of 3 entries"]),
    "checkpoint": (
        ["new.txt"],
        ["checkpoint of 11 entries", f"the witness {WITNESS} cosigned", "at 2026-11-30T00:53:20Z"],
    ),
    "several": (["answer.json", "proof.json", "old.txt"], ["entry 0 stands", "entry 1 stands"]),
    "consistency": (["consistency.json", "old.txt", "new.txt"], ["checkpoint of 11 of lgsp.example/log continues"]),
    "later": (
        ["answer.json", "whole.zip", "--checkpoint", "new.txt"],
        ["the checkpoints of 2 and 11 are of one history"],
    ),
    "by-proof": (
        ["consistency.json", "old.txt", "--checkpoint", "new.txt"],
        ["the checkpoints of 3 and 11 are of one history"],
    ),
    "export": (["whole.zip"], ["entries 0 to 10 give the root", "checkpoints that agree with the entries: 11"]),
    "exports": (["second.zip", "small.zip"], ["entries 3 to 10 give the root", "it continues small.zip"]),
    "overlap": (["whole.zip", "small.zip"], ["it continues small.zip"]),
    "short-by-export": (
        ["short.json", "whole.zip"],
        ["entry 1 stands in the log, as another file", "data: the"],
    ),
    "short-by-receipt": (["short.json", "receipt.json"], ["as another file proves", "data: the content"]),
    "keys": (["keys.txt"], ["the key lgsp.example/log is among"]),
    "bundle": (
        ["bundle.zip"],
        [
            "data: the content that the entry commits to",
            "subjects/1: the content",
            "subjects/0: this commitment is not opened here",
            "openssl verify -CAfile ROOT.pem -untrusted certificates.pem certificates.pem",
            "openssl crl -inform DER -in revocation/list.der",
            "openssl ocsp -respin revocation/list.der",
            "openssl ts -verify -in timestamp.tsr -digest ",
            "the bundle says that it has no revocation/answer.der: no responder",
        ],
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_genuine_evidence_is_shown(made: Path, name: str) -> None:
    files, said = SHOWN[name]
    status, out = told(*files, "--lang", "en", folder=made)
    assert status == 0, out
    assert out.endswith("RESULT: everything that the files claim is shown\n")
    for each in said:
        assert each in out
    status, vietnamese = told(*files, "--lang", "vi", folder=made)
    assert status == 0
    assert vietnamese.count("\n") == out.count("\n")
    assert vietnamese.endswith("KẾT LUẬN: mọi điều các tệp khẳng định đều được chứng minh\n")


def test_the_file_alone_says_the_same(made: Path) -> None:
    files = ("answer.json", "bundle.zip", "whole.zip", "--checkpoint", "new.txt", "--lang", "vi")
    done = run(*files, folder=made)
    assert (done.returncode, done.stderr) == (0, "")
    assert (done.returncode, done.stdout) == told(*files, folder=made)


UNSHOWN = {
    "short": (["short.json"], "entry 1 stands in the log: it takes a receipt `Lgsp-Receipt: full`"),
    "short-by-proof-of-another": (["short.json", "proof.json"], "that entry 1 stands in the log"),
    "consistency-alone": (["consistency.json"], "the checkpoint of 11 continues that of 3: it takes both"),
    "consistency-with-one": (["consistency.json", "old.txt"], "it takes both of them"),
    "later": (["answer.json", "--checkpoint", "new.txt"], "GET /v1/audit/consistency?from=2&to=11"),
    "gap": (["small.zip", "third.zip"], "entries 3 to 4 between this file and small.zip"),
    "export-that-ends-before": (["small.zip", "--checkpoint", "new.txt"], "consistency?from=3&to=11"),
}


@pytest.mark.parametrize("name", UNSHOWN)
def test_what_is_not_shown_is_said_and_is_no_success(made: Path, name: str) -> None:
    files, said = UNSHOWN[name]
    status, out = told(*files, "--lang", "en", folder=made)
    assert status == 1
    assert any(line.startswith("NOT SHOWN: ") and said in line for line in out.splitlines())
    assert out.endswith("RESULT: something does not hold, or is not shown\n")


def test_without_a_witness_it_says_what_nobody_can_know(made: Path) -> None:
    said = "only a checkpoint from elsewhere shows that the log was not cut short"
    assert said in told("whole.zip", "--lang", "en", folder=made)[1]
    assert said not in told("new.txt", "--lang", "en", folder=made)[1]
    assert said not in told("whole.zip", "--checkpoint", "new.txt", "--lang", "en", folder=made)[1]


VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def test_the_language_is_that_of_the_environment_or_the_option(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert "ĐÚNG: old.txt" in told("old.txt", folder=made)[1]
    for place, name in reversed(list(enumerate(VARIABLES))):
        # Each goes before what was set before it.
        for value, said in (
            ("vi_VN.UTF-8", "ĐÚNG: old.txt"),
            ("en_GB.UTF-8", "HOLDS: old.txt"),
            ("C", "ĐÚNG: old.txt"),
        ):
            monkeypatch.setenv(name, value)
            assert said in told("old.txt", folder=made)[1], (place, value)
    assert "HOLDS: old.txt" in told("old.txt", "--lang", "en", folder=made)[1]
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert "ĐÚNG: old.txt" in told("old.txt", "--lang", "vi", folder=made)[1]


def test_json_output_is_one_document(made: Path) -> None:
    status, out = told("old.txt", "--json", "--lang", "vi", folder=made)
    assert out.startswith('{\n "status": 0,\n "result": "KẾT LUẬN')
    document = json.loads(out)
    assert (status, list(document)) == (0, ["status", "result", "facts"])
    assert (document["status"], document["result"]) == (0, "KẾT LUẬN: mọi điều các tệp khẳng định đều được chứng minh")
    assert [(fact["kind"], fact["file"]) for fact in document["facts"]] == [
        ("holds", "old.txt"),
        ("note", "--checkpoint"),
    ]
    assert document["facts"][0]["text"] == "mốc 3 bản ghi do lgsp.example/log ký"


def test_older_versions_of_python_can_read_it() -> None:
    ast.parse(TOOL.read_text(encoding="utf-8"), feature_version=(3, 9))


async def test_exports_are_the_same_on_every_database(storage_url: str, tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(keys())
    async with a_world(storage_url, tmp_path / "vault") as world:
        with (tmp_path / "empty.zip").open("wb") as out, pytest.raises(NoEntry):
            await write_export(world.storage, [world.signer.verifier], out)
        asked = evidence("001090123456", data=b'{"full_name":"x"}')
        receipt = await world.log.record(asked)
        await asyncio.gather(*(world.log.record(evidence(f"00109012{n:04}")) for n in range(600)))
        (tmp_path / "short.json").write_text(receipt.as_text())
        cut = await _exported(world, tmp_path / "1.zip", 0, 100)
        middle = await _exported(world, tmp_path / "2.zip", cut, 400)
        assert await _exported(world, tmp_path / "3.zip", middle, None) == 601
        with (tmp_path / "none.zip").open("wb") as out, pytest.raises(NoEntry):
            await write_export(world.storage, [world.signer.verifier], out, first=601)
    assert 100 <= cut < middle
    status, facts = judged(
        *(tmp_path / f"{n}.zip" for n in (1, 2, 3)), tmp_path / "short.json", key=tmp_path / "keys.txt"
    )
    assert status == 0, facts
    assert sum(text.startswith("it continues") for _, text in facts) == 2
    assert ("holds", "entry 0 stands in the log, as another file proves") in facts


async def _exported(world: World, path: Path, first: int, last: int | None) -> int:
    with path.open("wb") as out:
        done = await write_export(world.storage, [world.signer.verifier], out, first=first, last=last, full=True)
    return done.last


async def test_the_same_range_gives_the_same_file(tmp_path: Path) -> None:
    async with a_world(f"sqlite:///{tmp_path}/gateway.db", tmp_path / "vault") as world:
        await world.log.record(evidence("001090123456"))
        for name in ("a.zip", "b.zip"):
            await _exported(world, tmp_path / name, 0, 1)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
