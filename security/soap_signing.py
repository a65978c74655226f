"""WS-Security X.509 signatures made: canonical text is written from templates, digested and sent as it is.

What is written here is its own exclusive C14N, so that nothing is parsed or serialised on the way out. Body, Timestamp
and the given header blocks are signed; the certificate travels as BinarySecurityToken.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from lxml import etree

from schemas.ids import new_id
from security.signature import SoapVersion, utc_now
from security.signature_algorithms import SHA256, encode, strict_base64
from security.signature_key import Signer
from security.signature_structure import DS, EXC_C14N, WSU, WSU_ID
from security.soap_plain import SOAP
from security.soap_signer import BASE64, WSSE, WSSE11, X509V3
from security.xml import MESSAGE, Element, Limits, canonical, parse

LIFETIME = timedelta(minutes=5)


class Part(NamedTuple):
    """A header block to be signed: the value of its `wsu:Id` and its exclusive C14N, that attribute included."""

    id: str
    canonical: bytes


class Signed(NamedTuple):
    """A signed envelope and its SignatureValue in base64, which the answer's SignatureConfirmation must repeat."""

    envelope: bytes
    signature_value: str


def text_header(namespace: str, name: str, text: str) -> Part:
    """A header block of nothing but text, ready to be signed (for example wsa:RelatesTo)."""
    identifier = f"h-{secrets.token_hex(8)}"
    block = etree.Element(f"{{{namespace}}}{name}", nsmap={"h": namespace, "u": WSU})
    block.set(WSU_ID, identifier)
    block.text = text
    return Part(identifier, canonical(block))


def sign_soap_parts(
    payload: bytes,
    key: Signer,
    *,
    version: SoapVersion = "1.1",
    headers: Sequence[Part] = (),
    unsigned_headers: bytes = b"",
    confirms: str | None = None,
    lifetime: timedelta = LIFETIME,
    now: datetime | None = None,
) -> Signed:
    """The envelope with `payload`, the exclusive C14N of the one element of the Body, signed with `key`.

    `confirms`: base64 SignatureValue of the question that this answers. `unsigned_headers`: further header blocks as
    they are.
    """
    soap = SOAP[version].encode()
    nonce = new_id().encode()
    body_id = b"b-" + nonce
    if b"xmlns:env=" in payload or b"xmlns:u=" in payload:
        # Where the payload declares a prefix of the Body, its canonical form there is not what it is alone.
        body = _BODY_APART % {b"n": nonce, b"soap": soap, b"payload": payload}
    else:
        body = _BODY % (soap, body_id, payload)
    signed = [(body_id, body)]
    if headers:
        signed += [(part.id.encode(), part.canonical) for part in headers]
        unsigned_headers = b"".join([part.canonical for part in headers]) + unsigned_headers
    security, value = _security(signed, key, soap, nonce, confirms, lifetime, now)
    return Signed(_ENVELOPE % (soap, security, unsigned_headers, body), value)


def sign_soap(
    envelope: bytes,
    key: Signer,
    *,
    headers: Sequence[str] = (),
    confirms: str | None = None,
    lifetime: timedelta = LIFETIME,
    now: datetime | None = None,
    limits: Limits = MESSAGE,
) -> Signed:
    """Any unsigned envelope, signed; its own text is kept. `headers`: Clark names of header blocks to sign as well.

    XmlRefused if the envelope cannot be parsed, ValueError if it is none, has a Security block or lacks a header.
    """
    root = parse(envelope, limits)
    soap = {f"{{{namespace}}}Envelope": namespace for namespace in SOAP.values()}.get(str(root.tag))
    body = None if soap is None else root.find(f"{{{soap}}}Body")
    if soap is None or body is None:
        raise ValueError("not a SOAP envelope with a Body")
    header = root.find(f"{{{soap}}}Header")
    if header is None:
        header = etree.Element(f"{{{soap}}}Header")
        root.insert(0, header)
    if header.find(f"{{{WSSE}}}Security") is not None:
        raise ValueError("the envelope has a Security block already")
    nonce = new_id()
    elements = [body]
    for name in headers:
        block = header.find(name)
        if block is None:
            raise ValueError(f"the envelope has no header block {name}")
        elements.append(block)
    parts = [_identified(element, f"p{index}-{nonce}") for index, element in enumerate(elements)]
    security, value = _security(parts, key, soap.encode(), nonce.encode(), confirms, lifetime, now)
    # The block is put in as text: lxml would rename prefixes on the way into the tree and break the signature.
    place = etree.Element(f"security-{nonce}")
    header.insert(0, place)
    mark = f"<security-{nonce}/>".encode()
    return Signed(etree.tostring(root, encoding="utf-8").replace(mark, security), value)


