"""A bundle of an event that nobody signed: no details, no certificates."""

from pathlib import Path

from security.audit.merkle import leaf_hash
from security.audit.packing import Package
from tests.test_audit.audit_world import a_signer
from tests.test_verify_audit.made import b64, judged, keys

ENTRY = b'{"at":"2026-11-30T00:00:00Z","id":"1","kind":"start","v":1}'


def test_an_entry_that_names_no_signer_needs_no_certificate(tmp_path: Path) -> None:
    leaf = leaf_hash(ENTRY)
    note = a_signer().sign(1, leaf)
    proof = {"index": 0, "size": 1, "leaf": b64(leaf), "proof": [], "checkpoint": note}
    with (tmp_path / "bundle.zip").open("wb") as out, Package(out) as package:
        package.add("entry.json", ENTRY)
        package.add_json("proof.json", proof)
        package.add("checkpoint.txt", note.encode())
        package.finish({"format": "lgsp-audit-bundle/1", "index": 0})
    (tmp_path / "keys.txt").write_text(keys())
    status, facts = judged(tmp_path / "bundle.zip", key=tmp_path / "keys.txt")
    assert (status, {kind for kind, _ in facts}) == (0, {"holds", "note"})
    assert not [text for _, text in facts if "certificate" in text]
