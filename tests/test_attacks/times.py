"""Messages of another time, sent again, or given as answer to another question."""

import base64
import re
from datetime import datetime, timedelta
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec

from security.signature_algorithms import encode
from security.soap_signer import WSSE11
from tests.test_attacks.attack import Family, Genuine, change, signed_anew
from tests.test_attacks.messages import Envelope, wrapped

TIMES = Family("Timestamp", "malformed", "not-covered")
REPLAYS = Family("replay", "replayed", kinds="soap enveloped")
ANSWERS = Family("answer to another question", "not-answer-to-request")

_CREATED = re.compile(rb"<u:Created>[^<]*</u:Created>")
_EXPIRES = re.compile(rb"<u:Expires>[^<]*</u:Expires>")


def _instant(at: datetime) -> bytes:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z".encode()


def _made(message: Envelope, *, created: timedelta, expires: timedelta) -> bytes:
    """The message made and expiring so long from now, under a genuine signature."""
    now = message.source.now
    octets = _CREATED.sub(b"<u:Created>%b</u:Created>" % _instant(now + created), message.octets)
    octets = _EXPIRES.sub(b"<u:Expires>%b</u:Expires>" % _instant(now + expires), octets)
    return signed_anew(octets, message.source.key)


_MINUTE = timedelta(minutes=1)
for _name, _created, _expires, _reason in (
    ("expired", -10 * _MINUTE, -5 * _MINUTE, "stale"),
    ("expired a minute after the last", -3 * _MINUTE, -1.5 * _MINUTE, "stale"),
    ("of an hour ago that says it holds for a year", -60 * _MINUTE, 60 * 24 * 365 * _MINUTE, "stale"),
    ("of the last decade", -60 * 24 * 3650 * _MINUTE, 60 * 24 * 3650 * _MINUTE, "stale"),
    ("of the future", 5 * _MINUTE, 10 * _MINUTE, "stale"),
    ("of next year", 60 * 24 * 365 * _MINUTE, 60 * 24 * 366 * _MINUTE, "stale"),
    ("expires before it was made", 0 * _MINUTE, -1 * _MINUTE, "malformed"),
    ("expires when it was made", 0 * _MINUTE, 0 * _MINUTE, "malformed"),
):
    TIMES.add(_name, partial(_made, created=_created, expires=_expires), _reason)  # type: ignore[arg-type]


def _written(message: Envelope, *, created: bytes) -> bytes:
    octets = _CREATED.sub(lambda _: b"<u:Created>%b</u:Created>" % created, message.octets)
    return signed_anew(octets, message.source.key)


for _name, _text in {
    "empty": b"",
    "a day": b"2026-11-22",
    "without an offset": b"2026-11-22T08:00:00",
    "in another order": b"22/11/2026 08:00:00",
    "in seconds": b"1795334400",
    "with a leap second": b"2026-12-31T23:59:60Z",
    "at twenty-four": b"2026-11-22T24:00:00Z",
    "with an offset of a day": b"2026-11-22T08:00:00+24:00",
    "with an offset of ninety-nine": b"2026-11-22T08:00:00+99:99",
    "in the year zero": b"0000-01-01T00:00:00Z",
    "in the year 10,000": b"10000-01-01T00:00:00Z",
    "before our era": b"-0001-01-01T00:00:00Z",
    "at the edge of time": b"9999-12-31T23:59:59-14:00",
    "in Arabic digits": "٢٠٢٦-11-22T08:00:00Z".encode(),
    "in a month of its own": b"2026-13-22T08:00:00Z",
    "on a day that is none": b"2026-02-30T08:00:00Z",
    "in fractions without end": b"2026-11-22T08:00:00.%bZ" % (b"0" * 100_000),
    "in a week": b"2026-W47-7T08:00:00Z",
    "with a small z": b"2026-11-22t08:00:00z",
}.items():
    TIMES.add(f"made {_name}", partial(_written, created=_text), "malformed", "stale")


def _changed(message: Envelope, *, by: tuple[bytes, bytes]) -> bytes:
    return signed_anew(re.sub(by[0], lambda _: by[1], message.octets, count=1), message.source.key)


