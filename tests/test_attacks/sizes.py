"""Messages that cost more than they are worth: depth, width, counts, and what grows with the square of these."""

import base64
import re
from functools import partial

from security.signature_structure import C14N, C14N_1_1, EXC_C14N
from tests.test_attacks.attack import MARK, Family, Genuine, change, signed_anew
from tests.test_attacks.messages import ANY_ID, Document, Envelope, wrapped

DEPTH = Family("depth", "malformed", kinds="soap enveloped")
SIZES = Family("sizes and counts", "malformed", kinds="soap enveloped")
COUNTS = Family("sizes and counts", "malformed")
DOCUMENTS = Family("sizes and counts", "malformed", kinds="enveloped")


def _said(message: Genuine, *, text: bytes) -> bytes:
    return message.saying(text)


for _levels in (70, 200, 255, 300, 5_000):
    DEPTH.add(f"{_levels} levels", partial(_said, text=b"<a>" * _levels + b"</a>" * _levels))
DEPTH.add("levels without end", partial(_said, text=b"<a>" * 100_000))
DEPTH.add(
    "levels of 200 prefixes",
    partial(_said, text=b"".join(b'<p%d:a xmlns:p%d="urn:%d">' % (n, n, n) for n in range(200))),
)
DEPTH.add("closed without being opened", partial(_said, text=b"</a>" * 100_000))

for _name, _text in {
    "100,000 attributes of one element": b"<a " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>",
    "49,000 attributes of one element": b"<a " + b" ".join(b'a%d=""' % n for n in range(49_000)) + b"/>",
    "129 attributes of one element": b"<a " + b" ".join(b'a%d=""' % n for n in range(129)) + b"/>",
    "the same attribute a thousand times": b"<a " + b'a="" ' * 1_000 + b"/>",
    "60,000 attributes of as many elements": b'<a a=""/>' * 60_000,
    "20,000 namespaces": b"<a " + b" ".join(b'xmlns:a%d="urn:%d"' % (n, n) for n in range(20_000)) + b"/>",
    "2,000 namespaces of one element each": b"".join(b'<a xmlns="urn:%d"/>' % n for n in range(2_000)),
    "a million elements": b"<a/>" * 1_000_000,
    "60,000 elements": b"<a/>" * 60_000,
    "five megabytes of text": b"x" * 5_000_000,
    "five megabytes of an attribute": b'<a b="' + b"x" * 5_000_000 + b'"/>',
    "a million references to a character": b"&#65;" * 1_000_000,
    "a million ampersands": b"&amp;" * 1_000_000,
    "a tag without end": b"<a " * 1_000_000,
    "an attribute without end": b'<a b="' + b"x" * 1_000_000,
    "a comment without end": b"<!--" + b"x" * 1_000_000,
    "a CDATA section without end": b"<![CDATA[" + b"x" * 1_000_000,
    "an instruction without end": b"<?x " + b"x" * 1_000_000,
}.items():
    SIZES.add(_name, partial(_said, text=_text))
for _name, _text in {
    "three megabytes of text": b"x" * 3_000_000,
    "a name of a megabyte": b"<" + b"a" * 1_000_000 + b"/>",
    "an attribute's name of a megabyte": b"<a " + b"a" * 1_000_000 + b'=""/>',
    "a prefix of a megabyte": b"<%b:a xmlns:%b='urn:a'/>" % ((b"p" * 500_000,) * 2),
    "a namespace of a megabyte": b"<a xmlns='urn:" + b"a" * 1_000_000 + b"'/>",
    "an attribute of three megabytes": b'<a b="' + b"x" * 3_000_000 + b'"/>',
    "a million carriage returns": b"\r" * 1_000_000,
    "49,000 elements": b"<a/>" * 49_000,
    "1,000 namespaces in 20,000 elements": b"<a "
    + b" ".join(b'xmlns:p%d="u:%d"' % (n, n) for n in range(1_000))
    + b">"
    + b"".join(b"<p%d:a/>" % (n % 1_000) for n in range(20_000))
    + b"</a>",
    "1,000 namespaces in 10,000 elements of 4 attributes": b"<a "
    + b" ".join(b'xmlns:p%d="u:%d"' % (n, n) for n in range(1_000))
    + b">"
    + b"".join(
        b"<p%d:a p%d:a='' p%d:a='' p%d:a='' p%d:a=''/>" % tuple((n + k * 211) % 1_000 for k in range(5))
        for n in range(10_000)
    )
    + b"</a>",
}.items():
    # These keep within the caps: their digest is wrong, or the parser has a cap of its own.
    SIZES.add(_name, partial(_said, text=_text), "malformed", "altered")


