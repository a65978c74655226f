"""What is fuzzed: each target takes any bytes and must end in a verdict, never in an exception that is not ours.

A target returns its verdict, for those who look, and raises Broken where a promise does not hold. What the library may
raise is caught here and nothing else, so that everything else is a finding.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256, sha512
from itertools import chain
from typing import Final
from unittest import mock

from cryptography import x509
from cryptography.x509.ocsp import load_der_ocsp_response
from lxml import etree

from fuzz import seeds
from fuzz.world import NOW, ROOT, SIGNER, Genuine, certificate, genuine, sealed, signature, vouched
from security import signature_structure, soap_signature
from security.content_digest import content_digest
from security.http_signature import RequestSigner, signature_of, verify_request
from security.signature import Rejected, SignaturePolicy, Verified
from security.signature_base import HttpRequest, fields_of, signature_base
from security.soap_plain import SOAP_PARTS, TIMESTAMP
from security.soap_signature import RELATES_TO, verify_soap
from security.structured_fields import Unreadable, dictionary, written
from security.trust import AnchoredTrust, PinnedTrust
from security.trust_ocsp import Unusable, judged
from security.trust_revocation import RevocationLists, parse_list
from security.xml import Limits, XmlRefused, canonical, canonical_inclusive, parse
from security.xml_signature import verify_enveloped

Target = Callable[[bytes], str]


class Broken(Exception):
    """A promise that an input broke."""


ACCEPTED: Final = "accepted"
_TRUST = PinnedTrust([SIGNER])
_POLICY = SignaturePolicy()
_INCLUSIVE = SignaturePolicy(inclusive_c14n=True)
_SMALL = Limits(size=4096, elements=64, depth=8, attributes=8, all_attributes=64, namespaces=16)


def soap(data: bytes) -> str:
    """A SOAP message: the short way and the walk agree; what is handed over was signed by the signer."""
    made = genuine(data)
    confirms = seeds.ASKED if b"SignatureConfirmation" in data else None
    relates_to = seeds.RELATED if b"RelatesTo" in data else None

    usual = _both_ways(
        lambda: verify_soap(made.document, _POLICY, _TRUST, confirms=confirms, relates_to=relates_to, now=NOW)
    )
    if isinstance(usual, Rejected):
        return usual.reason
    body = usual.element.getparent()
    signed = _signed_by_signer(made, usual, seeds.soap())
    if body is None or body.tag not in SOAP_PARTS or list(body) != [usual.element]:
        raise Broken("what is handed over is not the one element of a Body")
    for element in (body, *usual.headers, *parse(made.document).iter(TIMESTAMP)):
        if not vouched(element, signed):
            raise Broken("a part that counts was not signed")
    if confirms is not None and usual.confirms != (confirms,):
        raise Broken("another question than ours is answered")
    related = [(one.text or "").strip() for one in usual.headers if one.tag == RELATES_TO]
    if relates_to is not None and related != [relates_to]:
        raise Broken("another message than ours is answered")
    return ACCEPTED


def enveloped(data: bytes) -> str:
    """A signed document: the root that is handed over was signed by the signer, and says what we asked."""
    made = genuine(data)
    verified = _both_ways(lambda: verify_enveloped(made.document, _INCLUSIVE, _TRUST, request_id="r-1", now=NOW))
    if isinstance(verified, Rejected):
        return verified.reason
    signed = _signed_by_signer(made, verified, seeds.enveloped())
    if not vouched(verified.element, signed):
        raise Broken("the document that is handed over was not signed")
    if b"r-1" not in canonical(verified.element):
        raise Broken("another question than ours is answered")
    return ACCEPTED


def _both_ways(verify: Callable[[], Verified]) -> Verified | Rejected:
    """The verdict by the patterns over canonical text; Broken if the walk over the tree says anything else."""
    usual = _judged(verify)
    with (
        mock.patch.object(soap_signature, "plain_message", return_value=None),
        mock.patch.object(signature_structure, "plain_signed_info", return_value=None),
    ):
        walked = _judged(verify)
    if _told(usual) != _told(walked):
        raise Broken(f"the short way says {usual!r}, the walk {walked!r}")
    return usual


def _judged(verify: Callable[[], Verified]) -> Verified | Rejected:
    try:
        return verify()
    except Rejected as refused:
        return refused


def _told(verdict: Verified | Rejected) -> tuple[object, ...]:
    if isinstance(verdict, Rejected):
        return verdict.reason, verdict.detail
    root = verdict.element.getroottree().getroot()
    # What is taken out leaves its white space behind, in one way or the other.
    left = re.sub(rb">[ \t\n]+<", b"><", canonical(root))
    return canonical(verdict.element), left, [canonical(one) for one in verdict.headers], *verdict[2:]


def _signed_by_signer(made: Genuine, verified: Verified, honest: tuple[bytes, ...]) -> bytes:
    """The SignedInfo behind a verdict; Broken if the signer never signed it."""
    for signed in chain((made.signed,), _signed(honest)):
        if signed is not None and sha256(signed).digest() == verified.signature_digest:
            return signed
    raise Broken("the signer never signed this")


@cache
def _signed(texts: tuple[bytes, ...]) -> tuple[bytes | None, ...]:
    return tuple(genuine(text).signed for text in texts)


def xml(data: bytes) -> str:
    """A document: what is parsed keeps within the caps, and its canonical form is that of its canonical form."""
    try:
        root = parse(data, _SMALL)
    except XmlRefused as refused:
        return refused.reason
    _within_caps(root)
    try:
        exclusive, inclusive = canonical(root), canonical_inclusive(root)
    except etree.C14NError:
        return "no canonical form"
    if canonical(parse(exclusive)) != exclusive or canonical_inclusive(parse(inclusive)) != inclusive:
        raise Broken("the canonical form is not that of itself")
    if inclusive != etree.tostring(parse(data), method="c14n", with_comments=False):
        raise Broken("inclusive C14N of the root differs from that of the document")
    return ACCEPTED


def _within_caps(root: etree._Element) -> None:
    if root.getroottree().docinfo.doctype:  # type: ignore[attr-defined]  # the stubs forget it
        raise Broken("a document type was accepted")
    nodes = list(root.iter())
    if not all(isinstance(node.tag, str) for node in nodes):
        raise Broken("a comment, processing instruction or entity was accepted")
    deepest = max(sum(1 for _ in node.iterancestors()) + 1 for node in nodes)
    widest = max(len(node.attrib) for node in nodes)
    if len(nodes) > _SMALL.elements or deepest > _SMALL.depth or widest > _SMALL.attributes:
        raise Broken(f"{len(nodes)} elements, {deepest} levels, {widest} attributes were accepted")


def request(data: bytes) -> str:
    """A signed HTTP request: what is accepted was signed, and the signature covers what the request says."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, scheme, authority, target = (*first.split(" "), "", "", "", "")[:4]
    digest = content_digest(body).removeprefix("sha-256=").strip(":")
    pairs = [line.replace("[digest]", digest).partition(": ")[::2] for line in lines]
    sent = HttpRequest(method, scheme, authority, target, fields_of(pairs), body)
    base = None
    try:
        if "[signature]" in head.decode("latin-1"):
            covered = signature_of(_with_value(sent, "AAAA").fields).covered
            base = signature_base(sent, covered)
            sent = _with_value(sent, signature(base).decode())
        verified = verify_request(sent, _signer, NOW)
    except Rejected as refused:
        return refused.reason
    if base is None:
        raise Broken("a request that nobody signed was accepted")
    path, _, query = target.partition("?")
    said = {"@method": method, "@path": path, "@query": f"?{query}"}
    said |= {
        name: ", ".join(line.strip(" \t") for line in sent.fields[name])
        for name in ("lgsp-purpose", "lgsp-officer")
        if name in sent.fields
    }
    covered_lines = base.decode().split("\n")
    if any(f'"{name}": {value}' not in covered_lines for name, value in said.items()):
        raise Broken("the signature does not cover what the request says")
    digests = {base64.b64encode(hashed(body).digest()) for hashed in (sha256, sha512)}
    if body and not any(one in base for one in digests):
        raise Broken("the signature does not cover the body")
    if verified.signed_at > datetime.fromtimestamp(NOW.timestamp() + 60, UTC):
        raise Broken("a request from the future was accepted")
    return ACCEPTED


