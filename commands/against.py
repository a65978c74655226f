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
        shown: dict[str, Any] = {
            "witness": self.witness,
            "checkpoints": self.compared.compared,
            "newest": self.newest,
            "agrees_up_to": self.compared.agrees,
            "not_witnessed_yet": max(0, self.compared.entries - (self.newest or 0)),
        }
        return shown | ({"unusable": self.holdings.unusable} if self.holdings.unusable else {})


@dataclass(frozen=True, slots=True)
class Silent:
    """A witness that could not be asked, and why: nothing was compared with it."""

    witness: str
    why: str

    def shown(self) -> dict[str, Any]:
        """The result for people and programs."""
        return {"witness": self.witness, "not_compared": self.why}


async def read_holdings(
    settings: Settings, storage: Storage, keys: Sequence[VerifierKey], witnesses: Sequence[str]
) -> list[tuple[str, Holdings | Silent]]:
    """Read what each witness holds; before the log is read, so that a running gateway only adds to it.

    Raises ChangeRefused for what is no witness.
    """
    read: list[tuple[str, Holdings | Silent]] = []
    for witness in witnesses:
        try:
            read.append((witness, await holdings(settings, storage, keys, witness)))
        except NoWitness as wrong:
            raise ChangeRefused(f"--against: {wrong}") from wrong
        except (Unwitnessed, OSError) as failure:
            read.append((witness, Silent(witness, str(failure))))
    return read


def incomplete(beside: Sequence[Beside | Silent]) -> str:
    """Say with whom the log was not compared, or not with everything; empty where it was."""
    silent = [each.witness for each in beside if isinstance(each, Silent)]
    named = [each for each in beside if isinstance(each, Beside) and each.holdings.unusable]
    partly = [each.witness for each in named if each.holdings.held]
    empty = [each.witness for each in named if not each.holdings.held]
    said = [f"not compared with {', '.join(silent)}: what it holds is not known"] if silent else []
    if partly:
        said.append(f"what {', '.join(partly)} holds cannot all be used, and shows nothing about the log")
    if empty:
        said.append(f"nothing of this log that can be used in {', '.join(empty)}: nothing is shown about it")
    return f"{'; '.join(said)}; mend that, then run this again" if said else ""


async def compared(
    storage: Storage, read: Sequence[tuple[str, Holdings | Silent]], findings: Findings
) -> list[Beside | Silent]:
    """Compare the log with each that answered and add to the findings what does not hold."""
    beside: list[Beside | Silent] = []
    for witness, held in read:
        if isinstance(held, Silent):
            beside.append(held)
            continue
        result = await storage.read(lambda connection, held=held: compare(connection, held.held))  # type: ignore[misc]
        for found in (*held.found, *result.found):
            findings.add(found.first, found.last, found.what)
        if not (held.held or held.found or held.unusable):
            held.unusable.append(f"nothing of this log in {witness}{' yet' if held.configured else ''}")
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
        if read.unusable and not silent:
            raise ChangeRefused(f"{read.unusable[0]}: mend what the witness holds, or say --even-if-older")
        known += [each.checkpoint for each in read.held]
    return known
