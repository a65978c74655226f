"""Every attack of every family, and how many there are."""

from collections import Counter

from security.signature import SoapVersion
from tests.test_attacks import algorithms, documents, enveloped, keys, parts, references, sizes, times, wrapping
from tests.test_attacks.attack import Attack, Family

_FAMILIES: tuple[Family, ...] = (
    wrapping.FAMILY,
    enveloped.WRAPPING,
    parts.IDS,
    enveloped.IDS,
    parts.SEVERAL,
    enveloped.SEVERAL,
    documents.TEXT,
    algorithms.CANONICAL,
    algorithms.ALGORITHMS,
    references.EXTERNAL,
    references.TRANSFORMS,
    enveloped.TRANSFORMS,
    keys.CONFUSION,
    enveloped.CONFUSION,
    keys.CERTIFICATES,
    documents.DTD,
    documents.XINCLUDE,
    documents.ENCODINGS,
    documents.TRAILING,
    sizes.DEPTH,
    sizes.SIZES,
    sizes.COUNTS,
    sizes.DOCUMENTS,
    times.TIMES,
    enveloped.TIMES,
    times.REPLAYS,
    times.SOAP_REPLAYS,
    times.ANSWERS,
    enveloped.ANSWERS,
)

ATTACKS: tuple[Attack, ...] = tuple(attack for family in _FAMILIES for attack in family.attacks)
FAMILIES: Counter[str] = Counter(attack.family for attack in ATTACKS)


SOAP: tuple[tuple[SoapVersion, str], ...] = (("1.1", "rsa"), ("1.2", "p256"), ("1.1", "p256"), ("1.2", "rsa"))
"""Version and kind of key of the envelopes that are attacked."""
DOCUMENTS = ("p256", "rsa")
# What these cost does not depend on who signed: the first half of the messages is enough.
_DEAR = ("sizes and counts", "depth")


def envelopes(attack: Attack) -> tuple[tuple[SoapVersion, str], ...]:
    """The envelopes that an attack is tried on."""
    return SOAP[:2] if attack.family in _DEAR else SOAP


def documents(attack: Attack) -> tuple[str, ...]:
    """The keys of the signed documents that an attack is tried on."""
    return DOCUMENTS[:1] if attack.family in _DEAR else DOCUMENTS


def attacks(kind: str) -> list[Attack]:
    """Those on one kind of message: `soap` or `enveloped`."""
    return [attack for attack in ATTACKS if kind in attack.kinds]
