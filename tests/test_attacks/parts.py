"""Ids that mean two things, and parts of a signature that are there more than once."""

import re
from functools import partial

from security.signature_structure import DS, WSU
from security.soap_signer import WSSE
from tests.test_attacks.attack import Family, Genuine, change, signed_anew
from tests.test_attacks.messages import ANY_ID, Envelope, wrapped

IDS = Family("duplicate and mixed Ids", "malformed", "not-covered")
SEVERAL = Family("several parts", "malformed")

_WSU = WSU.encode()
# What verifiers take for an Id, each another set of these.
_ATTRIBUTES = {
    "wsu:Id": ANY_ID,
    "Id": b"Id=",
    "ID": b"ID=",
    "id": b"id=",
    "xml:id": b"xml:id=",
    "an Id of another namespace": b'xmlns:o="urn:other" o:Id=',
    "an AssertionID": b"AssertionID=",
}


def _beside(message: Envelope, *, attribute: bytes) -> bytes:
    block = b'<w:Other xmlns:w="urn:wrapper" %b"%b"/>' % (attribute, message.body_id)
    return message.whole(header=message.header(last=block))


def _on_the_forged(message: Envelope, *, attribute: bytes) -> bytes:
    forged = change(message.forged, b"<env:Body ", b'<env:Body %b"%b" ' % (attribute, message.body_id))
    # The Body has the prefix already.
    forged = forged.replace(b'xmlns:u="%b" u:Id=' % _WSU, b"u:Id=", 1)
    return message.whole(header=message.header(last=wrapped(message.body)), body=forged)


for _name, _attribute in _ATTRIBUTES.items():
    IDS.add(f"{_name} of a block is that of the Body", partial(_beside, attribute=_attribute))
    IDS.add(f"{_name} of a forged Body is that of the wrapped one", partial(_on_the_forged, attribute=_attribute))


@IDS.attack()
def duplicate_hidden_by_a_character_reference(message: Envelope) -> bytes:
    hidden = b"&#%d;" % message.body_id[0] + message.body_id[1:]
    block = b'<w:Other xmlns:w="urn:wrapper" Id="%b"/>' % hidden
    return message.whole(header=message.header(last=block))


@IDS.attack()
def duplicate_hidden_by_a_hexadecimal_reference(message: Envelope) -> bytes:
    hidden = b"&#x%x;" % message.body_id[0] + message.body_id[1:]
    block = b'<w:Other xmlns:w="urn:wrapper" %b"%b"/>' % (ANY_ID, hidden)
    return message.whole(header=message.header(first=block))


@IDS.attack()
def body_and_timestamp_of_one_id(message: Envelope) -> bytes:
    timestamp = message.timestamp[message.timestamp.index(b'u:Id="') + 6 :].partition(b'"')[0]
    return signed_anew(change(message.octets, message.body_id, timestamp), message.source.key)


@IDS.attack()
def empty_id(message: Envelope) -> bytes:
    return signed_anew(change(message.octets, message.body_id, b""), message.source.key)


@IDS.attack()
def id_with_a_space(message: Envelope) -> bytes:
    return signed_anew(change(message.octets, message.body_id, b"a b"), message.source.key)


@IDS.attack()
def id_with_a_colon(message: Envelope) -> bytes:
    return signed_anew(change(message.octets, message.body_id, b"a:b"), message.source.key)


@IDS.attack()
def id_of_another_alphabet(message: Envelope) -> bytes:
    return signed_anew(change(message.octets, message.body_id, "Địa".encode()), message.source.key)


@IDS.attack("not-covered")
def part_of_the_body_signed_in_its_stead(message: Envelope) -> bytes:
    body = change(message.body, message.payload, _with_id(message.payload))
    return signed_anew(
        change(message.whole(body=body), b'URI="#%b"' % message.body_id, b'URI="#inner"'), message.source.key
    )


@IDS.attack()
def part_of_the_body_signed_as_well(message: Envelope) -> bytes:
    body = change(message.body, message.payload, _with_id(message.payload))
    reference = re.search(rb"<ds:Reference .*?</ds:Reference>", message.signature)[0]  # type: ignore[index]
    further = re.sub(rb'URI="[^"]*"', b'URI="#inner"', reference)
    return signed_anew(change(message.whole(body=body), reference, reference + further), message.source.key)