_WSU = WSU.encode()
_ENVELOPE = b'<env:Envelope xmlns:env="%b"><env:Header>%b%b</env:Header>%b</env:Envelope>'
_BODY = b'<env:Body xmlns:env="%%b" xmlns:u="%b" u:Id="%%b">%%b</env:Body>' % _WSU
_BODY_APART = (
    b'<e-%%(n)b:Body xmlns:e-%%(n)b="%%(soap)b" xmlns:u-%%(n)b="%b" u-%%(n)b:Id="b-%%(n)b">%%(payload)b</e-%%(n)b:Body>'
    % _WSU
)
_SECURITY = (
    b'<s:Security xmlns:s="%b" xmlns:env="%%b" env:mustUnderstand="1">'
    b'<s:BinarySecurityToken xmlns:u="%b" EncodingType="%b" ValueType="%b" u:Id="x-%%b">%%b</s:BinarySecurityToken>'
    b'%%b%%b<ds:Signature xmlns:ds="%b">%%b<ds:SignatureValue>%%b</ds:SignatureValue><ds:KeyInfo>'
    b'<s:SecurityTokenReference><s:Reference URI="#x-%%b" ValueType="%b"></s:Reference></s:SecurityTokenReference>'
    b"</ds:KeyInfo></ds:Signature></s:Security>"
) % (WSSE.encode(), _WSU, BASE64.encode(), X509V3.encode(), DS.encode(), X509V3.encode())
_TIMESTAMP = (
    b'<u:Timestamp xmlns:u="%b" u:Id="t-%%b"><u:Created>%%b</u:Created><u:Expires>%%b</u:Expires></u:Timestamp>' % _WSU
)
_CONFIRMATION = (
    b'<w:SignatureConfirmation xmlns:u="%b" xmlns:w="%b" Value="%%b" u:Id="c-%%b"></w:SignatureConfirmation>'
    % (_WSU, WSSE11.encode())
)
_SIGNED_INFO = (
    b'<ds:SignedInfo xmlns:ds="%b"><ds:CanonicalizationMethod Algorithm="%b"></ds:CanonicalizationMethod>'
    b'<ds:SignatureMethod Algorithm="%%b"></ds:SignatureMethod>%%b</ds:SignedInfo>'
) % (DS.encode(), EXC_C14N.encode())
_REFERENCE = (
    b'<ds:Reference URI="#%%b"><ds:Transforms><ds:Transform Algorithm="%b"></ds:Transform></ds:Transforms>'
    b'<ds:DigestMethod Algorithm="%b"></ds:DigestMethod><ds:DigestValue>%%b</ds:DigestValue></ds:Reference>'
) % (EXC_C14N.encode(), SHA256.encode())


def _security(
    parts: Sequence[tuple[bytes, bytes]],
    key: Signer,
    soap: bytes,
    nonce: bytes,
    confirms: str | None,
    lifetime: timedelta,
    now: datetime | None,
) -> tuple[bytes, str]:
    """The Security block over these parts (Id and canonical form) and a new Timestamp; the SignatureValue in base64.

    The nonce in the Ids makes two equal questions of the same millisecond two different SignedInfo, which a replay
    memory must not take for one.
    """
    created = utc_now() if now is None else now.astimezone(UTC)
    timestamp = _TIMESTAMP % (nonce, _instant(created), _instant(created + lifetime))
    covered = [*parts, (b"t-" + nonce, timestamp)]
    confirmation = b""
    if confirms is not None:
        confirmation = _CONFIRMATION % (encode(strict_base64(confirms, "the value to confirm")), nonce)
        covered.append((b"c-" + nonce, confirmation))
    references = [_REFERENCE % (name, encode(sha256(octets).digest())) for name, octets in covered]
    signed_info = _SIGNED_INFO % (key.algorithm.uri.encode(), b"".join(references))
    value = encode(key.sign(signed_info))
    block = _SECURITY % (soap, nonce, key.token, timestamp, confirmation, signed_info, value, nonce)
    return block, value.decode()


def _instant(at: datetime) -> bytes:
    """An instant of UTC as xs:dateTime."""
    return b"%bZ" % at.isoformat(timespec="milliseconds")[:-6].encode()


def _identified(element: Element, identifier: str) -> tuple[bytes, bytes]:
    known = element.get(WSU_ID)
    if known is None:
        element.set(WSU_ID, identifier)
        known = identifier
    return known.encode(), canonical(element)
