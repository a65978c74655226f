"""Signed notes and verifier keys as C2SP describes them, with the examples that other implementations publish."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from security.audit.checkpoint import Checkpoint, CheckpointRejected, Signer, VerifierKey, opened
from tests.test_audit.audit_world import ORIGIN, a_signer

ROOT = bytes(range(32))
# The key and the note of the signed-note documentation of Go, and the key of Go's public checksum database.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PUBLISHED_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
SUM_GOLANG_ORG = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_published_key_verifies_published_signature() -> None:
    key = VerifierKey.decode(PUBLISHED_KEY)
    blob = base64.b64decode(PUBLISHED_SIGNATURE)
    assert blob[:4] == key.key_id
    assert key.verify(PUBLISHED_TEXT.encode(), blob[4:])
    assert not key.verify(PUBLISHED_TEXT.encode() + b"!", blob[4:])


@pytest.mark.parametrize("vkey", [PUBLISHED_KEY, SUM_GOLANG_ORG])
def test_published_keys_survive_reading_and_writing(vkey: str) -> None:
    assert VerifierKey.decode(vkey).encode() == vkey


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name+00000000",
        PUBLISHED_KEY.replace("c74f20a3", "c74f20a4"),
        PUBLISHED_KEY.replace("Peter", "Pete"),
        PUBLISHED_KEY[:-4],
        PUBLISHED_KEY.replace("+ARpc", "+Ampc"),
        "a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        PUBLISHED_KEY.replace("ARpc", "AR*c"),
    ],
)
def test_malformed_keys_are_refused(vkey: str) -> None:
    with pytest.raises(ValueError, match=r"verifier key|base64"):
        VerifierKey.decode(vkey)


def test_note_has_the_published_form() -> None:
    signer = a_signer()
    note = signer.sign(7, ROOT)
    lines = note.split("\n")
    assert lines[:4] == [ORIGIN, "7", base64.b64encode(ROOT).decode(), ""]
    assert lines[4].startswith(f"— {ORIGIN} ")
    blob = base64.b64decode(lines[4].rsplit(" ", 1)[1])
    assert len(blob) == 68
    assert blob[:4] == signer.verifier.key_id
    assert lines[5:] == [""]
    assert opened(note, [signer.verifier]) == Checkpoint(ORIGIN, 7, ROOT)


def test_witness_lines_and_extension_lines_are_allowed() -> None:
    signer, private = a_signer(), Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    note = signer.sign(7, ROOT) + "— witness.example AAAAAAEC\n"
    assert opened(note, [signer.verifier]).size == 7
    text = Checkpoint(ORIGIN, 7, ROOT).text + "extension\n"
    blob = signer.verifier.key_id + private.sign(text.encode())
    assert opened(f"{text}\n— {ORIGIN} {base64.b64encode(blob).decode()}\n", [signer.verifier]).size == 7


def test_other_keys_and_other_names_do_not_count() -> None:
    note = a_signer().sign(7, ROOT)
    for stranger in (a_signer(seed=b"y" * 32), a_signer(name="other")):
        with pytest.raises(CheckpointRejected):
            opened(note, [stranger.verifier])
    with pytest.raises(CheckpointRejected):
        opened(note, [])
    # A key that we know, but whose name is not that of the log in the text.
    other = a_signer(name="other")
    text = Checkpoint(ORIGIN, 7, ROOT).text
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    blob = other.verifier.key_id + private.sign(text.encode())
    with pytest.raises(CheckpointRejected):
        opened(f"{text}\n— other {base64.b64encode(blob).decode()}\n", [other.verifier, a_signer().verifier])


@given(st.data())
def test_no_altered_note_says_something_else(data: st.DataObject) -> None:
    signer = a_signer()
    note = signer.sign(12, ROOT)
    at = data.draw(st.integers(0, len(note) - 1))
    change = data.draw(st.one_of(st.just(""), st.characters(codec="utf-8")))
    altered = note[:at] + change + note[at + 1 :]
    try:
        assert opened(altered, [signer.verifier]) == Checkpoint(ORIGIN, 12, ROOT)
        assert altered == note
    except CheckpointRejected:
        assert altered != note


@given(st.text())
def test_junk_is_refused(junk: str) -> None:
    with pytest.raises(CheckpointRejected):
        opened(junk, [a_signer().verifier])


@pytest.mark.parametrize("size", ["-1", "07", "+7", "7 ", "٧", "", "1" * 20])
def test_odd_sizes_are_refused_even_when_signed(size: str) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    verifier = a_signer().verifier
    text = f"{ORIGIN}\n{size}\n{base64.b64encode(ROOT).decode()}\n"
    blob = verifier.key_id + private.sign(text.encode())
    with pytest.raises(CheckpointRejected):
        opened(f"{text}\n— {ORIGIN} {base64.b64encode(blob).decode()}\n", [verifier])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_names_that_break_the_format_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Signer(name, Ed25519PrivateKey.generate())