def _with_id(payload: bytes) -> bytes:
    end = payload.index(b">")
    end -= payload[end - 1 : end] == b"/"
    return payload[:end] + b" " + ANY_ID + b'"inner"' + payload[end:]


_TWICE = {
    "SignedInfo": (b"<ds:SignedInfo", b"</ds:SignedInfo>"),
    "SignatureValue": (b"<ds:SignatureValue", b"</ds:SignatureValue>"),
    "KeyInfo": (b"<ds:KeyInfo", b"</ds:KeyInfo>"),
    "CanonicalizationMethod": (b"<ds:CanonicalizationMethod", b"</ds:CanonicalizationMethod>"),
    "SignatureMethod": (b"<ds:SignatureMethod", b"</ds:SignatureMethod>"),
    "Reference": (b"<ds:Reference", b"</ds:Reference>"),
    "Transforms": (b"<ds:Transforms", b"</ds:Transforms>"),
    "DigestMethod": (b"<ds:DigestMethod", b"</ds:DigestMethod>"),
    "DigestValue": (b"<ds:DigestValue", b"</ds:DigestValue>"),
}


def twice(message: Genuine, *, start: bytes, end: bytes, signed: bool) -> bytes:
    """The message with the first part of this name a second time behind it."""
    octets = message.octets
    at = octets.index(start)
    part = octets[at : octets.index(end, at) + len(end)]
    doubled = octets.replace(part, part + part, 1)
    # Not the digests: a second Reference to the same part is right as it is.
    return signed_anew(doubled, message.source.key, digests=False) if signed else doubled


for _name, (_start, _end) in _TWICE.items():
    # What lies inside of SignedInfo is under the signature.
    _inside = _name not in ("SignedInfo", "SignatureValue", "KeyInfo")
    SEVERAL.add(f"two {_name}", partial(twice, start=_start, end=_end, signed=_inside))


@SEVERAL.attack()
def two_signatures_the_forged_one_first(message: Envelope) -> bytes:
    forged = Envelope(message.by(message.source.key), message.source)
    return message.whole(
        header=message.header(security=message.security(signature=forged.signature + message.signature))
    )


@SEVERAL.attack()
def two_signatures_the_same(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(last=message.signature)))


@SEVERAL.attack()
def signature_in_an_object_of_the_signature(message: Envelope) -> bytes:
    nested = b"<ds:Object>" + message.signature + b"</ds:Object></ds:Signature>"
    signature = change(message.signature, b"</ds:Signature>", nested)
    return message.whole(header=message.header(security=message.security(signature=signature)))


@SEVERAL.attack()
def empty_signature_before_the_genuine_one(message: Envelope) -> bytes:
    empty = b'<ds:Signature xmlns:ds="%b"/>' % DS.encode()
    return message.whole(header=message.header(security=message.security(first=empty)))


@SEVERAL.attack()
def two_security_blocks(message: Envelope) -> bytes:
    return message.whole(header=message.header(last=message.security()))


@SEVERAL.attack()
def empty_second_security(message: Envelope) -> bytes:
    return message.whole(header=message.header(last=b'<s:Security xmlns:s="%b"/>' % WSSE.encode()))


@SEVERAL.attack()
def empty_first_security(message: Envelope) -> bytes:
    return message.whole(header=message.header(first=b'<s:Security xmlns:s="%b"/>' % WSSE.encode()))


@SEVERAL.attack()
def two_tokens_the_same(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(first=message.token)))


@SEVERAL.attack()
def manifest_in_an_object(message: Envelope) -> bytes:
    manifest = b"<ds:Object><ds:Manifest/></ds:Object></ds:Signature>"
    signature = change(message.signature, b"</ds:Signature>", manifest)
    return message.whole(header=message.header(security=message.security(signature=signature)))


@SEVERAL.attack()
def unknown_element_in_security(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(first=wrapped())))


@SEVERAL.attack()
def encrypted_key_in_security(message: Envelope) -> bytes:
    key = b'<e:EncryptedKey xmlns:e="http://www.w3.org/2001/04/xmlenc#"/>'
    return message.whole(header=message.header(security=message.security(first=key)))


@SEVERAL.attack()
def text_in_security(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(last=b"text")))
