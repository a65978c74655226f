"""Rate limits: the algorithm, the table that processes share, Redis and its loss, the stage and its headers."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import TooManyRequests
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Grant
from security.limits import LocalLimiter, gcra, limited, watched
from security.redis_limits import _SCRIPT, RedisLimiter
from security.redis_script import RedisScript

gaps = st.lists(st.floats(0, 3), min_size=1, max_size=60)
rates = st.floats(0.1, 200)
bursts = st.integers(0, 20)


@given(gaps, rates, bursts)
def test_no_window_admits_more_than_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    now, tat, admitted = 1000.0, 0.0, []
    for gap in gaps:
        now += gap
        tat, verdict = gcra(tat, now, rate, burst)
        if verdict.admitted:
            admitted.append(now)
    for place, begin in enumerate(admitted):
        for count, end in enumerate(admitted[place:], 1):
            assert count <= burst + 1 + (end - begin) * rate + 1e-3


@given(gaps, rates, bursts)
def test_who_keeps_the_rate_is_never_refused_and_the_quota_is_honest(
    gaps: list[float], rate: float, burst: int
) -> None:
    now, tat = 1000.0, 0.0
    for gap in gaps:
        now += gap
        tat, verdict = gcra(tat, now, rate, burst)
        if verdict.admitted:
            # As many as it says remain are admitted at this very moment, and not one more.
            trial = tat
            for _ in range(verdict.remaining):
                trial, next_verdict = gcra(trial, now, rate, burst)
                assert next_verdict.admitted
            assert not gcra(trial, now, rate, burst)[1].admitted
            assert gcra(tat, now + verdict.reset + 1e-6, rate, burst)[1].remaining == burst
        else:
            assert verdict.retry_after > 0
            assert gcra(tat, now + verdict.retry_after + 1e-6, rate, burst)[1].admitted


def test_a_clock_that_began_anew_blocks_nobody() -> None:
    assert gcra(9_000_000.0, 12.0, 1, 5)[1].admitted


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalLimiter]:
    limiter = LocalLimiter(tmp_path / "limits")
    yield limiter
    limiter.close()


def admitted(limiter: LocalLimiter, key: str, count: int, rate: float = 0.001, burst: int = 4) -> int:
    return sum(limiter.take(key, rate, burst).admitted for _ in range(count))


def test_keys_and_changed_grants_are_counted_apart(local: LocalLimiter) -> None:
    assert admitted(local, "a", 10) == 5
    assert admitted(local, "b", 10) == 5
    assert admitted(local, "a", 10, burst=6) == 7


def test_processes_share_one_count(tmp_path: Path, local: LocalLimiter) -> None:
    program = (
        "import sys; from pathlib import Path; from security import limits, shared_table\n"
        # On a busy machine a neighbour may sleep longer with the lock than production would wait.
        "shared_table._PATIENCE = 60\n"
        "limiter = limits.LocalLimiter(Path(sys.argv[1]))\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(sum(limiter.take('a', 0.001, 19_999).admitted for _ in range(15_000)))"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "limits")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"\n")
        worker.stdin.flush()
    assert sum(int(worker.communicate()[0]) for worker in workers) == 20_000


def test_a_process_stopped_with_the_lock_held_stops_nobody(tmp_path: Path, local: LocalLimiter) -> None:
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+b'); fcntl.lockf(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "limits")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert admitted(local, "a", 10) == 5
        holder.communicate(b"\n")


def test_a_flood_of_keys_grows_nothing_and_refuses_nobody_new(tmp_path: Path) -> None:
    limiter = LocalLimiter(tmp_path / "small", buckets=1)
    size = (tmp_path / "small").stat().st_size
    assert all(limiter.take(f"key-{number}", 1, 0).admitted for number in range(500))
    assert (tmp_path / "small").stat().st_size == size
    limiter.close()


def patient(url: str, local: LocalLimiter) -> RedisLimiter:
    """A busy machine is no lost server."""
    return RedisLimiter(RedisScript.at(url, _SCRIPT, "limits count on this machine alone", wait=60), local)


async def test_nodes_share_one_count_through_redis(tmp_path: Path, own_redis: Any) -> None:
    locals_ = [LocalLimiter(tmp_path / name) for name in "ab"]
    nodes = [patient(own_redis.url, local) for local in locals_]
    verdicts = [await nodes[turn % 2].take("a", 0.01, 9) for turn in range(14)]
    assert [verdict.admitted for verdict in verdicts] == [True] * 10 + [False] * 4
    assert [verdict.remaining for verdict in verdicts] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0]
    assert 0 < verdicts[-1].retry_after <= 100
    for node, local in zip(nodes, locals_, strict=True):
        await node.close()
        local.close()


async def test_redis_lost_means_local_limits_and_no_refusal(local: LocalLimiter, own_redis: Any) -> None:
    node = patient(own_redis.url, local)
    assert (await node.take("a", 0.001, 2)).remaining == 2
    own_redis.kill()
    # The local table has not seen the first request: better one too many than a refusal for our own trouble.
    assert [(await node.take("a", 0.001, 2)).admitted for _ in range(4)] == [True, True, True, False]
    await node.close()


async def test_redis_that_never_was_is_no_obstacle(local: LocalLimiter, tmp_path: Path) -> None:
    node = RedisLimiter.at(f"unix://{tmp_path}/nothing", local)
    assert (await node.take("a", 1, 2)).admitted
    await node.close()


def exchange(declared: Database, grant: Grant | None) -> Exchange:
    operation = declared.operations[0]
    return Exchange(
        id="1",
        database=declared,
        operation=operation,
        question=operation.question.model_validate({"code": "A"}),
        caller=Caller("ministry", "G12", Credential("secret", "s"), {}),
        purpose="inspection",
        asked_at=datetime.now(UTC),
        deadline=0.0,
        grant=grant,
    )


async def test_the_stage_counts_refuses_and_tells(declared: Database, grant: Grant, tmp_path: Path) -> None:
    # At one moment, however long it takes.
    local = LocalLimiter(tmp_path / "limits", clock=lambda: 1000.0)

    async def source(_: Exchange) -> Answer:
        return Answer({})

    handler = limited(local)(source)
    slow = replace(grant, rate=0.5, burst=1)
    seen = []
    for _ in range(2):
        with watched() as quota:
            await handler(exchange(declared, slow))
        seen.append(quota.headers())
    with watched() as quota, pytest.raises(TooManyRequests) as caught:
        await handler(exchange(declared, slow))
    assert seen == [
        {"RateLimit-Policy": '"store/thing";q=2;w=4', "RateLimit": '"store/thing";r=1;t=2'},
        {"RateLimit-Policy": '"store/thing";q=2;w=4', "RateLimit": '"store/thing";r=0;t=4'},
    ]
    assert quota.headers() == {"RateLimit-Policy": '"store/thing";q=2;w=4', "RateLimit": '"store/thing";r=0;t=2'}
    assert caught.value.retry_after == pytest.approx(2)
    local.close()


async def test_an_exchange_without_grant_is_not_counted(declared: Database, local: LocalLimiter) -> None:
    async def source(_: Exchange) -> Answer:
        return Answer({})

    with watched() as quota:
        await limited(local)(source)(exchange(declared, None))
    assert quota.headers() == {}
