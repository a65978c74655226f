"""Signature wrapping: the signed parts are genuine, but what a careless reader would take is not.

Eight forms carry the well-known wrappings of SAML (XSW 1 to 8) over to SOAP: the Body stands for the assertion, the
Envelope for the response. The rest is every place in which a signed Body can be hidden, with three kinds of Id.
"""

from collections.abc import Callable
from functools import partial

from security.signature_structure import WSU
from security.soap_plain import SOAP
from security.soap_signer import WSSE
from tests.test_attacks.attack import MARK, Family, change
from tests.test_attacks.messages import Envelope, wrapped

FAMILY = Family("wrapping", "malformed", "not-covered")

_OBJECT = b"<ds:Object>%b</ds:Object></ds:Signature>"


def _in_signature(message: Envelope, content: bytes) -> bytes:
    return message.security(signature=change(message.signature, b"</ds:Signature>", content + b"</ds:Signature>"))


@FAMILY.attack()
def xsw_1_genuine_envelope_in_the_signature_of_a_forged_one(message: Envelope) -> bytes:
    genuine = message.whole(header=message.header(security=message.security(signature=b"")))
    return message.whole(header=message.header(security=_in_signature(message, genuine)), body=message.forged)


@FAMILY.attack()
def xsw_2_genuine_envelope_before_the_signature_of_a_forged_one(message: Envelope) -> bytes:
    genuine = message.whole(header=message.header(security=message.security(signature=b"")))
    security = message.security(signature=genuine + message.signature)
    return message.whole(header=message.header(security=security), body=message.forged)


@FAMILY.attack()
def xsw_3_forged_body_before_the_genuine_one(message: Envelope) -> bytes:
    return message.whole(body=message.forged_with_id(b"evil") + message.body)


@FAMILY.attack()
def xsw_4_genuine_body_in_the_forged_one(message: Envelope) -> bytes:
    return message.whole(body=change(message.forged_with_id(b"evil"), b"</env:Body>", message.body + b"</env:Body>"))


@FAMILY.attack()
def xsw_5_changed_body_keeps_the_id_and_the_original_stands_last(message: Envelope) -> bytes:
    return message.whole(body=message.forged_with_id(message.body_id), trailing=message.body)


@FAMILY.attack()
def xsw_6_changed_body_keeps_the_id_and_the_original_is_in_the_signature(message: Envelope) -> bytes:
    header = message.header(security=_in_signature(message, message.body))
    return message.whole(header=header, body=message.forged_with_id(message.body_id))


@FAMILY.attack()
def xsw_7_forged_body_of_the_same_id_in_an_extension(message: Envelope) -> bytes:
    return message.whole(header=message.header(first=wrapped(message.forged_with_id(message.body_id))))


@FAMILY.attack()
def xsw_8_genuine_body_in_an_object(message: Envelope) -> bytes:
    signature = change(message.signature, b"</ds:Signature>", _OBJECT % message.body)
    header = message.header(security=message.security(signature=signature))
    return message.whole(header=header, body=message.forged_with_id(message.body_id))


def _into_second_security(message: Envelope, hidden: bytes) -> bytes:
    role = b"actor" if message.version == "1.1" else b"role"
    return (
        b'<s:Security xmlns:s="%b" xmlns:env="%b" env:%b="urn:someone-else">' % (WSSE.encode(), message.soap, role)
        + hidden
        + b"</s:Security>"
    )


