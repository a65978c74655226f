"""What several files together show of a log's history, and what they give away: forks, gaps, rewritten pasts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from security.audit.merkle import consistency_proof, inclusion_proof, leaf_hash, root_of
from security.audit.packing import Package
from tests.test_audit.audit_world import ORIGIN, a_signer
from tests.test_audit.test_merkle import nodes_over
from tests.test_verify_audit.made import b64, cosigned, judged, keys, told
from tools import verify_audit


class Log:
    """A log made by hand, which can lie."""

    def __init__(self, folder: Path, name: str, entries: Sequence[bytes]) -> None:
        self.folder, self.name, self.entries = folder, name, list(entries)
        self.leaves = [leaf_hash(each) for each in entries]

    def write(self, name: str, content: str) -> Path:
        path = self.folder / f"{self.name}-{name}"
        path.write_text(content)
        return path

    def note(self, size: int) -> str:
        return a_signer().sign(size, root_of(self.leaves[:size]))

    def checkpoint(self, size: int) -> Path:
        return self.write(f"{size}.txt", self.note(size))

    def proof(self, index: int, size: int) -> Path:
        path = [b64(each) for each in inclusion_proof(index, size, nodes_over(self.leaves))]
        document = {"index": index, "size": size, "leaf": b64(self.leaves[index]), "proof": path}
        return self.write(f"{index}-{size}.json", json.dumps({**document, "checkpoint": self.note(size)}))

    def receipt(self, index: int, size: int) -> Path:
        document = {"log": ORIGIN, "index": index, "leaf": b64(self.leaves[index]), "salt": None}
        return self.write(f"receipt-{index}-{size}.json", json.dumps({**document, "checkpoint": self.note(size)}))

    def consistency(self, old: int, new: int) -> Path:
        path = [b64(each) for each in consistency_proof(old, new, nodes_over(self.leaves))]
        return self.write(f"{old}-to-{new}.json", json.dumps({"from": old, "to": new, "proof": path}))

    def export(
        self,
        first: int,
        last: int,
        *,
        sizes: Sequence[int] | None = None,
        entries: Sequence[bytes] | None = None,
        witness: bool = False,
        note: str | None = None,
        manifest: Mapping[str, object] = MappingProxyType({}),
    ) -> Path:
        path = self.folder / f"{self.name}-{first}-{last}.zip"
        frontier, at = [], 0
        for level in range(first.bit_length() - 1, -1, -1):
            if first >> level & 1:
                frontier.append(b64(root_of(self.leaves[at : at + (1 << level)])))
                at += 1 << level
        body = self.entries[first:last] if entries is None else entries
        notes = [cosigned(self.note(size)) if witness else self.note(size) for size in (sizes or [last])]
        notes = notes if note is None else [note]
        about = {"format": "lgsp-audit-export/1", "origin": ORIGIN, "first": first, "last": last}
        about["root"] = b64(root_of(self.leaves[:last]))
        with path.open("wb") as out, Package(out) as package:
            package.add_json("frontier.json", frontier)
            package.add("entries.jsonl", b"".join(each + b"\n" for each in body))
            package.add("checkpoints.txt", "--\n".join(notes).encode())
            package.finish({**about, **manifest})  # type: ignore[arg-type]
        return path


def two(tmp_path: Path) -> tuple[Log, Log, Path]:
    """A log, and one that the same key signed and that differs from entry 6 on."""
    (tmp_path / "keys").write_text(keys())
    entries = [b'{"n":%d}' % number for number in range(20)]
    forked = [*entries[:6], *(b'{"m":%d}' % number for number in range(6, 20))]
    return Log(tmp_path, "log", entries), Log(tmp_path, "fork", forked), tmp_path / "keys"


def kinds(facts: Sequence[tuple[str, str]]) -> set[str]:
    return {kind for kind, _ in facts}


def test_two_checkpoints_of_one_size_prove_a_fork(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    assert judged(log.checkpoint(6), fork.checkpoint(6), key=key)[0] == 0
    for files in (
        (log.checkpoint(9), fork.checkpoint(9)),
        (log.proof(2, 9), fork.proof(2, 9)),
        (log.receipt(8, 9), log.proof(8, 9), fork.checkpoint(9)),
        (log.export(0, 12), fork.checkpoint(9)),
        (log.export(7, 12), fork.proof(8, 9)),
        (log.export(0, 12), fork.proof(1, 12)),
    ):
        status, facts = judged(*files, key=key)
        assert status == 1
        assert any("TWO histories" in text for kind, text in facts if kind == "fails"), facts
    assert judged(log.proof(2, 9), key=key, checkpoint=fork.checkpoint(9))[0] == 1


def test_two_entries_at_one_place_prove_a_fork(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    status, facts = judged(log.proof(8, 9), fork.proof(8, 12), key=key)
    assert status == 1
    assert ("fails", f"the log {ORIGIN} has TWO entries at index 8: keep all files, they are the evidence") in facts


def test_a_receipt_whose_entry_is_gone_is_evidence(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    for other in (fork.proof(8, 12), fork.export(0, 12)):
        status, facts = judged(log.receipt(8, 9), other, key=key)
        assert status == 1
        assert any("the log has ANOTHER entry at index 8" in text for _, text in facts)


def test_being_continued_by_the_same_past_is_not_being_of_one_history(tmp_path: Path) -> None:
    """5 is the beginning of 9 and of the fork's 12: that says nothing about 9 and 12."""
    log, fork, key = two(tmp_path)
    files = log.checkpoint(5), log.checkpoint(9), log.consistency(5, 9), fork.consistency(5, 12)
    status, facts = judged(*files, key=key, checkpoint=fork.checkpoint(12))
    assert status == 1
    told = [(kind, text.partition(":")[0]) for kind, text in facts if "one history" in text]
    assert told == [
        ("holds", "the checkpoints of 5 and 12 are of one history"),
        ("unshown", "that the checkpoints of 9 and 12 are of one history"),
    ]


