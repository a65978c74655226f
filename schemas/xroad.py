"""Identifiers of X-Road's members and subsystems, as whoever asks through X-Road is named (định danh X-Road).

PR-MESS 4.0 sections 2.1 and 2.7, PR-REST section 4.3. The protocol allows letters A-Z, digits and a few signs in a
code; members in the field have others too, so that all is taken that leaves the parts apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

XROAD: Final = "http://x-road.eu/xsd/xroad.xsd"
IDENTIFIERS: Final = "http://x-road.eu/xsd/identifiers"
REPRESENTATION: Final = "http://x-road.eu/xsd/representation.xsd"
"""Namespaces of header blocks, of identifiers in them, and of represented parties (PR-MESS 4.0, section 2.2)."""
VERSION: Final = "4.0"
"""The version of the message protocol, as headers say it."""

LONGEST: Final = 90
"""Characters of a whole identifier: what a credential's id has room for."""

_NUMBERED: Final = re.compile(r"[A-Za-z]{2}(?:[0-9]{9}|[0-9]{12})", re.ASCII)


def client_identifier(parts: Sequence[str]) -> str:
    """Return `INSTANCE/CLASS/MEMBER[/SUBSYSTEM]` from its parts; raises ValueError for what names nobody."""
    if not 3 <= len(parts) <= 4:
        raise ValueError("an X-Road client is INSTANCE/CLASS/MEMBER or INSTANCE/CLASS/MEMBER/SUBSYSTEM")
    for part in parts:
        if not part or not part.isprintable() or part != part.strip() or "/" in part:
            raise ValueError(
                "a part of an X-Road identifier is empty, or has blanks around it, a slash or a control in it"
            )
    found = "/".join(parts)
    if len(found) > LONGEST:
        raise ValueError(f"an X-Road identifier has at most {LONGEST} characters here")
    return found


def officer_of(user_id: str) -> str:
    """Return the officer whom a userId names: the protocol puts a country before the account or identity number.

    The account is left as it came, since not everybody does; an identity number must be seen to be one.
    """
    return user_id[2:] if _NUMBERED.fullmatch(user_id) else user_id
