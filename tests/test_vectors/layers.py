"""What our own functions make of a vector, layer by layer: the verdict, the canonical SignedInfo, each digest.

The profile refuses nearly everything that other people sign, most of it at once. The layers below the profile are shown
by the same documents: the canonical form of SignedInfo fits the signature value, that of a part fits its digest.
"""

import base64
from collections import Counter
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from security.signature import Assurance, Rejected, SignaturePolicy
from security.signature_algorithms import weakness
from security.signature_structure import C14N, DS, ENVELOPED, SIGNATURE, WSU_ID, Method, canonical_by
from security.soap_plain import SOAP
from security.soap_signature import verify_soap
from security.trust import Presented, Signer
from security.trust_presented import Held
from security.xml import CONTRACT, XmlRefused, parse
from security.xml_signature import verify_enveloped
from tests.test_vectors.keys import Keyring, digest, fits, knows

NOW = datetime(2026, 11, 30, tzinfo=UTC)
POLICY = SignaturePolicy(inclusive_c14n=True)
_INFO = f"{{{DS}}}SignedInfo"
ENVELOPES = {f"{{{namespace}}}Envelope" for namespace in SOAP.values()}


_IDS = ("Id", "ID", "id", "AssertionID", "{http://www.w3.org/XML/1998/namespace}id", WSU_ID)


class Layers(NamedTuple):
    """What came of one vector, in the words of the table."""

    verdict: str
    signed_info: str
    digests: str


class Anybody:
    """Believes every certificate whose key is strong enough: what is refused then is the signature, not the signer."""

    def __init__(self, keyring: Keyring) -> None:
        self._held = Held(keyring.certificates)

    def accept(self, presented: Presented, at: datetime) -> Signer:
        try:
            certificate = x509.load_der_x509_certificate(self._held.der_of(presented))
            key = certificate.public_key()
        except (ValueError, UnsupportedAlgorithm):
            raise Rejected("untrusted", "the certificate cannot be read") from None
        reason = weakness(key)
        if reason is not None or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise Rejected("untrusted", f"the certificate holds {reason}")
        since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return Signer.of(certificate, b"", key, since, until, Assurance())


def judged(document: bytes, keyring: Keyring) -> Layers:
    """All layers of a signed document; `keyring` holds what may have signed it."""
    verdict = verdict_of(document, keyring)
    try:
        root = parse(document, CONTRACT)
    except XmlRefused as refused:
        return Layers(verdict, str(refused.reason), "")
    return Layers(verdict, *_below(root, keyring))


def verdict_of(document: bytes, keyring: Keyring) -> str:
    """What the product says of it: as a SOAP message if it is one, as a document otherwise."""
    try:
        root = parse(document, CONTRACT)
        verify = verify_soap if root.tag in ENVELOPES else verify_enveloped
    except XmlRefused:
        verify = verify_enveloped
    try:
        verify(document, POLICY, Anybody(keyring), now=NOW)
    except Rejected as refused:
        return str(refused)
    return "accepted"


def _below(root: Any, keyring: Keyring) -> tuple[str, str]:
    signature = next(root.iter(SIGNATURE), None)
    if signature is None or signature.find(_INFO) is None:
        return "no signature", ""
    found = Counter(_digest(root, reference) for reference in signature.find(_INFO).iter(f"{{{DS}}}Reference"))
    return _signed_info(signature, keyring), ", ".join(f"{count} {what}" for what, count in sorted(found.items()))


def _signed_info(signature: Any, keyring: Keyring) -> str:
    """Whether our canonical form of SignedInfo is what was signed."""
    method = signature.find(_INFO).find(f"{{{DS}}}SignatureMethod").get("Algorithm")
    if not knows(method):
        return f"no {method.rpartition('#')[2].rpartition(':')[2]} here"
    try:
        return "no key fits" if signing_key(signature, keyring) is None else "fits"
    except Rejected as refused:
        return refused.detail


def signing_key(signature: Any, keyring: Keyring) -> Any:
    """The key whose signature our canonical SignedInfo bears, by whatever algorithm; None if none fits.

    Rejected for a canonicalisation that is not ours.
    """
    info = signature.find(_INFO)
    method = info.find(f"{{{DS}}}SignatureMethod").get("Algorithm")
    value = base64.b64decode("".join(signature.findtext(f"{{{DS}}}SignatureValue").split()))
    octets = canonical_by(_method(info.find(f"{{{DS}}}CanonicalizationMethod")), info, inclusive=True)
    around = signature if signature.getparent() is None else signature.getparent()
    return next((key for key in keyring.with_those_in(around) if fits(method, key, value, octets)), None)


def _method(element: Any) -> Method:
    prefixes = [name for inclusive in element for name in inclusive.get("PrefixList", "").split()]
    return Method(element.get("Algorithm"), prefixes or None)


def _digest(root: Any, reference: Any) -> str:
    """Whether the digest is that of our canonical form of the part, or why there is none."""
    methods = [_method(one) for one in reference.iter(f"{{{DS}}}Transform")]
    rest = [one for one in methods if one.uri != ENVELOPED]
    target = _target(root if len(rest) == len(methods) else _without_signature(root), reference.get("URI", "?"))
    if target is None:
        return "elsewhere"
    if len(rest) > 1:
        return "refused"
    try:
        # Without a canonicalisation a set of nodes is digested in inclusive form (XML signatures, 4.4.3.2).
        octets = canonical_by(rest[0] if rest else Method(C14N, None), target, inclusive=True)
    except Rejected:
        return "refused"
    computed = digest(reference.find(f"{{{DS}}}DigestMethod").get("Algorithm"), octets)
    if computed is None:
        return "unknown"
    return "fits" if computed == base64.b64decode(reference.findtext(f"{{{DS}}}DigestValue") or "") else "differs"


def _without_signature(root: Any) -> Any:
    copied = deepcopy(root)
    signature = next(copied.iter(SIGNATURE))
    if signature is copied:
        return copied
    before, tail = signature.getprevious(), signature.tail or ""
    if before is None:
        signature.getparent().text = (signature.getparent().text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    signature.tail = None
    signature.getparent().remove(signature)
    return copied


def _target(root: Any, uri: str) -> Any:
    """The root or the one element of this Id; None for everything else."""
    if uri == "":
        return root
    named = [one for one in root.iter(etree.Element) if uri[1:] in map(one.get, _IDS)] if uri.startswith("#") else []
    return named[0] if len(named) == 1 else None
