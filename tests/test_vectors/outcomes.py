"""What comes of each vector, computed; `python -m tests.test_vectors.outcomes` writes it into the table.

That is for a new package or a refusal that is worded anew: the difference is read before it is committed. The tables of
docs/vectors.md are printed, to be put there.
"""

import csv
import re
import warnings
from collections import Counter

from cryptography.utils import CryptographyDeprecationWarning
from lxml import etree

from security.xml import CONTRACT, XmlRefused, canonical, parse
from tests.test_vectors.fetch import TABLE, Vector, vectors
from tests.test_vectors.keys import Keyring
from tests.test_vectors.layers import judged

_DOCUMENTS = ("c14n", "hostile")


def keyring() -> Keyring:
    """The keys among the vectors; one certificate of 2002 has the serial number 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return Keyring(vector.file for vector in vectors() if vector.kind == "key")


def outcome(vector: Vector, keys: Keyring) -> Vector:
    """The row as it comes out; for C14N `signed_info` names the file of the expected octets."""
    document = vector.file.read_bytes()
    if vector.kind == "signed":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            found = judged(document, keys)
        return vector._replace(verdict=found.verdict, signed_info=found.signed_info, digests=found.digests)
    if vector.kind in _DOCUMENTS:
        return vector._replace(verdict=_canonical(document, vector))
    return vector


def _canonical(document: bytes, vector: Vector) -> str:
    try:
        octets = canonical(parse(document, CONTRACT))
    except XmlRefused as refused:
        return refused.reason
    except etree.C14NError:
        return "no canonical form"
    if vector.kind == "hostile":
        return "parsed"
    expected = vector.file.with_name(vector.signed_info).read_bytes()
    return "same octets" if octets == expected else "other octets"


def summary() -> list[str]:
    """The tables of the page about the vectors, in Markdown, out of the table."""
    signed = [vector for vector in vectors() if vector.kind == "signed"]
    digests: Counter[str] = Counter()
    for vector in signed:
        digests.update({what: int(count) for count, what in re.findall(r"(\d+) (\w+)", vector.digests)})
    return [
        _table("verdict", Counter(vector.verdict for vector in signed)),
        _table("canonical SignedInfo", Counter(vector.signed_info for vector in signed)),
        _table("digests", digests),
        _table("documents", Counter(f"{one.kind}: {one.verdict}" for one in vectors() if one.kind in _DOCUMENTS)),
    ]


def _table(title: str, counts: Counter[str]) -> str:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join([f"| {title} | |", "|---|---|", *(f"| {what} | {count} |" for what, count in rows)])


def main() -> None:
    """Write the table anew and print those of the page."""
    keys = keyring()
    rows = [outcome(vector, keys) for vector in vectors()]
    with TABLE.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        writer.writerow(Vector._fields)
        writer.writerows(rows)
    print("\n\n".join(summary()))


if __name__ == "__main__":
    main()
