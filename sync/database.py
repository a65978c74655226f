"""Every table of a deployment, and the functions that create and check them: take those from here.

Rooms declare their own tables on the shared metadata; a room that gains one is named here.
"""

from adapters import breakers
from security import assertions, client_store
from security.audit import materials, runs, tables, witnessed
from storage.schema import open_storage, upgrade
from sync import callback_tables as callbacks
from sync import figures, running
from sync import inbox_tables as inbox
from sync import reconciliation_tables as reconciliations
from sync import tables as dossiers

__all__ = [
    "assertions",
    "breakers",
    "callbacks",
    "client_store",
    "dossiers",
    "figures",
    "inbox",
    "materials",
    "open_storage",
    "reconciliations",
    "running",
    "runs",
    "tables",
    "upgrade",
    "witnessed",
]
