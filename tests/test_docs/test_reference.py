"""The reference tables agree with the code: settings and their defaults, result codes, operations."""

import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from adapters import DATABASES
from config.settings import Section, Settings
from schemas.exchange import Database
from tests.test_docs.pages import rows, section, text_of

OPERATORS = section(text_of("docs/operators.md"), "## 3. Configuration")
SOURCES = text_of("docs/databases.md")


def nested(annotation: Any) -> type[Section] | None:
    """The section that a setting holds, None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if typing.get_origin(annotation) in (types.UnionType, typing.Union, dict):
        return next((found for part in typing.get_args(annotation) if (found := nested(part))), None)
    return None


def sections(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section with its name in TOML; those of a table by name as NAME."""
    for name, field in model.model_fields.items():
        inner = nested(field.annotation)
        if inner is not None:
            where = f"{at}{name}"
            if typing.get_origin(field.annotation) is dict:
                where += ".NAME"
            yield where, inner
            yield from sections(inner, f"{where}.")


def shown(field: FieldInfo) -> str:
    """How the page writes a default."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Section):
        return "see below"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None:
        return "none"
    if isinstance(value, tuple | dict):
        assert not value
        return "`[]`" if isinstance(value, tuple) else "`{}`"
    return f"`{value}`" if isinstance(value, int | float) else f'`"{value}"`'


@pytest.mark.parametrize(("name", "model"), [pytest.param(*found, id=found[0]) for found in sections(Settings)])
def test_every_setting_is_documented_with_its_default(name: str, model: type[BaseModel]) -> None:
    told = {row[0].strip("`"): row[1] for row in rows(section(OPERATORS, f"### `[{name}]`").partition("\n#")[0])}
    assert told == {key: shown(field) for key, field in model.model_fields.items()}


def test_no_section_is_documented_that_does_not_exist() -> None:
    assert re.findall(r"^### `\[(.+)\]`$", OPERATORS, re.MULTILINE) == [name for name, _ in sections(Settings)]


def test_the_endpoints_are_those_that_operations_use() -> None:
    used = {operation.endpoint or database.name for database in DATABASES for operation in database.operations}
    (line,) = re.findall(r"^Names: (.*)\.$", OPERATORS, re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", line)) == used


database = pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)


def told_of(database: Database) -> str:
    return section(SOURCES, f"## {DATABASES.index(database) + 1}. `{database.name}`")


@database
def test_every_operation_of_a_database_is_described(database: Database) -> None:
    text = told_of(database)
    tables = text.split("| operation | asks |")[1].partition("\n\n")[0]
    assert [row[0].strip("`") for row in rows("| operation | asks |" + tables)] == [
        operation.name for operation in database.operations
    ]
    assert database.title.vi in text
    for part in re.split(r"[()]", database.owner.vi):
        assert part.strip() in text
    assert all(operation.signed for operation in database.operations) == ("Signed: yes" in text)


@database
def test_every_result_code_of_a_database_becomes_what_the_page_says(database: Database) -> None:
    header = "| code | means | becomes |"
    table = told_of(database).split(header)[1].partition("\n\n")[0]
    told = {
        code: re.findall(r"`([a-z-]+)`", row[2])[-1]
        for row in rows(header + table)
        for code in re.findall(r"`([A-Za-z0-9_]+)`", row[0])
    }
    real = {code: error.code for operation in database.operations for code, error in operation.faults.items()}
    assert told == real


@database
def test_the_parameters_of_a_source_are_named(database: Database) -> None:
    source = text_of(f"adapters/{database.name.replace('-', '_')}.py")
    for name in re.findall(r'Param\("([A-Za-z]+)"', source):
        assert f"`{name}`" in told_of(database)