# Where the signed Body goes when a forged one has taken its place.
PLACES: dict[str, Callable[[Envelope, bytes, bytes], bytes]] = {
    "wrapped at the end of the header": lambda m, evil, hidden: m.whole(
        header=m.header(last=wrapped(hidden)), body=evil
    ),
    "wrapped before Security": lambda m, evil, hidden: m.whole(header=m.header(first=wrapped(hidden)), body=evil),
    "wrapped in Security": lambda m, evil, hidden: m.whole(
        header=m.header(security=m.security(last=wrapped(hidden))), body=evil
    ),
    "bare in the header": lambda m, evil, hidden: m.whole(header=m.header(last=hidden), body=evil),
    "bare before Security": lambda m, evil, hidden: m.whole(header=m.header(first=hidden), body=evil),
    "bare in Security": lambda m, evil, hidden: m.whole(header=m.header(security=m.security(last=hidden)), body=evil),
    "in an Object": lambda m, evil, hidden: m.whole(
        header=m.header(security=_in_signature(m, b"<ds:Object>" + hidden + b"</ds:Object>")), body=evil
    ),
    "in KeyInfo": lambda m, evil, hidden: m.whole(
        header=m.header(
            security=m.security(signature=change(m.signature, b"</ds:KeyInfo>", hidden + b"</ds:KeyInfo>"))
        ),
        body=evil,
    ),
    "in the token reference": lambda m, evil, hidden: m.whole(
        header=m.header(
            security=m.security(
                signature=change(m.signature, b"</s:SecurityTokenReference>", hidden + b"</s:SecurityTokenReference>")
            )
        ),
        body=evil,
    ),
    "first in the signature": lambda m, evil, hidden: m.whole(
        header=m.header(
            security=m.security(signature=change(m.signature, b"<ds:SignedInfo", hidden + b"<ds:SignedInfo", 1))
        ),
        body=evil,
    ),
    "in the forged Body": lambda m, evil, hidden: m.whole(body=change(evil, b"</env:Body>", hidden + b"</env:Body>")),
    "in what the forged Body holds": lambda m, evil, hidden: m.whole(
        body=evil[: evil.rindex(b"</", 0, evil.rindex(b"</"))]
        + hidden
        + evil[evil.rindex(b"</", 0, evil.rindex(b"</")) :]
    ),
    "after the forged Body": lambda m, evil, hidden: m.whole(body=evil, trailing=hidden),
    "before the header": lambda m, evil, hidden: m.whole(leading=hidden, body=evil),
    "wrapped after the forged Body": lambda m, evil, hidden: m.whole(body=evil, trailing=wrapped(hidden)),
    "in the Timestamp": lambda m, evil, hidden: m.whole(
        header=m.header(
            security=m.security(timestamp=change(m.timestamp, b"</u:Timestamp>", hidden + b"</u:Timestamp>"))
        ),
        body=evil,
    ),
    "in the token": lambda m, evil, hidden: m.whole(
        header=m.header(
            security=m.security(
                token=change(m.token, b"</s:BinarySecurityToken>", hidden + b"</s:BinarySecurityToken>")
            )
        ),
        body=evil,
    ),
    "in a second Security for another role": lambda m, evil, hidden: m.whole(
        header=m.header(last=_into_second_security(m, hidden)), body=evil
    ),
    "in a nested Envelope in the header": lambda m, evil, hidden: m.whole(
        header=m.header(last=wrapped(m.opening, hidden, b"</env:Envelope>")), body=evil
    ),
}
_EVIL: dict[str, Callable[[Envelope], bytes]] = {
    "forged without Id": lambda message: message.forged,
    "forged with the same Id": lambda message: message.forged_with_id(message.body_id),
    "forged with another Id": lambda message: message.forged_with_id(b"evil"),
}


def _moved(message: Envelope, *, place: str, evil: str) -> bytes:
    return PLACES[place](message, _EVIL[evil](message), message.body)


for _place in PLACES:
    for _evil in _EVIL:
        FAMILY.add(f"{_place}, {_evil}", partial(_moved, place=_place, evil=_evil))


@FAMILY.attack()
def genuine_envelope_in_the_header(message: Envelope) -> bytes:
    return message.whole(header=message.header(last=wrapped(message.octets)), body=message.forged)


@FAMILY.attack()
def genuine_envelope_in_the_body(message: Envelope) -> bytes:
    return b"".join((message.opening, b"<env:Header/><env:Body>", message.octets, b"</env:Body></env:Envelope>"))


@FAMILY.attack()
def signed_security_around_a_forged_body_with_the_genuine_envelope_beside(message: Envelope) -> bytes:
    return message.whole(header=message.header(last=wrapped(message.octets)), body=message.forged_with_id(b"evil"))


@FAMILY.attack()
def genuine_envelope_in_a_soap_envelope_of_the_other_version(message: Envelope) -> bytes:
    other = SOAP["1.2" if message.version == "1.1" else "1.1"].encode()
    forged = change(message.forged, message.soap, other)
    return b"".join(
        (b'<o:Envelope xmlns:o="%b"><o:Header>' % other, message.octets, b"</o:Header>", forged, b"</o:Envelope>")
    )