for _name, _by in {
    "no Created": (rb"<u:Created>[^<]*</u:Created>", b""),
    "no Expires": (rb"<u:Expires>[^<]*</u:Expires>", b""),
    "two Created": (rb"<u:Created>", b"<u:Created>2026-11-22T08:00:00Z</u:Created><u:Created>"),
    "two Expires": (rb"<u:Expires>", b"<u:Expires>2099-11-22T08:00:00Z</u:Expires><u:Expires>"),
    "Expires first": (rb"<u:Created>", b"<u:Expires>2099-11-22T08:00:00Z</u:Expires><u:Created>"),
    "something else inside": (rb"</u:Timestamp>", b'<w:x xmlns:w="urn:w"/></u:Timestamp>'),
    "an element inside Created": (rb"</u:Created>", b'<w:x xmlns:w="urn:w"/></u:Created>'),
    "text inside": (rb"</u:Timestamp>", b"text</u:Timestamp>"),
    "an attribute of Created": (rb"<u:Created>", b'<u:Created ValueType="urn:x">'),
}.items():
    TIMES.add(_name, partial(_changed, by=_by), "malformed")


@TIMES.attack("not-covered")
def absent(message: Envelope) -> bytes:
    without = message.whole(header=message.header(security=message.security(timestamp=b"")))
    return signed_anew(_unreferenced(without, message.timestamp), message.source.key)


@TIMES.attack("not-covered")
def unsigned(message: Envelope) -> bytes:
    return signed_anew(_unreferenced(message.octets, message.timestamp), message.source.key)


@TIMES.attack("not-covered")
def body_unsigned(message: Envelope) -> bytes:
    return signed_anew(_unreferenced(message.octets, message.body), message.source.key)


def _unreferenced(octets: bytes, part: bytes) -> bytes:
    name = re.search(rb' u:Id="([^"]+)"', part)[1]  # type: ignore[index]
    return re.sub(rb'<ds:Reference URI="#%b">.*?</ds:Reference>' % name, b"", octets)


def _fresh(message: Envelope) -> bytes:
    """A Timestamp that nobody signed, of a time far from now."""
    fresh = _EXPIRES.sub(b"<u:Expires>2099-01-01T00:00:00Z</u:Expires>", message.timestamp)
    return re.sub(rb' u:Id="[^"]+"', b"", fresh)


@TIMES.attack()
def second_before_the_signed_one(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(first=_fresh(message))))


@TIMES.attack()
def second_after_the_signed_one(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(last=_fresh(message))))


@TIMES.attack()
def second_in_the_header(message: Envelope) -> bytes:
    return message.whole(header=message.header(last=_fresh(message)))


@TIMES.attack()
def second_in_a_wrapper(message: Envelope) -> bytes:
    return message.whole(header=message.header(first=wrapped(_fresh(message))))


@TIMES.attack()
def signed_one_wrapped_in_the_header(message: Envelope) -> bytes:
    security = message.security(timestamp=_fresh(message))
    return message.whole(header=message.header(security=security, last=wrapped(message.timestamp)))


@TIMES.attack()
def signed_one_wrapped_in_security(message: Envelope) -> bytes:
    security = message.security(timestamp=_fresh(message), last=wrapped(message.timestamp))
    return message.whole(header=message.header(security=security))


@TIMES.attack()
def signed_one_in_the_header(message: Envelope) -> bytes:
    return message.whole(header=message.header(security=message.security(timestamp=b""), last=message.timestamp))


@TIMES.attack()
def signed_one_in_an_object(message: Envelope) -> bytes:
    hidden = b"<ds:Object>" + message.timestamp + b"</ds:Object></ds:Signature>"
    signature = change(message.signature, b"</ds:Signature>", hidden)
    return message.whole(
        header=message.header(security=message.security(timestamp=_fresh(message), signature=signature))
    )


@TIMES.attack()
def one_in_the_body(message: Envelope) -> bytes:
    body = change(message.body, message.payload, message.payload.replace(b"></", b">" + _fresh(message) + b"</", 1))
    return signed_anew(message.whole(body=body), message.source.key)


@TIMES.attack("altered")
def created_changed(message: Envelope) -> bytes:
    later = _instant(message.source.now + timedelta(seconds=1))
    return _CREATED.sub(b"<u:Created>%b</u:Created>" % later, message.octets)


@TIMES.attack("altered")
def expires_changed(message: Envelope) -> bytes:
    return _EXPIRES.sub(b"<u:Expires>2099-01-01T00:00:00Z</u:Expires>", message.octets)


REPLAYS.add("as it was", lambda message: message.octets, after=True, needs="memory")
REPLAYS.add(
    "with a declaration",
    lambda message: b'<?xml version="1.0" encoding="UTF-8"?>\n' + message.octets,
    after=True,
    needs="memory",
)
REPLAYS.add("with a byte order mark", lambda message: b"\xef\xbb\xbf" + message.octets, after=True, needs="memory")
REPLAYS.add("with a line behind", lambda message: message.octets + b"\r\n", after=True, needs="memory")


