"""Keys and checkpoints as C2SP describes them; what is signed is read as strictly as what is not."""

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from security.audit.checkpoint import Checkpoint, CheckpointRejected, opened
from tests.test_audit.audit_world import ORIGIN, a_signer
from tests.test_audit.test_checkpoint import PUBLISHED_KEY, PUBLISHED_SIGNATURE, PUBLISHED_TEXT, SUM_GOLANG_ORG
from tests.test_verify_audit.made import SEEN_AT, WITNESS, WITNESS_KEY, b64, cosigned, keys, vkey
from tests.test_verify_audit.test_ed25519 import SMALL, encoded
from tools.verify_audit import (
    Told,
    Unreadable,
    Wrong,
    added,
    base_multiples,
    decoded_point,
    is_signed,
    read_key,
    read_keys,
    read_note,
)

ROOT = bytes(range(32))
KEYS = read_keys(keys().encode())
# The example of the C2SP signed-note specification.
C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_SIGNATURE = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
# The example of the C2SP tlog-cosignature specification, whose keys are not published.
C2SP_COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+"
    "xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+"
    "mbIUBkBIfZ+qnA==\n"
)


@pytest.mark.parametrize(
    ("key", "text", "signature"),
    [
        (C2SP_KEY, "This is an example message.\n", C2SP_SIGNATURE),
        (PUBLISHED_KEY, PUBLISHED_TEXT, PUBLISHED_SIGNATURE),
    ],
    ids=["c2sp", "go"],
)
def test_published_signatures(key: str, text: str, signature: str) -> None:
    (name, key_id), read = read_key(key)
    blob = base64.b64decode(signature)
    assert (name, key_id) == (key.split("+")[0], blob[:4])
    assert is_signed(read.public, text.encode(), blob[4:])
    assert not is_signed(read.public, text.encode() + b"\n", blob[4:])


def test_the_published_cosigned_checkpoint_is_read_but_nobody_of_it_is_known() -> None:
    with pytest.raises(Wrong, match="unsigned"):
        read_note(C2SP_COSIGNED, KEYS)


def test_a_witness_is_told_with_its_time() -> None:
    note = read_note(cosigned(a_signer().sign(7, ROOT)), KEYS)
    assert (note.tree.size, note.cosigned, note.unknown) == (7, [(WITNESS, SEEN_AT)], [])


def test_a_witness_alone_is_no_log() -> None:
    text = f"{WITNESS}\n7\n{b64(ROOT)}\n"
    note = cosigned(f"{text}\n").replace("\n\n\n", "\n\n")
    with pytest.raises(Wrong, match="unsigned"):
        read_note(note, KEYS)


def test_signatures_of_others_are_named_and_do_not_count() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    note = cosigned(a_signer().sign(7, ROOT), key=other)
    assert read_note(note, KEYS).unknown == [WITNESS]
    with pytest.raises(Wrong, match="unsigned"):
        read_note(a_signer(seed=b"x" * 32).sign(7, ROOT), KEYS)


def test_a_known_log_cannot_speak_for_another() -> None:
    other = a_signer(name="other.example")
    known = {**KEYS, **read_keys(other.verifier.encode().encode())}
    text = f"{ORIGIN}\n7\n{b64(ROOT)}\n"
    blob = other.verifier.key_id + Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(text.encode())
    line = f"— other.example {b64(blob)}\n"
    with pytest.raises(Wrong, match="unsigned"):
        read_note(f"{text}\n{line}", known)
    assert read_note(a_signer().sign(7, ROOT) + line, known).tree.origin == ORIGIN


def test_a_wrong_cosignature_spoils_the_checkpoint() -> None:
    note = cosigned(a_signer().sign(7, ROOT))
    head, space, blob = note.rstrip("\n").rpartition(" ")
    raw = bytearray(base64.b64decode(blob))
    raw[11] ^= 1  # the last byte of the time
    with pytest.raises(Wrong, match="signature"):
        read_note(f"{head}{space}{b64(bytes(raw))}\n", KEYS)


