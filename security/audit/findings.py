"""What a verification of the log found."""

from dataclasses import dataclass, field

MOST = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold. `first` to `last` are the entries it is about (the same, where it is one)."""

    first: int
    last: int
    what: str


@dataclass(slots=True)
class Findings:
    """The verdict: what was looked at, the root, and what was found, lowest index first.

    `opened` of the `openings` that are there were opened, and `recomputed` commitments made anew from values that are
    known. Of the first `archived` entries only hashes are in the database; `in_files` of them were verified from their
    archives.
    """

    entries: int = 0
    checkpoints: int = 0
    root: bytes = b""
    opened: int = 0
    openings: int = 0
    recomputed: int = 0
    archived: int = 0
    in_files: int = 0
    found: list[Finding] = field(default_factory=list)
    more: int = 0
    lowest: int | None = None

    @property
    def valid(self) -> bool:
        """Whether everything holds."""
        return not self.found

    @property
    def first_bad(self) -> int | None:
        """The lowest index that something is wrong with, or where the range begins that cannot be narrowed."""
        return self.lowest

    def add(self, first: int, last: int, what: str) -> None:
        """Note a finding; beyond `MOST` only their number, and where the first of all begins, is kept.

        What cannot be printed, in names that rows hold, is written as an escape: it must not talk to a terminal.
        """
        self.lowest = first if self.lowest is None else min(self.lowest, first)
        if len(self.found) < MOST:
            shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in what)
            self.found.append(Finding(first, last, shown))
        else:
            self.more += 1
