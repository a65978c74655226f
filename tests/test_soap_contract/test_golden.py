"""What was promised to callers stays as it is until somebody means the change."""

import difflib

import pytest

from adapters import DATABASES
from tests.test_soap_contract.golden import COMMAND, FOLDER, contracts

NAMES = [*(f"{database.name}.wsdl" for database in DATABASES), "dossiers.wsdl", "me.wsdl"]


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_is_the_promised_one(name: str) -> None:
    promised = (FOLDER / name).read_bytes() if (FOLDER / name).exists() else b""
    present = contracts()[name]
    if promised != present:
        lines = difflib.unified_diff(
            promised.decode().splitlines(), present.decode().splitlines(), f"promised/{name}", name, lineterm="", n=1
        )
        shown = "\n".join(list(lines)[:60])
        pytest.fail(
            f"the contract {name} changed: clients generated from it may break.\n{shown}\n"
            f"If the change is meant, run `make wsdl` ({COMMAND}) and commit the files.",
            pytrace=False,
        )


def test_nothing_is_promised_that_is_not_there() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(NAMES)
