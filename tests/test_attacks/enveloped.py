"""What is particular to a document with an enveloped signature: the land registry's form."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from cryptography import x509

from security.signature_structure import DS, WSU
from tests.test_attacks.attack import MARK, Family, change, signed_anew
from tests.test_attacks.forging import certificate, der_of, own_signing_key, same_kind, showing
from tests.test_attacks.messages import Document, wrapped
from tests.test_attacks.parts import twice
from tests.test_attacks.traps import LISTENER

_KIND = "enveloped"
WRAPPING = Family("wrapping", "malformed", "not-covered", kinds=_KIND)
IDS = Family("duplicate and mixed Ids", "malformed", "not-covered", kinds=_KIND)
SEVERAL = Family("several parts", "malformed", kinds=_KIND)
CONFUSION = Family("key confusion", "untrusted", "malformed", kinds=_KIND)
TIMES = Family("Timestamp", "malformed", kinds=_KIND)
ANSWERS = Family("answer to another question", "not-answer-to-request", kinds=_KIND)
TRANSFORMS = Family("transforms", "malformed", kinds=_KIND)


def _forged(message: Document) -> bytes:
    """The forged document without a signature."""
    return message.saying(MARK).replace(message.signature, b"")


def _root(octets: bytes) -> tuple[bytes, bytes]:
    """A document up to the end tag of its root, and that."""
    at = octets.rindex(b"</")
    return octets[:at], octets[at:]


def _holding(octets: bytes, *content: bytes) -> bytes:
    """A document with more at its end."""
    opened, closing = _root(octets)
    return opened + b"".join(content) + closing


def _named(octets: bytes, attribute: bytes) -> bytes:
    """A document with an attribute of its root."""
    end = octets.index(b">")
    end -= octets[end - 1 : end] == b"/"
    return octets[:end] + b" " + attribute + octets[end:]


def _object(signature: bytes, content: bytes) -> bytes:
    return change(signature, b"</ds:Signature>", b"<ds:Object>" + content + b"</ds:Object></ds:Signature>")


_PLACES: dict[str, Callable[[Document], bytes]] = {
    "xsw 1 genuine document in the signature of the forged one": lambda m: _holding(
        _forged(m), change(m.signature, b"</ds:Signature>", m.bare + b"</ds:Signature>")
    ),
    "xsw 2 genuine document before the signature of the forged one": lambda m: _holding(
        _forged(m), m.bare, m.signature
    ),
    "xsw 3 forged beside the genuine one in a wrapper": lambda m: wrapped(_forged(m), m.octets),
    "xsw 4 genuine document in the forged one": lambda m: _holding(_forged(m), m.octets),
    "xsw 5 changed document with the original at its end": lambda m: _holding(m.saying(MARK), m.bare),
    "xsw 6 changed document with the original in its signature": lambda m: _holding(
        _forged(m), change(m.signature, b"<ds:SignedInfo", m.bare + b"<ds:SignedInfo", 1)
    ),
    "xsw 7 forged document in an extension": lambda m: change(m.octets, m.signature, wrapped(_forged(m)) + m.signature),
    "xsw 8 genuine document in an object": lambda m: _holding(_forged(m), _object(m.signature, m.bare)),
    "genuine document with its signature in an object": lambda m: _holding(
        _forged(m), b'<ds:Signature xmlns:ds="%b"><ds:Object>%b</ds:Object></ds:Signature>' % (DS.encode(), m.octets)
    ),
    "genuine document in KeyInfo": lambda m: _holding(
        _forged(m), change(m.signature, b"</ds:KeyInfo>", m.bare + b"</ds:KeyInfo>")
    ),
    "signature deeper": lambda m: _holding(_forged(m), wrapped(m.signature)),
    "signature first": lambda m: (
        _forged(m)[: _forged(m).index(b">") + 1] + m.signature + _forged(m)[_forged(m).index(b">") + 1 :]
    ),
    "signature as the root": lambda m: _object(m.signature, _forged(m)),
    "no signature": _forged,
    "genuine document without its signature": lambda m: m.bare,
    "changed content": lambda m: m.saying(MARK),
    "more at the end": lambda m: _holding(m.octets, wrapped(MARK)),
    "text behind the signature": lambda m: _holding(m.octets, MARK),
    "attribute of the root": lambda m: _named(m.octets, b'more="x"'),
}
for _name, _place in _PLACES.items():
    # The signature covers all: what is moved inside of the root is a change of it.
    WRAPPING.add(_name, _place, "malformed", "not-covered", "altered")


def _by_id(message: Document, *, root: bytes, part: bytes = b"", uri: bytes = b"#whole") -> bytes:
    """The document signed by an Id of its root instead of as a whole, with a part that has another attribute."""
    octets = change(_named(message.octets, root), b'URI=""', b'URI="%b"' % uri)
    inside = b'<w:Part xmlns:w="urn:w" ' + part + b"/>"
    return signed_anew(change(octets, message.signature[:20], inside + message.signature[:20]), message.source.key)


_WSU_ID = b'xmlns:u="%b" u:Id="whole"' % WSU.encode()
for _name, _attributes in {
    "reference to nothing": {"root": b'Id="whole"', "uri": b"#nothing"},
    "reference to an attribute that is no Id": {"root": b'AssertionID="whole"'},
    "reference to an Id in another namespace": {"root": b'xmlns:o="urn:o" o:Id="whole"'},
    "reference to a part": {"root": b'Id="whole"', "part": b'Id="part"', "uri": b"#part"},
    "reference to a part by wsu:Id": {
        "root": b'Id="whole"',
        "part": _WSU_ID.replace(b"whole", b"part"),
        "uri": b"#part",
    },
    "two Ids of the root": {"root": b'Id="whole" ID="whole"'},
    "Id of a part is that of the root": {"root": b'Id="whole"', "part": b'Id="whole"'},
    "ID of a part is the Id of the root": {"root": b'Id="whole"', "part": b'ID="whole"'},
    "id of a part is the Id of the root": {"root": b'Id="whole"', "part": b'id="whole"'},
    "xml:id of a part is the Id of the root": {"root": b'Id="whole"', "part": b'xml:id="whole"'},
    "wsu:Id of a part is the Id of the root": {"root": b'Id="whole"', "part": _WSU_ID},
    "Id of a part is the wsu:Id of the root": {"root": _WSU_ID, "part": b'Id="whole"'},
    "Id of a part, in a character reference, is that of the root": {"root": b'Id="whole"', "part": b'Id="&#119;hole"'},
    "any attribute of a part is the Id of the root": {"root": b'Id="whole"', "part": b'other="whole"'},
}.items():
    IDS.add(_name, partial(_by_id, **_attributes))

for _name, _start, _end in (
    ("SignedInfo", b"<ds:SignedInfo", b"</ds:SignedInfo>"),
    ("SignatureValue", b"<ds:SignatureValue", b"</ds:SignatureValue>"),
    ("KeyInfo", b"<ds:KeyInfo", b"</ds:KeyInfo>"),
    ("Signature", b"<ds:Signature ", b"</ds:Signature>"),
    ("X509Data", b"<ds:X509Data", b"</ds:X509Data>"),
    ("X509Certificate", b"<ds:X509Certificate", b"</ds:X509Certificate>"),
):
    SEVERAL.add(f"two {_name}", partial(twice, start=_start, end=_end, signed=False))
for _name, _start, _end in (
    ("CanonicalizationMethod", b"<ds:CanonicalizationMethod", b"</ds:CanonicalizationMethod>"),
    ("SignatureMethod", b"<ds:SignatureMethod", b"</ds:SignatureMethod>"),
    ("Reference", b"<ds:Reference", b"</ds:Reference>"),
    ("Transforms", b"<ds:Transforms", b"</ds:Transforms>"),
    ("DigestMethod", b"<ds:DigestMethod", b"</ds:DigestMethod>"),
    ("DigestValue", b"<ds:DigestValue", b"</ds:DigestValue>"),
):
    SEVERAL.add(f"two {_name}", partial(twice, start=_start, end=_end, signed=True))
SEVERAL.add("manifest in an object", lambda m: change(m.octets, m.signature, _object(m.signature, b"<ds:Manifest/>")))

_ENVELOPED = b'<ds:Transform Algorithm="%benveloped-signature"></ds:Transform>' % DS.encode()
TRANSFORMS.changes(
    {
        "the signature covers itself": (_ENVELOPED, b""),
        "enveloped twice": (_ENVELOPED, _ENVELOPED * 2),
        "enveloped by another name": (b"#enveloped-signature", b"#enveloped-signatures"),
        "enveloped with a parameter": (_ENVELOPED, _ENVELOPED.replace(b"></", b"><ds:XPath>x</ds:XPath></")),
    }
)


@TRANSFORMS.attack()
def enveloped_last(message: Document) -> bytes:
    found = re.search(rb"<ds:Transforms>(.*?</ds:Transform>)(.*?</ds:Transform>)</ds:Transforms>", message.octets)
    assert found is not None
    return signed_anew(change(message.octets, found[1] + found[2], found[2] + found[1]), message.source.key)


def _key_info(message: Document, *, content: bytes) -> bytes:
    """A forged document by the attacker's key, of which KeyInfo speaks in this form."""
    own = own_signing_key(message.source)
    made = own.certificate
    ski = made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    content = content.replace(b"OWN", own.token).replace(b"GENUINE", message.source.key.token)
    content = content.replace(b"NAME", made.issuer.rfc4514_string().encode()).replace(
        b"NUMBER", b"%d" % made.serial_number
    )
    content = content.replace(b"SKI_", base64.b64encode(ski))
    return re.sub(
        rb"<ds:KeyInfo>.*?</ds:KeyInfo>", lambda _: b"<ds:KeyInfo>" + content + b"</ds:KeyInfo>", message.by(own)
    )


