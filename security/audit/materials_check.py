"""Verifying kept certificates and revocation evidence: each stands under the SHA-256 of its content, and is described
by what it holds, or a bundle would not find it.

Who signed a piece is not verified, nor that one is there at all: entries name certificates that were never kept (a
process that was killed, an older release), and what waits to be kept is bounded, so that a path may be there in part.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from hashlib import new, sha256
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp
from sqlalchemy import ColumnElement, Connection, select

from security.audit.findings import Findings
from security.audit.materials import MATERIALS, described, is_intact
from security.audit.reading_rows import as_number, rows_of, total
from security.trust_materials import certificate_material, list_material
from security.trust_ocsp import Unusable, judged
from security.trust_revocation import SKEW

# Rows of one page; a piece is of 4 MiB at most, nearly all are a thousand times smaller.
_PAGE: Final = 16
_SAID: Final = ("kind", "name", "serial", "since", "until")
_ROW: Final = select(MATERIALS.c.sha256, *(MATERIALS.c[name] for name in _SAID), MATERIALS.c.content)
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


def materials_kept(connection: Connection, findings: Findings) -> None:
    """Add each piece that is not what it was kept as; it may bear on any entry."""
    check = _MaterialsCheck(connection, findings)
    # Answers last: what they say of their authority is understood by what the others say.
    check.every(MATERIALS.c.kind != "ocsp")
    check.every(MATERIALS.c.kind == "ocsp")
    if (stray := total(connection, MATERIALS) - check.seen) > 0:
        check.add(f"certificates or revocation evidence of no order, {stray} times")


class _MaterialsCheck:
    def __init__(self, connection: Connection, findings: Findings) -> None:
        self.seen = 0
        self._connection = connection
        self._findings = findings
        # Names of authorities (DER): few, whatever was kept.
        self._authorities: set[bytes] = set()
        self._issuers = cache(self._read_issuers)

    def add(self, what: str) -> None:
        self._findings.add(0, max(self._findings.entries - 1, 0), what)

    def every(self, chosen: ColumnElement[bool]) -> None:
        last: Any = ""
        query = _ROW.where(chosen).order_by(MATERIALS.c.sha256).limit(_PAGE)
        while rows := rows_of(self._connection, query.where(MATERIALS.c.sha256 > last)):
            for digest, *said, content in rows:
                if not is_intact(digest, content):
                    self.add(f"the certificate or revocation evidence sha256:{digest} was changed")
                elif wrong := self._wrong(said, content):
                    self.add(f"of the certificate or revocation evidence sha256:{digest} {wrong}")
            self.seen += len(rows)
            last = rows[-1][0]

    def _wrong(self, said: Sequence[Any], content: bytes) -> str | None:
        """What a row says that its content does not."""
        try:
            held = self._read(said, content)
        except _UNREADABLE:
            return f"the content is no {said[0]}"
        differing = [name for name, one, other in zip(_SAID, said, held, strict=True) if one != other]
        return f"{', '.join(differing)} was changed" if differing else None

    def _read(self, said: Sequence[Any], content: bytes) -> Sequence[Any]:
        """What the row of this content says; raises one of `_UNREADABLE`."""
        if said[0] == "certificate":
            certificate = x509.load_der_x509_certificate(content)
            with suppress(x509.ExtensionNotFound, *_UNREADABLE):
                # What is odd here, and was of no importance when it was kept, is no finding.
                self._authorities.add(certificate.issuer.public_bytes())
                if certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
                    self._authorities.add(certificate.subject.public_bytes())
            return described(certificate_material(certificate))
        if said[0] == "crl":
            crl = x509.load_der_x509_crl(content)
            self._authorities.add(crl.issuer.public_bytes())
            return described(list_material(crl))
        if said[0] != "ocsp":
            raise ValueError("no kind of evidence")
        return self._answer(said, content)

    def _answer(self, said: Sequence[Any], content: bytes) -> Sequence[Any]:
        """The same of an OCSP answer, which has no more of its authority than hashes.

        What was kept of that decides; where nothing was, the row may name any, and an earlier end.
        """
        response = ocsp.load_der_ocsp_response(content)
        (one,) = response.responses
        name, since = self._name(response, one), one.this_update_utc
        latest = max(response.produced_at_utc, since)
        issuers = self._issuers(name) if name is not None else ()
        ends = [int(until.timestamp()) for until in _ends(content, issuers, (latest, latest - SKEW))]
        until = as_number(said[4])
        if not ends:
            until = max(until, int((since - SKEW).timestamp()))
            ends = [until if one.next_update_utc is None else min(until, int(one.next_update_utc.timestamp()))]
        serial = f"{one.serial_number:x}"
        return "ocsp", name or str(said[1]), serial, int(since.timestamp()), until if until in ends else ends[0]

    def _name(self, response: ocsp.OCSPResponse, one: ocsp.OCSPSingleResponse) -> str | None:
        """What the authority is called in rows, where its name is known."""
        algorithm = one.hash_algorithm.name
        if algorithm == "sha256":
            # Rows name it by the same hash.
            return one.issuer_name_hash.hex()
        for name in (*_names_within(response), *self._authorities):
            if new(algorithm, name, usedforsecurity=False).digest() == one.issuer_name_hash:
                return sha256(name).hexdigest()
        return None

    def _read_issuers(self, name: str) -> list[x509.Certificate]:
        query = select(MATERIALS.c.sha256, MATERIALS.c.content)
        found = []
        for digest, content in rows_of(
            self._connection, query.where(MATERIALS.c.name == name, MATERIALS.c.kind == "certificate")
        ):
            with suppress(*_UNREADABLE):
                if is_intact(digest, content):
                    found.append(x509.load_der_x509_certificate(content))
        return found


def _names_within(response: ocsp.OCSPResponse) -> set[bytes]:
    """Names (DER) in an OCSP answer that may be its authority's."""
    found = set()
    with suppress(*_UNREADABLE):
        if response.responder_name is not None:
            found.add(response.responder_name.public_bytes())
        found.update([each.issuer.public_bytes() for each in response.certificates])
    return found


def _ends(content: bytes, issuers: Iterable[x509.Certificate], times: Sequence[datetime]) -> Iterator[datetime]:
    """Until when an OCSP answer counts, by each of these certificates of its authority that it is of."""
    for issuer in issuers:
        for at in times:
            with suppress(Unusable):
                # Whether the responder was revoked was known then, and is not now.
                yield judged(content, issuer, at, listed=lambda _: False).until
                break
