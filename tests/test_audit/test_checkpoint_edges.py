"""Where notes, keys and cosignatures end: the first that is refused, and the last that is taken."""

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit.checkpoint import (
    Checkpoint,
    CheckpointRejected,
    VerifierKey,
    is_cosigned,
    is_of_log_alone,
    opened,
    signature_lines,
    taken_apart,
    unb64,
)
from security.audit.cosignature import Cosigner, WitnessKey, answered, cosignatures
from tests.test_audit.audit_world import LOG_KEY, ORIGIN, a_signer

ROOT = bytes(range(32))
LOG = a_signer()
TEXT = Checkpoint(ORIGIN, 7, ROOT).text
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
WITNESS = "witness.example/w1"
AT = 1_796_000_000
LF = b"\n"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def vkey(name: str, packed: bytes) -> str:
    """A verifier key whose id is right, whatever else is wrong."""
    return f"{name}+{sha256(name.encode() + LF + packed).hexdigest()[:8]}+{b64(packed)}"


def signed(text: str) -> str:
    """This text as a note with the signature of the log, whatever it says."""
    signature = Ed25519PrivateKey.from_private_bytes(LOG_KEY).sign(text.encode())
    return f"{text}\n— {ORIGIN} {b64(LOG.verifier.key_id + signature)}\n"


def cosigned(at: int, text: str = TEXT, cut: int = 64, private: Ed25519PrivateKey = PRIVATE) -> str:
    """A cosignature's line, spelled out as C2SP tlog-cosignature has it."""
    key_id = bytes.fromhex(vkey(WITNESS, b"\4" + PUBLIC).split("+")[1])
    signature = private.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
    return f"— {WITNESS} {b64(key_id + at.to_bytes(8, 'big') + signature[:cut])}\n"


@pytest.mark.parametrize(
    "text",
    [
        vkey("a b", b"\1" + PUBLIC),
        vkey("", b"\1" + PUBLIC),
        vkey("log.example", b"\4" + PUBLIC),
        vkey("log.example", b"\1" + PUBLIC[:-1]),
        vkey("log.example", b"\1" + PUBLIC + b"\0"),
        vkey("log.example", b"\1" + PUBLIC).replace("+", "+A", 1),
        vkey("log.example", b"\1" + PUBLIC).upper(),
        "log.example+00000000",
    ],
    ids=["name", "no-name", "kind", "short", "long", "id", "capitals", "parts"],
)
def test_a_key_that_is_wrong_in_one_respect_alone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"verifier key|base64"):
        VerifierKey.decode(text)


def test_each_kind_of_key_reads_its_own_kind() -> None:
    packed = b"\4" + PUBLIC
    key = WitnessKey.decode(f"\n{vkey(WITNESS, packed)}\n")
    assert (key.name, key.public, key.encode()) == (WITNESS, PUBLIC, vkey(WITNESS, packed))
    assert type(key) is WitnessKey
    with pytest.raises(ValueError, match="type 04"):
        WitnessKey.decode(LOG.verifier.encode())
    assert VerifierKey.decode(f" {LOG.verifier.encode()} ") == LOG.verifier


@pytest.mark.parametrize(("size", "is_taken"), [(0, True), (2**63 - 1, True), (2**63, False), (10**19, False)])
def test_a_size_is_one_that_every_database_keeps(size: int, is_taken: bool) -> None:
    note = LOG.sign(size, ROOT)
    if is_taken:
        assert opened(note, [LOG.verifier]) == Checkpoint(ORIGIN, size, ROOT)
    else:
        with pytest.raises(CheckpointRejected, match="size"):
            opened(note, [LOG.verifier])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{ORIGIN}\n7\n{b64(ROOT[:-1])}\n", "SHA-256"),
        (f"{ORIGIN}\n7\n{b64(ROOT + b'x')}\n", "SHA-256"),
        (f"{ORIGIN}\n7\n{b64(ROOT)[:-1]}\n", "base64"),
        (f"{ORIGIN}\n7\n", "checkpoint"),
        (f"\n7\n{b64(ROOT)}\n", "checkpoint"),
        (f"{TEXT}a\tb\n", "control"),
        (f"{TEXT}a\x1fb\n", "control"),
        (f"{TEXT}a\0b\n", "control"),
    ],
    ids=["short", "long", "base64", "two-lines", "no-origin", "tab", "unit", "zero"],
)
def test_what_is_no_checkpoint_is_refused_before_anybody_is_believed(text: str, why: str) -> None:
    with pytest.raises(CheckpointRejected, match=why):
        taken_apart(signed(text))


def test_lines_behind_the_root_may_hold_all_that_is_printed() -> None:
    text = f"{TEXT}a b ~ é\nsecond\n"
    assert opened(signed(text), [LOG.verifier]).size == 7
    assert not is_of_log_alone(signed(text), [LOG.verifier])