_DATA = b"<ds:X509Data>%b</ds:X509Data>"
_SHOWN = b"<ds:X509Certificate>%b</ds:X509Certificate>"
for _name, _content in {
    "nothing": b"",
    "X509Data with nothing": _DATA % b"",
    "X509Data with the own certificate": _DATA % (_SHOWN % b"OWN"),
    "X509Data with both, the own first": _DATA % (_SHOWN % b"OWN" + _SHOWN % b"GENUINE"),
    "X509Data with both, the genuine first": _DATA % (_SHOWN % b"GENUINE" + _SHOWN % b"OWN"),
    "two X509Data": _DATA % (_SHOWN % b"GENUINE") + _DATA % (_SHOWN % b"OWN"),
    "X509Data with a serial": _DATA % b"<ds:X509IssuerSerial><ds:X509IssuerName>NAME</ds:X509IssuerName>"
    b"<ds:X509SerialNumber>NUMBER</ds:X509SerialNumber></ds:X509IssuerSerial>",
    "X509Data with a serial of a million digits": _DATA
    % b"<ds:X509IssuerSerial><ds:X509IssuerName>NAME</ds:X509IssuerName><ds:X509SerialNumber>%b</ds:X509SerialNumber>"
    b"</ds:X509IssuerSerial>" % (b"9" * 1_000_000),
    "X509Data with an identifier": _DATA % b"<ds:X509SKI>SKI_</ds:X509SKI>",
    "X509Data with a subject": _DATA % b"<ds:X509SubjectName>NAME</ds:X509SubjectName>",
    "X509Data with a list of revoked ones": _DATA % b"<ds:X509CRL>AAAA</ds:X509CRL>",
    "KeyName": b"<ds:KeyName>NAME</ds:KeyName>",
    "KeyName beside the genuine certificate": b"<ds:KeyName>NAME</ds:KeyName>" + _DATA % (_SHOWN % b"GENUINE"),
    "KeyValue": b"<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>",
    "RetrievalMethod": b'<ds:RetrievalMethod URI="%bkey"/>' % LISTENER,
    "PGPData": b"<ds:PGPData/>",
}.items():
    CONFUSION.add(_name, partial(_key_info, content=_content))


