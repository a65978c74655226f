"""Every table of a deployment, and the functions that create and check them: take those from here.

Rooms declare their own tables on the shared metadata; a room that gains one is named here.
"""

from adapters import breakers
from security import assertions, client_store
from security.audit import tables
from storage.schema import open_storage, upgrade
from sync import tables as dossiers

__all__ = ["assertions", "breakers", "client_store", "dossiers", "open_storage", "tables", "upgrade"]