def _with_value(sent: HttpRequest, value: str) -> HttpRequest:
    fields = {name: [line.replace("[signature]", value) for line in lines] for name, lines in sent.fields.items()}
    return HttpRequest(sent.method, sent.scheme, sent.authority, sent.target, fields, sent.body)


def _signer(keyid: str) -> RequestSigner:
    if keyid != "key":
        raise Rejected("untrusted", "no such key")
    return RequestSigner.of(SIGNER)


def fields(data: bytes) -> str:
    """A dictionary of structured fields: what is read and written anew is read as the same."""
    try:
        members = dictionary(data.decode("latin-1").split("\n"), 1024)
    except Unreadable:
        return "unreadable"
    text = ", ".join(f"{name}={written(member)}" for name, member in members.items())
    if dictionary([text], 4096) != members:
        raise Broken("what was read reads differently when it is written")
    return ACCEPTED


def presented(data: bytes) -> str:
    """A certificate out of a message, as DER and as base64: believed only if our authority issued it."""
    trust = AnchoredTrust([ROOT], subject=None, revocation=_revocation())
    der = sealed(data)
    try:
        signer = trust.accept(der.decode("latin-1") if der[:1] != b"\x30" else der, NOW)
    except Rejected as refused:
        return refused.reason
    if signer.certificate.tbs_certificate_bytes not in (SIGNER.tbs_certificate_bytes, data[1:]):
        raise Broken("a certificate that nobody issued was believed")
    return ACCEPTED


