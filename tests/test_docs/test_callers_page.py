"""Whatever code a caller can meet stands in the page for callers."""

import pytest

from schemas.errors import GatewayError, leaves
from tests.test_docs.pages import rows, section, text_of

TABLE = rows(section(text_of("docs/callers.md"), "## 4. When it goes wrong"))


@pytest.mark.parametrize("error", [*leaves()], ids=lambda error: error.code)
def test_every_error_code_stands_there_with_its_status(error: type[GatewayError]) -> None:
    (row,) = [row for row in TABLE if f"`{error.code}`" in row[1]]
    assert str(error.status) in row[0].split(", ")
