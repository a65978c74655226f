"""The keys of logs that a witness knows change while it runs: in files, in the keys of a gateway, at a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from datetime import timedelta
from math import inf
from pathlib import Path

import pytest

from security.audit.assembly import log_verifiers
from security.audit.checkpoint import Along, Signer, taken_apart
from security.audit.known_logs import KnownLogs, given, of_gateway
from security.audit.witness import Witness, open_witness
from security.keys import KeyRing
from tests.test_audit.audit_world import ORIGIN, a_signer
from tests.test_witnesses.logs import MemoryLog
from tests.test_witnesses.sites import NAME
from tests.test_witnesses.test_killed_witness import started

OLD, NEW = a_signer(), a_signer(seed=b"n" * 32)
BOTH = a_signer(seed=b"n" * 32, along=[Along(OLD, inf, inf)])


def line(*signers: Signer) -> str:
    return "".join(f"{signer.verifier.encode()}\n" for signer in signers)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "logs"
    path.write_text(f"# keys of logs\n{line(OLD)}")
    return path


@pytest.fixture
def witness(tmp_path: Path, file: Path) -> Iterator[Witness]:
    opened = open_witness(tmp_path / "state", KnownLogs([given(str(file))]), NAME, "")
    yield opened
    opened.close()


def test_a_key_is_given_to_a_witness_during_the_overlap_and_nothing_stops(
    witness: Witness, file: Path, log: MemoryLog
) -> None:
    assert witness.add(log.submission(0, 4)).status == 200
    log.signer = BOTH
    assert witness.add(log.submission(4, 6)).status == 200
    # It keeps and shows what it could verify.
    assert [each.blob[:4] for each in taken_apart(witness.newest(ORIGIN) or "")[2]][:-1] == [OLD.verifier.key_id]
    file.write_text(line(NEW, OLD))
    assert witness.add(log.submission(6, 8)).status == 200
    shown = [each.blob[:4] for each in taken_apart(witness.newest(ORIGIN) or "")[2]]
    assert shown[:-1] == [NEW.verifier.key_id, OLD.verifier.key_id]
    log.signer = NEW
    assert witness.add(log.submission(8)).status == 200


def test_a_witness_that_was_not_told_refuses_in_words_and_goes_on_once_it_is(
    witness: Witness, file: Path, log: MemoryLog
) -> None:
    log.signer = NEW
    refused = witness.add(log.submission(0))
    assert (refused.status, "was the key rotated, then give it the new" in refused.body) == (403, True)
    with file.open("a") as more:
        more.write(line(NEW))
    assert witness.add(log.submission(0)).status == 200


@pytest.mark.parametrize("broken", [None, "", "# nothing\n", line(NEW)[:40]], ids=["gone", "empty", "no-key", "torn"])
def test_what_was_known_stays_while_a_file_cannot_be_read(
    witness: Witness, file: Path, log: MemoryLog, broken: str | None
) -> None:
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    assert witness.add(log.submission(0, 4)).status == 200
    file.write_text(line(NEW))
    assert witness.add(log.submission(4, 6)).status == 403
    log.signer = NEW
    assert witness.add(log.submission(4, 6)).status == 200


def test_another_log_is_known_from_the_moment_that_it_stands_in_the_file(witness: Witness, file: Path) -> None:
    other = MemoryLog.of(3, origin="other.example/log")
    assert witness.add(other.submission(0)).status == 404
    file.write_text(line(OLD, other.signer))
    assert set(witness.origins().values()) == {ORIGIN, "other.example/log"}
    assert witness.add(other.submission(0)).status == 200


def test_the_keys_of_a_gateway_beside_it_are_those_after_its_rotation(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keys")
    known = KnownLogs([of_gateway(ring.directory, ORIGIN), given(line(OLD))])
    assert len(list(known)) == 2
    ring.rotate("log", overlap=timedelta(days=1))
    assert list(known) == [*log_verifiers(ring, ORIGIN), OLD.verifier]
    ring.current("log").path.chmod(0o644)
    known.reload()
    assert len(list(known)) == 3


async def test_a_hangup_reads_the_files_and_ends_nothing(tmp_path: Path, file: Path) -> None:
    process, _, _ = await started(tmp_path / "state", "--log", str(file))
    assert process.stderr is not None
    try:
        file.write_text(line(NEW))
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            read = await process.stderr.readline()
        assert (b"log-keys-read" in read, NEW.verifier.key_id.hex().encode() in read) == (True, True)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0