@cache
def _revocation() -> RevocationLists:
    return RevocationLists([parse_list(seeds.revocation()[0])], [ROOT])


def revocation(data: bytes) -> str:
    """A revocation list: what is taken was signed by its issuer, and says who is on it."""
    try:
        crl = parse_list(sealed(data))
        lists = RevocationLists([crl], [ROOT])
    except ValueError:
        return "unreadable"
    if crl.tbs_certlist_bytes not in (data[1:], *_lists()):
        raise Broken("a list that nobody signed was taken")
    try:
        lists.standing(certificate("revoked"), ROOT, NOW)
    except Rejected as refused:
        return refused.reason
    return ACCEPTED


@cache
def _lists() -> frozenset[bytes]:
    return frozenset(parse_list(sealed(one)).tbs_certlist_bytes for one in seeds.revocation())


def ocsp(data: bytes) -> str:
    """An OCSP response: what is taken was signed by who may, and is about a certificate of ours."""
    der = sealed(data, ocsp_answer=True)
    try:
        at = load_der_ocsp_response(der).produced_at_utc
    except (ValueError, x509.InvalidVersion):
        at = NOW
    try:
        answer = judged(der, ROOT, at)
    except Unusable:
        return "unusable"
    if der is data and answer.serial not in (SIGNER.serial_number, certificate("revoked").serial_number):
        raise Broken("an answer that nobody signed was taken")
    return answer.status


TARGETS: Final[dict[str, tuple[Target, Callable[[], tuple[bytes, ...]]]]] = {
    "soap": (soap, seeds.soap),
    "enveloped": (enveloped, seeds.enveloped),
    "xml": (xml, seeds.xml),
    "request": (request, seeds.request),
    "fields": (fields, seeds.fields),
    "presented": (presented, seeds.presented),
    "revocation": (revocation, seeds.revocation),
    "ocsp": (ocsp, seeds.ocsp),
}
"""Name of a target, what it does and what it starts from."""
