"""How verification reads rows: whatever stands in them, and leaving everything as it was."""

import gc
import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Integer, bindparam, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from security.audit.reading_rows import as_bytes, as_json, as_number, rows_of, total, uncollected
from security.audit.tables import HEAD

TOO_DEEP = b"[" * 100_000
ALL = select(HEAD.c.size, HEAD.c.frontier).order_by(HEAD.c.id)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        opened.exec_driver_sql("CREATE TABLE audit_head (id INTEGER, size, frontier)")
        opened.exec_driver_sql("INSERT INTO audit_head VALUES (1, 7, x'00'), (2, 'đ', NULL), (3, 7.5, 'x')")
        yield opened
    engine.dispose()


def test_rows_are_as_they_are_stored(connection: Connection) -> None:
    assert rows_of(connection, ALL) == [(7, b"\0"), ("đ", None), (7.5, "x")]
    chosen = ALL.where(HEAD.c.id == bindparam("which", type_=Integer))
    assert rows_of(connection, chosen, which=3) == [(7.5, "x")]
    assert rows_of(connection, chosen, which=4) == []
    assert total(connection, HEAD) == 3


def test_bytes_that_are_no_text_are_read_and_others_after_them_as_before(connection: Connection) -> None:
    connection.exec_driver_sql("UPDATE audit_head SET size = CAST(x'61ff' AS TEXT) WHERE id = 2")
    for _ in range(2):
        assert rows_of(connection, ALL) == [(7, b"\0"), ("a\udcff", None), (7.5, "x")]
    # Who asks otherwise is told, as ever.
    with pytest.raises(DBAPIError, match="decode"):
        connection.execute(ALL).all()


def test_what_else_fails_fails_as_it_does_everywhere(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    asked: list[int] = []

    def damaged(number: int) -> int:
        asked.append(number)
        if len(asked) % 3 == 0:
            raise ArithmeticError
        return number

    driver.create_function("damaged", 1, damaged)
    query = select(func.damaged(HEAD.c.id)).where(HEAD.c.id < bindparam("beyond", type_=Integer))
    with pytest.raises(DBAPIError) as failed:
        rows_of(connection, query, beyond=123_456)
    # Not read once more in another way.
    assert asked == [1, 2, 3]
    assert isinstance(failed.value.orig, sqlite3.OperationalError)
    assert isinstance(failed.value.__cause__, sqlite3.OperationalError)
    assert "damaged" in str(failed.value.statement)
    assert "123456" not in str(failed.value)


def broken_off() -> None:
    with uncollected():
        assert not gc.isenabled()
        raise ArithmeticError


@pytest.mark.parametrize("enabled", [True, False])
def test_collecting_cycles_goes_on_as_before(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(ArithmeticError):
            broken_off()
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_what_is_of_another_type_stands_for_nothing() -> None:
    assert [as_bytes(each) for each in (b"x", bytearray(b"x"), "x", 7, None)] == [b"x", b"", b"", b"", b""]
    assert [as_number(each) for each in (7, -7, 7.0, True, "7", None)] == [7, -7, -1, -1, -1, -1]


def test_what_is_nested_too_deep_is_no_value() -> None:
    assert as_json(b'{"a":[1]}') == {"a": [1]}
    for body in (TOO_DEEP, b"{", b""):
        with pytest.raises(ValueError):
            as_json(body)