@CONFUSION.attack("altered")
def genuine_certificate_over_an_own_signature(message: Document) -> bytes:
    return _key_info(message, content=_DATA % (_SHOWN % b"GENUINE"))


@CONFUSION.attack("untrusted")
def own_certificate_with_the_identifier_of_the_genuine_one(message: Document) -> bytes:
    source, private = message.source, same_kind(message.source)
    genuine = source.key.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    made = certificate(source, private, issuer_key=private, identifier=genuine)
    return showing(message, der_of(made), private)


_ISSUED = re.compile(rb' issuedAt="[^"]*"')


def _issued(message: Document, *, at: bytes) -> bytes:
    """The document made at another time, under a genuine signature."""
    octets = _ISSUED.sub(lambda _: at, message.octets)
    return signed_anew(octets, message.source.key)


for _name, _minutes in {
    "of an hour ago": -60,
    "of ten minutes ago": -10,
    "of the future": 5,
    "of next year": 525_600,
}.items():
    TIMES.add(
        _name,
        lambda m, minutes=_minutes: _issued(
            m, at=f' issuedAt="{m.source.now + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}Z"'.encode()
        ),
        "stale",
    )
for _name, _at in {
    "of no time": b"",
    "of an empty time": b' issuedAt=""',
    "of a day": b' issuedAt="2026-11-22"',
    "without an offset": b' issuedAt="2026-11-22T08:00:00"',
    "of a time in another namespace": b' xmlns:o="urn:o" o:issuedAt="2026-11-22T08:00:00Z"',
    "of a leap second": b' issuedAt="2026-12-31T23:59:60Z"',
}.items():
    TIMES.add(_name, partial(_issued, at=_at))
TIMES.add(
    "of two times",
    lambda m: signed_anew(
        change(m.octets, m.signature[:20], b'<issuedAt xmlns="">2099-01-01T00:00:00Z</issuedAt>' + m.signature[:20]),
        m.source.key,
    ),
)
TIMES.add(
    "of another time than was signed",
    lambda m: _ISSUED.sub(b' issuedAt="2099-01-01T00:00:00Z"', m.octets),
    "altered",
)

_ASKED = re.compile(rb' requestId="[^"]*"')
for _name, _id in {
    "another question": b' requestId="another"',
    "no question": b"",
    "an empty question": b' requestId=""',
    "a question in another namespace": b' xmlns:o="urn:o" o:requestId="x"',
}.items():
    ANSWERS.add(_name, lambda m, said=_id: signed_anew(_ASKED.sub(said, m.octets), m.source.key), needs="question")
ANSWERS.add(
    "two questions",
    lambda m: signed_anew(
        change(m.octets, m.signature[:20], b'<requestId xmlns="">another</requestId>' + m.signature[:20]), m.source.key
    ),
    "malformed",
    needs="question",
)
ANSWERS.add("another question than was signed", lambda m: _ASKED.sub(b' requestId="another"', m.octets), "altered")
