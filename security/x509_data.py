"""ds:X509Data (XML Signature 1.1, 4.5.4): the one certificate that it holds or names, and hints that must fit it."""

import re
from typing import NamedTuple

from cryptography import x509

from security.names import name_of
from security.signature_algorithms import strict_base64
from security.signature_structure import DS, expect, malformed, text_of
from security.trust_presented import ByIssuerSerial, ByKeyIdentifier, Presented, is_named, plain_name
from security.xml import Element

_CERTIFICATE = f"{{{DS}}}X509Certificate"
_ISSUER_SERIAL = f"{{{DS}}}X509IssuerSerial"
_SKI = f"{{{DS}}}X509SKI"
_SUBJECT = f"{{{DS}}}X509SubjectName"
_FORMS = (_CERTIFICATE, _ISSUER_SERIAL, _SKI, _SUBJECT)
_NOTHING: frozenset[str] = frozenset()
_SERIAL = re.compile(r"[0-9]{1,60}", re.ASCII)


class BySubject(NamedTuple):
    """A certificate described by its subject as RFC 4514 text: many may fit, so it names none alone."""

    subject: str


Hint = BySubject | ByIssuerSerial | ByKeyIdentifier


class Named(NamedTuple):
    """How a message says whose its signature is; `hints` describe the same certificate once more."""

    presented: Presented
    hints: tuple[Hint, ...] = ()

    def check_hints(self, certificate: x509.Certificate) -> None:
        """Nothing if every hint describes this certificate; Rejected("malformed") otherwise."""
        for hint in self.hints:
            if not (_is_subject(certificate, hint) if isinstance(hint, BySubject) else is_named(certificate, hint)):
                raise malformed("X509Data says two things about the signer's certificate")


def read_x509_data(data: Element) -> Named:
    """What an X509Data says: a certificate, with or without hints, or one hint that names one we must hold.

    Rejected("malformed") for several certificates, a form twice, a subject alone and anything else.
    """
    tags = [one.tag for one in data]
    if not tags or len(set(tags)) != len(tags) or not set(_FORMS).issuperset(tags):
        raise malformed("X509Data must hold or name exactly one certificate")
    found = dict(zip(tags, expect(data, tags, _NOTHING, "X509Data"), strict=True))
    holder = found.pop(_CERTIFICATE, None)
    hints = tuple(_hint(one) for one in found.values())
    if holder is not None:
        return Named(text_of(holder, _NOTHING, "X509Certificate"), hints)
    if len(hints) != 1 or isinstance(hints[0], BySubject):
        raise malformed("X509Data must hold or name exactly one certificate")
    return Named(hints[0])


def _hint(element: Element) -> Hint:
    if element.tag == _SUBJECT:
        return BySubject(text_of(element, _NOTHING, "X509SubjectName"))
    if element.tag == _SKI:
        return ByKeyIdentifier(strict_base64(text_of(element, _NOTHING, "X509SKI"), "X509SKI"))
    shape = [f"{{{DS}}}X509IssuerName", f"{{{DS}}}X509SerialNumber"]
    name, serial = expect(element, shape, _NOTHING, "X509IssuerSerial")
    number = text_of(serial, _NOTHING, "X509SerialNumber")
    if not _SERIAL.fullmatch(number):
        raise malformed("X509SerialNumber is not a number")
    return ByIssuerSerial(text_of(name, _NOTHING, "X509IssuerName"), int(number))


def _is_subject(certificate: x509.Certificate, hint: BySubject) -> bool:
    try:
        return plain_name(name_of(hint.subject)) == plain_name(certificate.subject)
    except ValueError:
        return False
