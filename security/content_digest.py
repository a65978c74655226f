"""`Content-Digest` (RFC 9530): the digest of a message's body in a header, so that a signature over headers covers it.

SHA-256 and SHA-512 count. Digests by other algorithms may stand beside them and prove nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from hmac import compare_digest
from typing import Literal

from security.signature import Rejected
from security.structured_fields import Item, Unreadable, dictionary, written

DigestAlgorithm = Literal["sha-256", "sha-512"]

_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_LONGEST = 1024


def content_digest(body: bytes, algorithm: DigestAlgorithm = "sha-256") -> str:
    """The value of `Content-Digest` for a body."""
    return f"{algorithm}={written(Item(_HASHES[algorithm](body).digest(), {}))}"


def check_content_digest(lines: Sequence[str], body: bytes) -> None:
    """Compare `Content-Digest` (its lines) with the exact bytes of the body; every digest that we know must fit.

    Rejected: malformed (also where none is by SHA-256 or SHA-512), altered.
    """
    try:
        members = dictionary(lines, _LONGEST)
    except Unreadable as wrong:
        raise Rejected("malformed", f"Content-Digest {wrong}") from None
    known = [(name, member) for name, member in members.items() if name in _HASHES]
    if not known:
        raise Rejected("malformed", "Content-Digest has neither sha-256 nor sha-512")
    for name, member in known:
        if not isinstance(member, Item) or not isinstance(member.value, bytes) or member.parameters:
            raise Rejected("malformed", "Content-Digest holds something else than digests")
        if not compare_digest(_HASHES[name](body).digest(), member.value):
            raise Rejected("altered", "the body does not fit Content-Digest")
