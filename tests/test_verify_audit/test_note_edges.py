"""What of a checkpoint or of a key is refused, why, and the last one that each bound allows."""

import pytest

from tests.test_audit.audit_world import ORIGIN, a_signer
from tests.test_verify_audit.made import SEEN_AT, WITNESS, WITNESS_KEY, b64, cosigned, refusal, vkey
from tests.test_verify_audit.test_ed25519 import SMALL
from tests.test_verify_audit.test_notes import KEYS, ROOT, signed
from tools.verify_audit import read_key, read_keys, read_note, text_of


def line(name: str = "w", blob: bytes = bytes(5)) -> str:
    return f"— {name} {b64(blob)}\n"


GOOD = signed(7, ROOT)
BODY, LINES = GOOD.split("\n\n")
MALFORMED = {
    "one-part": (BODY + "\n", "checkpoint"),
    "no-end": (GOOD[:-1], "checkpoint"),
    "two-lines": (f"{ORIGIN}\n7\n\n{LINES}", "checkpoint"),
    "no-name": (f"\n7\n{b64(ROOT)}\n\n{LINES}", "checkpoint"),
    "size": (GOOD.replace("\n7\n", "\n07\n"), "checkpoint size"),
    "20-digits": (GOOD.replace("\n7\n", "\n10000000000000000000\n"), "checkpoint size"),
    "root-of-31-bytes": (GOOD.replace(b64(ROOT), b64(ROOT[1:])), "base64"),
    "other-dash": (GOOD + line().replace("—", "–"), "signature line"),
    "no-space": (GOOD + line().replace("— ", "—"), "signature line"),
    "name-with-plus": (GOOD + line("a+b"), "signature line"),
    "four-bytes": (GOOD + line(blob=bytes(4)), "signature line"),
    "tab": (GOOD.replace("7", "7\t"), "text"),
    "return": (GOOD.replace("\n", "\r\n"), "text"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_it_is_said_what_is_malformed(name: str) -> None:
    text, what = MALFORMED[name]
    for each in (text, text.encode()):
        assert refusal(read_note, each, KEYS) == f"malformed: {what}"


def test_what_does_not_hold_is_named() -> None:
    blob = a_signer().verifier.key_id + bytes(64)
    assert refusal(read_note, f"{BODY}\n\n{line(ORIGIN, blob)}", KEYS) == (
        f"the signature of {ORIGIN} on the checkpoint is BAD"
    )
    assert refusal(read_note, f"{BODY}\n\n{line()}", KEYS) == f"no signature of {ORIGIN} by a key of --key"
    assert " checkpoint of 0: " in refusal(read_note, signed(0, ROOT), KEYS)


def test_all_of_a_checkpoint_is_read() -> None:
    """The order of the lines does not matter, and five bytes may be a signature of somebody else."""
    note = read_note(f"{BODY}\n\n{line()}{LINES}{line('x', bytes(9))}", KEYS)
    assert (tuple(note.tree), note.text) == ((ORIGIN, 7, ROOT), BODY.encode() + b"\n")
    assert (note.cosigned, note.unknown) == ([], ["w", "x"])
    both = cosigned(GOOD)
    last = both.removesuffix("\n").rpartition("\n")[2]
    for each in (both, f"{BODY}\n\n{last}\n{LINES}"):
        assert read_note(each, KEYS).cosigned == [(WITNESS, SEEN_AT)]


def test_a_checkpoint_has_at_most_65536_characters() -> None:
    room = 65536 - len(signed(7, ROOT, "\n"))
    assert read_note(signed(7, ROOT, "x" * room + "\n"), KEYS).tree.size == 7
    assert refusal(read_note, signed(7, ROOT, "x" * (room + 1) + "\n"), KEYS) == "malformed: checkpoint"


PUBLIC = WITNESS_KEY.public_key().public_bytes_raw()
REFUSED_KEYS = {
    "id": (vkey("x", 1, PUBLIC).replace("x+", "y+"), "vkey id"),
    "capitals": ("x+" + vkey("x", 4, PUBLIC)[2:10].upper() + vkey("x", 4, PUBLIC)[10:], "vkey id"),
    "long-id": (vkey("x", 1, PUBLIC).replace("x+", "x+0"), "vkey id"),
    "name": (vkey("a b", 1, PUBLIC), "vkey"),
    "no-name": (vkey("", 1, PUBLIC), "vkey"),
    "type": (vkey("x", 2, PUBLIC), "vkey"),
    "no-point": (vkey("x", 1, b"\2" + bytes(31)), "vkey"),
    "small-order": (vkey("x", 4, SMALL[3]), "vkey"),
    "32-bytes": (vkey("x", 1, PUBLIC[1:]), "base64"),
    "34-bytes": (vkey("x", 1, PUBLIC + b"x"), "base64"),
}


@pytest.mark.parametrize("name", REFUSED_KEYS)
def test_it_is_said_what_is_wrong_with_a_key(name: str) -> None:
    text, what = REFUSED_KEYS[name]
    assert refusal(read_key, text) == f"malformed: {what}"


def test_a_key_is_all_that_its_line_says() -> None:
    for kind in (1, 4):
        text = vkey("é/x", kind, PUBLIC)
        place, key = read_key(text)
        assert (place, tuple(key)) == (("é/x", bytes.fromhex(text.split("+")[1])), ("é/x", kind, PUBLIC))
        assert read_keys(f" {text} \r\n#\r\n".encode()) == {place: key}
    assert refusal(read_keys, b"\n# x\n") == "malformed: no keys"
    assert refusal(read_keys, b"\r# x\n") == "malformed: text"


def test_control_characters_are_no_text() -> None:
    allowed = "".join(map(chr, [10, *range(32, 256)]))
    assert text_of(allowed.encode()) == allowed
    for number in {*range(32)} - {10}:
        assert refusal(text_of, b"a" + bytes([number])) == "malformed: text"
