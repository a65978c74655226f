"""Random changes of the tables of a finished log, one after the other: what hypothesis draws from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from security.audit.merkle import leaf_hash
from tests.test_tampering.tables import KEYS, Row, Table

Rows = list[Row]


@dataclass(frozen=True)
class Change:
    """A change of one table; `frees`: it takes the constraints of the table away first."""

    table: str
    text: str
    work: Callable[[Table], Table]
    frees: bool = False

    def __repr__(self) -> str:
        return f"{self.table}: {self.text}"


def byte_changed(value: object, at: int, bit: int) -> object:
    """The same kind of value, different in one byte, character or bit; a value where there was none."""
    if isinstance(value, bytes) and value:
        at %= len(value)
        return value[:at] + bytes([value[at] ^ (1 << bit % 8)]) + value[at + 1 :]
    if isinstance(value, str) and value:
        at %= len(value)
        return value[:at] + chr(ord(value[at]) ^ (1 << bit % 4)) + value[at + 1 :]
    if isinstance(value, int):
        return value ^ (1 << at % 20)
    return "x" if value is None or isinstance(value, str) else b"x"


def shortened(value: object, at: int, bit: int) -> object:
    if isinstance(value, (bytes, str)) and value:
        return value[: at % len(value)]
    return byte_changed(value, at, bit)


def lengthened(value: object, at: int, bit: int) -> object:
    if isinstance(value, bytes):
        return value + bytes([bit])
    if isinstance(value, str):
        return value + "abcd\n \u00e9"[bit % 7]
    return byte_changed(value, at, bit)


def emptied(value: object, at: int, bit: int) -> object:
    return None if bit % 2 else type(value)() if isinstance(value, (bytes, str)) else 0


HOW: Sequence[Callable[[object, int, int], object]] = (byte_changed, shortened, lengthened, emptied)


def cell(table: str, column: str, row: int, how: Callable[[object, int, int], object], at: int, bit: int) -> Change:
    """One value changed."""

    def work(there: Table) -> Table:
        rows, place = list(there.rows), there.place(column)
        if rows:
            old = rows[row % len(rows)]
            rows[row % len(rows)] = (*old[:place], how(old[place], at, bit), *old[place + 1 :])
        return there.with_rows(rows)

    return Change(table, f"{column} of row {row} {how.__name__} {at} {bit}", work)


def forged(row: int, at: int) -> Change:
    """An entry changed with care: its leaf hash and its columns fit."""

    def work(there: Table) -> Table:
        rows = list(there.rows)
        if rows:
            body, leaf = there.place("body"), there.place("leaf")
            new = list(rows[row % len(rows)])
            new[body] = bytes(new[body]).replace(b'"duration_ms":12', b'"duration_ms":%d' % (13 + at))  # type: ignore[call-overload]
            new[leaf] = leaf_hash(new[body])
            rows[row % len(rows)] = tuple(new)
        return there.with_rows(rows)

    return Change("audit_entries", f"row {row} forged", work)


def deleted(table: str, first: int, many: int) -> Change:
    def work(there: Table) -> Table:
        rows = list(there.rows)
        begin = first % len(rows) if rows else 0
        return there.with_rows(rows[:begin] + rows[begin + many :])

    return Change(table, f"{many} rows deleted from {first}", work)


def swapped(table: str, one: int, other: int, columns: Sequence[str]) -> Change:
    """These values of two rows exchanged."""

    def work(there: Table) -> Table:
        rows = list(there.rows)
        if rows:
            left, right = one % len(rows), other % len(rows)
            new, with_it = list(rows[left]), list(rows[right])
            for column in columns:
                place = there.place(column)
                new[place], with_it[place] = with_it[place], new[place]
            rows[left], rows[right] = tuple(new), tuple(with_it)
        return there.with_rows(rows)

    return Change(table, f"{','.join(columns)} of rows {one} and {other} swapped", work)


def doubled(table: str, row: int) -> Change:
    def work(there: Table) -> Table:
        rows = list(there.rows)
        return there.with_rows([*rows, rows[row % len(rows)]] if rows else rows)

    return Change(table, f"row {row} twice", work, frees=True)


def inserted(table: str, row: int, column: str, by: int) -> Change:
    """A copy of a row under another key."""

    def work(there: Table) -> Table:
        rows = list(there.rows)
        if rows:
            new, place = list(rows[row % len(rows)]), there.place(column)
            new[place] = byte_changed(new[place], by, by)
            if "id" in there.columns and column != "id":
                new[there.place("id")] = "another"
            rows.append(tuple(new))
        return there.with_rows(rows)

    return Change(table, f"row {row} once more with another {column}", work)


def changes(columns: dict[str, tuple[str, ...]]) -> st.SearchStrategy[Change]:
    """Any of these changes of any of the tables."""
    place = st.integers(0, 2**16)
    every = [(table, column) for table, those in columns.items() for column in those]
    tables = st.sampled_from(list(columns))
    anywhere = st.builds(
        lambda of, row, how, at, bit: cell(of[0], of[1], row, how, at, bit),
        st.sampled_from(every),
        place,
        st.sampled_from(HOW),
        place,
        st.integers(0, 255),
    )
    keys = [(table, column) for table, those in KEYS.items() for column in those]

    def some_swapped(table: str, one: int, other: int, chosen: int) -> Change:
        those = columns[table]
        picked = [column for at, column in enumerate(those) if chosen >> at & 1] or [those[chosen % len(those)]]
        return swapped(table, one, other, picked)

    return st.one_of(
        anywhere,
        st.builds(forged, place, st.integers(0, 1000)),
        st.builds(deleted, tables, place, st.integers(1, 20)),
        st.builds(some_swapped, tables, place, place, st.integers(1, 2**13)),
        st.builds(doubled, tables, place),
        st.builds(lambda of, row, by: inserted(of[0], row, of[1], by), st.sampled_from(keys), place, place),
    )