def _within(message: Genuine, *, place: bytes, text: bytes) -> bytes:
    """A forged message with this behind a place."""
    return change(message.saying(MARK), place, place + text, 1)


_NAMESPACES = b" ".join(b'xmlns:p%d="u:%d"' % (n, n) for n in range(1_000))
_LADEN = (
    b"<w:a xmlns:w='urn:w' "
    + _NAMESPACES
    + b">"
    # All of them are in use above, so that each name below is looked for among all.
    + b"".join(b"<w:a %b>" % b" ".join(b'p%d:x=""' % n for n in range(at, at + 125)) for at in range(0, 1_000, 125))
    + b'<p0:a p1:x=""/>' * 40_000
    + b"</w:a>" * 9
)
for _name, _place, _text, *_reasons in (
    ("40,000 elements of 1,000 namespaces in SignedInfo", b"<ds:Transforms>", _LADEN),
    ("40,000 elements of 1,000 namespaces in a DigestValue", b"<ds:DigestValue>", _LADEN),
    ("40,000 elements of 1,000 namespaces in KeyInfo", b"<ds:KeyInfo>", _LADEN),
    ("40,000 elements of 1,000 namespaces before SignedInfo", b"</ds:SignatureValue>", _LADEN),
    ("1,000 namespaces of SignedInfo", b"<ds:SignedInfo", b" " + _NAMESPACES, "altered"),
    ("three megabytes of spaces in SignedInfo", b"</ds:CanonicalizationMethod>", b" " * 3_000_000, "altered"),
    ("three megabytes of text in SignedInfo", b"</ds:CanonicalizationMethod>", b"x" * 3_000_000),
    ("three megabytes of greater-than signs in SignedInfo", b"</ds:CanonicalizationMethod>", b">" * 3_000_000),
    ("three megabytes of quotes in an algorithm's name", b"<ds:SignatureMethod", b" Odd='" + b'"' * 3_000_000 + b"'"),
    ("three megabytes of quotes in KeyInfo", b"<ds:KeyInfo", b" Odd='" + b'"' * 3_000_000 + b"'"),
    ("an algorithm's name of three megabytes", b'<ds:SignatureMethod Algorithm="', b"x" * 3_000_000),
    ("a digest of three megabytes", b"<ds:DigestValue>", b"QUJD" * 750_000, "altered"),
    ("a digest of three megabytes of spaces", b"<ds:DigestValue>", b" " * 3_000_000, "altered"),
    ("a value of three megabytes", b"<ds:SignatureValue>", b"QUJD" * 750_000, "altered"),
    ("a value of three megabytes of spaces", b"<ds:SignatureValue>", b"\n" * 3_000_000 + b"!"),
    ("a list of prefixes of three megabytes", b'<ds:CanonicalizationMethod Algorithm="%b">' % EXC_C14N.encode(),
     b'<i:InclusiveNamespaces xmlns:i="%b" PrefixList="%b"/>' % (EXC_C14N.encode(), b"pq " * 1_000_000)),
):  # fmt: skip
    SIZES.add(
        _name,
        partial(_within, place=_place, text=_text),
        "malformed",
        *_reasons,  # type: ignore[arg-type]
    )


