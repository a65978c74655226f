"""Bundles and reports are proven towards what witnesses cosigned, and towards what was time-stamped."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from tests.test_commands.conftest import Deployment, printed
from tests.test_commands.exchanged import LAN, WHY, checked, exchange, key_file, recorded
from tests.test_verify_audit.made import WITNESS, WITNESS_KEY, cosigned, vkey


def witnessed(deployed: Deployment, size: int, name: str, *, cosign: bool = True, stamp: bool = False) -> bytes:
    """Keep what a witness said of the checkpoint of this size; return its time-stamp."""
    note = printed("audit", "checkpoint", "--size", str(size), *deployed.config)["checkpoint"]
    text = note.partition("\n\n")[0] + "\n"
    token = b"0\x22\x04\x20" + sha256(text.encode()).digest()
    row = (size, name, cosigned(note, name=name) if cosign else note, token if stamp else None, 0)
    with closing(sqlite3.connect(deployed.database)) as connection, connection:
        connection.execute("INSERT INTO audit_witnessed (size, witness, note, token, at) VALUES (?, ?, ?, ?, ?)", row)
    return token


def keys(deployed: Deployment, folder: Path) -> Path:
    file = key_file(deployed, folder)
    public = WITNESS_KEY.public_key().public_bytes_raw()
    lines = [vkey(name, 4, public) for name in (WITNESS, "witness.example/w2")]
    file.write_text(file.read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_bundle_is_proven_towards_the_next_cosigned_checkpoint(deployed: Deployment, tmp_path: Path) -> None:
    receipts = recorded(deployed, [exchange(LAN) for _ in range(6)])
    index = receipts[1].index
    witnessed(deployed, index, WITNESS)
    witnessed(deployed, index + 1, "kept", cosign=False)
    for name in (WITNESS, "witness.example/w2"):
        witnessed(deployed, index + 3, name)
    witnessed(deployed, index + 4, WITNESS)
    file, key = tmp_path / "bundle.zip", keys(deployed, tmp_path)
    made = printed("audit", "bundle", str(index), "--out", str(file), *WHY, *deployed.config)
    assert "timestamp.tsr" in made["absent"]
    facts = checked(file, key)
    assert {text.partition(" cosigned")[0] for kind, text in facts if "cosigned the checkpoint" in text} == {
        f"the witness {WITNESS}",
        "the witness witness.example/w2",
    }
    assert any(f"of {index + 3} entries (RFC 9162)" in text for _, text in facts)


def test_what_only_lies_with_a_witness_is_better_than_nothing(deployed: Deployment, tmp_path: Path) -> None:
    index = recorded(deployed, [exchange(LAN) for _ in range(3)])[0].index
    witnessed(deployed, index + 2, "kept", cosign=False)
    file = tmp_path / "bundle.zip"
    printed("audit", "bundle", str(index), "--out", str(file), *WHY, *deployed.config)
    assert any(f"of {index + 2} entries (RFC 9162)" in text for _, text in checked(file, keys(deployed, tmp_path)))


def test_a_time_stamped_checkpoint_comes_first(deployed: Deployment, tmp_path: Path) -> None:
    index = recorded(deployed, [exchange(LAN) for _ in range(5)])[0].index
    witnessed(deployed, index + 1, WITNESS)
    token = witnessed(deployed, index + 3, "authority", cosign=False, stamp=True)
    witnessed(deployed, index + 3, WITNESS)
    file = tmp_path / "bundle.zip"
    made = printed("audit", "bundle", str(index), "--out", str(file), *WHY, *deployed.config)
    assert "timestamp.tsr" not in made["absent"]
    facts = checked(file, keys(deployed, tmp_path))
    assert any(f"cosigned the checkpoint of {index + 3}" in text for _, text in facts)
    assert any("openssl ts -verify -in timestamp.tsr" in text for _, text in facts)
    with zipfile.ZipFile(file) as archive:
        assert archive.read("timestamp.tsr") == token


def test_a_report_ends_with_a_cosigned_checkpoint(deployed: Deployment, tmp_path: Path) -> None:
    days = [datetime(2087, 11, 20 + day, tzinfo=UTC) for day in range(3)]
    index = recorded(deployed, [exchange(LAN, at=day) for day in days])[0].index
    witnessed(deployed, index + 2, WITNESS)
    subject, file = tmp_path / "subject.txt", tmp_path / "report.zip"
    subject.write_text(LAN, encoding="utf-8")
    period = ("--from", "2087-11-20", "--to", "2087-11-20", "--reason", "inspection")
    made = printed("audit", "report", "--subject-file", str(subject), "--out", str(file), *period, *deployed.config)
    assert (made["entries"], made["to"]) == ([index], index + 2)
    facts = checked(file, keys(deployed, tmp_path))
    assert any(f"the witness {WITNESS} cosigned the checkpoint of {index + 2}" in text for _, text in facts)


def test_a_changed_cosignature_is_found_where_the_witness_is_configured(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = recorded(deployed, [exchange(LAN) for _ in range(3)])[0].index + 1
    for each in (size, size + 1):
        witnessed(deployed, each, WITNESS)
    name, key = "LGSP_WITNESS__W__", vkey(WITNESS, 4, WITNESS_KEY.public_key().public_bytes_raw())
    for setting, value in (("KIND", "http"), ("URL", "http://127.0.0.1:1"), ("KEY", key)):
        monkeypatch.setenv(name + setting, value)
    assert printed("audit", "verify", *deployed.config)["valid"]
    with closing(sqlite3.connect(deployed.database)) as connection, connection:
        notes = [note for (note,) in connection.execute("SELECT note FROM audit_witnessed ORDER BY size")]
        other = notes[0].rpartition("\n— ")[0] + "\n— " + notes[1].rpartition("\n— ")[2]
        connection.execute("UPDATE audit_witnessed SET note = ? WHERE size = ?", (other, size))
    found = printed("audit", "verify", *deployed.config, code=1)
    assert [(item["first"], item["last"]) for item in found["findings"]] == [(size - 1, size - 1)]
    monkeypatch.delenv(name + "KEY")
    monkeypatch.setenv(name + "KIND", "directory")
    monkeypatch.delenv(name + "URL")
    monkeypatch.setenv(name + "PATH", str(deployed.directory))
    assert printed("audit", "verify", *deployed.config)["valid"]
