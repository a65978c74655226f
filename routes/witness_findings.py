"""What `lgsp check` and `lgsp doctor` find of witnesses, and what `/readyz` warns of (nhân chứng của nhật ký)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

from sqlalchemy import Connection

from adapters.witnesses import Unwitnessed, office
from config.settings import ConfigurationError, Settings
from routes.findings import Finding, ok, problem, warning
from security.audit.checkpoint import CheckpointRejected, taken_apart
from security.audit.witnessed import Standing, standing
from storage.engine import Storage
from sync.witnessing import GRAVE

_KEEP = "change nothing, keep database and witness as they are, run `lgsp audit verify --against {name}`"


def witness_settings(settings: Settings) -> Iterator[Finding]:
    """Look at the sections without asking anybody."""
    for name, witness in settings.witness.items():
        subject = f"witness.{name}"
        try:
            office(name, witness)
        except ConfigurationError as failure:
            yield problem(
                subject,
                str(failure),
                "put the key there that `lgsp witness` printed at its start, or the authority's certificates",
            )
            continue
        if witness.path is None:
            yield ok(subject, witness.url)
        elif not witness.path.is_dir():
            text = f"{witness.path} is no directory: it is not made here, or a lost mount would go unseen"
            yield problem(subject, text, "mount it, or make it once")
        elif not os.access(witness.path, os.W_OK | os.X_OK):
            step = "let the gateway's user add files there"
            yield problem(subject, f"{witness.path} takes no files of ours", step)
        else:
            yield ok(subject, str(witness.path))


async def witnesses(settings: Settings, storage: Storage) -> list[Finding]:
    """Ask every witness for its newest checkpoint, and compare with how far it came by our own account."""
    return list(await asyncio.gather(*(_look(settings, storage, name) for name in settings.witness)))


async def _look(settings: Settings, storage: Storage, name: str) -> Finding:
    subject = f"witness.{name}"
    try:
        way = office(name, settings.witness[name])
        try:
            note = await way.latest(settings.keys.origin)
        finally:
            await way.close()
        theirs = 0 if note is None else taken_apart(note)[0].size
    except (Unwitnessed, ConfigurationError, CheckpointRejected) as failure:
        step = "see that it runs, and what [witness.NAME] says of it; meanwhile nothing is witnessed there"
        return problem(subject, f"cannot be asked: {failure}", step, "witness-silent")
    # After it was asked: a gateway that runs only adds to it.
    found = await storage.read(lambda connection: standing(connection, name))
    if theirs > found.entries:
        text = f"holds a checkpoint of {theirs} entries, and the log has {found.entries}: its end is lost"
        return problem(subject, text, _KEEP.format(name=name), "witness-history")
    if found.trouble in GRAVE:
        return problem(subject, f"holds another history: {found.said}", _KEEP.format(name=name), "witness-history")
    if found.behind and found.trouble == "unknown-key":
        text = f"does not know the key that this log is signed with now, and witnesses nothing: {found.said}"
        step = (
            "whoever keeps it puts what `lgsp keys export log` prints into its file of keys, which it reads by itself"
        )
        return problem(subject, text, step, "witness-unknown-key")
    if (said := _overdue(settings, name, found)) is not None:
        step = "see that `lgsp serve` or `lgsp worker` runs, and the lines `not-witnessed` of its log"
        return warning(subject, said, step, "witness-behind")
    # An authority keeps nothing of ours: how far it came we know from what it stamped.
    size = found.size if settings.witness[name].anchors else theirs
    return ok(subject, f"a checkpoint of {size} entries is witnessed; the log has {found.entries}", "witness-agrees")


def troubled_witnesses(settings: Settings, connection: Connection) -> list[str]:
    """Tell in words which witnesses have been behind for too long, or hold another history."""
    told = []
    for name in settings.witness:
        found = standing(connection, name)
        if found.trouble in GRAVE:
            told.append(f"the witness {name} holds another history: see `lgsp audit verify --against {name}`")
        elif (said := _overdue(settings, name, found)) is not None:
            told.append(f"the witness {name} {said}: see `lgsp doctor`")
    return told


def _overdue(settings: Settings, name: str, found: Standing) -> str | None:
    since = found.behind_since
    if not found.behind or since is None:
        return None
    waited = time.time() - since / 1000
    if waited < settings.witness[name].overdue:
        return None
    why = f" ({found.trouble}: {found.said})" if found.trouble else ""
    return f"has not witnessed the last {found.behind} entries for {waited:.0f} s{why}"
