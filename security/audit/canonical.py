"""Canonical JSON (RFC 8785) of the values that the gateway makes: no floats, integers that every reader keeps exact."""

import json
from collections.abc import Mapping, Sequence

JSON = None | bool | int | str | Sequence["JSON"] | Mapping[str, "JSON"]

# RFC 7493 (I-JSON): beyond this, readers that hold numbers as doubles lose digits.
LARGEST = 2**53 - 1


def canonical(value: JSON) -> bytes:
    """Return the one encoding of `value`; raises ValueError for floats, lone surrogates and huge integers."""
    _check(value)
    # UnicodeEncodeError, which lone surrogates raise here, is a ValueError.
    return _ENCODER.encode(value).encode()


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


def _check(value: object) -> None:
    kind = type(value)
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            # Python sorts by code point, RFC 8785 by UTF-16 unit: the same for all but exotic names.
            if type(key) is not str or not key.isascii():
                raise ValueError("canonical JSON: a name that is not ASCII text")
            # Most values are text: not worth a call.
            if type(item) is not str:
                _check(item)
    elif kind is list or kind is tuple:
        for item in value:  # type: ignore[attr-defined]
            if type(item) is not str:
                _check(item)
    elif kind is int:
        if not -LARGEST <= value <= LARGEST:  # type: ignore[operator]
            raise ValueError("canonical JSON: an integer beyond 2^53-1")
    elif not (value is None or kind is bool or kind is str):
        raise ValueError(f"canonical JSON: {kind.__name__} has no canonical form")
