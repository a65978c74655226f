"""What every exchange and every second costs must not depend on how many clients, grants and tokens there are."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Connection

from schemas.exchange import Grant
from security import limits, registry
from security.administration import add
from security.client_store import REVOKED_TOKENS, store
from security.limits import LocalLimiter

MANY = 400


@contextmanager
def counted(*modules: Any) -> Iterator[Callable[[], int]]:
    """Count the instructions that Python executes in some modules, on this thread."""
    files = {module.__file__ for module in modules}
    executed = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal executed
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        executed += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: executed
    finally:
        sys.settrace(before)


async def steps_of_a_look(deployment: Any) -> int:
    """How many instructions SQLite executes to find that nothing changed."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    def look(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(step, 1)
        try:
            assert deployment.registry._news(connection) == ([], [])
        finally:
            driver.set_progress_handler(None, 0)

    await deployment.storage.read(look)
    return taken


async def grow(deployment: Any, grant: Grant, count: int) -> None:
    """Add clients with a grant each, and tokens that were ended before their time."""
    expires_at = int(time.time()) + 600

    def write(connection: Connection) -> None:
        for number in range(count):
            client = add(f"client-{number}", name="n", agency="H30", by="test", secret=False).client
            store(connection, replace(client, grants=(grant,)))
        rows = [{"number": n + 1, "token_id": f"t-{n}", "expires_at": expires_at} for n in range(count)]
        connection.execute(REVOKED_TOKENS.insert(), rows)

    await deployment.storage.write(write)
    assert await deployment.registry.refresh() == count


async def test_looking_for_changes_costs_the_same_with_many_clients(deployment: Any, grant: Grant) -> None:
    async def refresh() -> int:
        with counted(registry) as executed:
            assert await deployment.registry.refresh() == 0
            return executed()

    await deployment.add()
    few = await steps_of_a_look(deployment), await refresh()
    await grow(deployment, grant, MANY)
    many = await steps_of_a_look(deployment), await refresh()
    # A page more in an index is allowed, a look at every row is not.
    assert many[0] < few[0] + 20
    assert many[1] < few[1] + 20


async def test_a_change_is_read_alone_however_many_there_are(deployment: Any, grant: Grant) -> None:
    await deployment.add()
    await grow(deployment, grant, MANY)
    before = deployment.registry.get("client-7")
    changed = await deployment.client("ministry")
    await deployment.storage.write(lambda connection: store(connection, replace(changed, name="Anew")))
    assert await deployment.registry.refresh() == 1
    assert deployment.registry.get("client-7") is before


async def test_recognising_a_caller_costs_the_same_with_many_clients(deployment: Any, grant: Grant) -> None:
    from security import clients, identity, tokens

    client = await deployment.add()
    token, _ = deployment.tokens.issue(client, client.credentials[0])

    def identify() -> int:
        deployment.identity.identify(f"Bearer {token}", None)
        with counted(registry, identity, clients, tokens) as executed:
            deployment.identity.identify(f"Bearer {token}", None)
            return executed()

    few = identify()
    await grow(deployment, grant, MANY)
    assert identify() == few


def test_a_limit_costs_the_same_in_a_full_table(tmp_path: Any) -> None:
    limiter = LocalLimiter(tmp_path / "limits", buckets=4)

    def take(key: str) -> int:
        limiter.take(key, 1.0, 5)
        with counted(limits) as executed:
            limiter.take(key, 1.0, 5)
            return executed()

    few = take("first")
    assert [take(f"key-{number}") for number in range(200)] == [few] * 200
    limiter.close()


async def test_an_ended_token_is_forgotten_when_its_time_is_over(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(datetime.now(UTC).timestamp())
    rows = [{"number": n + 1, "token_id": f"t-{n}", "expires_at": now + end} for n, end in enumerate((900, 300, 600))]
    await deployment.storage.write(lambda connection: connection.execute(REVOKED_TOKENS.insert(), rows))
    known = []
    for later in (0, 301, 601, 901):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        await deployment.registry.refresh()
        known.append([deployment.registry.ended(f"t-{n}") for n in range(3)])
    assert known == [[True, True, True], [True, False, True], [True, False, False], [False, False, False]]
