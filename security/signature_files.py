"""Signed files judged one by one, as `lgsp signature verify` does: what each proves, or why it proves nothing.

Nothing is remembered from one file to the next: two equal files get the same verdict.
"""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from security.files import NotRegular, open_regular
from security.freshness import instant
from security.signature import Reason, Rejected, SignaturePolicy, SoapVersion, Verified
from security.soap_plain import CONFIRMATION, SOAP
from security.soap_signature import verify_soap
from security.trust import Trust
from security.xml_signature import verify_enveloped

Profile = Literal["soap", "enveloped"]

_POLICY = SignaturePolicy(inclusive_c14n=True)
_VERIFY: dict[Profile, Callable[..., Verified]] = {"soap": verify_soap, "enveloped": verify_enveloped}
_VERSIONS: dict[str, SoapVersion] = {f"{{{namespace}}}Envelope": version for version, namespace in SOAP.items()}


class FileUnusable(Exception):
    """A file that cannot be read or used; the message is what follows its name in a sentence."""


class Verdict(NamedTuple):
    """What was found in one file: `reason` of the published list and a `detail`, or both None and `verified`."""

    reason: Reason | None
    detail: str | None
    verified: Verified | None


class Coverage(NamedTuple):
    """What a signature covers: names of the parts (Clark names of header blocks), and the version where it is SOAP."""

    parts: tuple[str, ...]
    soap: SoapVersion | None


def judge(document: bytes, profile: Profile, trust: Trust, at: datetime) -> Verdict:
    """The verdict on one document at this instant (UTC), whatever its bytes."""
    try:
        return Verdict(None, None, _VERIFY[profile](document, _POLICY, trust, now=at))
    except Rejected as rejected:
        return Verdict(rejected.reason, rejected.detail, None)


def coverage(verified: Verified) -> Coverage:
    """What the signature of a verified document covers."""
    version = _VERSIONS.get(str(verified.element.getroottree().getroot().tag))
    if version is None:
        return Coverage(("document",), None)
    confirmations = (CONFIRMATION,) * len(verified.confirms)
    return Coverage(("Body", "Timestamp", *(str(block.tag) for block in verified.headers), *confirmations), version)


def moment(text: str) -> datetime:
    """An instant of RFC 3339 with its offset, in UTC; ValueError for anything else."""
    try:
        return instant(text.upper(), "the time")
    except Rejected:
        raise ValueError(f"{text!r} is not an instant with its offset, such as 2026-11-22T08:00:00+07:00") from None


def read_message(name: str) -> bytes:
    """The bytes of a file (of standard input for `-`): one more than a message may have at most; FileUnusable."""
    size = _POLICY.limits.size + 1
    if name != "-":
        return read_regular(name, size)
    if sys.stdin is None:
        raise FileUnusable("cannot be read: standard input is closed")
    return sys.stdin.buffer.read(size)


def read_regular(name: str | Path, size: int) -> bytes:
    """At most `size` bytes of a regular file; FileUnusable if it cannot be read.

    Nothing else is read: a pipe or a device could keep us waiting, or never end.
    """
    try:
        with open_regular(name) as file:
            return file.read(size)
    except NotRegular:
        raise FileUnusable(
            "is no regular file: what comes out of a pipe can be given to standard input, as -"
        ) from None
    except OSError as error:
        raise FileUnusable(f"cannot be read: {error.strerror}") from None
