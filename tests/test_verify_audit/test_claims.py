"""What single documents claim is read strictly, and what two of them know is put together."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.test_audit.audit_world import ORIGIN, a_signer
from tests.test_verify_audit.made import WITNESS, b64, cosigned, judged, keys, told
from tests.test_verify_audit.test_histories import two
from tests.test_verify_audit.test_said import DATA
from tools.verify_audit import Run, Tree

CONTRADICTION = (1, [("fails", "the parts of the file CONTRADICT each other")])
BASE64 = (2, [("unreadable", "malformed: base64")])


def changed(file: Path, **members: Any) -> Path:
    file.write_text(json.dumps({**json.loads(file.read_text()), **members}))
    return file


def test_a_short_receipt_is_read_strictly(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    for size in (31, 33):
        assert judged(changed(log.receipt(8, 9), leaf=b64(bytes(size))), key=key) == BASE64
        assert judged(changed(log.receipt(8, 9), salt=b64(bytes(size))), key=key) == BASE64
    assert judged(changed(log.receipt(8, 9), index=9), key=key) == CONTRADICTION
    assert judged(changed(log.receipt(8, 9), log="other.example/log"), key=key) == CONTRADICTION
    names = "log, index, leaf, salt, checkpoint"
    assert judged(changed(log.receipt(8, 9), proof=[]), key=key) == (
        2,
        [("unreadable", f"the members must be {names}")],
    )
    assert judged(changed(log.receipt(8, 9), entry="", more=1), key=key) == (
        2,
        [("unreadable", f"the members must be {names}, entry, proof")],
    )


def test_a_proof_that_leads_elsewhere_is_told(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    said = "the proof does NOT lead from entry 3 to the root of the checkpoint of 9"
    assert judged(changed(log.proof(2, 9), index=3), key=key) == (1, [("fails", said)])
    assert judged(changed(log.proof(2, 9), size=8), key=key) == CONTRADICTION
    said = "the members must be from, to, proof"
    assert judged(changed(log.consistency(2, 9), more=1), key=key) == (2, [("unreadable", said)])
    for name in ("from", "to"):
        odd = changed(log.consistency(2, 9), **{name: -1})
        assert judged(odd, key=key) == (2, [("unreadable", "malformed: index, size")])


def test_an_entry_that_one_file_has_is_known_for_all(made: Path, tmp_path: Path) -> None:
    """In every order, and also where another file proves its place without having it."""
    with zipfile.ZipFile(made / "bundle.zip") as archive:
        (tmp_path / "proof.json").write_bytes(archive.read("proof.json"))
    proof, bundle, short = tmp_path / "proof.json", made / "bundle.zip", made / "short.json"
    for files in ((bundle, proof, short), (proof, bundle, short), (short, proof, bundle)):
        status, facts = judged(*files, key=made / "keys.txt")
        assert (status, facts[-2]) == (0, DATA)
    status, facts = judged(proof, short, key=made / "keys.txt")
    said = "that the answer is that of entry 1: it takes the entry itself (full receipt or export)"
    assert (status, facts[-2]) == (1, ("unshown", said))


def test_signatures_that_nobody_can_check_are_named(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(keys())
    line = f"— w {b64(bytes(5))}\n"
    (tmp_path / "x.txt").write_text(a_signer().sign(7, bytes(32)) + line)
    status, out = told("x.txt", "--lang", "en", folder=tmp_path)
    assert (status, out.splitlines()[:2]) == (
        0,
        [
            f"HOLDS: x.txt: checkpoint of 7 entries, signed by the log {ORIGIN}",
            "NOTE: x.txt: --key has no key to check a signature of w",
        ],
    )


@pytest.mark.parametrize(
    ("at", "said"),
    [(0, "1970-01-01T00:00:00Z"), (253402300799, "9999-12-31T23:59:59Z"), (253402300800, "253402300800")],
)
def test_a_time_is_told_as_it_is(tmp_path: Path, at: int, said: str) -> None:
    (tmp_path / "keys").write_text(keys())
    (tmp_path / "x.txt").write_text(cosigned(a_signer().sign(7, bytes(32)), at=at))
    _, facts = judged(tmp_path / "x.txt", key=tmp_path / "keys")
    assert facts[1:] == [("holds", f"the witness {WITNESS} cosigned the checkpoint of 7 at {said}")]


def test_keys_are_known_or_not_shown(tmp_path: Path) -> None:
    other = a_signer(name="other.example/log").verifier.encode()
    (tmp_path / "keys.txt").write_text(keys())
    (tmp_path / "more.txt").write_text(f"{keys()}{other}\n")
    status, out = told("more.txt", "--lang", "en", folder=tmp_path)
    assert (status, out.splitlines()[:-1]) == (
        1,
        [
            f"HOLDS: more.txt: the key {ORIGIN} is among those of --key",
            f"HOLDS: more.txt: the key {WITNESS} is among those of --key",
            "NOT SHOWN: more.txt: that the key other.example/log can be trusted: --key does not have it",
        ],
    )


def test_the_status_is_that_of_the_worst_fact() -> None:
    for kinds, status in (
        (["holds"], 0),
        (["holds", "note"], 0),
        (["note"], 2),
        (["holds", "unreadable"], 2),
        (["holds", "unreadable", "unshown"], 1),
        (["holds", "fails"], 1),
        (["unshown"], 1),
    ):
        run = Run({}, 1)
        for kind in kinds:
            run.say(kind, "f", "nothing")
        assert run.status() == status, kinds


def test_a_fact_is_told_once_of_each_file() -> None:
    run = Run({}, 1)
    for file in ("a", "b", "a"):
        run.say("holds", file, "continued", other="c")
    assert run.facts == [("holds", "a", "it continues c"), ("holds", "b", "it continues c")]


def test_all_files_that_have_another_root_are_named() -> None:
    run = Run({}, 1)
    for file, root in (("a", b"1"), ("b", b"2"), ("c", b"1"), ("d", b"3")):
        run.keep(file, Tree("log", 7, root))
    said = "the log log has TWO histories of 7 entries, see {}: keep all files, they are the evidence"
    assert run.facts == [("fails", "b", said.format("a")), ("fails", "d", said.format("a, b"))]
    assert run.trees == {("log", 7): {b"1": "a", b"2": "b", b"3": "d"}}


def test_a_file_counts_before_what_was_demanded() -> None:
    run, tree = Run({}, 1), Tree("log", 7, b"1")
    run.demanded.append(("demanded", tree))
    for file in ("demanded", "a", "b"):
        run.keep(file, tree)
    assert run.trees == {("log", 7): {b"1": "a"}}


def test_it_is_told_which_file_does_not_hold(tmp_path: Path) -> None:
    log, fork, _ = two(tmp_path)
    (tmp_path / "keys.txt").write_text(keys())

    def told_of(*files: Path, checkpoint: Path | None = None) -> list[str]:
        demanded = [] if checkpoint is None else ["--checkpoint", checkpoint.name]
        _, out = told(*(each.name for each in files), *demanded, "--lang", "en", folder=tmp_path)
        return [line.split(": ")[1] for line in out.splitlines() if line.startswith(("FAILS", "NOT SHOWN"))]

    assert told_of(log.receipt(8, 9), fork.proof(8, 12)) == ["log-receipt-8-9.json"]
    assert told_of(log.receipt(8, 9)) == ["log-receipt-8-9.json"]
    assert told_of(log.consistency(9, 12), log.checkpoint(9), fork.checkpoint(12)) == ["log-9-to-12.json"]
    assert told_of(log.export(0, 9), fork.export(9, 12)) == ["fork-9-12.zip"] * 2
    assert told_of(log.export(4, 12, entries=[])) == ["log-4-12.zip"]
    assert told_of(log.checkpoint(9), checkpoint=log.checkpoint(12)) == ["log-12.txt"]
    other = a_signer(name="other.example/log")
    (tmp_path / "keys.txt").write_text(f"{keys()}{other.verifier.encode()}\n")
    (tmp_path / "other.txt").write_text(other.sign(9, bytes(32)))
    assert told_of(log.proof(2, 9), tmp_path / "other.txt", checkpoint=log.checkpoint(9)) == ["--checkpoint"]


def test_exports_have_their_turn_by_where_they_begin_and_end(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    ranges = [(0, 14), (3, 9), (0, 11), (0, 9), (0, 13), (0, 12), (0, 10)]
    _, facts = judged(*(log.export(*each) for each in ranges), key=key)
    shown = [text.split(" give ")[0] for _, text in facts if " give " in text]
    assert shown == [f"entries {first} to {last - 1}" for first, last in sorted(ranges)]
    names = [f"{tmp_path}/log-{first}-{last}.zip" for first, last in sorted(ranges)]
    assert [text for _, text in facts if "continues" in text] == [f"it continues {name}" for name in names[:-1]]


def test_space_before_a_document_means_nothing(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    file = log.proof(2, 9)
    file.write_text("\n \t" + file.read_text())
    assert judged(file, key=key)[0] == 0
