"""`lgsp audit verify --against`: the log beside what others hold of it.

Heavy to import: commands import it inside their functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.witnesses import Unwitnessed
from config.settings import Settings
from security.administration import ChangeRefused
from security.audit.checkpoint import Checkpoint, VerifierKey
from security.audit.comparing import Compared, compare
from security.audit.findings import Findings
from storage.engine import Storage
from sync.holdings import Holdings, NoWitness, holdings


@dataclass(frozen=True, slots=True)
class Beside:
    """A witness and what came of the comparison with it."""

    witness: str
    holdings: Holdings
    compared: Compared

    @property
    def newest(self) -> int | None:
        """Of how many entries the largest checkpoint is that it holds."""
        return max((each.checkpoint.size for each in self.holdings.held), default=None)

    def shown(self) -> dict[str, Any]:
        """The result for people and programs."""
        return {
            "witness": self.witness,
            "checkpoints": self.compared.compared,
            "newest": self.newest,
            "agrees_up_to": self.compared.agrees,
            "not_witnessed_yet": max(0, self.compared.entries - (self.newest or 0)),
        }


async def read_holdings(
    settings: Settings, storage: Storage, keys: Sequence[VerifierKey], witnesses: Sequence[str]
) -> list[tuple[str, Holdings]]:
    """Read what each witness holds; before the log is read, so that a running gateway only adds to it.

    Raises ChangeRefused for what is no witness, and Unwitnessed for one that cannot be asked.
    """
    try:
        return [(witness, await holdings(settings, storage, keys, witness)) for witness in witnesses]
    except NoWitness as wrong:
        raise ChangeRefused(f"--against: {wrong}") from wrong


async def compared(storage: Storage, read: Sequence[tuple[str, Holdings]], findings: Findings) -> list[Beside]:
    """Compare the log with each and add to the findings what does not hold."""
    beside = []
    for witness, held in read:
        result = await storage.read(lambda connection, held=held: compare(connection, held.held))  # type: ignore[misc]
        for found in (*held.found, *result.found):
            findings.add(found.first, found.last, found.what)
        if not held.held:
            findings.add(0, max(result.entries - 1, 0), f"{witness} holds no checkpoint of this log: nothing is shown")
        beside.append(Beside(witness, held, result))
    findings.found.sort(key=lambda found: (found.first, found.last))
    return beside


async def known_to_witnesses(settings: Settings, keys: Sequence[VerifierKey], *, silent: bool) -> list[Checkpoint]:
    """Return what all configured witnesses hold; `silent` ones are passed over where told.

    Raises ChangeRefused for one that cannot be asked, or that holds what no key of the log signed.
    """
    known: list[Checkpoint] = []
    for name in settings.witness:
        try:
            read = await holdings(settings, None, keys, name)
        except Unwitnessed as failure:
            if silent:
                continue
            raise ChangeRefused(
                f"the witness {name} cannot be asked what it knows ({failure}): mend that, or say --even-if-older"
            ) from failure
        if read.found and not silent:
            raise ChangeRefused(f"{read.found[0].what}: put the log's keys back, or say --even-if-older")
        known += [each.checkpoint for each in read.held]
    return known
