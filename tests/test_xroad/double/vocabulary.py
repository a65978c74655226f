"""Names both halves of the security-server double share: namespaces, identifiers, what a broken rule is.

Others use `Identifier` (`Identifier.of("VN/GOV/G01/LGSP")`, also with service code and version) and read the entries
of `server.violations`, which are `Violation`s: `[each.rule for each in server.violations] == []`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XROAD = "http://x-road.eu/xsd/xroad.xsd"
IDENTIFIERS = "http://x-road.eu/xsd/identifiers"
REPRESENTATION = "http://x-road.eu/xsd/representation.xsd"
SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"

ENVELOPE = f"{{{SOAP}}}Envelope"
HEADER = f"{{{SOAP}}}Header"
BODY = f"{{{SOAP}}}Body"
FAULT = f"{{{SOAP}}}Fault"
REQUEST_HASH = f"{{{XROAD}}}requestHash"

# PR-MESS 2.7, PR-REST 4.8: what may stand in an identifier.
ALLOWED = re.compile(r"[A-Za-z0-9'()+,\-.=?]+")


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule.

    `rule` is its short name, `text` what was found. `fault` is the last part of the error code with which the message
    is refused; None for what a server only notes (SHOULD, or checked by nobody) before it carries the message on.
    """

    rule: str
    text: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A member, subsystem or service; absent parts are None."""

    instance: str
    member_class: str
    member_code: str
    subsystem: str | None = None
    service: str | None = None
    version: str | None = None

    @classmethod
    def of(cls, text: str) -> Identifier:
        """Read `INSTANCE/CLASS/MEMBER[/SUBSYSTEM[/SERVICE[/VERSION]]]`, unencoded."""
        return cls(*text.split("/"))

    def parts(self) -> Iterator[str]:
        """The parts that are there, in their order."""
        every = (self.instance, self.member_class, self.member_code, self.subsystem, self.service, self.version)
        yield from (part for part in every if part is not None)

    def owner(self) -> Identifier:
        """The member or subsystem that offers the service."""
        return replace(self, service=None, version=None)

    def __str__(self) -> str:
        return "/".join(self.parts())


def characters(name: str, identifier: Identifier) -> Iterator[Violation]:
    """PR-MESS 2.7; a server of 2026 only writes a warning to its log."""
    for part in identifier.parts():
        if part and not ALLOWED.fullmatch(part):
            yield Violation("identifier-characters", f"{name}: {part!r}")


def user_and_issue(user: str | None, issue: str | None) -> Iterator[Violation]:
    """PR-MESS 2.2 and PR-REST 4.3: a user is named with a two-letter country code before it."""
    if user is not None and not re.fullmatch(r"[A-Z]{2}\S+", user):
        yield Violation("user-id", f"{user!r} does not begin with a country code")
    if issue is not None and (not issue.strip() or issue != issue.strip()):
        yield Violation("issue", f"{issue!r} is empty or padded")


class Unreadable(ValueError):
    """The document is no XML, or declares a document type."""


def parse(document: bytes) -> etree._Element:
    """Parse with nothing fetched and nothing expanded; raise `Unreadable`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(str(error)) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("a document type is declared")
    return root


def elements(parent: etree._Element) -> list[etree._Element]:
    """Child elements, without comments and instructions."""
    return [child for child in parent if isinstance(child.tag, str)]


def local(element: etree._Element) -> str:
    """The name without its namespace."""
    return etree.QName(element).localname


def namespace(element: etree._Element) -> str:
    """The namespace, "" for none."""
    return etree.QName(element).namespace or ""
