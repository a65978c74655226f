"""Identifiers: well-formed, never twice, not shared with a child process."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from time import time_ns

from schemas.ids import new_id


def test_ids_are_uuids_that_begin_with_the_time() -> None:
    before = time_ns() // 1_000_000
    made = [new_id() for _ in range(1000)]
    after = time_ns() // 1_000_000
    assert len(set(made)) == 1000
    moments = [int(one.replace("-", "")[:12], 16) for one in made]
    assert moments == sorted(moments)
    assert before <= moments[0]
    assert moments[-1] <= after
    for one in made:
        parsed = uuid.UUID(one)
        assert (str(parsed), parsed.version, parsed.variant) == (one, 7, uuid.RFC_4122)
    assert {one[19] for one in made} == set("89ab")


def test_threads_get_different_ids() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one for many in pool.map(lambda _: [new_id() for _ in range(2000)], range(8)) for one in many]
    assert len(set(made)) == 16_000


def test_a_forked_process_goes_its_own_way() -> None:
    new_id()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, "".join(new_id() for _ in range(50)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(read, 4096).decode()
    theirs = {told[start : start + 36] for start in range(0, len(told), 36)}
    assert len(theirs) == 50
    assert theirs.isdisjoint({new_id() for _ in range(200)})
    os.close(read)
    os.close(write)
