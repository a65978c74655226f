"""The key directory: what is made, who may read it, rotation with overlap, the mark of sandbox keys."""

import base64
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from security.keys import NAMES, SANDBOX_MARK, KeyRing, KeysUnusable, Name

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keys", now=NOW)


def test_every_key_is_made_once_and_loads(ring: KeyRing) -> None:
    again = KeyRing.create(ring.directory)
    assert [key.material for key in again.all()] == [key.material for key in ring.all()]
    assert [key.id for key in ring.all()] == ["log-1", "token-1", "period-1", "data-1"]
    assert isinstance(ring.current("log").private(), Ed25519PrivateKey)
    token = ring.current("token").private()
    assert isinstance(token, EllipticCurvePrivateKey)
    assert token.curve.name == "secp256r1"
    assert len(ring.current("period").secret()) == len(ring.current("data").secret()) == 32
    assert ring.current("period").secret() != ring.current("data").secret()


def test_files_are_for_the_owner_only_and_openssl_can_read_them(ring: KeyRing) -> None:
    assert stat.S_IMODE(ring.directory.stat().st_mode) == 0o700
    for path in ring.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    load_pem_private_key(ring.current("log").path.read_bytes(), None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_key_that_others_may_read_is_refused(ring: KeyRing, mode: int) -> None:
    ring.current("token").path.chmod(mode)
    with pytest.raises(KeysUnusable, match=r"token\.0001\.key.*chmod"):
        KeyRing(ring.directory)


def test_directory_that_others_may_read_is_refused(ring: KeyRing) -> None:
    ring.directory.chmod(0o755)
    with pytest.raises(KeysUnusable, match="chmod"):
        KeyRing(ring.directory)


def test_rotation_keeps_the_old_key_for_the_overlap(ring: KeyRing) -> None:
    old = ring.current("token")
    new = ring.rotate("token", overlap=timedelta(days=7), now=NOW + timedelta(days=30))
    assert new.id == "token-2"
    assert ring.current("token") == new
    assert [key.id for key in ring.usable("token", NOW + timedelta(days=36))] == ["token-2", "token-1"]
    assert [key.id for key in ring.usable("token", NOW + timedelta(days=37))] == ["token-2"]
    kept = ring.generations("token")[1]
    assert (kept.material, kept.until) == (old.material, NOW + timedelta(days=37))
    assert kept.state(NOW + timedelta(days=31)) == "overlap"
    assert kept.state(NOW + timedelta(days=38)) == "retired"
    assert [key.id for key in KeyRing(ring.directory).generations("token")] == ["token-2", "token-1"]
    assert [key.generation for key in ring.generations("log")] == [1]


def test_age_and_expiry(ring: KeyRing) -> None:
    key = ring.current("token")
    assert key.age(NOW + timedelta(days=3)) == timedelta(days=3)
    assert key.state(key.expires - timedelta(seconds=1)) == "active"
    assert key.state(key.expires) == "expired"


def test_public_halves(ring: KeyRing) -> None:
    for name in ("log", "token"):
        public = load_pem_public_key(ring.current(name).public_pem().encode())  # type: ignore[arg-type]
        private = ring.current(name).private()  # type: ignore[arg-type]
        assert public == private.public_key()
    with pytest.raises(KeysUnusable, match="no public half"):
        ring.current("period").public_pem()


def test_sandbox_keys_are_marked_and_stay_marked(tmp_path: Path, ring: KeyRing) -> None:
    assert ring.sandbox_keys() == ()
    sandbox = KeyRing.create(tmp_path / "sandbox", sandbox=True)
    assert [key.name for key in sandbox.sandbox_keys()] == list(NAMES)
    assert sandbox.rotate("log", overlap=timedelta(0)).sandbox
    assert all(SANDBOX_MARK.encode() in path.read_bytes() for path in sandbox.directory.iterdir())


def test_two_rotations_at_once_do_not_overwrite_each_other(ring: KeyRing) -> None:
    other = KeyRing(ring.directory)
    ring.rotate("data", overlap=timedelta(0))
    with pytest.raises(KeysUnusable, match="another process"):
        other.rotate("data", overlap=timedelta(0))
    other.reload()
    assert other.rotate("data", overlap=timedelta(0)).id == "data-3"
    assert not [path for path in ring.directory.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        b"algorithm: Ed25519\ncreated: 2026-11-22T00:00:00+00:00\noverlap: 0\n\nAAAA",
        b"algorithm: AES-256\noverlap: 0\n\n" + base64.b64encode(bytes(32)),
    ],
)
def test_file_that_is_no_key_is_named(ring: KeyRing, content: bytes) -> None:
    ring.current("data").path.write_bytes(content)
    with pytest.raises(KeysUnusable, match=r"data\.0001\.key"):
        KeyRing(ring.directory)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_key_is_named(ring: KeyRing, name: Name) -> None:
    path = ring.current(name).path
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] + b"!" + whole[-39:])
    key = KeyRing(ring.directory).current(name)
    with pytest.raises(KeysUnusable, match=rf"{name}\.0001\.key: the file is damaged"):
        key.secret() if key.algorithm == "AES-256" else key.private()
    for field in (b"created: 2", b"overlap: 0"):
        path.write_bytes(whole.replace(field, field[:-1] + b"\xff", 1))
        with pytest.raises(KeysUnusable, match=rf"{name}\.0001\.key: the file is damaged"):
            KeyRing(ring.directory)


def test_whoever_verifies_only_needs_no_other_keys(ring: KeyRing) -> None:
    for name in ("token", "period", "data"):
        ring.current(name).path.unlink()
    assert [key.id for key in KeyRing(ring.directory, ("log",)).all()] == ["log-1"]
    with pytest.raises(KeysUnusable, match="no key named period"):
        KeyRing(ring.directory, ("log", "period"))


def test_missing_keys_are_named(ring: KeyRing, tmp_path: Path) -> None:
    ring.current("period").path.unlink()
    with pytest.raises(KeysUnusable, match="period"):
        KeyRing(ring.directory)
    with pytest.raises(KeysUnusable):
        KeyRing(tmp_path / "nowhere")
