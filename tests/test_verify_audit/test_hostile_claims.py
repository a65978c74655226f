"""Documents and archives whose claims go beyond what they show, or that are made to make the tool fall over."""

import copy
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from security.audit.merkle import consistency_proof, root_of
from tests.test_audit.audit_world import ORIGIN, a_signer, evidence
from tests.test_audit.test_merkle import nodes_over
from tests.test_verify_audit.made import TOOL, b64, judged, keys
from tests.test_verify_audit.test_histories import Log, two
from tests.test_verify_audit.test_hostile_zips import packed
from tools import verify_audit

ODD: list[Any] = [None, True, 0, -1, 2**53 - 1, "x", "\ud800", [], [[]], {}, {"a": 1}]


def replaced(value: Any) -> Iterator[Any]:
    """The value with each of its parts, at every depth, replaced by something of another kind, and left out."""
    yield from ODD
    if isinstance(value, dict | list):
        for place in list(value) if isinstance(value, dict) else range(len(value)):
            changed = copy.copy(value)
            for other in replaced(value[place]):
                changed[place] = other
                yield changed
            del changed[place]
            yield changed


@pytest.mark.parametrize("name", ["receipt.json", "short.json", "proof.json", "consistency.json"])
def test_nothing_in_a_document_makes_it_fall_over(made: Path, tmp_path: Path, name: str) -> None:
    document, odd = json.loads((made / name).read_text()), tmp_path / "odd.json"
    document.pop("data", None)
    for changed in replaced(document):
        odd.write_text(json.dumps(changed))
        status, facts = judged(odd, made / "old.txt", made / "new.txt", key=made / "keys.txt")
        assert status or claimed(changed) == claimed(document), (changed, facts)


def claimed(document: Any) -> str:
    """What a document or a manifest says, but for what nothing proves: a salt without its data, why something lacks."""
    return json.dumps({name: value for name, value in document.items() if name not in ("salt", "absent")})


@pytest.mark.parametrize("name", ["small.zip", "bundle.zip"])
def test_nothing_in_an_archive_makes_it_fall_over(made: Path, tmp_path: Path, name: str) -> None:
    odd = tmp_path / "odd.zip"
    with zipfile.ZipFile(made / name) as archive:
        content = {each: archive.read(each) for each in archive.namelist()}
    about = json.loads(content.pop("manifest.json"))
    del about["files"]
    for changed in replaced(about):
        repack(odd, content, changed)
        status, facts = judged(odd, made / name, key=made / "keys.txt")
        assert status or claimed(changed) == claimed(about), (changed, facts)
    member = "frontier.json" if name == "small.zip" else "openings.json"
    document = json.loads(content[member])
    if name == "bundle.zip":
        del document["openings"][1:]
    for changed in replaced(document):
        repack(odd, {**content, member: json.dumps(changed).encode()}, about)
        # What is not opened any more is not claimed.
        assert judged(odd, key=made / "keys.txt")[0] or not changed or not changed["openings"]


def repack(path: Path, content: dict[str, bytes], about: Any) -> None:
    """An archive that fits its manifest, whatever else that says."""
    files = {name: {"sha256": sha256(raw).hexdigest(), "size": len(raw)} for name, raw in content.items()}
    manifest = {**about, "files": files} if isinstance(about, dict) else about
    encoded = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(packed({**content, "manifest.json": encoded}))