def test_several_generations_of_the_log_key_are_known_by_their_ids() -> None:
    new = a_signer(seed=b"n" * 32)
    both = read_keys(f"{keys()}{new.verifier.encode()}\n".encode())
    for signer in (a_signer(), new):
        assert read_note(signer.sign(7, ROOT), both).tree.size == 7
    with pytest.raises(Wrong):
        read_note(new.sign(7, ROOT), KEYS)


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32), st.data())
def test_no_text_is_a_checkpoint_for_the_tool_alone(size: int, root: bytes, data: st.DataObject) -> None:
    root = root if size else sha256(b"").digest()
    note = a_signer().sign(size, root)
    assert tuple(read_note(note, KEYS).tree) == (ORIGIN, size, root)
    at = data.draw(st.integers(0, len(note)))
    altered = note[:at] + data.draw(st.text(max_size=3)) + note[at + data.draw(st.integers(0, 3)) :]
    try:
        told = read_note(altered, KEYS).tree
    except (Told, ValueError):
        return
    assert opened(altered, [a_signer().verifier]) == Checkpoint(*told)
    assert told == (ORIGIN, size, root)


@pytest.mark.parametrize("size", ["-1", "07", "+7", "7 ", "٧", "", "1" * 20])
def test_odd_sizes_are_refused_even_when_signed(size: str) -> None:
    text = f"{ORIGIN}\n{size}\n{b64(ROOT)}\n"
    blob = a_signer().verifier.key_id + Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(text.encode())
    note = f"{text}\n— {ORIGIN} {b64(blob)}\n"
    with pytest.raises(Unreadable):
        read_note(note, KEYS)
    with pytest.raises(CheckpointRejected):
        opened(note, [a_signer().verifier])


@pytest.mark.parametrize(
    "line",
    [
        "— w AAAAAA==",
        "— w ",
        "— w",
        "- w AAAAAAA=",
        "— AAAAAAA=",
        "— a+b AAAAAAA=",
        "— a b AAAAAAA=",
        "—  AAAAAAA=",
        "",
    ],
)
def test_a_signature_line_is_read_strictly(line: str) -> None:
    note = a_signer().sign(7, ROOT)
    assert read_note(f"{note}— w AAAAAAA=\n", KEYS).unknown == ["w"]
    with pytest.raises((Unreadable, ValueError)):
        read_note(f"{note}{line}\n", KEYS)
    with pytest.raises(CheckpointRejected):
        opened(f"{note}{line}\n", [a_signer().verifier])


@pytest.mark.parametrize("line", ["a\tb", "a\0", "a\r", "\x1b[2J", "a\n\nb", ""])
def test_no_control_characters_and_empty_lines_even_when_signed(line: str) -> None:
    text = f"{ORIGIN}\n7\n{b64(ROOT)}\n{line}\n"
    blob = a_signer().verifier.key_id + Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(text.encode())
    with pytest.raises(Unreadable, match="malformed"):
        read_note(f"{text}\n— {ORIGIN} {b64(blob)}\n", KEYS)


@pytest.mark.parametrize(("length", "is_taken"), [(60_000, True), (70_000, False)])
def test_a_checkpoint_has_a_largest_size(length: int, is_taken: bool) -> None:
    text = f"{ORIGIN}\n7\n{b64(ROOT)}\n{'x' * length}\n"
    blob = a_signer().verifier.key_id + Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(text.encode())
    note = f"{text}\n— {ORIGIN} {b64(blob)}\n"
    if is_taken:
        assert read_note(note, KEYS).tree.size == 7
    else:
        with pytest.raises(Unreadable):
            read_note(note, KEYS)


WRONG_KEYS = {
    "no-parts": "name",
    "two-parts": "name+00000000",
    "id": PUBLISHED_KEY.replace("c74f20a3", "c74f20a4"),
    "id-in-capitals": PUBLISHED_KEY.replace("c74f20a3", "C74F20A3"),
    "name": PUBLISHED_KEY.replace("Peter", "Pete"),
    "cut": PUBLISHED_KEY[:-4],
    "space": "a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "no-name": "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "base64": PUBLISHED_KEY.replace("ARpc", "AR*c"),
    "type": vkey("x", 2, bytes(32)),
    "no-point": vkey("x", 1, b"\2" + bytes(31)),
}


