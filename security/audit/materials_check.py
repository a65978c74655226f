"""Verifying kept certificates and revocation evidence: each stands under the SHA-256 of its content.

That a piece is there at all is not verified: entries name certificates that were never kept, too.
"""

from typing import Any, Final

from sqlalchemy import Connection, select

from security.audit.findings import Findings
from security.audit.materials import MATERIALS, is_intact
from security.audit.reading_rows import rows_of

# Rows of one page; a piece is of 4 MiB at most, nearly all are a thousand times smaller.
_PAGE: Final = 16


def materials_kept(connection: Connection, findings: Findings) -> None:
    """Add each piece that is not what it was kept as; it may bear on any entry."""
    last: Any = ""
    query = select(MATERIALS.c.sha256, MATERIALS.c.content).order_by(MATERIALS.c.sha256).limit(_PAGE)
    while rows := rows_of(connection, query.where(MATERIALS.c.sha256 > last)):
        for digest, content in rows:
            if not is_intact(digest, content):
                what = f"the certificate or revocation evidence sha256:{digest} was changed"
                findings.add(0, max(findings.entries - 1, 0), what)
        last = rows[-1][0]
