"""What an attack is: a genuine message in, a forged one out, and the reasons for which that may be refused."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from cryptography import x509
from lxml import etree

from security.signature import Reason
from security.signature_key import SigningKey
from security.signature_structure import DS, WSU_ID

MARK = b"FORGED7D1F"
"""What forged messages say: found anywhere behind a verifier, it has been believed."""


@dataclass(frozen=True)
class Source:
    """Who is impersonated.

    Its own `key` puts forms that the profile does not know under a genuine signature, so that only the form is wrong;
    with the key of its `authority` certificates are made that differ from the right one in one thing. `victim`: the
    element whose text is forged.
    """

    key: SigningKey
    authority: x509.Certificate
    authority_key: Any
    now: datetime
    victim: bytes
    revoked: SigningKey | None = None


class Genuine(Protocol):
    """A genuine signed message: what the families that fit any signature need of it."""

    octets: bytes
    source: Source

    def saying(self, text: bytes) -> bytes:
        """The message with another text in the victim's place, its signature left as it is."""

    def by(self, key: SigningKey) -> bytes:
        """A forged message, whole and signed in the usual form, but by this key."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to forge. `kinds`: to which messages it can be done; `after`: the genuine one was accepted before.

    `needs`: what a verifier has to know to see through it, where that is more than trust and the time.
    """

    family: str
    name: str
    reasons: frozenset[Reason]
    forge: Callable[[Any], bytes | None] = field(repr=False)
    kinds: frozenset[str] = frozenset({"soap"})
    after: bool = False
    needs: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.family}: {self.name}".replace(" ", "-")


class Family:
    """Attacks of one kind, in the order in which they were added."""

    def __init__(self, name: str, *reasons: Reason, kinds: str = "soap") -> None:
        self.name = name
        self.attacks: list[Attack] = []
        self._reasons = frozenset(reasons)
        self._kinds = frozenset(kinds.split())

    def add(
        self,
        name: str,
        forge: Callable[[Any], bytes | None],
        *reasons: Reason,
        after: bool = False,
        needs: str = "",
    ) -> None:
        """Add an attack; `forge` returns None where the message has nothing that could be attacked so."""
        why = frozenset(reasons) or self._reasons
        self.attacks.append(Attack(self.name, name, why, forge, self._kinds, after, frozenset(needs.split())))

    def attack(
        self, *reasons: Reason, after: bool = False, needs: str = ""
    ) -> Callable[[Callable[[Any], bytes | None]], Callable[[Any], bytes | None]]:
        """Add the decorated function under its own name."""

        def added(forge: Callable[[Any], bytes | None]) -> Callable[[Any], bytes | None]:
            self.add(forge.__name__.replace("_", " "), forge, *reasons, after=after, needs=needs)
            return forge

        return added

    def changes(self, table: Mapping[str, tuple[bytes, bytes]], *reasons: Reason, signed: bool = True) -> None:
        """Add attacks that put one text in another's place; `signed`: under a genuine signature."""
        for name, (old, new) in table.items():
            self.add(name, _changing(old, new, signed=signed), *reasons)


def _changing(old: bytes, new: bytes, *, signed: bool) -> Callable[[Genuine], bytes | None]:
    def forge(message: Genuine) -> bytes | None:
        if old not in message.octets:
            return None
        forged = message.octets.replace(old, new)
        return signed_anew(forged, message.source.key) if signed else forged

    return forge


def change(document: bytes, old: bytes, new: bytes, count: int = -1) -> bytes:
    """The document with one text in another's place, which must be there."""
    assert old in document, f"{old!r} is not there"
    return document.replace(old, new, count)


_KEEPING = etree.XMLParser(strip_cdata=False, resolve_entities=False, huge_tree=True)
_HASHES = ("sha1", "md5", "sha224", "sha384", "sha512")


def signed_anew(
    document: bytes,
    key: SigningKey,
    sign: Callable[[bytes], bytes] | None = None,
    *,
    digests: bool = True,
) -> bytes:
    """A message of any form under right digests and a right signature value: what is refused then is its form."""
    root = etree.fromstring(document, _KEEPING)
    info = next(root.iter(f"{{{DS}}}SignedInfo"))
    signature = info.getparent()
    by_id = {element.get(WSU_ID): element for element in root.iter(etree.Element) if element.get(WSU_ID)}
    for reference in info.iter(f"{{{DS}}}Reference") if digests else ():
        uri = reference.get("URI") or ""
        target = by_id.get(uri[1:])
        method = next((each.get("Algorithm", "") for each in reference.iter(f"{{{DS}}}DigestMethod")), "")
        digest = hashlib.new(next((name for name in _HASHES if method.endswith(name)), "sha256"))
        if target is not None:
            digest.update(octets_of(target))
        elif not uri:
            digest.update(_without(root, signature))
        for value in reference.iter(f"{{{DS}}}DigestValue"):
            value.text = base64.b64encode(digest.digest()).decode()
    value = (sign or key.sign)(octets_of(info))
    found = signature.find(f"{{{DS}}}SignatureValue")
    found.text = base64.b64encode(value).decode()
    return etree.tostring(root, encoding="utf-8")


def octets_of(element: etree._Element) -> bytes:
    """Exclusive C14N without comments."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)


def _without(root: etree._Element, signature: etree._Element) -> bytes:
    """What an enveloped signature covers: the root without the Signature."""
    place = signature.getparent().index(signature)
    parent = signature.getparent()
    parent.remove(signature)
    octets = octets_of(root)
    parent.insert(place, signature)
    return octets