@pytest.mark.parametrize("line", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_malformed_keys_are_refused(line: str) -> None:
    with pytest.raises((Unreadable, ValueError)):
        read_keys(f"{keys()}{line}\n".encode())


def test_empty_lines_and_comments_are_skipped() -> None:
    public = WITNESS_KEY.public_key().public_bytes_raw()
    text = f"\n# {PUBLISHED_KEY}\n  {SUM_GOLANG_ORG}\r\n{vkey('w', 4, public)}"
    assert len(read_keys(text.encode())) == 2


def signed(size: int, root: bytes, extra: str = "") -> str:
    """A checkpoint as our key would sign it, whatever it says."""
    text = f"{ORIGIN}\n{size}\n{b64(root)}\n{extra}"
    blob = a_signer().verifier.key_id + Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(text.encode())
    return f"{text}\n— {ORIGIN} {b64(blob)}\n"


def test_sizes_are_those_that_every_database_keeps() -> None:
    assert read_note(signed(2**63 - 1, ROOT), KEYS).tree.size == 2**63 - 1
    with pytest.raises(Unreadable, match="malformed"):
        read_note(signed(2**63, ROOT), KEYS)


def test_a_log_without_entries_has_one_root() -> None:
    assert read_note(signed(0, sha256(b"").digest()), KEYS).tree.size == 0
    with pytest.raises(Wrong, match="altered"):
        read_note(signed(0, ROOT), KEYS)


def test_a_checkpoint_has_at_most_256_lines() -> None:
    for count, is_taken in ((251, True), (252, False)):
        note = signed(7, ROOT) + "".join(f"— w{n} AAAAAAA=\n" for n in range(count))
        assert (note.count("\n") == 256) is is_taken
        if is_taken:
            assert len(read_note(note, KEYS).unknown) == count
        else:
            with pytest.raises(Unreadable, match="malformed"):
                read_note(note, KEYS)


def test_of_two_keys_of_the_log_in_overlap_one_suffices_and_no_known_one_may_fail() -> None:
    old, new = a_signer(), a_signer(seed=b"n" * 32)
    first, second = (signer.sign(7, ROOT).rpartition("\n\n") for signer in (new, old))
    both = f"{first[0]}\n\n{first[2]}{second[2]}"
    for known, unknown in ((old,), 1), ((new,), 1), ((old, new), 0):
        keys = read_keys("\n".join(each.verifier.encode() for each in known).encode())
        assert read_note(both, keys).unknown == [ORIGIN] * unknown
        for line in (first[2], second[2]):
            blob = base64.b64decode(line.rpartition(" ")[2])
            bad = both.replace(b64(blob), b64(blob[:-1] + bytes([blob[-1] ^ 1])))
            if any(each.verifier.key_id == blob[:4] for each in known):
                with pytest.raises(Wrong, match="signature"):
                    read_note(bad, keys)
            else:
                assert read_note(bad, keys).unknown == [ORIGIN]
    with pytest.raises(Wrong, match="unsigned"):
        read_note(both, read_keys(C2SP_KEY.encode()))


def test_a_witness_key_of_the_name_of_the_log_is_none_of_its_keys() -> None:
    """The type is in the id of the key: what a witness signed is a cosignature, whatever the witness is called."""
    text = f"{ORIGIN}\n7\n{b64(ROOT)}\n"
    cosigner = read_keys(vkey(ORIGIN, 4, WITNESS_KEY.public_key().public_bytes_raw()).encode())
    note = cosigned(f"{text}\n", name=ORIGIN).replace("\n\n\n", "\n\n")
    with pytest.raises(Wrong, match="unsigned"):
        read_note(note, cosigner)
    line = note.rpartition("\n\n")[2]
    assert read_note(a_signer().sign(7, ROOT) + line, {**KEYS, **cosigner}).cosigned == [(ORIGIN, SEEN_AT)]


def test_keys_of_small_order_are_refused() -> None:
    """S = 0 and R of small order are a signature by them of a message in eight, or of all."""
    for point in SMALL:
        for kind in (1, 4):
            with pytest.raises(Unreadable, match="malformed"):
                read_keys(vkey("x", kind, point).encode())
    # Something of small order beside what is not: odd, but nobody can sign with it who lacks its secret.
    mixed = encoded(added(base_multiples()[0][1], decoded_point(SMALL[1])))
    assert read_keys(vkey("x", 1, mixed).encode())
