"""Time-stamps as authorities send them, for a library that reads DER alone (dấu thời gian, RFC 3161).

A time-stamp is a signed message, and of that BER is allowed (CMS, RFC 5652 section 5.1): authorities, OpenSSL's among
them, send the certificates of their chain in the order of the chain, where DER wants the elements of a set sorted
(X.690 section 11.6). Neither certificates nor revocation lists are under the signature: it holds in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_SEQUENCE: Final = 0x30
_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")
# Explicit in the message, implicit in the signed data: the certificates and, behind them, the revocation lists.
_CONTENT: Final = 0xA0
_SETS: Final = (0xA0, 0xA1)
# Longer ones would be of 4 GiB and more.
_LENGTH_OCTETS: Final = 4
# `ParseError { kind: InvalidLength, location: ["SignedData::certificates", 2] }`, the innermost place last.
_KIND: Final = re.compile(r"kind: (\w+)")
_PLACE: Final = re.compile(r'"(\w+::\w+)"')
_OUTSIDE: Final[tuple[list[str], ...]] = ([], ["RawTimeStampResp::status"])


class _Element(NamedTuple):
    tag: int
    start: int
    content: int
    end: int


def in_order(response: bytes) -> bytes:
    """Return a response (RFC 3161) with certificates and revocation lists in the order of DER, all else as it is.

    What is not understood is returned as it came: another structure, a length that is indefinite or not the shortest.
    """
    try:
        sets = _sets(response)
        ordered = [b"".join(_sorted(response, each)) for each in sets]
    except ValueError:
        return response
    for each, content in zip(sets, ordered, strict=True):
        # A permutation: no length changes.
        response = response[: each.content] + content + response[each.end :]
    return response


def unread(said: str) -> str:
    """Return in words why a response was not read, from what the library (rfc3161-client) said of it."""
    kind, places = _KIND.search(said), _PLACE.findall(said)
    if kind is None or (places in _OUTSIDE and kind[1] != "InvalidLength"):
        return "it is no time-stamp response"
    return f"its time-stamp cannot be read as DER: {kind[1]} in {places[-1] if places else 'TimeStampResp'}"


def _sets(response: bytes) -> list[_Element]:
    """Find the sets in a response: TimeStampResp, ContentInfo, SignedData. Raises ValueError."""
    (whole,) = _elements(response, 0, len(response))
    _, token = _inside(response, whole, _SEQUENCE)
    kind, content = _inside(response, token, _SEQUENCE)
    if response[kind.start : kind.end] != _SIGNED_DATA:
        raise ValueError("no signed data")
    (signed,) = _inside(response, content, _CONTENT)
    return [each for each in _inside(response, signed, _SEQUENCE) if each.tag in _SETS]


def _sorted(response: bytes, element: _Element) -> list[bytes]:
    return sorted(response[each.start : each.end] for each in _elements(response, element.content, element.end))


def _inside(octets: bytes, element: _Element, tag: int) -> list[_Element]:
    if element.tag != tag:
        raise ValueError("another element")
    return list(_elements(octets, element.content, element.end))


def _elements(octets: bytes, at: int, end: int) -> Iterator[_Element]:
    """Take apart what stands from `at` to `end`; raises ValueError for what is no row of whole elements in DER."""
    while at < end:
        # Tags of several octets stand nowhere in these structures.
        if octets[at] & 0x1F == 0x1F or at + 2 > end:
            raise ValueError("no element")
        length, content = octets[at + 1], at + 2
        if length > 0x7F:
            size = length - 0x80
            length = int.from_bytes(octets[content : content + size])
            content += size
            # One octet less would have been enough.
            if not 0 < size <= _LENGTH_OCTETS or length < 0x80 or length >> 8 * (size - 1) == 0:
                raise ValueError("a length that is not DER")
        if length > end - content:
            raise ValueError("an element that is cut off")
        yield _Element(octets[at], at, content, content + length)
        at = content + length
