"""What `lgsp pki inspect` says about certificates, keys, requests and revocation lists, and what is wrong with them.

Nothing here is secret: of a private key only its kind, its size and the fingerprint of its public half. Names pass the
mask of the logs, since certificates of persons carry the numbers of their identity cards (UID).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from security.keys import SANDBOX_MARK
from security.pki_facts import extension, hosts, key_kind, name_of, places, public_mark, text_of, usages
from security.pki_files import STANDARD_INPUT, Foreign, Locked, Thing
from security.signature import Rejected
from security.signature_algorithms import weakness
from security.trust_path import SHA2, Authorities, check_leaf, issued


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing out of a file."""

    path: Path
    thing: Thing


@dataclass(slots=True)
class Explained:
    """What a thing is (`facts`, in an order to be read in) and what is wrong with it, each with the next step."""

    file: str
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


class Inspection:
    """Explains pieces in the light of each other and of `trust`, the authorities that somebody trusts."""

    def __init__(self, pieces: Sequence[Piece], trust: Sequence[x509.Certificate], at: datetime) -> None:
        self._pieces = pieces
        self._trust = trust
        self._at = at
        self._certificates = [piece.thing for piece in pieces if isinstance(piece.thing, x509.Certificate)]
        self._lists = [piece.thing for piece in pieces if isinstance(piece.thing, x509.CertificateRevocationList)]

    def explain(self) -> list[Explained]:
        """Explain every piece."""
        found = [self._explained(piece) for piece in self._pieces]
        for place, next_place in pairwise(range(len(found))):
            if self._breaks_chain(self._pieces[place], self._pieces[next_place]):
                found[place].findings.append(
                    "the certificate after it in the file did not issue it: a TLS server sends its own first, then the"
                    " one that issued it, and so on"
                )
        return found

    def _breaks_chain(self, one: Piece, after: Piece) -> bool:
        """Tell whether an authority follows a certificate in one file that it did not issue.

        A list of roots is in no order: it begins with an authority.
        """
        first = next(piece.thing for piece in self._pieces if piece.path == one.path)
        if not (isinstance(first, x509.Certificate) and isinstance(one.thing, x509.Certificate)):
            return False
        if one.path != after.path or not isinstance(after.thing, x509.Certificate) or _is_authority(first):
            return False
        return _is_authority(after.thing) and not issued(after.thing, one.thing)

    def _explained(self, piece: Piece) -> Explained:
        thing, file = piece.thing, str(piece.path)
        try:
            if isinstance(thing, x509.Certificate):
                return self._certificate(thing, Explained(file, "certificate"))
            if isinstance(thing, x509.CertificateSigningRequest):
                return self._request(thing, Explained(file, "request"))
            if isinstance(thing, x509.CertificateRevocationList):
                return self._list(thing, Explained(file, "revocation-list"))
            if isinstance(thing, Foreign):
                return Explained(
                    file, "foreign", {"what": thing.what}, [f"{thing.what} is not read here: {thing.step}"]
                )
            if isinstance(thing, Locked):
                return _guarded(piece.path, Explained(file, "private-key", {"encrypted": True}))
            return self._key(piece.path, thing, file)
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
            # Extensions are read when they are asked for: what is broken inside shows here.
            return Explained(file, "broken", {}, [f"it is malformed ({error}): have it issued again"])

    def _certificate(self, certificate: x509.Certificate, said: Explained) -> Explained:
        key, left = certificate.public_key(), certificate.not_valid_after_utc - self._at
        constraints = extension(certificate, x509.BasicConstraints)
        said.facts |= {
            "subject": name_of(certificate.subject),
            "agency": text_of(certificate.subject, NameOID.ORGANIZATION_IDENTIFIER),
            "issuer": name_of(certificate.issuer),
            "serial": f"{certificate.serial_number:x}",
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
            "days_left": left.days,
            "key": key_kind(key),
            "public_key": public_mark(key),
            "fingerprint": f"sha256:{sha256(certificate.public_bytes(Encoding.DER)).hexdigest()}",
            "signed_with": certificate.signature_hash_algorithm.name if certificate.signature_hash_algorithm else None,
            "authority": constraints is not None and constraints.ca,
            "path_length": None if constraints is None else constraints.path_length,
            **usages(certificate),
            **places(certificate),
            "sandbox": SANDBOX_MARK in certificate.subject.rfc4514_string(),
            "issued_by": self._issuer(certificate),
        }
        reasons = self._against_signing(certificate)
        said.facts |= {"may_sign": not reasons, "why_not": reasons}
        said.findings += self._wrong(certificate)
        return said

    def _wrong(self, certificate: x509.Certificate) -> list[str]:
        found = []
        if self._at > certificate.not_valid_after_utc:
            found.append("it has expired: ask its issuer for a renewed one")
        if self._at < certificate.not_valid_before_utc:
            found.append("it is not valid yet: wait, or compare the clocks")
        weak = weakness(certificate.public_key())
        if weak is not None:
            found.append(f"it holds {weak}, which is accepted nowhere here: have one made for another key")
        if not isinstance(certificate.signature_hash_algorithm, SHA2):
            found.append("it is signed without SHA-2, which proves nothing any more: have it issued again")
        since = self._revoked(certificate)
        if since is not None:
            found.append(f"its issuer revoked it on {since:%Y-%m-%d}: ask for a new one")
        if self._trust and certificate not in self._trust and not self._path(certificate):
            found.append(self._missing(certificate))
        return found

    def _revoked(self, certificate: x509.Certificate) -> datetime | None:
        """Return since when a certificate stands on one of the lists given."""
        for crl in self._lists:
            entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if crl.issuer == certificate.issuer and entry is not None and entry.revocation_date_utc <= self._at:
                return entry.revocation_date_utc
        return None

    def _path(self, certificate: x509.Certificate, more: Iterable[x509.Certificate] = ()) -> bool:
        return Authorities(self._trust, more).lead_from(certificate)

    def _missing(self, certificate: x509.Certificate) -> str:
        if self._path(certificate, self._certificates):
            return "it leads to what --trust holds only by an authority in these files: configure that one as well"
        issuer = name_of(certificate.issuer)
        if any(one.subject == certificate.issuer for one in self._trust):
            return f"--trust holds an authority named {issuer}, but with another key or without the right to issue it"
        return f"no authority in --trust leads to it: get the certificate of {issuer}, or trust another domain"

    def _against_signing(self, certificate: x509.Certificate) -> list[str]:
        """Return why the gateway would not believe what this certificate signs; it is asked, not guessed."""
        found = []
        weak = weakness(certificate.public_key())
        if weak is not None:
            found.append(f"the certificate holds {weak}")
        try:
            check_leaf(certificate)
        except Rejected as rejected:
            found.append(rejected.detail)
        if not certificate.not_valid_before_utc <= self._at <= certificate.not_valid_after_utc:
            found.append("the certificate is not valid at this time")
        if self._revoked(certificate) is not None:
            found.append("the certificate has been revoked by its issuer")
        if self._trust and not self._path(certificate):
            found.append("no path leads from it to an authority in --trust")
        return found

    def _issuer(self, certificate: x509.Certificate) -> str | None:
        """Name who issued a certificate, among those trusted and those given."""
        if issued(certificate, certificate):
            return "itself"
        for one in (*self._trust, *self._certificates):
            if issued(one, certificate):
                return name_of(one.subject)
        return None

    def _key(self, path: Path, key: Any, file: str) -> Explained:
        private = hasattr(key, "public_key")
        public = key.public_key() if private else key
        said = Explained(file, "private-key" if private else "public-key")
        mark = public_mark(public)
        said.facts |= {"key": key_kind(public), "public_key": mark, "encrypted": False if private else None}
        fits = [one for one in self._certificates if public_mark(one.public_key()) == mark]
        said.facts["belongs_to"] = [name_of(one.subject) for one in fits]
        weak = weakness(public)
        if weak is not None:
            said.findings.append(f"it is {weak}, which is accepted nowhere here: make another")
        if self._certificates and not fits:
            said.findings.append("it belongs to none of the certificates given: look for the other half of the pair")
        return _guarded(path, said) if private else said

    def _request(self, request: x509.CertificateSigningRequest, said: Explained) -> Explained:
        key = request.public_key()
        said.facts |= {
            "subject": name_of(request.subject),
            "agency": text_of(request.subject, NameOID.ORGANIZATION_IDENTIFIER),
            "key": key_kind(key),
            "public_key": public_mark(key),
            "proven": request.is_signature_valid,
            "hosts": hosts(request),
        }
        if not said.facts["proven"]:
            said.findings.append("its signature does not fit its key: have it made again")
        weak = weakness(key)
        if weak is not None:
            said.findings.append(f"it holds {weak}, which is accepted nowhere here: have it made for another key")
        return said

    def _list(self, crl: x509.CertificateRevocationList, said: Explained) -> Explained:
        number, ends = extension(crl, x509.CRLNumber), crl.next_update_utc
        known = (*self._trust, *self._certificates)
        signers = [one for one in known if one.subject == crl.issuer and _signed(crl, one)]
        serials = [one.serial_number for one in self._certificates if one.issuer == crl.issuer]
        said.facts |= {
            "issuer": name_of(crl.issuer),
            "number": None if number is None else number.crl_number,
            "this_update": crl.last_update_utc.isoformat(),
            "next_update": None if ends is None else ends.isoformat(),
            "revoked": len(crl),
            "revoked_here": [f"{one:x}" for one in serials if crl.get_revoked_certificate_by_serial_number(one)],
            "signed_by": name_of(signers[0].subject) if signers else None,
        }
        if ends is None:
            said.findings.append("it does not say when the next one comes, so nobody knows whether it is the newest")
        elif ends < self._at:
            said.findings.append("it is out of date: fetch the issuer's newest list")
        if crl.last_update_utc > self._at:
            said.findings.append("it is not valid yet: compare the clocks")
        if known and not signers:
            said.findings.append("none of the authorities given signed it: get the certificate of its issuer")
        return said


def _guarded(path: Path, said: Explained) -> Explained:
    if path == STANDARD_INPUT:
        return said
    mode = stat.S_IMODE(path.stat().st_mode)
    said.facts["mode"] = f"{mode:04o}"
    if mode & 0o077:
        said.findings.append(f"others can read it (mode {mode:04o}): run chmod 600 {path}")
    return said


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        constraints = extension(certificate, x509.BasicConstraints)
    except (ValueError, x509.DuplicateExtension):
        return False
    return constraints is not None and constraints.ca


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # TypeError for other key types
    except TypeError:
        return False
