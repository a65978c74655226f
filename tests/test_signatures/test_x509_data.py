"""ds:X509Data in both profiles: one certificate, held or named, and nothing in it that says otherwise."""

import base64
import re

import pytest

from security.names import name_of
from security.signature import Rejected, SignaturePolicy
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts
from security.xml_signature import sign_enveloped, verify_enveloped
from tests.test_signatures.conftest import NOW

ANY = SignaturePolicy()
ANSWER = b'<a issuedAt="2026-11-22T08:00:00Z"/>'


def soap(key, content: str) -> bytes:
    """A message without token whose SecurityTokenReference holds an X509Data (as zeep writes it)."""
    message = sign_soap_parts(b"<a></a>", key, now=NOW).envelope
    message = re.sub(rb"<s:BinarySecurityToken.*?</s:BinarySecurityToken>", b"", message)
    return re.sub(rb"<s:Reference .*?</s:Reference>", f"<ds:X509Data>{content}</ds:X509Data>".encode(), message)


def enveloped(key, content: str) -> bytes:
    return re.sub(rb"(?<=<ds:X509Data>).*(?=</ds:X509Data>)", content.encode(), sign_enveloped(ANSWER, key))


class Forms:
    """The ways in which one certificate is held and described."""

    def __init__(self, certificate, token: bytes) -> None:
        issuer, subject = certificate.issuer.rfc4514_string(), certificate.subject.rfc4514_string()
        ski = certificate.extensions[1].value.digest
        self.held = f"<ds:X509Certificate>\n{token.decode()}\n</ds:X509Certificate>"
        self.subject = f"<ds:X509SubjectName>{subject}</ds:X509SubjectName>"
        self.backwards = f"<ds:X509SubjectName>{', '.join(reversed(subject.split(',')))}</ds:X509SubjectName>"
        self.ski = f"<ds:X509SKI>{base64.b64encode(ski).decode()}</ds:X509SKI>"
        self.serial = (
            f"<ds:X509IssuerSerial><ds:X509IssuerName>{issuer}</ds:X509IssuerName>"
            f"<ds:X509SerialNumber>{certificate.serial_number}</ds:X509SerialNumber></ds:X509IssuerSerial>"
        )


@pytest.fixture(params=[(verify_soap, soap), (verify_enveloped, enveloped)], ids=["soap", "enveloped"])
def verdict(request, pki):
    """The reason why a message with this X509Data is refused, None where it is valid."""
    verify, make = request.param
    key = pki.signer("rsa")

    def of(content: str, trust=None) -> str | None:
        try:
            assert verify(make(key, content), ANY, trust or pki.pinned(key), now=NOW).signer == key.certificate
        except Rejected as refused:
            return refused.reason
        return None

    of.forms = Forms(key.certificate, key.token)
    return of


def test_a_certificate_is_held_or_named(verdict, pki):
    forms = verdict.forms
    for content in (forms.held, forms.serial, forms.ski):
        assert verdict(content) is None
        assert verdict(content, pki.pinned(pki.signer("p256"))) == "untrusted"
    # A name alone is looked up among what is pinned; a certificate needs no such thing.
    assert verdict(forms.serial, pki.anchored()) == "untrusted"
    assert verdict(forms.held, pki.anchored()) is None


def test_hints_beside_the_certificate_must_fit_it(verdict, pki):
    forms = verdict.forms
    other = pki.signer("p256", "Kẻ lạ")
    strange = Forms(other.certificate, other.token)
    for hints in (forms.subject, forms.backwards, forms.serial, forms.ski, forms.subject + forms.serial + forms.ski):
        assert verdict(hints + forms.held) is None
        assert verdict(forms.held + hints) is None
    for hint in (strange.subject, strange.serial, strange.ski, forms.subject.replace("CN=", "XY=")):
        assert verdict(hint + forms.held) == "malformed"
        assert verdict(forms.subject + forms.held + hint) == "malformed"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{0.subject}",
        "{0.serial}{0.ski}",
        "{0.held}{0.held}",
        "{0.held}{0.subject}{0.subject}",
        "{0.held}<ds:X509CRL/>",
        "{0.held}<ds:X509Digest/>",
        "{0.held}x",
        "{0.held}<X509SKI>AAAA</X509SKI>",
        "<ds:X509IssuerSerial><ds:X509IssuerName/><ds:X509SerialNumber>-1</ds:X509SerialNumber></ds:X509IssuerSerial>",
        "<ds:X509IssuerSerial><ds:X509IssuerName/></ds:X509IssuerSerial>",
        "<ds:X509SKI>?</ds:X509SKI>",
        "<ds:X509SKI/>",
        "<ds:X509Certificate/>",
        "<ds:X509Certificate>" + "A" * 3 + "</ds:X509Certificate>",
        "<ds:X509SerialNumber>1</ds:X509SerialNumber>",
    ],
)
def test_anything_else_is_malformed(verdict, content):
    assert verdict(content.format(verdict.forms)) == "malformed"


def test_a_name_of_thousands_of_parts_is_not_read():
    with pytest.raises(ValueError, match="too long"):
        name_of("CN=a," * 200_000 + "CN=b")