_TRANSFORM = b'<ds:Transform Algorithm="%b"></ds:Transform>'
_EXCLUSIVE = _TRANSFORM % EXC_C14N.encode()
# The first of them stand furthest from where the search for a prefix begins.
_LISTED = b'<ds:Transform Algorithm="%b"><i:InclusiveNamespaces xmlns:i="%b" PrefixList="%b"/></ds:Transform>' % (
    EXC_C14N.encode(),
    EXC_C14N.encode(),
    b" ".join(b"p%d" % n for n in range(985, 1_000)),
)


def _scope(*, namespaces: int, elements: int) -> bytes:
    declared = b" ".join(b'xmlns:p%d="u:%d"' % (n, n) for n in range(1_000 - namespaces, 1_000))
    return b"<w " + declared + b">" + b"<a/>" * elements + b"</w>"


def _in_scope(message: Genuine, *, transform: bytes, text: bytes) -> bytes:
    """A forged message under a genuine signature that asks for this transform of its parts."""
    return signed_anew(
        change(message.saying(text), _EXCLUSIVE, transform), message.source.key, digests=transform == _EXCLUSIVE
    )


SIZES.add("40,000 elements of 1,000 namespaces in use", partial(_said, text=_LADEN))
for _namespaces, _elements in ((1_000, 47_000), (700, 1_700), (60, 1_000)):
    _text = _scope(namespaces=_namespaces, elements=_elements)
    _name = f"{_namespaces:,} namespaces above {_elements:,} elements"
    if _namespaces > 60:
        SIZES.add(_name, partial(_in_scope, transform=_EXCLUSIVE, text=_text))
    SIZES.add(f"{_name} and 15 prefixes", partial(_in_scope, transform=_LISTED, text=_text))
    for _form, _transform in {
        "C14N 1.0": _TRANSFORM % C14N.encode(),
        "C14N 1.1": _TRANSFORM % C14N_1_1.encode(),
        "no C14N": b"",
    }.items():
        DOCUMENTS.add(f"{_name}, {_form}", partial(_in_scope, transform=_transform, text=_text))


def _asked_inclusive(message: Document, *, namespaces: int) -> bytes:
    """A forged document whose SignedInfo is to be made canonical below all of these namespaces."""
    declared = b"".join(b' xmlns:p%d="u:%d"' % (n, n) for n in range(namespaces))
    octets = change(message.saying(MARK), b" ", declared + b" ", 1)
    ours = b'<ds:CanonicalizationMethod Algorithm="%b">'
    return change(octets, ours % EXC_C14N.encode(), ours % C14N.encode())


for _namespaces in (300, 990):
    DOCUMENTS.add(f"{_namespaces} namespaces above SignedInfo", partial(_asked_inclusive, namespaces=_namespaces))


def _repeated(message: Genuine, *, pattern: bytes, count: int) -> bytes:
    """The message with a part of it many times."""
    part = re.search(pattern, message.octets, re.DOTALL)[0]  # type: ignore[index]
    return change(message.octets, part, part * count, 1)


for _name, _pattern, _count in (
    ("17 references", rb"<ds:Reference .*?</ds:Reference>", 17),
    ("5,000 references", rb"<ds:Reference .*?</ds:Reference>", 5_000),
    ("20,000 transforms", rb"<ds:Transform .*?</ds:Transform>", 20_000),
    ("1,000 signatures", rb"<ds:Signature .*</ds:Signature>", 1_000),
    ("1,000 KeyInfo", rb"<ds:KeyInfo>.*?</ds:KeyInfo>", 1_000),
    ("10,000 signature values", rb"<ds:SignatureValue>.*?</ds:SignatureValue>", 10_000),
    ("10,000 digests", rb"<ds:DigestValue>.*?</ds:DigestValue>", 10_000),
):
    SIZES.add(_name, partial(_repeated, pattern=_pattern, count=_count))
