"""The index of names is the same however it is made, and whoever waits for it hears of its end."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.world import naming
from sandbox.world.naming import Names, NamesUnknown, folded
from sandbox.world.world import World

SEED, PEOPLE = 11, 300
LARGE = 1_000_000


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """An index that is made by processes although its world is small."""
    monkeypatch.setattr(naming, "INLINE", 0)
    names = Names(SEED, PEOPLE)
    yield names
    names.close()


def everybody() -> list[tuple[int, str, str]]:
    world = World(SEED, PEOPLE)
    people = map(world.person, range(PEOPLE))
    return [(person.index, folded(person.full_name), str(person.birth.year)) for person in people]


def test_processes_make_the_index_that_one_would_make(beside: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = everybody()
    found = [beside.find(name, year) for _, name, year in asked]
    monkeypatch.setattr(naming, "INLINE", PEOPLE)
    alone = Names(SEED, PEOPLE)
    assert found == [alone.find(name, year) for _, name, year in asked]
    assert all(index in held for (index, _, _), held in zip(asked, found, strict=True))
    assert any(len(held) > 1 for held in found), "the two of the same name are found together"
    assert beside.find("nobody", "1990") == alone.find("nobody", "1990") == []


def test_threads_that_ask_at_once_share_one_index(beside: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    popen = naming.subprocess.Popen
    monkeypatch.setattr(naming.subprocess, "Popen", lambda *args, **more: begun.append(args) or popen(*args, **more))
    index, name, year = everybody()[5]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: beside.find(name, year), range(16)))
    assert all(index in held for held in found)
    assert len(begun) == min(len(os.sched_getaffinity(0)), 8)


def test_a_small_world_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming.subprocess, "Popen", None)
    names = Names(SEED, PEOPLE)
    names.begin()
    index, name, year = everybody()[7]
    assert index in names.find(name, year)


def test_a_search_ends_with_the_index_that_it_waits_for_and_the_next_begins_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(SEED, LARGE)
    names.begin()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(names.find, "nguyễn văn an", "1990")
        names.close()
        with pytest.raises(NamesUnknown):
            waiting.result()
    # The next one is smaller, so that the test need not wait for a million.
    monkeypatch.setattr(names, "_people", PEOPLE)
    monkeypatch.setattr(naming, "INLINE", 0)
    index, name, year = everybody()[3]
    assert index in names.find(name, year)


def test_a_process_whose_parent_is_gone_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming.os, "getppid", lambda: 4711)
    naming._part(SEED, PEOPLE, range(1, 15, 2), 4711)
    with pytest.raises(NamesUnknown):
        naming._part(SEED, PEOPLE, range(1, 15, 2), 4712)


def test_an_orphan_writes_nothing() -> None:
    # No process has the number 0.
    command = [sys.executable, "-m", "sandbox.world.naming", str(SEED), str(LARGE), "0", "1", "0"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")
