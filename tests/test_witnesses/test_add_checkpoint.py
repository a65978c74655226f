"""What C2SP tlog-witness demands of `POST /add-checkpoint` and of reading, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from security.audit.checkpoint import b64
from security.audit.cosignature import WitnessKey, answered, cosignatures
from security.audit.merkle import EMPTY_ROOT
from security.audit.submission import Submission
from security.audit.witness import open_witness
from tests.test_audit.audit_world import ORIGIN, a_signer
from tests.test_witnesses.conftest import NAME, Office
from tests.test_witnesses.logs import MemoryLog

TOOL = Path(__file__).resolve().parents[2] / "tools" / "verify_audit.py"


async def test_each_checkpoint_is_cosigned_that_continues_the_one_before(office: Office, log: MemoryLog) -> None:
    old = 0
    for size in (1, 2, 7, 8, 10):
        status, said, kind = await office.post(log.submission(old, size))
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        (found,) = answered(log.checkpoint(size).text, said, [office.witness.key])
        assert found.witness == NAME
        assert abs(found.at - time.time()) < 60
        old = size
    status, note = await office.newest()
    assert status == 200
    assert note == log.note(10) + said
    assert cosignatures(note, [office.witness.key])[0] == log.checkpoint(10)


async def test_the_signature_is_the_one_of_the_specification(office: Office, log: MemoryLog) -> None:
    _, said, _ = await office.post(log.submission(0))
    dash, name, packed = said.removesuffix("\n").split(" ")
    blob = base64.b64decode(packed)
    public = base64.b64decode((office.state / "witness.vkey").read_text().strip().split("+", 2)[2])
    assert (dash, name, len(blob), public[:1]) == ("—", NAME, 4 + 8 + 64, b"\x04")
    assert blob[:4] == sha256(NAME.encode() + b"\n\x04" + public[1:]).digest()[:4]
    text = f"{ORIGIN}\n10\n{b64(log.root(10))}\n"
    at = int.from_bytes(blob[4:12], "big")
    signed = f"cosignature/v1\ntime {at}\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[12:], signed)


async def test_the_tool_of_outsiders_verifies_what_is_published(office: Office, log: MemoryLog, tmp_path: Path) -> None:
    await office.post(log.submission(0))
    _, note = await office.newest()
    (tmp_path / "note.txt").write_text(note, encoding="utf-8")
    keys = f"{log.signer.verifier.encode()}\n{office.witness.key.encode()}\n"
    (tmp_path / "keys.txt").write_text(keys, encoding="utf-8")
    command = [sys.executable, "-I", "-S", TOOL, tmp_path / "note.txt", "--key", tmp_path / "keys.txt", "--json"]
    told = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    assert any(NAME in fact["text"] and fact["kind"] == "holds" for fact in json.loads(told.stdout)["facts"])


async def test_another_old_size_is_a_conflict_that_names_the_right_one(office: Office, log: MemoryLog) -> None:
    assert (await office.post(log.submission(3)))[:2] == (409, "0\n")
    await office.post(log.submission(0, 7))
    for old in (0, 6, 8):
        assert await office.post(log.submission(old, 10)) == (409, "7\n", "text/x.tlog.size")
    assert (await office.post(log.submission(7)))[0] == 200


async def test_the_same_checkpoint_is_cosigned_again(office: Office, log: MemoryLog) -> None:
    await office.post(log.submission(0))
    status, said, _ = await office.post(log.submission(10, 10))
    assert status == 200
    assert (await office.newest())[1] == log.note() + said


async def test_a_smaller_tree_is_never_cosigned_again(office: Office, log: MemoryLog) -> None:
    _, said, _ = await office.post(log.submission(0))
    # Whoever was rolled back has to say either what the witness has, and then more than he has, or something else.
    assert (await office.post(Submission(10, (), log.note(7)).encode()))[0] == 400
    assert (await office.post(log.submission(7, 8)))[:2] == (409, "10\n")
    assert (await office.newest())[1] == log.note() + said


@pytest.mark.parametrize("size", [10, 11, 16, 40])
async def test_a_fork_with_the_true_key_is_refused(office: Office, log: MemoryLog, size: int) -> None:
    _, said, _ = await office.post(log.submission(0))
    forged = MemoryLog.of(5)
    forged.grow(size, "forged ")
    for proof in (forged.proof(10, size), (), log.proof(5, 10)):
        assert (await office.post(Submission(10, proof, forged.note()).encode()))[0] == 422
    assert (await office.newest())[1] == log.note() + said


async def test_proofs_are_wanted_exactly_where_they_belong(office: Office, log: MemoryLog) -> None:
    assert (await office.post(Submission(0, (EMPTY_ROOT,), log.note()).encode()))[0] == 422
    await office.post(log.submission(0, 4))
    right = log.proof(4, 10)
    for wrong in (right[:-1], (*right, right[0]), right[::-1], ()):
        assert (await office.post(Submission(4, wrong, log.note()).encode()))[0] == 422
    assert (await office.post(Submission(4, right, log.note()).encode()))[0] == 200
    assert (await office.post(Submission(10, (EMPTY_ROOT,), log.note()).encode()))[0] == 422


async def test_the_empty_log_has_one_root(office: Office) -> None:
    empty, wrong = MemoryLog(), a_signer().sign(0, b"x" * 32)
    assert (await office.post(Submission(0, (), wrong).encode()))[0] == 422
    assert (await office.newest())[0] == 404
    assert (await office.post(empty.submission(0)))[0] == 200
    assert (await office.newest())[0] == 200
    assert (await office.post(MemoryLog.of(3).submission(0)))[0] == 200


async def test_keys_and_origins_that_it_does_not_know(office: Office, log: MemoryLog) -> None:
    assert (await office.post(MemoryLog.of(3, origin="stranger.example").submission(0)))[0] == 404
    log.signer = a_signer(seed=b"y" * 32)
    assert (await office.post(log.submission(0)))[0] == 403
    # The name and id of the key it knows, and a signature that is not by it; then the true one beside a false one.
    true = a_signer()
    text = log.checkpoint(10).text
    false_line = f"— {ORIGIN} {b64(true.verifier.key_id + bytes(64))}\n"
    assert (await office.post(Submission(0, (), f"{text}\n{false_line}").encode()))[0] == 403
    log.signer = true
    assert (await office.post(Submission(0, (), log.note() + false_line).encode()))[0] == 403
    assert (await office.newest())[0] == 404


async def test_signatures_of_strangers_are_ignored_and_not_published(office: Office, log: MemoryLog) -> None:
    strangers = "".join(f"— stranger.example/{number} {b64(bytes(5000))}\n" for number in range(16))
    status, said, _ = await office.post(Submission(0, (), log.note() + strangers).encode())
    assert status == 200
    assert (await office.newest())[1] == log.note() + said


async def test_every_generation_of_a_key_counts_and_each_log_stands_alone(tmp_path: Path, log: MemoryLog) -> None:
    old, new = a_signer(), a_signer(seed=b"n" * 32)
    witness = open_witness(tmp_path / "state", [old.verifier, new.verifier], NAME, "")
    assert witness.add(log.submission(0, 7)).status == 200
    log.signer = new
    assert witness.add(log.submission(7)).status == 200
    witness.close()


async def test_one_log_says_nothing_about_another(office: Office, log: MemoryLog) -> None:
    other = MemoryLog.of(3, origin="other.example/log")
    assert (await office.post(log.submission(0)))[0] == 200
    assert (await office.post(other.submission(0)))[0] == 200
    assert (await office.newest("other.example/log"))[1].startswith("other.example/log\n3\n")


def _malformed() -> dict[str, bytes]:
    log = MemoryLog.of(10)
    good, note = log.submission(0), log.note()
    return {
        "empty": b"",
        "no-note": b"old 0\n\n",
        "no-gap": good.replace(b"\n\n", b"\n", 1),
        "leading-zero": good.replace(b"old 0", b"old 00"),
        "negative": good.replace(b"old 0", b"old -1"),
        "other-digits": good.replace(b"old 0", "old ٣".encode()),
        "capital": good.replace(b"old", b"Old"),
        "two-spaces": good.replace(b"old 0", b"old  0"),
        "carriage-returns": good.replace(b"\n", b"\r\n"),
        "short-hash": b"old 4\nAAAA\n\n" + note.encode(),
        "loose-base64": b"old 4\n" + b64(bytes(31) + b"\x01").encode()[:-2] + b"F=\n\n" + note.encode(),
        "64-hashes": b"old 4\n" + 64 * (b64(bytes(32)) + "\n").encode() + b"\n" + note.encode(),
        "not-utf-8": good + b"\xff",
        "no-signature": good.rsplit(b"\n\n", 1)[0] + b"\n\n",
        "unfinished": good[:-1],
        "too-large-size": Submission(0, (), a_signer().sign(2**63, bytes(32))).encode(),
        "old-larger": Submission(11, (), note).encode(),
        "control": good.replace(b"\xe2\x80\x94 lgsp", b"\xe2\x80\x94 \x07lgsp"),
    }


@pytest.mark.parametrize("name", list(_malformed()))
async def test_what_is_malformed_is_400(office: Office, name: str) -> None:
    assert (await office.post(_malformed()[name]))[0] == 400
    assert (await office.newest())[0] == 404


async def test_other_methods_paths_and_bodies(office: Office, log: MemoryLog) -> None:
    assert (await office.get("/add-checkpoint"))[0] == 405
    assert (await office.get(f"/{'0' * 64}/checkpoint"))[0] == 404
    assert (await office.get("/checkpoint"))[0] == 404
    assert (await office.post(b"old 0\n" + bytes(300_000)))[0] == 413
    status, page = await office.get("/")
    assert status == 200
    assert office.witness.key.encode() in page
    assert ORIGIN in page


async def test_of_posts_at_once_one_history_comes_out(office: Office) -> None:
    true, forged = MemoryLog.of(40), MemoryLog.of(40, "forged ")
    bodies = [log.submission(0, size) for size in range(1, 20) for log in (true, forged)]
    answers = await asyncio.gather(*(office.post(body) for body in bodies))
    assert sorted({status for status, _, _ in answers}) == [200, 409]
    assert [status for status, _, _ in answers].count(200) == 1
    _, note = await office.newest()
    won = bodies[[status for status, _, _ in answers].index(200)]
    assert Submission.decode(won).note in note


async def test_everything_that_was_cosigned_can_be_read(office: Office, log: MemoryLog) -> None:
    lines = {}
    old = 0
    for size in (2, 5, 10):
        _, lines[size], _ = await office.post(log.submission(old, size))
        old = size
    path = f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoints"
    assert (await office.get(path))[1] == "--\n".join(log.note(size) + lines[size] for size in (2, 5, 10))
    assert (await office.get(f"{path}?after=5"))[1] == log.note(10) + lines[10]
    assert await office.get(f"{path}?after=10") == (200, "")
    assert (await office.get(f"{path}?after=x"))[0] == 400


async def test_it_remembers_who_it_is_and_what_it_signed(office: Office, log: MemoryLog) -> None:
    await office.post(log.submission(0))
    again = open_witness(office.state, [log.signer.verifier], None, "somebody else")
    assert again.key == office.witness.key == WitnessKey.decode((office.state / "witness.vkey").read_text())
    assert again.add(log.submission(0)).body == "10\n"
    # Two processes on one memory are one witness.
    log.grow(12)
    assert again.add(log.submission(10)).status == 200
    assert (await office.post(log.submission(10)))[:2] == (409, "12\n")
    again.close()
    with pytest.raises(ValueError, match="for ever"):
        open_witness(office.state, [log.signer.verifier], "another", "")
    (office.state / "witness.vkey").write_text(WitnessKey(NAME, bytes(32)).encode())
    with pytest.raises(ValueError, match="not of the key"):
        open_witness(office.state, [log.signer.verifier], None, "")


async def test_a_memory_that_cannot_be_written_signs_nothing(office: Office, log: MemoryLog) -> None:
    await office.post(log.submission(0, 7))
    office.witness._memory.execute("PRAGMA query_only = 1")
    assert (await office.post(log.submission(7)))[0] == 503
    office.witness._memory.execute("PRAGMA query_only = 0")
    assert (await office.post(log.submission(7)))[0] == 200
