"""What verification takes from an entry: the parts that its row repeats, and what binds its side table row.

Entries as the gateway writes them are read by one pattern over the whole of them, with their members in the order of
RFC 8785: in what is JSON it finds what a parser would, in a third of the time. Whatever does not fit it is parsed.
Whether all of it is JSON it does not ask: only who has the key of the log could put anything else there.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from security.audit.batch import REPEATED, columns
from security.audit.binding import AFTER, MEMBER
from security.audit.reading_rows import as_json

# In an entry without a backslash each quotation mark begins or ends a string. A bracket inside a string ends one of
# these too early, and then what follows is no member of an entry. Negations of one character are what `re` is fast at.
_TEXT = r'"([^"]*+)"'
_ANY = r'"[^"]*+"'
_FLAT = r"\{([^}]*+)\}"
_LIST = r"\[[^\]]*+\]"
_ENTRY = re.compile(
    rf'\{{(?:"{AFTER}":\{{"note":{_TEXT},"size":(\d++)\}},)?+"at":{_TEXT}'
    rf'(?:,"attempts":-?\d++)?+'
    rf'(?:,"caller":\{{"agency":{_ANY},"client":{_TEXT},"credential":{_ANY}\}})?+'
    rf'(?:,"commitments":{_FLAT})?+'
    rf'(?:,"database":{_TEXT})?+'
    rf'(?:,"details":{_FLAT})?+'
    rf'(?:,"dossier":{_TEXT})?+'
    rf'(?:,"duration_ms":-?\d++)?+'
    rf'(?:,"endpoint":{_ANY})?+'
    rf'(?:,"fields":{_LIST})?+'
    rf',"id":{_TEXT},"kind":{_TEXT}'
    rf'(?:,"officer":(?:{_ANY}|{_FLAT}))?+'
    rf'(?:,"operation":{_TEXT})?+'
    rf'(?:,"outcome":\{{"code":{_TEXT}(?:,"reason":{_ANY})?+,"status":-?\d++\}})?+'
    rf'(?:,"purpose":{_TEXT})?+'
    rf'(?:,"request_id":{_TEXT})?+'
    rf'(?:,"{MEMBER}":\{{"hash":{_TEXT},"slot":(\d++)\}})?+'
    rf'(?:(,"subjects"):{_LIST})?+'
    rf',"v":\d++\}}',
).fullmatch
# The groups in the order of `batch.REPEATED`, and what else is asked of an entry.
_REPEATED = (9, 3, 10, 4, 6, 12, 14, 8, 13, 15)
_REST = (1, 2, 5, 7, 11, 16, 17, 18)


# Where the kind stands in what a row repeats.
KIND = REPEATED.index("kind")


class After(NamedTuple):
    """What the first entry of a commit says of the checkpoint before it: of how many entries, and its hash."""

    size: int
    note: str


class Told(NamedTuple):
    """What one entry says: its repeated columns, whether anything opens it, the hash and the slot of that, which
    checkpoint was before it; and the entry itself.

    `hash` and `slot` are None in entries of an older release, `after` in all but the first of a commit.
    """

    repeated: tuple[str | None, ...]
    committed: bool
    hash: str | None
    slot: int | None
    after: After | None
    body: bytes


def told(body: bytes) -> Told:
    """Read an entry; raises ValueError for what is none."""
    found = _ENTRY(body.decode()) if b"\\" not in body else None
    # An object within one of these would end it too early.
    if found is None:
        return _parsed(as_json(body), body)
    note, size, commitments, details, officer, hashed, slot, subjects = found.group(*_REST)
    if (commitments and "{" in commitments) or (details and "{" in details):
        return _parsed(as_json(body), body)
    committed = commitments is not None or subjects is not None or officer is not None
    after, place = After(int(size), note) if note is not None else None, int(slot) if slot is not None else None
    # Without the call of a function of Python that the name of the class is.
    return tuple.__new__(Told, (found.group(*_REPEATED), committed, hashed, place, after, body))


def _has_commitments(entry: Mapping[str, Any]) -> bool:
    """Whether anything opens this entry."""
    return bool(entry.get("commitments") or entry.get("subjects") or isinstance(entry.get("officer"), Mapping))


def _parsed(entry: Any, body: bytes) -> Told:
    if not isinstance(entry, dict):
        raise ValueError("audit entry: not an object")
    bound, stated = entry.get(MEMBER, {}), entry.get(AFTER)
    if not isinstance(bound, dict):
        raise ValueError("audit entry: what binds other rows to it cannot be read")
    after = None
    if stated is not None:
        try:
            after = After(**stated)
        except TypeError as failure:
            raise ValueError("audit entry: the checkpoint before it cannot be read") from failure
        if type(after.size) is not int or type(after.note) is not str:
            raise ValueError("audit entry: the checkpoint before it cannot be read")
    return Told(columns(entry), _has_commitments(entry), bound.get("hash"), bound.get("slot"), after, body)
