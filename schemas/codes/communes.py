"""Communes (xã, phường, đặc khu) with the time for which each code meant that commune.

A code is reused with another name and area after the merger of 2025-07-01 (26740 was Phường Bến Nghé and is Phường Sài
Gòn), so a commune is known by (code, valid_from) and never by its code alone. Which old commune became which new one is
many-to-many. The list that comes with the product is a sample: the real communes its references confirm, and invented
ones (`synthetic`, codes from 90000 on, which the statistics office does not use) for the sandbox. A deployment loads
the full list of Decision 19/2025/QD-TTg from a file of the same columns.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TextIO

COLUMNS = (
    "code",
    "valid_from",
    "valid_to",
    "kind",
    "name",
    "province",
    "district",
    "district_name",
    "merged_into",
    "synthetic",
)


@dataclass(frozen=True, slots=True)
class Commune:
    """One commune for one period.

    `code` five digits; `valid_from` and `valid_to` inclusive days, `valid_to` None while in force; `kind` xã, phường,
    thị trấn or đặc khu; `province` the two-digit code of that time; `district` three digits, None since districts were
    abolished; `merged_into` the codes of the communes that took over its area, () while in force.
    """

    code: str
    valid_from: date
    valid_to: date | None
    kind: str
    name: str
    province: str
    district: str | None
    district_name: str | None
    merged_into: tuple[str, ...]
    synthetic: bool

    @property
    def title(self) -> str:
        """Kind and name as written in an address, for example Phường Sài Gòn."""
        return f"{self.kind[:1].upper()}{self.kind[1:]} {self.name}"

    def valid_on(self, day: date) -> bool:
        """Whether the code meant this commune on `day`."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class Communes:
    """An immutable list of communes, asked by code and day.

    Raises ValueError when two communes claim one code on one day.
    """

    def __init__(self, communes: Iterable[Commune]) -> None:
        held: dict[str, list[Commune]] = {}
        for commune in communes:
            held.setdefault(commune.code, []).append(commune)
        for code, versions in held.items():
            versions.sort(key=lambda commune: commune.valid_from)
            for earlier, later in pairwise(versions):
                if earlier.valid_to is None or earlier.valid_to >= later.valid_from:
                    raise ValueError(f"commune code {code} means two communes on {later.valid_from}")
        self._held: Mapping[str, tuple[Commune, ...]] = {code: tuple(held[code]) for code in sorted(held)}

    def __iter__(self) -> Iterator[Commune]:
        for versions in self._held.values():
            yield from versions

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def versions(self, code: str) -> tuple[Commune, ...]:
        """Every commune that ever had `code`, oldest first; () when none."""
        return self._held.get(code, ())

    def on(self, code: str, day: date) -> Commune | None:
        """The commune that `code` meant on `day`, or None."""
        return next((commune for commune in self.versions(code) if commune.valid_on(day)), None)

    def successors(self, commune: Commune) -> tuple[Commune, ...]:
        """The communes that took over the area of `commune` the day after it ended; () while it is in force."""
        if commune.valid_to is None:
            return ()
        day = date.fromordinal(commune.valid_to.toordinal() + 1)
        return tuple(found for code in commune.merged_into if (found := self.on(code, day)) is not None)

    def predecessors(self, commune: Commune) -> tuple[Commune, ...]:
        """The communes whose area `commune` took over."""
        return tuple(earlier for earlier in self if commune in self.successors(earlier))


def read_communes(source: TextIO) -> Communes:
    """The communes of a CSV table with the header `COLUMNS`; several codes in `merged_into` are parted by spaces.

    Raises ValueError with the line number when a column is missing or a cell is unreadable.
    """
    table = csv.DictReader(source, strict=True)
    if table.fieldnames is None or set(COLUMNS) - set(table.fieldnames):
        raise ValueError(f"the commune table needs the columns {', '.join(COLUMNS)}")
    return Communes(_commune(row, table.line_num) for row in table)


def load_communes(path: Path) -> Communes:
    """The communes of a UTF-8 CSV file; raises OSError, and ValueError as `read_communes`."""
    with path.open(encoding="utf-8-sig", newline="") as source:
        return read_communes(source)


@lru_cache(maxsize=1)
def sample_communes() -> Communes:
    """The communes that come with the product, read once."""
    return read_communes(StringIO(files("schemas.codes").joinpath("communes.csv").read_text(encoding="utf-8")))


def _commune(row: Mapping[str, str | None], line: int) -> Commune:
    cells = {column: row[column] or "" for column in COLUMNS}
    code, province = cells["code"], cells["province"]
    if not (code.isascii() and code.isdigit() and len(code) == 5):
        raise ValueError(f"line {line}: a commune code has five digits")
    if not (province.isascii() and province.isdigit() and len(province) == 2):
        raise ValueError(f"line {line}: a province code has two digits")
    if not cells["name"] or not cells["kind"]:
        raise ValueError(f"line {line}: a commune has a kind and a name")
    try:
        valid_from = date.fromisoformat(cells["valid_from"])
        valid_to = date.fromisoformat(cells["valid_to"]) if cells["valid_to"] else None
    except ValueError as error:
        raise ValueError(f"line {line}: days are written YYYY-MM-DD") from error
    return Commune(
        code=code,
        valid_from=valid_from,
        valid_to=valid_to,
        kind=cells["kind"],
        name=cells["name"],
        province=province,
        district=cells["district"] or None,
        district_name=cells["district_name"] or None,
        merged_into=tuple(cells["merged_into"].split()),
        synthetic=cells["synthetic"] == "1",
    )