def test_consistency_holds_over_several_steps_and_from_both_sides(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    steps = log.checkpoint(5), log.checkpoint(9), log.consistency(5, 9), log.consistency(9, 12)
    assert judged(*steps, key=key, checkpoint=log.checkpoint(12))[0] == 0
    both = log.checkpoint(5), log.checkpoint(20), log.consistency(5, 20), log.consistency(12, 20)
    assert judged(*both, key=key, checkpoint=log.checkpoint(12))[0] == 0


def test_a_consistency_proof_of_another_history_fails(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    for files in (
        (log.checkpoint(9), fork.checkpoint(12), log.consistency(9, 12)),
        (log.checkpoint(9), fork.checkpoint(12), fork.consistency(9, 12)),
    ):
        status, facts = judged(*files, key=key)
        assert status == 1
        assert "fails" in kinds(facts)


def test_exports_of_two_histories_do_not_continue_each_other(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    assert judged(log.export(0, 6), fork.export(6, 12), key=key)[0] == 0
    status, facts = judged(log.export(0, 9), fork.export(9, 12), key=key)
    assert status == 1
    assert any("NOT continue" in text for _, text in facts)
    status, facts = judged(log.export(0, 9), log.export(11, 12), key=key)
    assert [text.split(" between")[0] for kind, text in facts if kind == "unshown"] == ["entries 9 to 10"]
    assert status == 1


def test_an_export_that_was_tampered_with_fails(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    entries = log.entries[4:12]
    for altered in (
        entries[:-1],
        [*entries, b'{"n":12}'],
        [entries[1], entries[0], *entries[2:]],
        [*entries[:3], b'{"n":7,"x":1}', *entries[4:]],
        [],
    ):
        status, facts = judged(log.export(4, 12, entries=altered), key=key)
        assert (status, kinds(facts)) == (1, {"fails"}), altered
    assert judged(log.export(4, 12, sizes=[5, 9, 12]), key=key)[0] == 0
    for sizes in ([11], [4, 12], [9, 5, 12], [5, 5, 12], [12, 13], [12, 12]):
        assert judged(log.export(4, 12, sizes=sizes), key=key)[0] == 1, sizes
    for wrong in (
        {"origin": "other"},
        {"root": b64(bytes(32))},
        {"first": 5},
        {"first": 3},
        {"last": 13},
        {"last": 11},
    ):
        assert judged(log.export(4, 12, manifest=wrong), key=key)[0] in (1, 2), wrong
    for odd in (
        {"first": -1},
        {"first": "0"},
        {"first": True},
        {"root": None},
        {"more": 1},
        {"format": "lgsp-audit-export/2"},
    ):
        assert judged(log.export(4, 12, manifest=odd), key=key)[0] == 2, odd


def test_a_witness_of_an_export_is_named_once_with_the_latest_checkpoint(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    _, facts = judged(log.export(0, 12, sizes=[3, 9, 12], witness=True), key=key)
    assert [text for _, text in facts if "cosigned" in text] == [
        "the witness witness.example/w1 cosigned the checkpoint of 12 at 2026-11-30T00:53:20Z"
    ]


def test_a_checkpoint_of_another_log_is_not_agreed_with(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    other = a_signer(name="other.example/log")
    key.write_text(f"{keys()}{other.verifier.encode()}\n")
    (tmp_path / "other.txt").write_text(other.sign(9, root_of(log.leaves[:9])))
    status, facts = judged(log.proof(2, 9), key=tmp_path / "keys", checkpoint=tmp_path / "other.txt")
    assert (status, [text for kind, text in facts if kind == "unshown"]) == (
        1,
        ["no FILE is of the log of this checkpoint", f"a checkpoint of {ORIGIN}, the log of one of the FILEs"],
    )
    # Nor does a second log beside the first, however well its own claims are shown.
    status, facts = judged(log.proof(2, 9), tmp_path / "other.txt", key=key, checkpoint=log.checkpoint(9))
    assert (status, facts[-1]) == (1, ("unshown", "a checkpoint of other.example/log, the log of one of the FILEs"))


def test_a_proof_names_the_size_of_its_checkpoint(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    path = log.proof(2, 9)
    document = json.loads(path.read_text())
    for change in ({"size": 8}, {"size": 10}, {"index": 3}, {"index": 9}, {"leaf": b64(log.leaves[3])}, {"proof": []}):
        path.write_text(json.dumps({**document, **change}))
        status, facts = judged(path, key=key)
        assert (status, kinds(facts) & {"fails", "unreadable"}) == (1, {"fails"}), change
    for size in (31, 33):
        path.write_text(json.dumps({**document, "leaf": b64(bytes(size))}))
        assert judged(path, key=key) == (2, [("unreadable", "malformed: base64")])


def test_an_empty_log_is_the_beginning_of_every_other(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    empty = log.write("empty.txt", a_signer().sign(0, root_of([])))
    for other in (log, fork):
        status, facts = judged(other.proof(8, 9), key=key, checkpoint=empty)
        assert (status, facts[-1]) == (0, ("holds", "the checkpoints of 0 and 9 are of one history"))
    path = "GET /v1/audit/consistency?from=1&to=9"
    said = f"that the checkpoints of 1 and 9 are of one history: it takes {path} or an export"
    assert judged(log.proof(8, 9), key=key, checkpoint=log.checkpoint(1))[1][-1] == ("unshown", said)


def test_every_checkpoint_has_its_turn(tmp_path: Path) -> None:
    log, _, _ = two(tmp_path)
    (tmp_path / "keys.txt").write_text(keys())
    for size in (2, 3):
        log.checkpoint(size)
    log.proof(8, 9)
    status, out = told(
        "log-8-9.json", *("--checkpoint", "log-2.txt", "--checkpoint", "log-3.txt", "--lang", "en"), folder=tmp_path
    )
    assert status == 1
    for size in (2, 3):
        assert f"NOT SHOWN: log-{size}.txt: that the checkpoints of {size} and 9 are of one history: " in out


def test_what_does_not_continue_is_named(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    _, facts = judged(log.export(0, 9), fork.export(9, 12), key=key)
    assert ("fails", f"it does NOT continue {tmp_path}/log-0-9.zip") in facts
    _, facts = judged(log.checkpoint(9), fork.checkpoint(12), log.consistency(9, 12), key=key)
    assert ("fails", "the proof does NOT show that the checkpoint of 12 continues that of 9") in facts
    _, facts = judged(log.checkpoint(12), fork.checkpoint(12), key=key)
    said = f"the log {ORIGIN} has TWO histories of 12 entries, see {tmp_path}/log-12.txt: "
    assert ("fails", f"{said}keep all files, they are the evidence") in facts


def test_an_export_shows_entries_that_no_checkpoint_ends_with(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    for index in (5, 6, 7, 8):
        status, facts = judged(log.receipt(index, 9), log.export(4, 12), key=key)
        assert (status, ("holds", f"entry {index} stands in the log, as another file proves") in facts) == (0, True)
    said = "that entry 3 stands in the log: it takes a receipt `Lgsp-Receipt: full`, GET /v1/audit/entries/3/proof"
    assert ("unshown", f"{said} or an export") in judged(log.receipt(3, 9), log.export(4, 12), key=key)[1]


def test_the_frontier_of_an_export_is_that_of_its_first_entry(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    malformed = (2, [("unreadable", "malformed: export")])
    for first in (3, 5, 12):
        assert judged(log.export(4, 12, manifest={"first": first}), key=key) == malformed
    assert judged(log.export(12, 12, entries=[]), key=key) == malformed
    assert judged(log.export(11, 12), key=key)[0] == 0


def test_it_is_said_where_an_export_departs_from_its_manifest(tmp_path: Path) -> None:
    log, _, key = two(tmp_path)
    entries = log.entries[4:12]

    def said(last: int = 11, end: int = 0) -> list[tuple[str, str]]:
        names = f"the manifest names entries 4 to {last}, root and checkpoint"
        return [("fails", f"{names}; the content DIFFERS, it ends at {end}")]

    altered = "the entries do NOT give the root of the checkpoint of 9: some before it were changed, removed or added"
    cases: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"entries": entries[:-1]}, said(end=10)),
        ({"entries": [*entries, b"{}"]}, said(end=12)),
        ({"entries": []}, said(end=3)),
        ({"sizes": [11]}, said(end=11)),
        ({"manifest": {"last": 13}}, said(last=12, end=11)),
        ({"entries": [b"{}", *entries[1:]], "sizes": [9, 12]}, [("fails", altered)]),
    ]
    for changed, expected in cases:
        assert judged(log.export(4, 12, **changed), key=key) == (1, expected)
    for size in (31, 33):
        odd = log.export(4, 12, manifest={"root": b64(bytes(size))})
        assert judged(odd, key=key) == (2, [("unreadable", "malformed: base64")])


def test_what_follows_the_last_checkpoint_is_told_from_where_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, _, key = two(tmp_path)
    monkeypatch.setattr(verify_audit, "BLOCK", 1)
    status, facts = judged(log.export(4, 12, entries=[*log.entries[4:12], b"{}"]), key=key)
    said = "the manifest names entries 4 to 11, root and checkpoint; the content DIFFERS, it ends at 12"
    assert (status, facts) == (1, [("fails", said)])
