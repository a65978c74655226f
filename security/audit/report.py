"""An inspector's report (báo cáo cho thanh tra): every entry about one person in a period, with what proves each.

The format is `lgsp-audit-report/1` (docs/security.md), a ZIP that `tools/verify_audit.py` reads: a bundle for each
entry, all proven towards one checkpoint; the checkpoint before the period, and the proof that the later one continues
it; a page in Vietnamese that says what is proven and what is not. Of the persons in an entry only the one who was asked
for is opened.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from sqlalchemy import func, select

from security.audit import materials
from security.audit.bundle import Opening, Surroundings, cosigned_over, openings_of, subject_places, write_bundle
from security.audit.checkpoint import Checkpoint, VerifierKey, opened
from security.audit.entries import Subject, instant, stated
from security.audit.packing import Package
from security.audit.reading import AuditReader, Filter, InArchive, NoEntry, Recorded
from security.audit.tables import OPENINGS
from storage.engine import Storage

FORMAT: Final = "lgsp-audit-report/1"
# What `verify_audit.py` takes of one archive, less what is no bundle.
MOST: Final = 4000


@dataclass(frozen=True, slots=True)
class Period:
    """Which entries were looked through: by time (`before` not included), and by number (`last` not included).

    `redacted` of them were redacted: those are found for nobody.
    """

    since: datetime
    before: datetime
    first: int
    last: int
    redacted: int


@dataclass(frozen=True, slots=True)
class Reported:
    """A report as it will be written: what was asked for, what was found, and the checkpoints at both ends.

    `begin` is None where the log begins in the period. `openings` are in the order of `entries`.
    """

    subjects: Sequence[Subject]
    period: Period
    entries: Sequence[Recorded]
    openings: Sequence[Sequence[Opening]]
    begin: Checkpoint | None
    end: Checkpoint
    notes: tuple[str | None, str]


async def report_of(
    storage: Storage,
    reader: AuditReader,
    keys: Sequence[VerifierKey],
    subjects: Sequence[Subject],
    since: datetime,
    before: datetime,
) -> Reported:
    """Gather what the log has about a subject, given once for each kind that it may be of.

    Raises NoEntry for a period without entries and for more than `MOST` of them, InArchive where one was archived,
    CheckpointRejected, `Unopenable`.
    """
    first, last = await reader.first_since(since), await reader.last_before(before)
    if not first < last:
        raise NoEntry("the log has no entries in this period")
    query = (
        select(func.count())
        .select_from(OPENINGS)
        .where(OPENINGS.c.idx >= first, OPENINGS.c.idx < last, OPENINGS.c.redacted_by.is_not(None))
    )
    redacted = await storage.read(lambda connection: connection.execute(query).scalar_one())
    chosen = Filter(since=since, before=before)
    kinds, values = [each.kind for each in subjects], [each.value for each in subjects]
    entries: list[Recorded] = []
    while page := await reader.search(kinds, values, chosen, after=entries[-1].index if entries else -1, limit=500):
        entries += page
        if (gone := next(((each.index, each.part) for each in page if each.part is not None), None)) is not None:
            raise InArchive(*gone)
        if len(entries) > MOST:
            raise NoEntry(f"more than {MOST} entries are about this subject: make several reports, of shorter periods")
    openings = [await _opened(reader, each, subjects) for each in entries]
    begin, (_, seen) = (
        await reader.checkpoint_within(first),
        await storage.read(lambda found: cosigned_over(found, last)),
    )
    end = seen or await reader.checkpoint_over(last)
    return Reported(
        subjects,
        Period(since, before, first, last, redacted),
        entries,
        openings,
        None if begin is None else opened(begin, keys),
        opened(end, keys),
        (begin, end),
    )


async def _opened(reader: AuditReader, recorded: Recorded, subjects: Sequence[Subject]) -> list[Opening]:
    """Open the subject who was asked for, the officer and kept values."""
    secrets = await reader.open(recorded.index)
    known, entry = secrets.contents(), recorded.entry
    others = {name for name in known if name.startswith("subjects/")}
    names = sorted(known.keys() - others) + subject_places(secrets, subjects)
    return openings_of(entry, secrets, {}, [name for name in names if name in stated(entry)])


async def write_report(
    out: BinaryIO, storage: Storage, reader: AuditReader, keys: Sequence[VerifierKey], reported: Reported, page: str
) -> None:
    """Write the ZIP; `page` is the report in words, HTML. `out` must be seekable."""
    begin, end = reported.begin, reported.end
    absent = {}
    with Package(out) as package:
        package.add("report.html", page.encode())
        for recorded, openings in zip(reported.entries, reported.openings, strict=True):
            index, entry = recorded.index, recorded.entry
            shown = await storage.read(lambda connection, entry=entry: materials.about(connection, entry))  # type: ignore[misc]
            proof = await reader.prove(index, end.size)
            bundle = io.BytesIO()
            found = Surroundings(end.size, None, shown.members, shown.absent)
            write_bundle(bundle, recorded.body, proof, keys, openings, {}, found)
            package.add(f"bundles/{index:012}.zip", bundle.getvalue())
        package.add("checkpoints/end.txt", reported.notes[1].encode())
        if begin is None or reported.notes[0] is None:
            absent["checkpoints/begin.txt"] = "the log begins in the period"
        else:
            package.add("checkpoints/begin.txt", reported.notes[0].encode())
            path = [b64encode(each).decode() for each in await reader.consistency(begin.size, end.size)]
            package.add_json("consistency.json", {"from": begin.size, "to": end.size, "proof": path})
        package.add("keys.txt", "".join(f"{key.encode()}\n" for key in keys).encode())
        period = {"since": instant(reported.period.since), "before": instant(reported.period.before)}
        package.finish({"format": FORMAT, "origin": end.origin, **period, "absent": absent})
