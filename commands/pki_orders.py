"""What `lgsp pki issue` asks an authority for, from its options and a request; heavy, imported when it is needed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from commands.common import fail
from config.personal import could_name_a_person
from schemas.codes.agencies import check_agency_code
from security.authority import AuthorityRefused
from security.authority_index import AuthorityIndex, Issued
from security.certificate_request import Request, read_request
from security.hierarchy import Papers
from security.issuing import Kind
from security.names import written
from security.office import Office, Order
from security.signature_files import FileUnusable, read_regular

_DAYS = 365
_LARGEST = 64 * 1024
# Nobody can ask about a responder's certificate, so it lives a short time (RFC 6960, 4.2.2.2.1).
_RESPONDER_DAYS = 90
_WITH_HOSTS = ("tls-server", "tls-client")
_OPENSSL_TIME = "%y%m%d%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Said:
    """What the options say about the holder."""

    common_name: str | None
    organization: str | None
    agency: str | None
    hosts: tuple[str, ...]


def ordered(
    office: Office, name: str, kind: Kind, said: Said, asked: Request | None, lasting: timedelta | None, *, rsa: bool
) -> Order:
    """Put together what is wanted: what the options say goes before what a request says. Raises AuthorityRefused."""
    common_name, organization, agency, hosts = said.common_name, said.organization, said.agency, said.hosts
    if asked is not None:
        common_name = asked.common_name if common_name is None else common_name
        organization = asked.organization if organization is None else organization
        agency = agency or asked.agency
        # A request may name hosts whatever it is for.
        hosts = hosts or (asked.hosts if kind in _WITH_HOSTS else ())
    if common_name is None:
        raise AuthorityRefused("whose certificate? Give --common-name, for example the name of the system")
    if any(could_name_a_person(text) for text in (name, common_name, organization or "")):
        raise AuthorityRefused("that looks like the number of a person: certificates here are for systems and agencies")
    try:
        code = None if agency is None else check_agency_code(agency)
    except ValueError as error:
        raise AuthorityRefused(str(error)) from None
    if hosts and kind not in _WITH_HOSTS:
        raise AuthorityRefused(f"--host is for --kind {' and '.join(_WITH_HOSTS)}: leave it out, or say that kind")
    days = _RESPONDER_DAYS if kind == "ocsp-responder" else _DAYS
    return Order(
        name,
        kind,
        office.subject(common_name, code, organization),
        asked.key if asked is not None else "rsa" if rsa else "ec",
        timedelta(days=days) if lasting is None else lasting,
        hosts,
    )


def requested(file: str) -> Request:
    """Read the request in a file, `-` is standard input; wrong use where there is none. Raises RequestRefused."""
    try:
        raw = sys.stdin.buffer.read(_LARGEST + 1) if file == "-" else read_regular(file, _LARGEST + 1)
    except FileUnusable as unusable:
        fail(f"--csr {file} {unusable}", 2)
    if len(raw) > _LARGEST:
        fail(f"--csr {file} is larger than {_LARGEST} bytes: give the file of the request alone", 2)
    return read_request(raw)


def openssl_line(issued: Issued, index: AuthorityIndex, now: datetime) -> str:
    """Return a certificate as a line of the index of `openssl ca`: a responder is `openssl ocsp` away."""
    made, revocation = issued.certificate, index.revoked.get(issued.certificate.serial_number)
    state, since = ("E" if made.not_valid_after_utc < now else "V"), ""
    if revocation is not None and revocation.at <= now:
        state, since = "R", f"{revocation.at:{_OPENSSL_TIME}},{revocation.reason}"
    digits = f"{made.serial_number:X}"
    # OpenSSL wants pairs of digits, and of each subject only one that is valid.
    serial = digits.zfill(len(digits) + len(digits) % 2)
    subject = f"/CN={issued.name}/serialNumber={serial}"
    return "\t".join((state, f"{made.not_valid_after_utc:{_OPENSSL_TIME}}", since, serial, "unknown", subject))


def told_of(name: str, papers: Papers) -> dict[str, Any]:
    """Return what the command prints of a certificate that was made."""
    made = papers.certificate
    return {
        "name": name,
        "subject": written(made.subject),
        "serial": f"{made.serial_number:x}",
        "not_before": made.not_valid_before_utc.isoformat(),
        "not_after": made.not_valid_after_utc.isoformat(),
        "certificate": str(papers.path),
        "chain": str(papers.chain),
        "key": None if papers.key is None else str(papers.key),
    }
