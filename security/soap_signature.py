"""WS-Security X.509 signatures of SOAP 1.1 and 1.2 messages, checked by a strict profile (OASIS WSS 1.1.1).

One parse; what was digested and what is handed over are the same element objects, so that no wrapping can slip
another element in between. Everything outside the profile is refused with a reason of the published list. A message of
the usual form is read off its canonical text (`soap_plain`); the walk below reads all others and alone refuses a form.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from operator import attrgetter, methodcaller
from typing import NamedTuple

from security.freshness import fresh_until, instant
from security.signature import Rejected, SignaturePolicy, SoapVersion, Trusted, Verified, utc_now
from security.signature_algorithms import check_of, encode, strict_base64
from security.signature_structure import (
    EXC_C14N,
    SIGNATURE,
    WSU,
    WSU_ID,
    Reference,
    are_unique,
    canonical_by,
    check_digest,
    check_signature,
    element_only,
    expect,
    malformed,
    read_signature,
    same_document,
    text_of,
)
from security.soap_plain import CONFIRMATION, SECURITY, SOAP_PARTS, TIMESTAMP, TOKEN, plain_message
from security.soap_plain import SOAP as SOAP
from security.soap_signer import signer_named
from security.trust import Trust
from security.xml import Element, XmlRefused, parse

RELATES_TO = "{http://www.w3.org/2005/08/addressing}RelatesTo"

_VERSIONS: dict[str, SoapVersion] = {f"{{{namespace}}}Envelope": version for version, namespace in SOAP.items()}
_HEADER = {version: f"{{{namespace}}}Header" for version, namespace in SOAP.items()}
_BODY = {version: f"{{{namespace}}}Body" for version, namespace in SOAP.items()}
_UNIQUE = (SECURITY, SIGNATURE, TIMESTAMP, TOKEN, *SOAP_PARTS)
_ULTIMATE_RECEIVER = f"{SOAP['1.2']}/role/ultimateReceiver"
_TIMES = [f"{{{WSU}}}Created", f"{{{WSU}}}Expires"]
_ID_FORM = frozenset({WSU_ID})
_CONFIRMATION_FORM = frozenset({WSU_ID, "Value"})
_NOTHING: frozenset[str] = frozenset()
_ID_OF = methodcaller("get", WSU_ID)
_TAG_OF = attrgetter("tag")
_QUALIFIED = methodcaller("startswith", "{")


class _Message(NamedTuple):
    """The parts of an envelope that the profile knows; `blocks` are the header blocks beside Security."""

    version: SoapVersion
    header: Element
    blocks: list[Element]
    body: Element
    security: Element
    signature: Element
    timestamp: Element
    token: Element | None
    confirmations: list[Element]


def verify_soap(
    document: bytes,
    policy: SignaturePolicy,
    trust: Trust,
    *,
    confirms: str | None = None,
    relates_to: str | None = None,
    now: datetime | None = None,
) -> Verified:
    """What the signature over Body and Timestamp of a SOAP message proves; Rejected with a reason if nothing.

    `confirms`: the base64 SignatureValue of our question, which a signed wsse11:SignatureConfirmation must repeat.
    `relates_to`: the id of our question, which a signed wsa:RelatesTo must hold. `now` is UTC.
    """
    moment = now or utc_now()
    try:
        root = parse(document, policy.limits)
    except XmlRefused as refused:
        raise malformed(str(refused)) from None
    plain = plain_message(root, len(document), policy)
    if plain is None:
        return _verify_walked(root, document, policy, trust, moment, confirms, relates_to)
    body, security, blocks, token, method, signed_info, value_text, value, created, expires, confirmed = plain
    signer = trust.accept(token, moment)
    check_of(method, signer.checks)(value, signed_info)
    until = fresh_until(created, expires, policy, moment)
    signature_digest = _first_time(signed_info, until, policy)
    _check_answers(blocks, confirmed, confirms, relates_to)
    # No attribute and no unsigned block is in this header.
    root[0].remove(security)
    return Verified(
        Trusted(body[0]),
        tuple(map(Trusted, blocks)),
        signer.certificate,
        signer.subject,
        signer.fingerprint,
        created,
        signature_digest,
        value_text,
        until,
        method,
        confirmed,
        signer.assurance,
    )


def _verify_walked(
    root: Element,
    document: bytes,
    policy: SignaturePolicy,
    trust: Trust,
    moment: datetime,
    confirms: str | None,
    relates_to: str | None,
) -> Verified:
    message = _read(root, policy)
    parts = read_signature(message.signature, root, document)
    references = parts.said.references
    signed = _signed_elements(root, document, message, references)
    headers = _signed_headers(message, signed, policy)
    named = signer_named(parts.key_info, message.token)
    signer = trust.accept(named.presented, moment)
    named.check_hints(signer.certificate)
    signed_info = check_signature(parts, signer, inclusive=False)
    for reference, element in zip(references, signed, strict=True):
        check_digest(reference, canonical_by(reference.transforms[0], element, inclusive=False))
    created, expires = _times(message.timestamp)
    until = fresh_until(created, expires, policy, moment)
    signature_digest = _first_time(signed_info, until, policy)
    confirmed = _confirmed(message, signed, confirms)
    _check_answers(headers, confirmed, confirms, relates_to)
    _forget_unsigned(root, message, headers)
    return Verified(
        Trusted(message.body[0]),
        tuple(map(Trusted, headers)),
        signer.certificate,
        signer.subject,
        signer.fingerprint,
        created,
        signature_digest,
        encode(parts.value).decode(),
        until,
        parts.said.signature_method,
        confirmed,
        signer.assurance,
    )


def _read(root: Element, policy: SignaturePolicy) -> _Message:
    version = _VERSIONS.get(root.tag)
    if version is None or version not in policy.soap:
        raise malformed("the document is not an envelope of an accepted SOAP version")
    children = list(root)
    if len(children) == 1 and children[0].tag == _BODY[version]:
        raise Rejected("not-covered", "the message has no header and no signature")
    if len(children) != 2 or not element_only(root, children):
        raise malformed("the envelope must hold exactly a Header and a Body")
    header, body = children
    if header.tag != _HEADER[version] or body.tag != _BODY[version]:
        raise malformed("the envelope must hold exactly a Header and a Body")
    blocks = list(header)
    if not element_only(header, blocks) or not all(map(_QUALIFIED, map(_TAG_OF, blocks))):
        raise malformed("the Header must hold nothing but elements of a namespace")
    payload = list(body)
    if len(payload) != 1 or not element_only(body, payload):
        raise malformed("the Body must hold exactly one element")
    special = list(root.iter(*_UNIQUE))
    found: dict[str, Element] = {element.tag: element for element in special}
    if len(found) != len(special):
        raise malformed("there is more than one envelope, Security, Signature, Timestamp or token")
    security, signature, timestamp = found.get(SECURITY), found.get(SIGNATURE), found.get(TIMESTAMP)
    token = found.get(TOKEN)
    # Envelope, Header and Body are among them.
    if len(found) != 3 + sum(one is not None for one in (security, signature, timestamp, token)):
        raise malformed("there are parts of another envelope inside the envelope")
    if security is None or signature is None:
        raise Rejected("not-covered", "the message carries no signature")
    if timestamp is None:
        raise Rejected("not-covered", "the message carries no Timestamp")
    if security.getparent() is not header:
        raise malformed("Security must be a header block")
    if not _for_us(security, SOAP[version]):
        raise malformed("Security is addressed to another receiver")
    children = list(security)
    confirmations = []
    for child in children:
        if child.tag == CONFIRMATION:
            confirmations.append(child)
        elif child is not signature and child is not timestamp and child is not token:
            raise malformed("Security holds something that the profile does not know")
    if len(children) != 2 + (token is not None) + len(confirmations) or not element_only(security, children):
        raise malformed("Signature, Timestamp and token must be children of Security")
    blocks.remove(security)
    return _Message(version, header, blocks, body, security, signature, timestamp, token, confirmations)


def _for_us(block: Element, soap: str) -> bool:
    receiver = block.get(f"{{{soap}}}actor", "") or block.get(f"{{{soap}}}role", "")
    return receiver in ("", _ULTIMATE_RECEIVER)


def _signed_elements(
    root: Element, document: bytes, message: _Message, references: tuple[Reference, ...]
) -> list[Element]:
    """The element that each reference means, Body and Timestamp among them; Rejected otherwise.

    Only parts of the message can be meant: the Body, header blocks, and some children of Security.
    """
    parts = [message.body, message.timestamp, *message.confirmations, *message.blocks]
    if message.token is not None:
        parts.append(message.token)
    by_id = dict(zip(map(_ID_OF, parts), parts, strict=True))
    names: list[str] = []
    for reference in references:
        if len(reference.transforms) != 1 or reference.transforms[0].uri != EXC_C14N:
            raise malformed("a Reference must have exactly one transform, exclusive C14N")
        names.append(same_document(reference.uri))
    signed = [by_id[name] for name in names if name in by_id]
    if message.body not in signed:
        raise Rejected("not-covered", "the signature does not cover the Body")
    if message.timestamp not in signed:
        raise Rejected("not-covered", "the signature does not cover the Timestamp")
    if len(signed) != len(names):
        raise malformed("a Reference points at something that is not a part of the message")
    if not are_unique(names, root, document):
        raise malformed("an Id is not unique")
    return signed


def _signed_headers(message: _Message, signed: list[Element], policy: SignaturePolicy) -> list[Element]:
    """The signed header blocks, each of its own name; Rejected("not-covered") if one that must be signed is not."""
    covered: list[Element] = []
    seen: set[str] = set()
    for block in message.blocks:
        namespace = str(block.tag).rpartition("}")[0][1:]
        ours = namespace in policy.signed_namespaces
        if block in signed:
            covered.append(block)
        elif ours:
            raise Rejected("not-covered", f"header elements of {namespace} must be signed, and one is not")
        elif block.get(f"{{{SOAP[message.version]}}}mustUnderstand", "0").strip() not in ("0", "false"):
            raise Rejected("not-covered", "a mandatory header block is not signed")
        elif block.tag in policy.signed_headers:
            raise Rejected("not-covered", "a header block that must be signed is not")
        if ours and not _for_us(block, SOAP[message.version]):
            raise malformed(f"a header element of {namespace} is addressed to another receiver")
        if block.tag in seen and (ours or block.tag in policy.signed_headers):
            raise malformed("a header block occurs twice")
        seen.add(block.tag)
    if not policy.signed_headers <= seen:
        raise Rejected("not-covered", "a header block that must be signed is missing")
    return covered


def _times(timestamp: Element) -> tuple[datetime, datetime]:
    """When the message was made and when it expires."""
    created_at, expires_at = expect(timestamp, _TIMES, _ID_FORM, "Timestamp")
    created = instant(text_of(created_at, _NOTHING, "Created"), "Created")
    return created, instant(text_of(expires_at, _NOTHING, "Expires"), "Expires")


def _first_time(signed_info: bytes, until: datetime, policy: SignaturePolicy) -> bytes:
    """The SHA-256 of a SignedInfo that was not accepted before; Rejected("replayed") otherwise."""
    mark = sha256(signed_info).digest()
    if policy.replays is not None and not policy.replays.remember(mark, until):
        raise Rejected("replayed", "this message was accepted before")
    return mark


def _forget_unsigned(root: Element, message: _Message, headers: list[Element]) -> None:
    """Take everything unsigned out of the tree, so that no way leads there from what is handed over.

    The Body stays where it is: lxml renames prefixes in what it moves, and values such as xsi:type may hold them.
    """
    for block in (message.security, *message.blocks):
        if block not in headers:
            message.header.remove(block)
    root.attrib.clear()
    message.header.attrib.clear()


def _confirmed(message: _Message, signed: list[Element], confirms: str | None) -> tuple[str, ...]:
    values = []
    for confirmation in message.confirmations:
        if confirmation not in signed:
            raise Rejected("not-covered", "a SignatureConfirmation is not signed")
        expect(confirmation, [], _CONFIRMATION_FORM, "SignatureConfirmation")
        value = confirmation.get("Value")
        if value is not None:
            # What is awaited needs no decoding to be compared.
            same = value == confirms
            values.append(value if same else encode(strict_base64(value, "SignatureConfirmation")).decode())
    return tuple(values)


def _check_answers(
    headers: Sequence[Element], confirmed: tuple[str, ...], confirms: str | None, relates_to: str | None
) -> None:
    if confirms is not None and confirmed != (confirms,):
        raise Rejected("not-answer-to-request", "the answer does not confirm the signature of our question")
    if relates_to is not None:
        named = [(block.text or "").strip() for block in headers if block.tag == RELATES_TO]
        if named != [relates_to]:
            raise Rejected("not-answer-to-request", "the answer does not name our question")
