"""Enveloped XML signatures over a whole document, as the land registry (đất đai) answers: strict, both directions.

The root carries `requestId` and `issuedAt` (attributes or child elements), so that the signature ties the answer to
its question and to its time.
"""

from datetime import datetime
from hashlib import sha256

from security.freshness import fresh_until, instant
from security.signature import Rejected, SignaturePolicy, Trusted, Verified, utc_now
from security.signature_algorithms import SHA256, encode
from security.signature_key import Signer
from security.signature_structure import (
    C14N,
    DS,
    ENVELOPED,
    EXC_C14N,
    SIGNATURE,
    WSU_ID,
    Method,
    Reference,
    are_unique,
    canonical_by,
    check_digest,
    check_signature,
    expect,
    malformed,
    read_signature,
    same_document,
    text_of,
)
from security.trust import Trust
from security.x509_data import Named, read_x509_data
from security.xml import MESSAGE, Element, Limits, XmlRefused, canonical, parse

_NOTHING: frozenset[str] = frozenset()
_ROOT_IDS = ("Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id", WSU_ID)


def verify_enveloped(
    document: bytes,
    policy: SignaturePolicy,
    trust: Trust,
    *,
    request_id: str | None = None,
    now: datetime | None = None,
) -> Verified:
    """What the enveloped signature of a document proves; Rejected with a reason if nothing.

    `request_id`: the id of our question, which the signed root must carry. `now` is UTC.
    """
    moment = now or utc_now()
    try:
        root = parse(document, policy.limits)
    except XmlRefused as refused:
        raise malformed(str(refused)) from None
    signatures = list(root.iter(SIGNATURE))
    if not signatures:
        raise Rejected("not-covered", "the document carries no signature")
    if len(signatures) != 1 or signatures[0].getparent() is not root:
        raise malformed("the one Signature must be a child of the root")
    parts = read_signature(signatures[0], root, document)
    if len(parts.said.references) != 1:
        raise malformed("there must be exactly one Reference")
    (reference,) = parts.said.references
    _check_target(root, document, reference)
    named = _named(parts.key_info)
    signer = trust.accept(named.presented, moment)
    named.check_hints(signer.certificate)
    signed_info = check_signature(parts, signer, inclusive=policy.inclusive_c14n)
    _take_out(signatures[0], root)
    # After enveloped-signature alone there is a set of nodes, and of one C14N 1.0 is taken (XMLDSig 1.1, 4.4.3.2).
    canonicalisation = reference.transforms[1] if len(reference.transforms) == 2 else Method(C14N, None)
    check_digest(reference, canonical_by(canonicalisation, root, inclusive=policy.inclusive_c14n))
    issued = instant(_stated(root, "issuedAt") or "", "issuedAt")
    until = fresh_until(issued, None, policy, moment)
    signature_digest = sha256(signed_info).digest()
    if policy.replays is not None and not policy.replays.remember(signature_digest, until):
        raise Rejected("replayed", "this document was accepted before")
    if request_id is not None and _stated(root, "requestId") != request_id:
        raise Rejected("not-answer-to-request", "the answer does not carry the id of our question")
    return Verified(
        Trusted(root),
        (),
        signer.certificate,
        signer.subject,
        signer.fingerprint,
        issued,
        signature_digest,
        encode(parts.value).decode(),
        until,
        parts.said.signature_method,
        assurance=signer.assurance,
    )


def _check_target(root: Element, document: bytes, reference: Reference) -> None:
    if reference.transforms[0] != (ENVELOPED, None):
        raise malformed("the transforms must be enveloped-signature and at most one canonicalisation")
    if reference.uri == "":
        return
    name = same_document(reference.uri)
    if not any(root.get(attribute) == name for attribute in _ROOT_IDS):
        raise Rejected("not-covered", "the signature does not cover the root")
    if not are_unique([name], root, document):
        raise malformed("an Id is not unique")


def _named(key_info: Element) -> Named:
    (data,) = expect(key_info, [f"{{{DS}}}X509Data"], frozenset({"Id"}), "KeyInfo")
    return read_x509_data(data)


def _take_out(signature: Element, root: Element) -> None:
    """Remove the Signature as the enveloped-signature transform does: the text behind it stays."""
    tail = signature.tail or ""
    before = signature.getprevious()
    if before is None:
        root.text = (root.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    signature.tail = None
    root.remove(signature)


def _stated(root: Element, name: str) -> str | None:
    """What the root says in this attribute or child element; Rejected("malformed") if it says it twice."""
    namespace = str(root.tag).rpartition("}")[0]
    tags = {name, f"{namespace}}}{name}" if namespace else name}
    found = [child for child in root if child.tag in tags]
    values = [text_of(child, _NOTHING, name) for child in found]
    attribute = root.get(name)
    if attribute is not None:
        values.append(attribute)
    if len(values) > 1:
        raise malformed(f"{name} occurs twice")
    return values[0] if values else None


_SIGNED_INFO = (
    b'<ds:SignedInfo xmlns:ds="%b"><ds:CanonicalizationMethod Algorithm="%b"></ds:CanonicalizationMethod>'
    b'<ds:SignatureMethod Algorithm="%%b"></ds:SignatureMethod><ds:Reference URI=""><ds:Transforms>'
    b'<ds:Transform Algorithm="%b"></ds:Transform><ds:Transform Algorithm="%b"></ds:Transform></ds:Transforms>'
    b'<ds:DigestMethod Algorithm="%b"></ds:DigestMethod><ds:DigestValue>%%b</ds:DigestValue></ds:Reference>'
    b"</ds:SignedInfo>"
) % (DS.encode(), EXC_C14N.encode(), ENVELOPED.encode(), EXC_C14N.encode(), SHA256.encode())
_SIGNATURE = (
    b'<ds:Signature xmlns:ds="%b">%%b<ds:SignatureValue>%%b</ds:SignatureValue><ds:KeyInfo><ds:X509Data>'
    b"<ds:X509Certificate>%%b</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
) % DS.encode()


def sign_enveloped(document: bytes, key: Signer, limits: Limits = MESSAGE) -> bytes:
    """The document in canonical form with an enveloped signature as the last child of its root; XmlRefused."""
    octets = canonical(parse(document, limits))
    signed_info = _SIGNED_INFO % (key.algorithm.uri.encode(), encode(sha256(octets).digest()))
    signature = _SIGNATURE % (signed_info, encode(key.sign(signed_info)), key.token)
    end = octets.rindex(b"</")
    return octets[:end] + signature + octets[end:]
