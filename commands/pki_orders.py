"""What `lgsp pki issue` asks an authority for, from its options and a request; heavy, imported when it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from config.logging import identifier_shaped
from schemas.codes.agencies import check_agency_code
from security.authority import AuthorityRefused
from security.authority_index import AuthorityIndex, Issued
from security.certificate_request import Request
from security.hierarchy import Papers
from security.issuing import Kind
from security.names import written
from security.office import Office, Order

_DAYS = 365
# Nobody can ask about a responder's certificate, so it lives a short time (RFC 6960, 4.2.2.2.1).
_RESPONDER_DAYS = 90
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
        agency, hosts = agency or asked.agency, hosts or asked.hosts
    if common_name is None:
        raise AuthorityRefused("whose certificate? Give --common-name, for example the name of the system")
    if any(identifier_shaped(text) for text in (name, common_name, organization or "")):
        raise AuthorityRefused("that looks like the number of a person: certificates here are for systems and agencies")
    try:
        code = None if agency is None else check_agency_code(agency)
    except ValueError as error:
        raise AuthorityRefused(str(error)) from None
    days = _RESPONDER_DAYS if kind == "ocsp-responder" else _DAYS
    return Order(
        name,
        kind,
        office.subject(common_name, code, organization),
        asked.key if asked is not None else "rsa" if rsa else "ec",
        timedelta(days=days) if lasting is None else lasting,
        hosts,
    )


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
