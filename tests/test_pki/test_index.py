"""What an authority knows of itself survives crashes and other processes."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.authority_index import AuthorityIndex, IndexDamaged
from tests.test_pki.conftest import Office

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
SIGNER = ("--common-name", "Trục LGSP")

events = st.lists(
    st.one_of(
        st.tuples(st.just("revoked"), st.integers(1, 5), st.integers(0, 10)),
        st.tuples(st.just("listed"), st.integers(1, 9), st.integers(0, 10)),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=30)
@given(events=events, cut=st.integers(0, 200))
def test_a_line_that_was_cut_short_never_happened(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int, int]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("index") / "a.index"
    index, states = AuthorityIndex(path), []
    for kind, number, hours in events:
        with index.writing():
            if kind == "revoked":
                index.add_revoked(number, NOW + timedelta(hours=hours), "superseded")
            else:
                index.add_list(number, NOW)
        states.append((path.stat().st_size, dict(index.revoked), index.number))
    whole = path.read_bytes() if path.exists() else b""
    left = max(len(whole) - cut, 0)
    path.write_bytes(whole[:left])
    _, revoked, number = max(
        (state for state in states if state[0] <= left), default=(0, {}, 0), key=lambda one: one[0]
    )
    again = AuthorityIndex(path)
    assert (dict(again.revoked), again.number) == (revoked, number)
    with again.writing():
        again.add_revoked(99, NOW, "keyCompromise")
    assert AuthorityIndex(path).revoked.keys() == revoked.keys() | {99}
    assert path.read_bytes().endswith(b"\n")


def test_the_earliest_revocation_holds(tmp_path: Path) -> None:
    index = AuthorityIndex(tmp_path / "a.index")
    for hours in (5, 9, 2):
        with index.writing():
            index.add_revoked(1, NOW + timedelta(hours=hours), "superseded")
    assert index.revoked[1].at == NOW + timedelta(hours=2)


def test_another_process_is_seen(tmp_path: Path) -> None:
    here, there = AuthorityIndex(tmp_path / "a.index"), AuthorityIndex(tmp_path / "a.index")
    assert here.number == 0
    with there.writing():
        there.add_list(1, NOW)
    assert here.number == 1


@pytest.mark.parametrize(
    "line", ["{}", "[]", "x", '{"event": "issued", "at": "2026-11-30T08:00:00+00:00", "der": "AA=="}']
)
def test_damage_is_told_from_a_crash(office: Office, line: str) -> None:
    with (office.directory / "issuing.index").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(IndexDamaged):
        _ = AuthorityIndex(office.directory / "issuing.index").issued
    failed = office.run("list")
    assert (failed.exit_code, "issuing.index" in failed.stderr) == (1, True)


def test_a_certificate_is_put_back_that_a_crash_kept_from_its_file(office: Office) -> None:
    first = office.did("issue", "tax", *SIGNER)
    before = Path(first["certificate"]).read_bytes()
    Path(first["certificate"]).unlink()
    Path(first["chain"]).unlink()
    office.did("issue", "land", *SIGNER)
    assert Path(first["certificate"]).read_bytes() == before
    assert Path(first["chain"]).read_bytes().startswith(before)


def test_processes_do_not_give_out_a_name_twice(office: Office) -> None:
    command = [sys.executable, "-m", "gateway", "pki", "issue", str(office.directory), "tax", *SIGNER]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    ended = sorted(process.wait() for process in processes if process.communicate())
    assert ended == [0, 2]
    (row,) = office.did("list")
    assert "OK" in office.verify(row["certificate"])