for _name, _pattern, _count in (
    ("1,000 tokens", rb"<s:BinarySecurityToken .*?</s:BinarySecurityToken>", 1_000),
    ("10,000 timestamps", rb"<u:Timestamp .*?</u:Timestamp>", 10_000),
    ("1,000 Security", rb"<s:Security .*</s:Security>", 1_000),
    ("1,000 Bodies", rb"<env:Body .*</env:Body>", 1_000),
    ("1,000 Headers", rb"<env:Header>.*</env:Header>", 1_000),
    ("10,000 references to tokens", rb"<s:Reference .*?</s:Reference>", 10_000),
):
    COUNTS.add(_name, partial(_repeated, pattern=_pattern, count=_count))
COUNTS.add(
    "10,000 confirmations",
    partial(_repeated, pattern=rb"<w:SignatureConfirmation .*?</w:SignatureConfirmation>", count=10_000),
    "malformed",
    "not-covered",
)
COUNTS.add(
    "900 confirmations of another namespace",
    lambda m: m.whole(
        header=m.header(
            security=m.security(
                confirmation=m.confirmation + b'<w:SignatureConfirmation xmlns:w="urn:none" Value="QUJD"/>' * 900
            )
        )
    ),
)


def _blocks(message: Envelope, *, blocks: bytes) -> bytes:
    """A forged Body below many header blocks, which a verifier has to look at one by one."""
    return message.whole(header=message.header(last=blocks), body=message.forged_with_id(message.body_id))


for _name, _many in {
    "45,000 blocks": b"<b/>" * 45_000,
    "20,000 blocks of an Id each": b"".join(b'<b x="i%d"/>' % n for n in range(20_000)),
    "20,000 blocks of one Id": b'<b x="same"/>' * 20_000,
    "45,000 blocks of a name each": b"".join(b"<b%d/>" % n for n in range(45_000)),
    "40,000 Ids inside a block": wrapped(b"".join(b'<b Id="i%d"/>' % n for n in range(40_000))),
    "3,500,000 letters that begin an Id": wrapped(b"b" * 3_500_000),
}.items():
    COUNTS.add(_name, partial(_blocks, blocks=_many), "malformed", "altered")


@COUNTS.attack("malformed", "altered")
def sixteen_references_among_45_000_ids(message: Envelope) -> bytes:
    reference = re.search(rb"<ds:Reference .*?</ds:Reference>", message.signature)[0]  # type: ignore[index]
    names = [b"i%d" % n for n in range(14)]
    more = b"".join(re.sub(rb'URI="[^"]*"', b'URI="#%b"' % name, reference) for name in names)
    blocks = b"".join(b"<b %b'%b' c='&#65;'/>" % (ANY_ID, name) for name in names)
    blocks += wrapped(b'<b a="i0" b="i1" c="i2" d="i3"/>' * 11_000)
    signature = message.signature.replace(reference, reference + more)
    security = message.security(signature=signature)
    return message.whole(
        header=message.header(security=security, last=blocks), body=message.forged_with_id(message.body_id)
    )


def _shown(message: Envelope, *, token: bytes) -> bytes:
    genuine = re.search(rb"(<s:BinarySecurityToken [^>]*>)[^<]*", message.token)
    assert genuine is not None
    shown = genuine[1] + token + b"</s:BinarySecurityToken>"
    return message.whole(header=message.header(security=message.security(token=shown)))


for _name, _token in {
    "a token of three megabytes": base64.b64encode(bytes(2_200_000)),
    "a token of nested lengths": base64.b64encode(b"\x30\x80" * 1_000_000),
    "a token of three megabytes of spaces": b" " * 3_000_000,
    "a token of spaces between letters": b"A " * 1_500_000,
    "a token of 60,000 spaces between letters": b"A " * 30_000,
}.items():
    COUNTS.add(_name, partial(_shown, token=_token), "malformed", "untrusted")
