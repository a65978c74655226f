"""What an authority knows of itself survives crashes and other processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.authority import AuthorityRefused
from security.authority_index import AuthorityIndex, IndexDamaged
from security.files import write_whole
from security.hierarchy import Hierarchy, Papers
from security.office import Office as Owner
from security.office import Order
from security.signature import utc_now
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
    for hours in (5, 2, 9):
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


def lost(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def without_the_end(path: Path) -> None:
    """An old copy: without the certificate of `land`, the revocation of `tax` and the list that says so."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))


@pytest.mark.parametrize("harm", [lost, emptied, without_the_end])
@pytest.mark.parametrize("unpublished", [False, True])
def test_an_authority_that_lost_its_memory_does_nothing(
    office: Office, harm: Callable[[Path], None], unpublished: bool
) -> None:
    tax = office.did("issue", "tax", *SIGNER)
    office.did("issue", "land", *SIGNER)
    office.did("revoke", "tax")
    index, published = office.directory / "issuing.index", office.directory / "publish" / "issuing.crl"
    before, whole = published.read_bytes(), index.read_bytes()
    harm(index)
    if unpublished:
        published.unlink()
    for command, arguments in (("crl", ()), ("issue", ("new", *SIGNER)), ("revoke", ("land",)), ("list", ())):
        failed = office.run(command, *arguments)
        assert (failed.exit_code, "put back" in failed.stderr) == (1, True), failed.output
    index.write_bytes(whole)
    if not unpublished:
        assert published.read_bytes() == before
        assert "certificate revoked" in office.verify(tax["certificate"], code=2)
    assert office.did("crl")["revoked"] == 1


def test_the_root_does_not_forget_either(office: Office) -> None:
    (office.directory / "root.index").unlink()
    failed = office.run("crl", "--authority", "root")
    assert (failed.exit_code, "root.index" in failed.stderr) == (1, True)


@pytest.mark.parametrize("content", [b"", b"no list", None])
def test_a_list_that_is_broken_or_gone_is_made_again(office: Office, content: bytes | None) -> None:
    path = office.directory / "publish" / "issuing.crl"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    office.did("crl")
    assert b"" != path.read_bytes() != content


def test_a_certificate_is_put_back_that_a_crash_kept_from_its_file(office: Office) -> None:
    first = office.did("issue", "tax", *SIGNER)
    before = Path(first["certificate"]).read_bytes()
    Path(first["certificate"]).unlink()
    Path(first["chain"]).unlink()
    office.did("issue", "land", *SIGNER)
    assert Path(first["certificate"]).read_bytes() == before
    assert Path(first["chain"]).read_bytes().startswith(before)


def test_what_a_crash_left_behind_goes_however_long_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.index"
    path.write_bytes(b'{"event": "issued", ' + b"x" * 5000)
    index = AuthorityIndex(path)
    with index.writing():
        index.add_list(3, NOW)
    assert AuthorityIndex(path).number == 3
    assert path.read_bytes().count(b"\n") == 1
    assert b"x" not in path.read_bytes()


def test_a_name_is_not_given_out_twice_at_the_same_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, both = Hierarchy._issue, threading.Barrier(2, timeout=0.5)

    def slow(*arguments: Any, **options: Any) -> Papers:
        # Without a lock the other one gets here too, and neither has written anything.
        with suppress(threading.BrokenBarrierError):
            both.wait()
        return genuine(*arguments, **options)

    monkeypatch.setattr(Hierarchy, "_issue", slow)
    order = Order("tax", "signing", Owner("X").subject("Y"), "ec", timedelta(days=1))

    def issue() -> str:
        try:
            return Hierarchy(office.directory).issue(order, utc_now()).path.name
        except AuthorityRefused as refused:
            return str(refused)

    with ThreadPoolExecutor(2) as pool:
        first, second = sorted(pool.map(lambda _: issue(), range(2)), reverse=True)
    assert "has a certificate" in first or "has a certificate" in second
    (row,) = office.did("list")
    assert "OK" in office.verify(row["certificate"])


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "place" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "place", b"content", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
