"""The message that honest senders write, read off its canonical form by one pattern instead of a walk over its tree.

Canonical text says each thing in one way only: names, attributes and their order, white space in tags. A pattern over
all of it is as strict as the walk and costs a fraction. It knows the envelope whose header holds Security (a token, a
Timestamp, at most one SignatureConfirmation, the signature) and blocks of nothing but text; signed are all of these
(the token left out) and the Body, by SHA-256. Whatever it does not know, a wrong digest too, is not plain: the walk
decides, and only the walk refuses.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import NamedTuple

from lxml import etree

from security.signature import SignaturePolicy, SoapVersion
from security.signature_algorithms import SHA256, encode
from security.signature_structure import DS, EXC_C14N, MAX_REFERENCES, SIGNATURE, WSU
from security.soap_signer import BASE64, WSSE, WSSE11, X509V3
from security.xml import Element, canonical

SOAP: dict[SoapVersion, str] = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
SECURITY = f"{{{WSSE}}}Security"
TOKEN = f"{{{WSSE}}}BinarySecurityToken"
TIMESTAMP = f"{{{WSU}}}Timestamp"
CONFIRMATION = f"{{{WSSE11}}}SignatureConfirmation"
SOAP_PARTS = tuple(f"{{{namespace}}}{part}" for namespace in SOAP.values() for part in ("Envelope", "Header", "Body"))

MAX_SIZE = 64 * 1024
"""Of a larger message nothing but SignedInfo is made canonical before the signature over it holds."""


class Plain(NamedTuple):
    """What a plain message says; the digests of its SignedInfo are those of its Body, Timestamp, confirmation, blocks.

    `blocks`: the header blocks beside Security, each of another name. `token`: the certificate in base64.
    `signed_info`: in canonical form. `value_text`: `value` in base64. `confirms`: the value of the
    SignatureConfirmation in base64, if it has one.
    """

    body: Element
    security: Element
    blocks: tuple[Element, ...]
    token: str
    signature_method: str
    signed_info: bytes
    value_text: str
    value: bytes
    created: datetime
    expires: datetime
    confirms: tuple[str, ...]


_TAG = attrgetter("tag")
_SPECIAL = (*SOAP_PARTS, SECURITY, TOKEN, TIMESTAMP, CONFIRMATION, SIGNATURE)
_MOST = 8
"""Envelope, Header and Body, Security and what it may hold: no list of names is remembered that is longer."""
_TWICE = {2}


def plain_message(root: Element, size: int, policy: SignaturePolicy) -> Plain | None:
    """What a message of `size` bytes says, None if it is not plain.

    The walk over the same tree would find the same and refuse nothing up to the question who signed it.
    """
    # Without comments and processing instructions the canonical text says all that the tree says.
    if size > MAX_SIZE or policy.signed_headers or policy.limits.comments:
        return None
    special = list(root.iter(*_SPECIAL))
    form = _form(tuple(map(_TAG, special)), policy.soap) if len(special) <= _MOST else None
    if form is None:
        return None
    try:
        octets = canonical(root)
    except etree.C14NError:
        return None
    found = form(octets)
    body, security = special[-1], special[2]
    if found is None or len(body) != 1:
        return None
    soap, envelope, opening, wsu, prefix, rest, body_id = found.group(*_BODY_GROUPS)
    timestamp, timestamp_id, confirmation, confirmation_id, token_id, named, info, ds, rest_of_info, references = (
        found.group(*_PART_GROUPS)
    )
    # Within the Envelope the Body need not declare the prefix of both; alone it does, in the order of prefixes.
    declared = soap + wsu if envelope[:-1] < prefix else wsu + soap
    digests = {
        body_id: encode(sha256(opening + declared + rest).digest()),
        timestamp_id: encode(sha256(timestamp).digest()),
    }
    if confirmation:
        digests[confirmation_id] = encode(sha256(confirmation).digest())
    blocks = _blocks(root[0], security, octets, found, digests)
    said = dict(zip(_URIS(references), _DIGESTS(references), strict=True))
    # Each Id stands there once as Id and once in its Reference. Canonical text has no other way to write one.
    if blocks is None or said != digests or token_id != named or set(map(octets.count, digests)) != _TWICE:
        return None
    token, method, value, created, expires, confirms = map(bytes.decode, found.group(*_TEXT_GROUPS))
    try:
        return Plain(
            body,
            security,
            blocks,
            token,
            method,
            # Within the Signature it need not declare their prefix.
            info + ds + rest_of_info,
            value,
            a2b_base64(value),
            datetime.fromisoformat(created),
            datetime.fromisoformat(expires),
            (confirms,) if confirmation else (),
        )
    except ValueError:
        # A day that no month has.
        return None


def _blocks(
    header: Element, security: Element, octets: bytes, found: re.Match[bytes], digests: dict[bytes, bytes]
) -> tuple[Element, ...] | None:
    """The blocks beside Security, whose digests are put in by Id; None if they are not plain or share a name."""
    if len(header) == 1:
        return ()
    for region in ("before", "after"):
        at, end = found.span(region)
        while at < end:
            block = _BLOCK.match(octets, at, end)
            if block is None:
                return None
            text, identifier = block.group("block", "id")
            if identifier in digests:
                return None
            digests[identifier] = encode(sha256(text).digest())
            at = block.end()
    blocks = tuple(block for block in header if block is not security)
    return blocks if len(set(map(_TAG, blocks))) == len(blocks) else None


# A prefix that is declared in a tag of canonical text is one that this tag uses; what is declared above it and not here
# holds here too. So each name below has one namespace. Where a tag declares one prefix and bears another, which could
# be the same, the pattern says that they differ.
_NAME = r"[A-Za-z_][A-Za-z0-9._-]*"
_ID = r"[A-Za-z_][A-Za-z0-9._-]{0,127}"
_GAP = r"[ \t\n]*"
_OWN_ID = r'(?: Id="[^"&<]*")?'
_BASE64 = (
    r"(?=[A-Za-z0-9+/])(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?(?=[<\"])"
)
_INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z"

_BODY_GROUPS = ("soap", "p", "opening", "wsu", "b", "rest", "body_id")
_PART_GROUPS = (
    *("timestamp", "timestamp_id", "confirmation", "confirmation_id", "token_id", "named"),
    *("info", "ds", "rest_of_info", "references"),
)
_TEXT_GROUPS = ("token", "method", "value", "created", "expires", "confirms")

_TOKEN = (
    rf'<(?P=s):BinarySecurityToken xmlns:(?P<t>(?!(?P=s)=){_NAME})="{re.escape(WSU)}"'
    rf'(?: EncodingType="{re.escape(BASE64)}")? ValueType="{re.escape(X509V3)}" (?P=t):Id="(?P<token_id>{_ID})">'
    rf"{_GAP}(?P<token>[A-Za-z0-9+/](?:[A-Za-z0-9+/= \t\n]*[A-Za-z0-9+/=])?){_GAP}</(?P=s):BinarySecurityToken>"
)
_TIMESTAMP = (
    rf'(?P<timestamp><(?P<u>{_NAME}):Timestamp xmlns:(?P=u)="{re.escape(WSU)}" (?P=u):Id="(?P<timestamp_id>{_ID})">'
    rf"{_GAP}<(?P=u):Created>{_GAP}(?P<created>{_INSTANT}){_GAP}</(?P=u):Created>"
    rf"{_GAP}<(?P=u):Expires>{_GAP}(?P<expires>{_INSTANT}){_GAP}</(?P=u):Expires>{_GAP}</(?P=u):Timestamp>)"
)
_CONFIRMATION = (
    rf"(?P<confirmation><(?P<w>{_NAME}):SignatureConfirmation"
    rf'(?: xmlns:(?P=w)="{re.escape(WSSE11)}"| xmlns:(?P<c>(?!(?P=w)=){_NAME})="{re.escape(WSU)}"){{2}}'
    rf' Value="(?P<confirms>{_BASE64})" (?P=c):Id="(?P<confirmation_id>{_ID})">{_GAP}'
    rf"</(?P=w):SignatureConfirmation>)"
)
_NO_CONFIRMATION = r"(?P<confirmation>)(?P<confirmation_id>)(?P<confirms>)"
_REFERENCE = (
    rf'<(?P=d)Reference URI="#{_ID}">{_GAP}<(?P=d)Transforms>{_GAP}'
    rf'<(?P=d)Transform Algorithm="{re.escape(EXC_C14N)}"></(?P=d)Transform>{_GAP}</(?P=d)Transforms>{_GAP}'
    rf'<(?P=d)DigestMethod Algorithm="{re.escape(SHA256)}"></(?P=d)DigestMethod>{_GAP}'
    rf"<(?P=d)DigestValue>[A-Za-z0-9+/]{{42}}[AEIMQUYcgkosw048]=</(?P=d)DigestValue>{_GAP}"
    rf"</(?P=d)Reference>{_GAP}"
)
# In text that matched the pattern above, one of each for each reference.
_URIS = re.compile(rb'URI="#([^"]+)').findall
_DIGESTS = re.compile(rb"DigestValue>([^< \t\n]+)").findall
_SIGNATURE = (
    rf'<(?P<d>(?!(?P=s):)(?:{_NAME}:)?)Signature(?P<ds> xmlns(?::{_NAME})?="{re.escape(DS)}"){_OWN_ID}>'
    rf"{_GAP}(?P<info><(?P=d)SignedInfo)(?P<rest_of_info>>{_GAP}"
    rf'<(?P=d)CanonicalizationMethod Algorithm="{re.escape(EXC_C14N)}"></(?P=d)CanonicalizationMethod>{_GAP}'
    rf'<(?P=d)SignatureMethod Algorithm="(?P<method>[^"&<]*)"></(?P=d)SignatureMethod>{_GAP}'
    rf"(?P<references>(?:{_REFERENCE}){{2,{MAX_REFERENCES}}})</(?P=d)SignedInfo>){_GAP}"
    rf"<(?P=d)SignatureValue{_OWN_ID}>(?P<value>{_BASE64})</(?P=d)SignatureValue>{_GAP}"
    rf"<(?P=d)KeyInfo{_OWN_ID}>{_GAP}<(?P=s):SecurityTokenReference"
    rf'(?: xmlns:(?P<r>(?!(?P=s)=){_NAME})="{re.escape(WSU)}" (?P=r):Id="[^"&<]*")?>{_GAP}'
    rf'<(?P=s):Reference URI="#(?P<named>{_ID})"(?: ValueType="{re.escape(X509V3)}")?></(?P=s):Reference>{_GAP}'
    rf"</(?P=s):SecurityTokenReference>{_GAP}</(?P=d)KeyInfo>{_GAP}</(?P=d)Signature>"
)


# Of canonical text this is every element without another inside.
_LEAVES = rf"(?:<[^/<][^<]*+</[^<>]*+>{_GAP})*"
# Its name is of the namespace that is declared beside the one of its Id, since that is the only other prefix it uses.
_BLOCK = re.compile(
    (
        rf"(?P<block><(?P<name>(?:{_NAME}:)?[^ :]+)"
        rf'(?: xmlns:(?P<i>{_NAME})="{re.escape(WSU)}"| xmlns(?::{_NAME})?="[^"&<]+"){{2}} (?P=i):Id="(?P<id>{_ID})">'
        rf"[^<]*+</(?P=name)>){_GAP}"
    ).encode()
)


_Form = Callable[[bytes], re.Match[bytes] | None]
"""Matches the whole text."""


@lru_cache(maxsize=64)
def _form(tags: tuple[str, ...], accepted: frozenset[SoapVersion]) -> _Form | None:
    """The form of a message with these special elements in this order, None if it would not be plain.

    All others of these names are excluded by that: what has the name is what stands in the pattern's place.
    """
    inside = tags[3:-1]
    version = next((one for one in accepted if tags[:2] + tags[-1:] == _frame(SOAP[one])), None)
    if version is None or tags[2] != SECURITY or sorted(inside) not in _WHOLE:
        return None
    return re.compile(_text(SOAP[version], inside).encode(), re.DOTALL).fullmatch


_WHOLE = (sorted((TOKEN, TIMESTAMP, SIGNATURE)), sorted((TOKEN, TIMESTAMP, CONFIRMATION, SIGNATURE)))


def _frame(namespace: str) -> tuple[str, ...]:
    return tuple(f"{{{namespace}}}{part}" for part in ("Envelope", "Header", "Body"))


def _text(namespace: str, inside: Sequence[str]) -> str:
    pieces = {
        TOKEN: _TOKEN,
        TIMESTAMP: _TIMESTAMP,
        CONFIRMATION: _CONFIRMATION,
        SIGNATURE: _SIGNATURE,
    }
    return (
        rf'<(?P<p>(?:{_NAME}:)?)Envelope(?P<soap> xmlns(?::{_NAME})?="{re.escape(namespace)}")>'
        rf'{_GAP}<(?P=p)Header>{_GAP}(?P<before>{_LEAVES})<(?P<s>{_NAME}):Security(?: xmlns:(?P=s)="{re.escape(WSSE)}"'
        rf'| xmlns:(?P=s)="{re.escape(WSSE)}" (?P=p)mustUnderstand="(?:[01]|true|false)")>'
        rf"{_GAP}{_GAP.join(pieces[tag] for tag in inside)}{'' if CONFIRMATION in inside else _NO_CONFIRMATION}"
        rf"{_GAP}</(?P=s):Security>{_GAP}(?P<after>{_LEAVES})</(?P=p)Header>{_GAP}"
        rf'(?P<opening><(?P=p)Body)(?P<wsu> xmlns:(?P<b>{_NAME})="{re.escape(WSU)}")'
        rf'(?P<rest> (?P=b):Id="(?P<body_id>{_ID})">{_GAP}<.*>{_GAP}</(?P=p)Body>){_GAP}</(?P=p)Envelope>'
    )
