"""The databases that the gateway speaks to, and everything between an exchange and a source.

A further database is declared in a module of its own (`adapters/NAME.py`, with its questions and answers in
`schemas/NAME.py`) and gets one entry here; routes, OpenAPI, grants and evidence follow from the declaration.
"""

from collections.abc import Iterable
from typing import Final

from adapters import civil_status, enterprise, land, population, portal, social_insurance, tax
from schemas.exchange import Database

DATABASES: Final[tuple[Database, ...]] = (
    population.DATABASE,
    enterprise.DATABASE,
    social_insurance.DATABASE,
    land.DATABASE,
    tax.DATABASE,
    civil_status.DATABASE,
)


def destinations(endpoints: Iterable[str]) -> tuple[Database, ...]:
    """Return where the gateway itself sends what it was given to deliver: callers have no way there.

    That is the national portal, and once more for each of these endpoints whose name begins with `portal-`: another
    generation of its interface, or another account there. Any of them may be left out.
    """
    further = sorted(name for name in endpoints if name.startswith(f"{portal.PORTAL.name}-"))
    return portal.PORTAL, *(portal.at_endpoint(name) for name in further)
