"""References to elsewhere and transforms that make something else of what they refer to."""

import re
from functools import partial

from security.signature_structure import EXC_C14N
from tests.test_attacks.attack import Family, Genuine, change, signed_anew
from tests.test_attacks.traps import FILE, LISTENER

EXTERNAL = Family("external references", "malformed", "not-covered", kinds="soap enveloped")
TRANSFORMS = Family("transforms", "malformed", kinds="soap enveloped")

_URIS = {
    "http": LISTENER + b"x",
    "https": LISTENER.replace(b"http", b"https") + b"x",
    "file": FILE,
    "file of a host": FILE.replace(b"file://", b"file://localhost"),
    "path": FILE[7:],
    "relative path": b"../../etc/passwd",
    "ftp": LISTENER.replace(b"http", b"ftp") + b"x",
    "UNC": rb"\\127.0.0.1\share\x",
    "network path": LISTENER[5:] + b"x",
    "cid": b"cid:part@example",
    "data": b"data:text/xml,&lt;a/>",
    "jar": b"jar:file:///x.jar!/x",
    "xpointer of the root": b"#xpointer(/)",
    "xpointer of an Id": b"#xpointer(id('ID'))",
    "xpointer scheme": b"#xmlns(u=urn:x)xpointer(//*)",
    "element scheme": b"#element(/1/2)",
    "fragment of a file": FILE + b"#ID",
    "fragment of http": LISTENER + b"#ID",
    "escaped fragment": b"%23ID",
    "escaped Id": b"#%49D",
    "empty fragment": b"#",
    "query": b"?x",
    "fragment that is nowhere": b"#nowhere",
    "fragment with a space": b" #ID",
}


def _target(message: Genuine) -> bytes:
    """The Id that the first reference names, or one that nothing has."""
    return re.search(rb'<ds:Reference URI="#?([^"]*)"', message.octets)[1] or b"nowhere"  # type: ignore[index]


def _instead(message: Genuine, *, uri: bytes) -> bytes:
    new = b'<ds:Reference URI="%b"' % uri.replace(b"ID", _target(message))
    octets = re.sub(rb'<ds:Reference URI="[^"]*"', lambda _: new, message.octets, count=1)
    return signed_anew(octets, message.source.key)


def _further(message: Genuine, *, uri: bytes) -> bytes:
    reference = re.search(rb"<ds:Reference .*?</ds:Reference>", message.octets)[0]  # type: ignore[index]
    new = b'URI="%b"' % uri.replace(b"ID", _target(message))
    further = re.sub(rb'URI="[^"]*"', lambda _: new, reference)
    return signed_anew(change(message.octets, reference, reference + further), message.source.key)


for _name, _uri in _URIS.items():
    EXTERNAL.add(f"{_name} in the stead of the signed part", partial(_instead, uri=_uri))
    EXTERNAL.add(f"{_name} beside it", partial(_further, uri=_uri))


@EXTERNAL.attack()
def no_uri_at_all(message: Genuine) -> bytes:
    octets = re.sub(rb'<ds:Reference URI="[^"]*"', b"<ds:Reference", message.octets, count=1)
    return signed_anew(octets, message.source.key)


@EXTERNAL.attack()
def type_of_a_manifest(message: Genuine) -> bytes:
    manifest = b'<ds:Reference Type="http://www.w3.org/2000/09/xmldsig#Manifest" '
    return signed_anew(change(message.octets, b"<ds:Reference ", manifest), message.source.key)


@EXTERNAL.attack()
def type_of_an_object(message: Genuine) -> bytes:
    further = b'<ds:Reference Type="http://www.w3.org/2000/09/xmldsig#Object" '
    return signed_anew(change(message.octets, b"<ds:Reference ", further, 1), message.source.key)


_USUAL = b'<ds:Transform Algorithm="%b"></ds:Transform>' % EXC_C14N.encode()
_BY = b'<ds:Transform Algorithm="%b">%b</ds:Transform>'
_XSLT = b"http://www.w3.org/TR/1999/REC-xslt-19991116"
_XPATH = b"http://www.w3.org/TR/1999/REC-xpath-19991116"
_FILTER = b"http://www.w3.org/2002/06/xmldsig-filter2"
_STYLESHEET = (
    b'<x:stylesheet xmlns:x="http://www.w3.org/1999/XSL/Transform" version="1.0"><x:template match="/">'
    b"<x:copy-of select=\"document('%bx')\"/></x:template></x:stylesheet>" % LISTENER
)
_INCLUSIVE = b'<i:InclusiveNamespaces xmlns:i="%b" PrefixList="%%b"></i:InclusiveNamespaces>' % EXC_C14N.encode()

