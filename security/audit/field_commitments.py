"""Commitments to the fields of an answer one by one: one is proven without the others (chứng minh từng trường).

Every value of the answer that is neither an object nor a list with something in it is a leaf, in the order of the JSON
pointers (RFC 6901): SHA-256(salt ‖ canonical([pointer, value])). The entry commits to the list of the leaves, SHA-256
over all of them. One seed of 32 bytes gives the salts: SHAKE-256(seed ‖ "lgsp-fields/1"), 32 bytes for each leaf.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256, shake_256
from struct import unpack
from typing import Any, Final

_LABEL: Final = b"lgsp-fields/1"
_SIZE: Final = 32

Field = tuple[str, Any]


class NoField(LookupError):
    """The answer has no such field."""


def fields_of(data: bytes) -> list[Field]:
    """Every leaf of an answer, pointer and value, in the order in which it is committed to."""
    found: list[Field] = []
    _walk(json.loads(data), "", found)
    # No pointer is there twice, so that values are never compared.
    return sorted(found)


def committed(seed: bytes, data: bytes) -> bytes:
    """What the entry commits to: the hash of all leaves of an answer."""
    return sha256(b"".join(_leaves(_salts(seed, fields := fields_of(data)), fields))).digest()


def opening(seed: bytes, data: bytes, pointer: str) -> dict[str, Any]:
    """Open one field: with its salt, its place, and the hashes of all leaves, which tell nothing. Raises NoField."""
    fields = fields_of(data)
    place = next((at for at, field in enumerate(fields) if field[0] == pointer), None)
    if place is None:
        raise NoField(f"{pointer}: the answer has no such value; it has {', '.join(name for name, _ in fields)}")
    salts = _salts(seed, fields)
    return {
        "pointer": pointer,
        "value": fields[place][1],
        "salt": b64encode(salts[place]).decode(),
        "place": place,
        "leaves": [b64encode(leaf).decode() for leaf in _leaves(salts, fields)],
    }


def _walk(value: Any, pointer: str, found: list[Field]) -> None:
    if value and type(value) is dict:
        for name, below in value.items():
            if "~" in name or "/" in name:
                name = name.replace("~", "~0").replace("/", "~1")
            if type(below) is str:
                found.append((f"{pointer}/{name}", below))
            else:
                _walk(below, f"{pointer}/{name}", found)
    elif value and type(value) is list:
        for place, below in enumerate(value):
            _walk(below, f"{pointer}/{place}", found)
    else:
        found.append((pointer, value))


def _salts(seed: bytes, fields: list[Field]) -> tuple[bytes, ...]:
    return unpack(f"{_SIZE}s" * len(fields), shake_256(seed + _LABEL).digest(_SIZE * len(fields)))


# The encoder of `canonical` with NUL between items, which nothing encoded contains: all leaves are encoded at once.
_ENCODE = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, json.JSONEncoder().default, json.encoder.encode_basestring, None, ":", "\0", True, False, False
)


def _leaves(salts: tuple[bytes, ...], fields: list[Field]) -> list[bytes]:
    texts = "".join(_ENCODE(fields, 0))[1:-1].encode().split(b"\0")
    return [sha256(b"%b%b,%b" % parts).digest() for parts in zip(salts, texts[::2], texts[1::2], strict=True)]
