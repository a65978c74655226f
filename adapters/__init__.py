"""The databases that the gateway speaks to, and everything between an exchange and a source.

A further database is declared in a module of its own (`adapters/NAME.py`, with its questions and answers in
`schemas/NAME.py`) and gets one entry here; routes, OpenAPI, grants and evidence follow from the declaration.
"""

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

DESTINATIONS: Final[tuple[Database, ...]] = (portal.PORTAL,)
"""Where the gateway itself sends what it was given to deliver: callers have no way there, and it may be left out."""