def test_a_note_of_the_log_alone_has_known_keys_of_its_name_in_their_order() -> None:
    new, other = a_signer(seed=b"n" * 32), a_signer(name="other.example")
    old_line, new_line, other_line = (signer.line(TEXT.encode()) for signer in (LOG, new, other))
    keys = [new.verifier, LOG.verifier, other.verifier]
    for lines, known, alone in (
        (old_line, keys, True),
        (new_line + old_line, keys, True),
        (old_line + new_line, keys, False),
        (old_line + old_line, keys, False),
        (new_line + old_line, [LOG.verifier], False),
        (new_line + old_line, [new.verifier], False),
        (old_line + other_line, keys, False),
    ):
        assert is_of_log_alone(f"{TEXT}\n{lines}", known) is alone
        assert is_cosigned(f"{TEXT}\n{lines}") is (other_line in lines)


def test_a_note_has_a_gap_and_an_end() -> None:
    note = LOG.sign(7, ROOT)
    for broken in (note[:-1], note.replace("\n\n", "\n"), TEXT, f"{TEXT}\n"):
        with pytest.raises(CheckpointRejected, match="not a signed note"):
            taken_apart(broken)
    with pytest.raises(CheckpointRejected, match="not a signed note"):
        signature_lines(note.split("\n\n")[1][:-1])


@pytest.mark.parametrize(
    "line",
    [
        f"— other.example {b64(bytes(4))}",
        f"—other.example {b64(bytes(5))}",
        f"- other.example {b64(bytes(5))}",
        f"other.example {b64(bytes(5))}",
        f"— a+b {b64(bytes(5))}",
        f"—  {b64(bytes(5))}",
        f"— {b64(bytes(6))}",
        "— other.example AAAAAAE",
        "— other.example AAAAAB==",
        "— other.example ",
        "",
    ],
    ids=["short", "joined", "hyphen", "bare", "plus", "no-name", "no-space", "base64", "spelling", "empty", "nothing"],
)
def test_a_signature_line_is_read_strictly_whoever_made_it(line: str) -> None:
    with pytest.raises(CheckpointRejected, match="signature line"):
        opened(f"{LOG.sign(7, ROOT)}{line}\n", [LOG.verifier])


def test_lines_are_kept_as_they_stood() -> None:
    theirs = f"— other.example {b64(bytes(5))}\n"
    ours = LOG.sign(7, ROOT).split("\n\n")[1]
    checkpoint, text, lines = taken_apart(f"{TEXT}\n{theirs}{ours}")
    assert (checkpoint, text) == (Checkpoint(ORIGIN, 7, ROOT), TEXT)
    assert [(line.name, line.line) for line in lines] == [("other.example", theirs), (ORIGIN, ours)]
    assert lines[0].blob == bytes(5)
    # A stranger's line in front hides none behind it.
    assert opened(f"{TEXT}\n{theirs}{ours}", [LOG.verifier]).size == 7


def test_one_spelling_of_base64_alone_is_read() -> None:
    assert unb64("AAE=") == b"\0\1"
    for text in ("AAE", "AAF=", "AA E=", "AAE=\n", "ÀAE=", "-_8="):
        with pytest.raises(ValueError, match="base64"):
            unb64(text)


@pytest.mark.parametrize(("at", "is_taken"), [(0, False), (1, True), (2**63 - 1, True), (2**63, False)])
def test_the_time_of_a_cosignature_is_positive_and_fits(at: int, is_taken: bool) -> None:
    key = WitnessKey(WITNESS, PUBLIC)
    if is_taken:
        (found,) = answered(TEXT, cosigned(at), [key])
        assert (found.witness, found.at, found.line) == (WITNESS, at, cosigned(at))
    else:
        with pytest.raises(CheckpointRejected, match="does not hold"):
            answered(TEXT, cosigned(at), [key])


def test_a_witness_signs_what_the_specification_says() -> None:
    witness = Cosigner(WITNESS, PRIVATE)
    assert witness.sign(TEXT, AT) == cosigned(AT)
    assert witness.verifier == WitnessKey(WITNESS, PUBLIC)
    note = LOG.sign(7, ROOT) + cosigned(AT)
    checkpoint, (found,) = cosignatures(note, [witness.verifier])
    assert (checkpoint, found.witness, found.at) == (Checkpoint(ORIGIN, 7, ROOT), WITNESS, AT)
    for broken in (cosigned(AT, cut=63), cosigned(AT, TEXT + "x\n"), cosigned(AT, private=a_private())):
        with pytest.raises(CheckpointRejected, match="does not hold"):
            cosignatures(LOG.sign(7, ROOT) + broken, [witness.verifier])
    for name in ("", "a b", "a+b"):
        with pytest.raises(ValueError, match="witness"):
            Cosigner(name, PRIVATE)


def a_private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"v" * 32)