@REPLAYS.attack(after=True, needs="memory")
def with_spaces_in_the_value(message: Genuine) -> bytes:
    return change(message.octets, b"</ds:SignatureValue>", b"\n </ds:SignatureValue>")


@REPLAYS.attack(after=True, needs="memory")
def with_the_other_value_that_fits(message: Genuine) -> bytes | None:
    """For each (r, s) of ECDSA (r, n - s) fits as well."""
    if not isinstance(message.source.key.private, ec.EllipticCurvePrivateKey):
        return None
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    text = re.search(rb"<ds:SignatureValue>([^<]+)<", message.octets)[1]  # type: ignore[index]
    value = base64.b64decode(text)
    other = value[:32] + (order - int.from_bytes(value[32:])).to_bytes(32)
    return change(message.octets, text, encode(other))


@REPLAYS.attack(after=True, needs="memory")
def with_an_id_of_the_signature(message: Genuine) -> bytes:
    return change(message.octets, b"<ds:Signature ", b'<ds:Signature Id="other" ')


SOAP_REPLAYS = Family("replay", "replayed")
SOAP_REPLAYS.add(
    "with another block",
    lambda message: message.whole(header=message.header(last=wrapped())),
    after=True,
    needs="memory",
)
SOAP_REPLAYS.add(
    "with spaces between the parts",
    lambda message: message.octets.replace(b"</env:Header>", b"\n</env:Header>\n"),
    after=True,
    needs="memory",
)
SOAP_REPLAYS.add(
    "with the parts in another order",
    lambda message: message.whole(header=message.header(security=message.security(token=b"", last=message.token))),
    after=True,
    needs="memory",
)
SOAP_REPLAYS.add(
    "without the mark that it must be understood",
    lambda message: message.whole(header=message.header(security=message.security(attributes=b""))),
    after=True,
    needs="memory",
)

_CONFIRMS = re.compile(rb'Value="([^"]*)"')
_OTHER = base64.b64encode(bytes(range(64)))


def _confirming(message: Envelope, *, confirmation: bytes) -> bytes:
    """The message with this instead of its confirmation, under a genuine signature."""
    octets = message.whole(header=message.header(security=message.security(confirmation=confirmation)))
    if b"u:Id" not in confirmation:
        octets = _unreferenced(octets, message.confirmation)
    return signed_anew(octets, message.source.key)


ANSWERS.add("confirms nothing", partial(_confirming, confirmation=b""), needs="question")
ANSWERS.add(
    "confirms another question",
    lambda m: _confirming(m, confirmation=_CONFIRMS.sub(b'Value="%b"' % _OTHER, m.confirmation)),
    needs="question",
)
ANSWERS.add(
    "confirms that nothing was signed",
    lambda m: _confirming(m, confirmation=_CONFIRMS.sub(b"", m.confirmation)),
    needs="question",
)
ANSWERS.add(
    "confirms emptiness",
    lambda m: _confirming(m, confirmation=_CONFIRMS.sub(b'Value=""', m.confirmation)),
    "malformed",
    "not-answer-to-request",
)
ANSWERS.add(
    "confirms what is no base64",
    lambda m: _confirming(m, confirmation=_CONFIRMS.sub(b'Value="!"', m.confirmation)),
    "malformed",
)
ANSWERS.add(
    "confirms without a signature",
    lambda m: _confirming(m, confirmation=re.sub(rb' u:Id="[^"]+"', b"", m.confirmation)),
    "not-covered",
)
ANSWERS.add(
    "confirms two questions",
    lambda m: m.whole(
        header=m.header(
            security=m.security(
                confirmation=m.confirmation
                + b'<w:SignatureConfirmation xmlns:w="%b" Value="%b"/>' % (WSSE11.encode(), _OTHER)
            )
        )
    ),
    "not-covered",
)
ANSWERS.add(
    "confirms beside Security",
    lambda m: m.whole(header=m.header(security=m.security(confirmation=b""), last=m.confirmation)),
    "not-answer-to-request",
    needs="question",
)
ANSWERS.add(
    "says more than it confirms",
    lambda m: _confirming(m, confirmation=m.confirmation.replace(b"></", b">text</")),
    "malformed",
)
ANSWERS.add(
    "confirms the signature of another namespace",
    lambda m: _confirming(m, confirmation=m.confirmation.replace(WSSE11.encode(), b"urn:not-wsse11")),
    "malformed",
)
