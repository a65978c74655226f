"""The contracts as promised to callers; `python -m tests.test_soap_contract.golden` (`make wsdl`) rewrites them.

A change of a contract is a change for everybody who generated a client from it: it has to be meant.
"""

from functools import cache
from pathlib import Path

from adapters import DATABASES
from routes.soap.dossiers_contract import dossiers_wsdl
from routes.soap.me import me_wsdl
from routes.soap.wsdl import database_wsdl

FOLDER = Path(__file__).parent / "golden"
PUBLIC = "https://lgsp.example.vn"
COMMAND = "python -m tests.test_soap_contract.golden"


@cache
def contracts() -> dict[str, bytes]:
    """The contract of every database, and of the gateway's own services, by the name of its file."""
    return {f"{database.name}.wsdl": database_wsdl(database, PUBLIC) for database in DATABASES} | {
        "dossiers.wsdl": dossiers_wsdl(PUBLIC),
        "me.wsdl": me_wsdl(PUBLIC),
    }


def rewrite() -> None:
    """Take the present contracts for the promised ones."""
    FOLDER.mkdir(exist_ok=True)
    wanted = contracts()
    for file in FOLDER.glob("*.wsdl"):
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_bytes(text)


if __name__ == "__main__":
    rewrite()
