"""What binds other tables to the log: an entry names the slot of its key, the hash of its sealed row and tags, and, the
first of each commit, the checkpoint before it and the hash of that.

Without it a changed byte of the side table would show only to those who have the vault, and not at all once a key was
destroyed; an older checkpoint could be taken away unseen, and with it what places a change, or one of its signatures.
The hashes say nothing about a person: what is hashed is ciphertext, keyed tags and signed notes.
"""

import json
from binascii import b2a_base64
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from security.audit.canonical import canonical
from security.audit.entries import FORMAT
from security.audit.sealing import Sealed

MEMBER = "sealed"
# "A checkpoint over so many entries was signed before this one, and this is its hash": `size` is the number of the
# entry itself. Its name comes before those of all other members: it is written, and taken back, at the beginning.
AFTER = "after"
_BEGIN = b'{"at":'
_END = b',"v":%d}' % FORMAT
_SUBJECTS = b',"subjects":['


def digest(sealed: bytes, tags: Iterable[bytes]) -> str:
    """SHA-256(number of tags, 2 bytes ‖ the tags in order ‖ sealed row) in base64."""
    ordered = sorted(tags)
    whole = b"".join((len(ordered).to_bytes(2, "big"), *ordered, sealed))
    return b2a_base64(sha256(whole).digest(), newline=False).decode()


def bound(body: bytes, sealed: Sealed, *, subjects: bool) -> bytes:
    """Return the canonical entry with what binds its side table row; `subjects`: whether it names any."""
    shown = digest(sealed.sealed, sealed.tags)
    member = f',"{MEMBER}":{{"hash":"{shown}","slot":{sealed.slot}}}'.encode()
    place = body.rfind(_SUBJECTS) if subjects else len(body) - len(_END)
    if place < 0 or not body.endswith(_END):
        return canonical({**json.loads(body), MEMBER: {"hash": shown, "slot": sealed.slot}})
    return body[:place] + member + body[place:]


def noted(note: object) -> str:
    """SHA-256 of a checkpoint with all its signature lines, in base64; what is no text has one of its own."""
    text = note if type(note) is str else repr((type(note), note))
    return b2a_base64(sha256(text.encode("utf-8", "surrogatepass")).digest(), newline=False).decode()


def following(body: bytes, size: int, note: str) -> bytes:
    """Return the canonical entry with the statement that `note`, over `size` entries, was signed before it."""
    if not body.startswith(_BEGIN):
        return canonical({**json.loads(body), AFTER: {"note": noted(note), "size": size}})
    return b'{"%b":{"note":"%b","size":%d},%b' % (AFTER.encode(), noted(note).encode(), size, body[1:])


def unbound(body: bytes, *, sealed: bool) -> bytes:
    """Return the canonical entry as it was before `following`, and before `bound` where it was `sealed`."""
    entry: dict[str, Any] = json.loads(body)
    entry.pop(AFTER, None)
    if sealed:
        entry.pop(MEMBER, None)
    return canonical(entry)
