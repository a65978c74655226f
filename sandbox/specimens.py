"""Certificates of every kind, each bad for one reason or good: for tests, for trying out, for `lgsp pki inspect`.

Two trust domains look like those of Vietnam: public authorities under a national root (CA công cộng, under the NEAC
root), and the Government's special-purpose authority (CA chuyên dùng Chính phủ, of Ban Cơ yếu Chính phủ). Each specimen
but one carries the same subject, so that only its own flaw tells it from the good ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki_store import BEFORE, RSA_BITS, Look, Pair, PkiStore, load_one, marked, wanted
from security.authority import Authority, write_private
from security.files import write_whole
from security.issuing import PROFILES, KeyKind, Profile, generated, signed
from security.signature_key import SigningKey

Domain = Literal["public", "government"]
_Issuer = Literal["public", "government", "root", "second", "look-alike", "leaf"]

POLICIES: Final[Mapping[Domain, str]] = {
    # Nobody registers an arc below 2.25: it belongs to whoever drew the UUID (ITU-T X.667).
    "public": "2.25.240938401926348813105836142389024817165",
    "government": "2.25.117301892450736128849201547630918264533",
}
_TITLES: Final[Mapping[Domain, tuple[str, str]]] = {
    "public": ("National Root CA", "Public CA"),
    "government": ("Government Root CA", "Government CA"),
}
_YEAR: Final = timedelta(days=365)
_FOR_SECRETS: Final = Profile(frozenset({"key_encipherment"}))
_BOTH: Final = Profile(frozenset({"digital_signature", "key_cert_sign", "crl_sign"}), path_length=0, authority=True)


@dataclass(frozen=True, slots=True)
class Specimen:
    """One kind: `reason` is why it is refused where the public domain is trusted (contract, section 2), None if not.

    `begins` is in how many years from now it begins, to last for one (None: it holds now).
    """

    name: str
    text: str
    reason: Literal["untrusted", "expired", "revoked"] | None = "untrusted"
    issuer: _Issuer = "public"
    key: KeyKind = "ec"
    rsa_bits: int = RSA_BITS
    profile: Profile = PROFILES["signing"]
    begins: int | None = None
    title: str = "Signer"


SPECIMENS: Final = (
    Specimen("good-p256", "ECDSA on P-256, public domain", None),
    Specimen("good-p384", "ECDSA on P-384, public domain", None, key="ec-384"),
    Specimen("good-rsa", "RSA of 2048 bits, public domain", None, key="rsa"),
    Specimen("expired", "ended a year ago", "expired", begins=-2),
    Specimen("not-yet-valid", "begins in a year", "expired", begins=1),
    Specimen("revoked", "on its issuer's list since yesterday", "revoked"),
    Specimen("wrong-usage", "made for encryption: keyUsage without digitalSignature", profile=_FOR_SECRETS),
    Specimen("rsa-1024", "RSA of 1024 bits", key="rsa", rsa_bits=1024),
    Specimen("authority-as-signer", "an authority's own certificate", issuer="root", profile=_BOTH),
    Specimen(
        "look-alike-authority", "its issuer has the names of the public domain, not its keys", issuer="look-alike"
    ),
    Specimen("issued-by-leaf", "its issuer is good-p256, which is no authority", issuer="leaf"),
    Specimen("another-member", "good, but of somebody else", title="Another member"),
    Specimen("missing-intermediate", "its issuer, public-ca-2.pem, is not in trust-public.pem", issuer="second"),
    Specimen("other-domain", "good in the Government's domain", issuer="government"),
)


class Specimens:
    """The specimens of a store, each made when first asked for."""

    def __init__(self, store: PkiStore) -> None:
        self._store = store

    def pair(self, specimen: Specimen) -> Pair:
        """Return a specimen's files."""
        name = f"specimen-{specimen.name}"
        look = _look(specimen)
        if specimen.issuer == "leaf":
            return self._by_leaf(name, specimen, look)
        issuer = self._issuer(specimen.issuer)
        pair = self._store.pair(name, specimen.title, issuer, look, specimen.key, specimen.rsa_bits)
        if specimen.reason == "revoked":
            serial = load_one(pair.certificate).serial_number
            if serial not in issuer.index.revoked:
                issuer.revoke(serial, datetime.now(UTC) - BEFORE, "keyCompromise")
        return pair

    def trust(self, domain: Domain) -> Path:
        """Return a PEM file with root and issuing authority of a domain."""
        path = self._store.path(f"trust-{domain}.pem")
        held = (self._root(domain), self._issuer(domain))
        content = b"".join(authority.certificate.public_bytes(Encoding.PEM) for authority in held)
        if not path.exists() or path.read_bytes() != content:
            write_whole(path, content, 0o644)
        return path

    def _root(self, domain: Domain) -> Authority:
        return self._store.authority(f"{domain}-root", _TITLES[domain][0], path_length=1)

    def _issuer(self, which: _Issuer) -> Authority:
        domain: Domain = "government" if which == "government" else "public"
        root, name, title = self._root(domain), f"{domain}-ca", _TITLES[domain][1]
        if which == "root":
            return root
        if which == "second":
            name, title = "public-ca-2", "Public CA 2"
        elif which == "look-alike":
            root = self._store.authority("look-alike-root", _TITLES[domain][0], path_length=1)
            name = "look-alike-ca"
        return self._store.authority(name, title, issuer=root, policies=(POLICIES[domain],))

    def _by_leaf(self, name: str, specimen: Specimen, look: Look) -> Pair:
        """Make one in the name of a good specimen, which no index knows of."""
        pair = Pair(self._store.path(f"{name}.pem"), self._store.path(f"{name}.key"))
        issuer = self.pair(SPECIMENS[0])
        leaf = SigningKey.load(issuer.key, issuer.certificate)
        if not pair.certificate.exists():
            key = generated(specimen.key)
            write_private(pair.key, key)
            made = signed(
                wanted(marked(specimen.title), key.public_key(), look), leaf.certificate.subject, leaf.private
            )
            write_whole(pair.certificate, made.public_bytes(Encoding.PEM), 0o644)
        return pair


def _look(specimen: Specimen) -> Look:
    policies = (POLICIES["government" if specimen.issuer == "government" else "public"],)
    if specimen.begins is None:
        return Look(profile=specimen.profile, policies=policies)
    begin = datetime.now(UTC) + specimen.begins * _YEAR
    return Look(profile=specimen.profile, policies=policies, begin=begin, end=begin + _YEAR)
