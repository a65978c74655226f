"""A process that writes one log as fast as it can and prints the index of every receipt: `writer.py URL VAULT COUNT`.

COUNT 0 means until killed. Each line is one receipt, written only after `append` returned it.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.test_audit.audit_world import a_world, evidence

CALLERS = 8


async def main(url: str, vault: Path, count: int) -> None:
    async with a_world(url, vault) as world:

        async def caller(rounds: int) -> None:
            done = 0
            while not rounds or done < rounds:
                event = evidence("001090123456", "001185654321")
                receipt = await world.log.record(event)
                # One write call per line: a line is either whole or absent.
                os.write(1, f"{receipt.index} {event.id}\n".encode())
                done += 1

        await asyncio.gather(*(caller(count // CALLERS) for _ in range(CALLERS)))


asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
