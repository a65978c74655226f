"""Canonical JSON (RFC 8785) of the values that the gateway makes: no floats, integers that every reader keeps exact."""

import json
from collections.abc import Mapping, Sequence

JSON = None | bool | int | str | Sequence["JSON"] | Mapping[str, "JSON"]

# RFC 7493 (I-JSON): beyond this, readers that hold numbers as doubles lose digits.
LARGEST = 2**53 - 1


def canonical(value: JSON) -> bytes:
    """Return the one encoding of `value`; raises ValueError for floats, lone surrogates and huge integers."""
    if type(value) is not str:
        _check(value)
    # UnicodeEncodeError, which lone surrogates raise here, is a ValueError.
    return "".join(_ENCODE(value, 0)).encode()


# What `JSONEncoder.encode` makes anew at every call, which takes twice as long as the encoding of a record: no markers
# against cycles, no indent, sorted names, none skipped, no NaN.
_ENCODE = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, json.JSONEncoder().default, json.encoder.encode_basestring, None, ":", ",", True, False, False
)

_PLAIN = frozenset((str, bool, type(None)))

# Names that were found good: data of a few shapes have the same ones again and again.
_NAMES: set[str] = set()
_MOST_NAMES = 4096


def _check(value: object) -> None:
    kind = type(value)
    if kind is dict:
        if not _NAMES.issuperset(value):  # type: ignore[arg-type]
            _check_names(value)  # type: ignore[arg-type]
        values = value.values()  # type: ignore[attr-defined]
        # Most records hold nothing but text: not worth a look at each value.
        if not _PLAIN.issuperset(map(type, values)):
            for item in values:
                if item is not None and type(item) is not str:
                    _check(item)
    elif kind is list or kind is tuple:
        for item in value:  # type: ignore[attr-defined]
            if type(item) is not str:
                _check(item)
    elif kind is int:
        if not -LARGEST <= value <= LARGEST:  # type: ignore[operator]
            raise ValueError("canonical JSON: an integer beyond 2^53-1")
    elif not (value is None or kind is bool):
        raise ValueError(f"canonical JSON: {kind.__name__} has no canonical form")


def _check_names(value: dict[object, object]) -> None:
    for name in value:
        # Python sorts by code point, RFC 8785 by UTF-16 unit: the same for all but exotic names.
        if type(name) is not str or not name.isascii():
            raise ValueError("canonical JSON: a name that is not ASCII text")
        if len(_NAMES) < _MOST_NAMES:
            _NAMES.add(name)