_INSTEAD = {
    "XSLT": _BY % (_XSLT, _STYLESHEET),
    "XSLT without a stylesheet": _BY % (_XSLT, b""),
    "XSLT before the usual": _BY % (_XSLT, _STYLESHEET) + _USUAL,
    "XPath": _BY % (_XPATH, b"<ds:XPath>not(ancestor-or-self::*)</ds:XPath>"),
    "XPath that never ends": _BY % (_XPATH, b"<ds:XPath>count(//*[count(//*)=count(//*)])</ds:XPath>"),
    "XPath filter that takes away": _BY % (_FILTER, b'<f:XPath xmlns:f="%b" Filter="subtract">/*</f:XPath>' % _FILTER),
    "XPath filter that unites": _BY % (_FILTER, b'<f:XPath xmlns:f="%b" Filter="union">/</f:XPath>' % _FILTER),
    "base64": _BY % (b"http://www.w3.org/2000/09/xmldsig#base64", b""),
    "base64 after the usual": _USUAL + _BY % (b"http://www.w3.org/2000/09/xmldsig#base64", b""),
    "decryption": _BY % (b"http://www.w3.org/2002/07/decrypt#XML", b""),
    "an attachment": _BY
    % (b"http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Content-Signature-Transform", b""),
    "the token behind a reference": _BY
    % (b"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform", b""),
    "an unknown one": _BY % (b"urn:nothing", b""),
    "one without a name": b"<ds:Transform></ds:Transform>",
    "inclusive": _BY % (b"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", b""),
    "inclusive 1.1": _BY % (b"http://www.w3.org/2006/12/xml-c14n11", b""),
    "with comments": _BY % (EXC_C14N.encode() + b"WithComments", b""),
    "the usual three times": _USUAL * 3,
    "thousands of the usual": _USUAL * 4_000,
    "none": b"",
    "an unknown parameter": _BY % (EXC_C14N.encode(), b'<w:Odd xmlns:w="urn:odd"/>'),
    "a prefix that is none": _BY % (EXC_C14N.encode(), _INCLUSIVE % b"a/b"),
    "a prefix with an entity": _BY % (EXC_C14N.encode(), _INCLUSIVE % b"&#1234;"),
    "seventeen prefixes": _BY % (EXC_C14N.encode(), _INCLUSIVE % b" ".join(b"p%d" % n for n in range(17))),
    "ten thousand prefixes": _BY % (EXC_C14N.encode(), _INCLUSIVE % b" ".join(b"p%d" % n for n in range(10_000))),
    "two lists of prefixes": _BY % (EXC_C14N.encode(), (_INCLUSIVE % b"a") * 2),
    "text in the usual": _BY % (EXC_C14N.encode(), b"text"),
}


def _transformed(message: Genuine, *, transform: bytes) -> bytes:
    return signed_anew(change(message.octets, _USUAL, transform, 1), message.source.key)


for _name, _transform in _INSTEAD.items():
    # Some verifiers of documents take inclusive forms, also where none is named; this message has the same in each.
    _needs = "exclusive" if _name in ("inclusive", "inclusive 1.1", "none") else ""
    TRANSFORMS.add(_name, partial(_transformed, transform=_transform), needs=_needs)


@TRANSFORMS.attack()
def no_transforms_element(message: Genuine) -> bytes:
    octets = re.sub(rb"<ds:Transforms>.*?</ds:Transforms>", b"", message.octets, count=1)
    return signed_anew(octets, message.source.key)


@TRANSFORMS.attack()
def transforms_after_the_digest_method(message: Genuine) -> bytes:
    octets = re.sub(
        rb"(<ds:Transforms>.*?</ds:Transforms>)(<ds:DigestMethod .*?</ds:DigestMethod>)",
        rb"\2\1",
        message.octets,
        count=1,
    )
    return signed_anew(octets, message.source.key)
