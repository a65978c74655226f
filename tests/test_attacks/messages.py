"""Genuine messages taken apart into texts, each of which declares its own prefixes and stays genuine wherever it is."""

import re
from datetime import UTC

from security.signature import SoapVersion
from security.signature_key import SigningKey
from security.signature_structure import WSU
from security.soap_plain import SOAP
from security.soap_signer import WSSE
from security.soap_signing import sign_soap_parts
from security.xml_signature import sign_enveloped
from tests.test_attacks.attack import MARK, Source, change

_ENVELOPE = re.compile(
    rb"(?P<opening><env:Envelope [^>]*>)<env:Header><s:Security [^>]*>"
    rb"(?P<token><s:BinarySecurityToken .*?</s:BinarySecurityToken>)(?P<timestamp><u:Timestamp .*?</u:Timestamp>)"
    rb"(?P<confirmation><w:SignatureConfirmation .*?</w:SignatureConfirmation>)"
    rb"(?P<signature><ds:Signature .*?</ds:Signature>)</s:Security>(?P<blocks>.*?)</env:Header>"
    rb"(?P<body><env:Body .*</env:Body>)</env:Envelope>",
    re.DOTALL,
)
_DOCUMENT = re.compile(rb"(?P<before><.*)(?P<signature><ds:Signature .*</ds:Signature>)(?P<after></[^>]*>)", re.DOTALL)


def _said(octets: bytes, victim: bytes, text: bytes) -> bytes:
    """The octets with another text in the first element of that name."""
    found = re.search(rb"(<(?:\w+:)?%b(?: [^>]*)?>)[^<]*(</)" % victim, octets)
    assert found is not None, f"no {victim!r} in the message"
    return octets[: found.start()] + found[1] + text + found[2] + octets[found.end() :]


class Envelope:
    """A genuine signed envelope with a SignatureConfirmation, as the sandbox's registries answer."""

    def __init__(self, octets: bytes, source: Source) -> None:
        found = _ENVELOPE.fullmatch(octets)
        assert found is not None, "not an envelope as the sandbox writes them"
        self.octets = octets
        self.source = source
        self.opening, self.token, self.timestamp, self.confirmation, self.signature, self.blocks, self.body = (
            found.groups()
        )
        self.version: SoapVersion = next(one for one, name in SOAP.items() if name.encode() in self.opening)
        self.soap = SOAP[self.version].encode()
        self.body_id = re.search(rb' u:Id="([^"]+)"', self.body)[1]  # type: ignore[index]

    @property
    def forged(self) -> bytes:
        """A Body like the signed one, with other content and without an Id."""
        return change(_said(self.body, self.source.victim, MARK), b' u:Id="%b"' % self.body_id, b"")

    @property
    def payload(self) -> bytes:
        """What the Body holds."""
        return self.body[self.body.index(b">") + 1 : self.body.rindex(b"</")]

    def forged_with_id(self, identifier: bytes) -> bytes:
        """The forged Body with an Id."""
        return change(self.forged, b"<env:Body ", b'<env:Body u:Id="%b" ' % identifier)

    def security(
        self,
        *,
        first: bytes = b"",
        token: bytes | None = None,
        timestamp: bytes | None = None,
        confirmation: bytes | None = None,
        signature: bytes | None = None,
        last: bytes = b"",
        attributes: bytes = b' env:mustUnderstand="1"',
    ) -> bytes:
        """The Security block, with other parts than the genuine ones."""
        parts = (
            self.token if token is None else token,
            self.timestamp if timestamp is None else timestamp,
            self.confirmation if confirmation is None else confirmation,
            self.signature if signature is None else signature,
        )
        opening = b'<s:Security xmlns:s="%b" xmlns:env="%b"%b>' % (WSSE.encode(), self.soap, attributes)
        return b"".join((opening, first, *parts, last, b"</s:Security>"))

    def header(self, *, first: bytes = b"", security: bytes | None = None, last: bytes = b"") -> bytes:
        """The Header, with further blocks."""
        held = self.security() if security is None else security
        return b"<env:Header>" + first + held + last + self.blocks + b"</env:Header>"

    def whole(
        self,
        *,
        leading: bytes = b"",
        header: bytes | None = None,
        body: bytes | None = None,
        trailing: bytes = b"",
    ) -> bytes:
        """The envelope, with other parts than the genuine ones."""
        parts = (self.header() if header is None else header, self.body if body is None else body)
        return b"".join((self.opening, leading, *parts, trailing, b"</env:Envelope>"))

    def saying(self, text: bytes) -> bytes:
        """The message with another text in the victim's place, its signature left as it is."""
        return self.whole(body=_said(self.body, self.source.victim, text))

    def by(self, key: SigningKey) -> bytes:
        """A forged message, whole and signed in the usual form, but by this key."""
        confirms = re.search(rb'Value="([^"]+)"', self.confirmation)[1].decode()  # type: ignore[index]
        payload = _said(self.payload, self.source.victim, MARK)
        now = self.source.now.astimezone(UTC)
        return sign_soap_parts(payload, key, version=self.version, confirms=confirms, now=now).envelope


class Document:
    """A genuine document with an enveloped signature at its end, as the sandbox's land registry answers."""

    def __init__(self, octets: bytes, source: Source) -> None:
        found = _DOCUMENT.fullmatch(octets)
        assert found is not None, "not a signed document"
        self.octets = octets
        self.source = source
        self.before, self.signature, self.after = found.groups()

    @property
    def bare(self) -> bytes:
        """The document without its signature."""
        return self.before + self.after

    def saying(self, text: bytes) -> bytes:
        """The document with another text in the victim's place, its signature left as it is."""
        return _said(self.before, self.source.victim, text) + self.signature + self.after

    def by(self, key: SigningKey) -> bytes:
        """A forged document, whole and signed in the usual form, but by this key."""
        return sign_enveloped(_said(self.bare, self.source.victim, MARK), key)


def wrapped(*content: bytes) -> bytes:
    """An element that nobody knows around these texts."""
    return b'<w:Wrapper xmlns:w="urn:wrapper">' + b"".join(content) + b"</w:Wrapper>"


ANY_ID = b'xmlns:u="%b" u:Id=' % WSU.encode()