def test_exports_of_logs_without_a_name_are_refused_beside_each_other(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    files = [log.export(0, 6, manifest={"origin": 5}), fork.export(0, 6, manifest={"origin": ["x"]}), log.export(0, 9)]
    status, facts = judged(*files, key=key)
    assert status == 1
    assert [text[:20] for kind, text in facts if kind == "holds"] == ["entries 0 to 8 give ", "checkpoints that agr"]


def test_exports_of_two_logs_do_not_hide_the_gaps_of_each_other(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    other = a_signer(name="a.example/log")
    key.write_text(f"{keys()}{other.verifier.encode()}\n")
    second = log.export(11, 20)
    between = log.export(5, 15, manifest={"origin": "a.example/log"}, note=other.sign(15, root_of(log.leaves[:15])))
    status, facts = judged(log.export(0, 9), between, second, key=key)
    assert (status, [text.split(" between")[0] for kind, text in facts if kind == "unshown"]) == (
        1,
        ["entries 9 to 10"],
    )


def test_what_follows_the_last_checkpoint_of_an_export_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line feeds without end are packed into next to nothing, and each would cost a hash."""
    monkeypatch.setattr(verify_audit, "BLOCK", 64)
    log, _, key = two(tmp_path)
    status, facts = judged(log.export(4, 12, entries=[*log.entries[4:12], *[b""] * 5000]), key=key)
    (said,) = (text for kind, text in facts if kind == "fails")
    assert status == 1
    assert int(said.rpartition(" ")[2]) < 100


def report(made: Path, path: Path, *, bundle: str = "000000000001", spans: list[tuple[int, int]] | None = None) -> Path:
    """A report of one entry, from a checkpoint of two entries on; `spans` are of its consistency proofs."""
    with zipfile.ZipFile(made / "bundle.zip") as archive:
        end = archive.read("checkpoint.txt")
    leaves = [json.loads((made / name).read_text())["leaf"] for name in ("proof.json", "receipt.json")]
    hashed = [verify_audit.unpacked(each) for each in leaves]
    root = verify_audit.unpacked(json.loads((made / "proof.json").read_text())["proof"][-1])
    nodes = nodes_over([*hashed, root])
    content = {
        "report.html": b"<p>",
        f"bundles/{bundle}.zip": (made / "bundle.zip").read_bytes(),
        "checkpoints/begin.txt": a_signer().sign(2, root_of(hashed)).encode(),
        "checkpoints/end.txt": end,
    }
    for first, last in [(2, 3)] if spans is None else spans:
        proof = [b64(each) for each in consistency_proof(first, last, nodes)]
        content["consistency.json"] = json.dumps({"from": first, "to": last, "proof": proof}).encode()
    about = {"format": "lgsp-audit-report/1", "origin": ORIGIN, "since": "a", "before": "b"}
    repack(path, content, about)
    return path


def test_a_report_holds_the_entry_that_the_name_of_its_bundle_says(made: Path, tmp_path: Path) -> None:
    status, facts = judged(report(made, tmp_path / "good.zip"), key=made / "keys.txt")
    assert status == 0, facts
    assert any("NOT proven are the words of report.html" in text for _, text in facts)
    assert judged(report(made, tmp_path / "named.zip", bundle="000000000002"), key=made / "keys.txt")[0] == 1


def test_a_report_shows_that_its_own_ends_are_of_one_history(made: Path, tmp_path: Path) -> None:
    """Another proof that holds, for checkpoints of which other files tell, is none of it."""
    one = a_signer().sign(1, verify_audit.unpacked(json.loads((made / "proof.json").read_text())["leaf"]))
    (tmp_path / "one.txt").write_text(one)
    for spans in ([(1, 3)], [(1, 2)], []):
        file = report(made, tmp_path / "other.zip", spans=spans)
        status, _ = judged(file, tmp_path / "one.txt", made / "old.txt", key=made / "keys.txt")
        assert status == 2, spans


def test_a_short_receipt_with_a_proof_does_not_show_its_answer(tmp_path: Path) -> None:
    """Nobody has the entry: that it stands in the log says nothing about what was answered."""
    log, _, key = two(tmp_path)
    receipt = log.receipt(8, 9)
    assert judged(receipt, log.proof(8, 9), key=key)[0] == 0
    answer = {"code": "refused", "receipt": json.loads(receipt.read_text())}
    receipt.write_text(json.dumps(answer))
    status, facts = judged(receipt, log.proof(8, 9), key=key)
    said = "that the answer is that of entry 8: it takes the entry itself (full receipt or export)"
    assert (status, facts[-2]) == (1, ("unshown", said))


def test_an_entry_may_say_what_the_tool_knows_nothing_of(tmp_path: Path, key: Path) -> None:
    """The first entry of a commit states over how many there was a checkpoint before it (`after`)."""
    asked = evidence("001090123456", data=None)
    entry = b'{"after":1,' + asked.written()[0][1:]
    log = Log(tmp_path, "log", [b"{}", entry, b"{}"])
    answer = log.receipt(1, 3)
    receipt = json.loads(answer.read_text())
    receipt |= {"entry": b64(entry), "proof": json.loads(log.proof(1, 3).read_text())["proof"]}
    for identity, expected in ((asked.id, 0), ("another", 1)):
        answer.write_text(json.dumps({"exchange": {"id": identity}, "receipt": receipt}))
        assert judged(answer, log.export(0, 3), key=key)[0] == expected


ENDS: dict[str, tuple[str, int]] = {
    "full": ("{tool} proof.json --key keys.txt > /dev/full", 2),
    "closed": ("{tool} proof.json --key keys.txt >&-", 2),
    "good": ("{tool} proof.json --key keys.txt > /dev/null", 0),
    "name": ("{tool} $'\\xff\\x1b[2J' --key keys.txt", 2),
    "deep": (
        "head -c 300000 /dev/zero | tr '\\0' '[' | sed 's/^/{{\"receipt\":/' > deep; {tool} deep --key keys.txt",
        2,
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_with_its_own_status_whatever_happens(made: Path, tmp_path: Path, name: str) -> None:
    for file in ("proof.json", "keys.txt"):
        (tmp_path / file).write_bytes((made / file).read_bytes())
    command, status = ENDS[name]
    command = command.format(tool=f"{sys.executable} -I -S {TOOL}")
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (status, b"")
    assert b"\x1b" not in done.stdout