@FAMILY.attack()
def forged_body_of_the_other_version_beside(message: Envelope) -> bytes:
    other = SOAP["1.2" if message.version == "1.1" else "1.1"].encode()
    return message.whole(leading=change(message.forged, message.soap, other))


@FAMILY.attack()
def forged_body_without_namespace_beside(message: Envelope) -> bytes:
    return message.whole(leading=b"<Body>" + message.payload + b"</Body>")


@FAMILY.attack()
def second_body_after_the_genuine_one(message: Envelope) -> bytes:
    return message.whole(trailing=message.forged)


@FAMILY.attack()
def second_header(message: Envelope) -> bytes:
    return message.whole(leading=b"<env:Header/>")


@FAMILY.attack()
def body_before_the_header(message: Envelope) -> bytes:
    return message.whole(header=b"", trailing=message.header())


@FAMILY.attack()
def something_after_the_body(message: Envelope) -> bytes:
    return message.whole(trailing=b'<w:Trailer xmlns:w="urn:wrapper"/>')


@FAMILY.attack()
def text_in_the_envelope(message: Envelope) -> bytes:
    return message.whole(trailing=b"forged")


@FAMILY.attack("altered", "malformed")
def text_in_the_body(message: Envelope) -> bytes:
    return message.whole(body=change(message.body, b"</env:Body>", b"forged</env:Body>"))


@FAMILY.attack()
def forged_payload_before_the_genuine_one(message: Envelope) -> bytes:
    payload = message.forged[message.forged.index(b">") + 1 : message.forged.rindex(b"</")]
    return message.whole(body=change(message.body, message.payload, payload + message.payload))


@FAMILY.attack()
def forged_payload_after_the_genuine_one(message: Envelope) -> bytes:
    payload = message.forged[message.forged.index(b">") + 1 : message.forged.rindex(b"</")]
    return message.whole(body=change(message.body, message.payload, message.payload + payload))


@FAMILY.attack()
def security_in_a_wrapper(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=wrapped(message.security())))


@FAMILY.attack()
def security_beside_the_header(message: Envelope) -> bytes:
    return message.whole(leading=message.security(), header=b"<env:Header></env:Header>")


@FAMILY.attack()
def security_in_the_body(message: Envelope) -> bytes:
    body = change(message.body, message.payload, message.security() + message.payload)
    return message.whole(header=b"<env:Header></env:Header>", body=body)


@FAMILY.attack()
def security_for_another_role(message: Envelope) -> bytes:
    role = b"actor" if message.version == "1.1" else b"role"
    security = message.security(attributes=b' env:%b="urn:someone-else"' % role)
    return message.whole(header=message.header(security=security), body=message.forged)


@FAMILY.attack()
def genuine_security_for_another_role(message: Envelope) -> bytes:
    role = b"actor" if message.version == "1.1" else b"role"
    security = message.security(attributes=b' env:%b="urn:someone-else"' % role)
    return message.whole(header=message.header(security=security))


@FAMILY.attack("not-covered")
def unsigned_mandatory_block(message: Envelope) -> bytes:
    return message.whole(header=message.header(last=b'<w:Pay xmlns:w="urn:wrapper" env:mustUnderstand="1"/>'))


@FAMILY.attack("not-covered")
def unsigned_mandatory_block_in_other_words(message: Envelope) -> bytes:
    return message.whole(header=message.header(first=b'<w:Pay xmlns:w="urn:wrapper" env:mustUnderstand=" true "/>'))


@FAMILY.attack("not-covered")
def signature_taken_away(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(signature=b"")), body=message.forged)


@FAMILY.attack("not-covered")
def security_taken_away(message: Envelope) -> bytes:
    return message.whole(header=b"<env:Header></env:Header>", body=message.forged)


@FAMILY.attack("not-covered")
def header_taken_away(message: Envelope) -> bytes:
    return message.whole(header=b"", body=message.forged)


@FAMILY.attack("altered")
def changed_content(message: Envelope) -> bytes:
    return message.saying(MARK)


@FAMILY.attack("not-covered")
def wsu_namespace_of_the_id_is_another(message: Envelope) -> bytes:
    return message.whole(body=change(message.forged_with_id(message.body_id), WSU.encode(), b"urn:not-wsu"))
