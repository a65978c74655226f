"""Keys and checkpoints are held to what the log says of its rotations."""

import json
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit.checkpoint import Signer
from security.audit.merkle import root_of
from tests.test_audit.audit_world import a_signer
from tests.test_tampering.plain_logs import AT, plain_log, without_schema
from tests.test_tampering.test_signed import verdict
from tests.test_tampering.test_verdicts import freed, sql

OLD = a_signer()
NEW, OTHER = (Signer(OLD.origin, Ed25519PrivateKey.from_private_bytes(bytes([each]) * 32)) for each in (1, 2))
SIZE = 12
SPOILT = "UPDATE audit_entries SET body = ? WHERE idx = 6"


def rotation(name: str, key: object) -> str:
    """The entry about the second generation of the log's key."""
    details = {"key": "log-2", "replaces_verifier_key": OLD.verifier.encode(), "verifier_key": key}
    entry = {"at": AT, "details": details, "id": name, "kind": "key-rotation", "v": 1}
    return json.dumps(entry, separators=(",", ":"))


def rotated(path: Path, *by_new: int) -> Path:
    """A rotation that broke off, the one in its place, and one of another key; `by_new` are signed by the new key."""
    own = {
        3: rotation("broken off", OTHER.verifier.encode()),
        6: rotation("made", NEW.verifier.encode()),
        8: json.dumps(
            {"at": AT, "details": {"key": "token-2"}, "id": "token", "kind": "key-rotation", "v": 1},
            separators=(",", ":"),
        ),
    }
    return plain_log(path / "gateway.db", SIZE, [5, 6, 7, 10, SIZE], own, dict.fromkeys(by_new, NEW))


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rotated(tmp_path_factory.mktemp("rotated"))


def sign(connection: sqlite3.Connection, *sizes: int) -> None:
    """Sign these checkpoints anew, with the new key alone."""
    leaves = [leaf for (leaf,) in connection.execute("SELECT leaf FROM audit_entries ORDER BY idx")]
    for size in sizes:
        note = NEW.sign(size, root_of(leaves[:size]))
        connection.execute("UPDATE audit_checkpoints SET note = ? WHERE size = ?", (note, size))


@pytest.mark.parametrize("sizes", [(10, SIZE), (7,)])
def test_the_new_key_signs_from_its_entry_on(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    assert verdict(rotated(tmp_path, *sizes), sql(), (NEW.verifier,)).valid


@pytest.mark.parametrize(
    ("sizes", "placed", "which"),
    [
        ((7,), (6, 6), "the checkpoint of 7 entries is not the one that entry 7 names"),
        ((7, 10), (6, 9), "2 checkpoints of 7 to 10 entries are not those that the entries behind name"),
    ],
)
def test_checkpoint_that_another_key_of_the_log_signed_anew_is_a_finding(
    log: Path, sizes: tuple[int, ...], placed: tuple[int, int], which: str
) -> None:
    (only,) = verdict(log, lambda connection: sign(connection, *sizes), (NEW.verifier,)).found
    assert (only.first, only.last) == placed
    assert only.what == f"{which}: signed anew, or signatures were taken away or put there"


def test_the_newest_checkpoint_is_named_by_nothing_yet(log: Path) -> None:
    assert verdict(log, lambda connection: sign(connection, SIZE), (NEW.verifier,)).valid


def test_the_new_key_cannot_have_signed_before_its_entry(tmp_path: Path) -> None:
    found = verdict(rotated(tmp_path, 5, 6, 10), sql(), (NEW.verifier,))
    (only,) = found.found
    assert (only.first, only.last) == (4, 4)
    assert only.what == "the checkpoint of 5 entries is signed with log-2, which entry 6 began"
    (tmp_path / "other").mkdir()
    assert verdict(rotated(tmp_path / "other", 6), sql(), (NEW.verifier,)).first_bad == 5


def test_the_first_of_several_that_were_signed_too_early_is_told(tmp_path: Path) -> None:
    own = {6: rotation("made", NEW.verifier.encode())}
    path = plain_log(tmp_path / "gateway.db", SIZE, [1, 5, 6, SIZE], own, dict.fromkeys((1, 5, 6), NEW))
    for order in ("size", "size DESC"):
        (only,) = without_schema(verdict(path, sql(*freed("audit_checkpoints", order)), (NEW.verifier,)))
        assert (only.first, only.last) == (0, 0)
        assert only.what == "the checkpoint of 1 entries is signed with log-2, which entry 6 began"


def test_older_releases_took_the_new_key_first(tmp_path: Path) -> None:
    entry = rotation("made", NEW.verifier.encode()).replace("replaces_verifier_key", "replaces")
    path = plain_log(tmp_path / "gateway.db", SIZE, [5, SIZE], {6: entry}, {5: NEW})
    assert verdict(path, sql(), (NEW.verifier,)).valid


@pytest.mark.parametrize("keys", [(), (OTHER.verifier,)], ids=["gone", "another"])
def test_a_key_that_the_log_names_has_to_be_there(log: Path, keys: tuple) -> None:  # type: ignore[type-arg]
    (only,) = verdict(log, sql(), keys).found
    assert (only.first, only.last) == (6, 6)
    assert only.what == f"no key file holds {NEW.verifier.encode()}, which this entry says that log-2 is"


def test_details_that_are_no_json_name_no_key(tmp_path: Path) -> None:
    body = f'{{"at":"{AT}","details":{{"x":[}},"id":"made","kind":"key-rotation","v":1}}'
    path = plain_log(tmp_path / "gateway.db", SIZE, [SIZE], {6: rotation("made", NEW.verifier.encode())})
    found = verdict(path, lambda connection: connection.execute(SPOILT, (body.encode(),)))
    assert (6, "the key that this entry names cannot be read") in [(each.first, each.what) for each in found.found]


@pytest.mark.parametrize("key", [5, None, "x", [], {}])
def test_a_name_that_is_no_key_is_a_finding(tmp_path: Path, key: object) -> None:
    path = plain_log(tmp_path / "gateway.db", SIZE, [SIZE], {6: rotation("made", key)})
    (only,) = verdict(path, sql()).found
    assert (only.first, only.what) == (6, "the key that this entry names cannot be read")
