"""The attacker's own key in each form in which a message may speak of one, and certificates that must not do."""

import base64
import re
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from security.soap_signer import BASE64, WSSE, X509V3
from tests.test_attacks.attack import Family, Genuine
from tests.test_attacks.forging import DAY, certificate, der_of, own_key, own_signing_key, same_kind, showing
from tests.test_attacks.messages import Envelope
from tests.test_attacks.traps import FILE, LISTENER

CONFUSION = Family("key confusion", "untrusted", "malformed")
CERTIFICATES = Family("certificates", "untrusted", kinds="soap enveloped")

_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
_SECURITY_1_1 = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
_KEY_INFO = re.compile(rb"<ds:KeyInfo>.*?</ds:KeyInfo>", re.DOTALL)
_TOKEN = re.compile(rb"<s:BinarySecurityToken .*?</s:BinarySecurityToken>", re.DOTALL)
_IDENTIFIER = (
    b'<s:SecurityTokenReference><s:KeyIdentifier ValueType="%b">%b</s:KeyIdentifier></s:SecurityTokenReference>'
)


def _forms(message: Envelope) -> dict[str, bytes]:
    """KeyInfo as it can speak of the attacker's key."""
    own = own_signing_key(message.source)
    made, public = own.certificate, own.private.public_key()
    spki = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    thumbprint = base64.b64encode(made.fingerprint(hashes.SHA1()))
    ski = base64.b64encode(made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest)
    serial = (
        b"<ds:X509IssuerSerial><ds:X509IssuerName>%b</ds:X509IssuerName><ds:X509SerialNumber>%d</ds:X509SerialNumber></ds:X509IssuerSerial>"
        % (
            made.issuer.rfc4514_string().encode(),
            made.serial_number,
        )
    )
    data = b"<ds:X509Data>%b</ds:X509Data>"
    shown = b"<ds:X509Certificate>%b</ds:X509Certificate>"
    reference = b"<s:SecurityTokenReference>%b</s:SecurityTokenReference>"
    return {
        "KeyValue": b"<ds:KeyValue>%b</ds:KeyValue>" % _key_value(public),
        "KeyName": b"<ds:KeyName>%b</ds:KeyName>" % made.subject.rfc4514_string().encode(),
        "DEREncodedKeyValue": b'<d:DEREncodedKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#">%b</d:DEREncodedKeyValue>'
        % spki,
        "RetrievalMethod": b'<ds:RetrievalMethod URI="%bkey"/>' % LISTENER,
        "RetrievalMethod of a file": b'<ds:RetrievalMethod URI="%b"/>' % FILE,
        "KeyInfoReference": b'<d:KeyInfoReference xmlns:d="http://www.w3.org/2009/xmldsig11#" URI="#elsewhere"/>',
        "X509Data with a certificate": data % (shown % own.token),
        "X509Data with two certificates": data % (shown % own.token + shown % message.source.key.token),
        "X509Data with the genuine one first": data % (shown % message.source.key.token + shown % own.token),
        "X509Data with a serial": data % serial,
        "X509Data with an identifier": data % (b"<ds:X509SKI>%b</ds:X509SKI>" % ski),
        "X509Data with a subject": data
        % (b"<ds:X509SubjectName>%b</ds:X509SubjectName>" % made.subject.rfc4514_string().encode()),
        "PGPData": b"<ds:PGPData><ds:PGPKeyID>AAAA</ds:PGPKeyID></ds:PGPData>",
        "SPKIData": b"<ds:SPKIData><ds:SPKISexp>%b</ds:SPKISexp></ds:SPKIData>" % spki,
        "MgmtData": b"<ds:MgmtData>%b</ds:MgmtData>" % spki,
        "EncryptedKey": b'<e:EncryptedKey xmlns:e="http://www.w3.org/2001/04/xmlenc#"/>',
        "a token inside the reference": reference % (b"<s:Embedded>%b</s:Embedded>" % _TOKEN.search(message.octets)[0]),  # type: ignore[index]
        "a token at an address": reference
        % (b'<s:Reference URI="%btoken" ValueType="%b"/>' % (LISTENER, X509V3.encode())),
        "a token in a file": reference % (b'<s:Reference URI="%b" ValueType="%b"/>' % (FILE, X509V3.encode())),
        "a token that is not there": reference % (b'<s:Reference URI="#nowhere" ValueType="%b"/>' % X509V3.encode()),
        "a name": reference % b"<s:KeyName>x</s:KeyName>",
        "a serial in the reference": reference % (data % serial),
        "an identifier": _IDENTIFIER % (f"{_PROFILE}#X509SubjectKeyIdentifier".encode(), ski),
        "a fingerprint": _IDENTIFIER % (f"{_SECURITY_1_1}#ThumbprintSHA1".encode(), thumbprint),
        "a whole certificate as identifier": _IDENTIFIER % (f"{_PROFILE}#X509v3".encode(), own.token),
        "an assertion": _IDENTIFIER
        % (b"http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID", b"evil"),
        "an encrypted key's fingerprint": _IDENTIFIER % (f"{_SECURITY_1_1}#EncryptedKeySHA1".encode(), thumbprint),
        "an empty reference": reference % b"",
        "nothing": b"",
    }


def _key_value(public: Any) -> bytes:
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        modulus = base64.b64encode(numbers.n.to_bytes(256))
        return b"<ds:RSAKeyValue><ds:Modulus>%b</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>" % modulus
    point = base64.b64encode(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    return (
        b'<d:ECKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#"><d:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/>'
        b"<d:PublicKey>%b</d:PublicKey></d:ECKeyValue>" % point
    )


def _named(message: Envelope, *, form: str, token: str) -> bytes:
    """A forged message by the attacker's key, of which KeyInfo speaks in this form."""
    source = message.source
    octets = message.by(own_signing_key(source))
    if token == "no token":
        octets = _TOKEN.sub(b"", octets)
    elif token == "the genuine token":
        octets = _TOKEN.sub(lambda _: message.token, octets)
    return _KEY_INFO.sub(lambda _: b"<ds:KeyInfo>" + _forms(message)[form] + b"</ds:KeyInfo>", octets)


for _form in (
    "KeyValue", "KeyName", "DEREncodedKeyValue", "RetrievalMethod", "RetrievalMethod of a file", "KeyInfoReference",
    "X509Data with a certificate", "X509Data with two certificates", "X509Data with the genuine one first",
    "X509Data with a serial", "X509Data with an identifier", "X509Data with a subject", "PGPData", "SPKIData",
    "MgmtData", "EncryptedKey", "a token inside the reference", "a token at an address", "a token in a file",
    "a token that is not there", "a name", "a serial in the reference", "an identifier", "a fingerprint",
    "a whole certificate as identifier", "an assertion", "an encrypted key's fingerprint", "an empty reference",
    "nothing",
):  # fmt: skip
    for _token in ("no token", "the genuine token"):
        CONFUSION.add(f"{_form}, {_token}", partial(_named, form=_form, token=_token))


@CONFUSION.attack("untrusted")
def own_certificate_in_the_name_of_the_source(message: Genuine) -> bytes:
    return message.by(own_signing_key(message.source))


@CONFUSION.attack("altered")
def genuine_token_over_an_own_signature(message: Envelope) -> bytes:
    forged = message.by(own_signing_key(message.source))
    name = re.search(rb'<s:BinarySecurityToken [^>]*u:Id="([^"]+)"', forged)[1]  # type: ignore[index]
    genuine = re.sub(rb'u:Id="[^"]+"', b'u:Id="%b"' % name, message.token)
    return _TOKEN.sub(lambda _: genuine, forged)


def _two_tokens(message: Envelope, *, own_first: bool, own_named: bool) -> bytes:
    forged = message.by(own_signing_key(message.source))
    own = _TOKEN.search(forged)[0]  # type: ignore[index]
    tokens = own + message.token if own_first else message.token + own
    octets = _TOKEN.sub(lambda _: tokens, forged)
    if not own_named:
        ours = re.search(rb'u:Id="([^"]+)"', own)[1]  # type: ignore[index]
        theirs = re.search(rb'u:Id="([^"]+)"', message.token)[1]  # type: ignore[index]
        octets = octets.replace(b'<s:Reference URI="#%b"' % ours, b'<s:Reference URI="#%b"' % theirs)
    return octets


for _first in (True, False):
    for _own in (True, False):
        CONFUSION.add(
            f"two tokens, {'the own' if _first else 'the genuine'} first, "
            f"{'the own' if _own else 'the genuine'} one named",
            partial(_two_tokens, own_first=_first, own_named=_own),
            "malformed",
        )


@CONFUSION.attack("malformed")
def two_tokens_of_one_id(message: Envelope) -> bytes:
    octets = _two_tokens(message, own_first=True, own_named=True)
    ours, theirs = re.findall(rb'<s:BinarySecurityToken [^>]*u:Id="([^"]+)"', octets)
    return octets.replace(b'u:Id="%b"' % theirs, b'u:Id="%b"' % ours)


@CONFUSION.attack("untrusted")
def own_certificate_with_the_identifier_of_the_genuine_one(message: Genuine) -> bytes:
    source = message.source
    genuine = source.key.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    private = same_kind(source)
    made = certificate(source, private, issuer=source.authority.subject, issuer_key=private, identifier=genuine)
    return showing(message, der_of(made), private)


_TYPES = {
    "a path": f"{_PROFILE}#X509PKIPathv1",
    "PKCS 7": f"{_PROFILE}#PKCS7",
    "version 1": f"{_PROFILE}#X509v1",
    "Kerberos": "http://docs.oasis-open.org/wss/oasis-wss-kerberos-token-profile-1.1#GSS_Kerberosv5_AP_REQ",
    "nothing": "",
}
CONFUSION.changes(
    {
        f"token of {name}": (f'ValueType="{X509V3}" u:Id'.encode(), f'ValueType="{uri}" u:Id'.encode())
        for name, uri in _TYPES.items()
    },
    "malformed",
)
CONFUSION.changes(
    {
        "token in hexadecimal by its name": (BASE64.encode(), BASE64.replace("Base64", "Hex").encode()),
        "user name beside": (
            b"<u:Timestamp ",
            b'<s:UsernameToken xmlns:s="%b"><s:Username>x</s:Username></s:UsernameToken><u:Timestamp ' % WSSE.encode(),
        ),
        "assertion beside": (
            b"<u:Timestamp ",
            b'<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/><u:Timestamp ',
        ),
        "two references to tokens": (
            b"</ds:KeyInfo>",
            b'<s:SecurityTokenReference/></ds:KeyInfo>',
        ),
        "attribute of the reference": (b"<s:SecurityTokenReference>", b'<s:SecurityTokenReference Usage="urn:x">'),
        "address beside the Id of the token": (b'<s:Reference URI="#x-', b'<s:Reference URI="%b#x-' % LISTENER),
        "key info twice": (b"<ds:KeyInfo>", b"<ds:KeyInfo/><ds:KeyInfo>"),
    },
    "malformed",
    signed=False,
)  # fmt: skip


def _of(message: Genuine, private: Any = None, **options: Any) -> bytes:
    """A forged message by the genuine key, or this one, that shows a certificate of the genuine authority."""
    key = message.source.key.private if private is None else private
    return showing(message, der_of(certificate(message.source, key, **options)), key)


_CN = "Somebody else"


def _other_name(message: Genuine, **changed: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(one.oid, changed.get(one.oid._name, str(one.value)))
            for one in message.source.key.certificate.subject
        ]
    )


CERTIFICATES.add("expired yesterday", lambda m: _of(m, before=-400 * DAY, after=-1 * DAY), "expired")
CERTIFICATES.add("valid from tomorrow", lambda m: _of(m, before=1 * DAY), "expired")
CERTIFICATES.add("for encryption only", lambda m: _of(m, usage=("key_encipherment", "data_encipherment")))
CERTIFICATES.add("for key agreement only", lambda m: _of(m, usage=("key_agreement",)))
CERTIFICATES.add("for issuing too", lambda m: _of(m, usage=("digital_signature", "key_cert_sign")))
CERTIFICATES.add("for revocation lists only", lambda m: _of(m, usage=("crl_sign",)))
for _purpose, _oid in {
    "TLS servers": ExtendedKeyUsageOID.SERVER_AUTH,
    "programs": ExtendedKeyUsageOID.CODE_SIGNING,
    "OCSP": ExtendedKeyUsageOID.OCSP_SIGNING,
    "time-stamps": ExtendedKeyUsageOID.TIME_STAMPING,
}.items():
    for _binding in (True, False):
        CERTIFICATES.add(
            f"for {_purpose} only{'' if _binding else ', not critical'}",
            lambda m, oid=_oid, critical=_binding: _of(m, further=((x509.ExtendedKeyUsage([oid]), critical),)),
        )
CERTIFICATES.add("of an authority", lambda m: _of(m, authority=True))
CERTIFICATES.add(
    "with a critical extension that nobody knows",
    lambda m: _of(m, further=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),)),
)
CERTIFICATES.add(
    "of another member",
    lambda m: _of(m, same_kind(m.source), subject=_other_name(m, commonName=_CN)),
    needs="signer",
)
CERTIFICATES.add(
    "of a member with the same common name only",
    lambda m: _of(m, same_kind(m.source), subject=_other_name(m, organizationName=_CN)),
    needs="signer",
)
CERTIFICATES.add(
    "of a member with one attribute more",
    lambda m: _of(
        m,
        same_kind(m.source),
        subject=x509.Name(
            [*m.source.key.certificate.subject, x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, _CN)]
        ),
    ),
    needs="signer",
)
CERTIFICATES.add("of 1,024 bits", lambda m: _of(m, own_key("rsa-1024")))
CERTIFICATES.add("of 1,536 bits", lambda m: _of(m, own_key("rsa-1536")))
CERTIFICATES.add("on P-521", lambda m: _of(m, own_key("p521")))
CERTIFICATES.add("on P-224", lambda m: _of(m, own_key("p224")))
CERTIFICATES.add("on secp256k1", lambda m: _of(m, own_key("secp256k1")))


@CERTIFICATES.attack()
def of_an_authority_that_looks_alike(message: Genuine) -> bytes:
    private = same_kind(message.source)
    return showing(message, der_of(certificate(message.source, private, issuer_key=own_key("p256"))), private)


@CERTIFICATES.attack()
def that_names_addresses_to_ask(message: Genuine) -> bytes:
    """Whoever asks there before it knows the authority lets a stranger choose where it connects to."""
    source, private = message.source, same_kind(message.source)
    address = x509.UniformResourceIdentifier(LISTENER.decode() + "x")
    access = [
        x509.AccessDescription(method, address)
        for method in (AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS)
    ]
    lists = x509.CRLDistributionPoints([x509.DistributionPoint([address], None, None, None)])
    further = ((x509.AuthorityInformationAccess(access), False), (lists, False))
    return showing(message, der_of(certificate(source, private, issuer_key=private, further=further)), private)


@CERTIFICATES.attack()
def issued_by_the_source_itself(message: Genuine) -> bytes:
    source, private = message.source, same_kind(message.source)
    made = certificate(source, private, issuer=source.key.certificate.subject, issuer_key=source.key.private)
    return showing(message, der_of(made), private)


@CERTIFICATES.attack()
def issued_by_the_source_in_the_name_of_the_authority(message: Genuine) -> bytes:
    private = same_kind(message.source)
    made = certificate(message.source, private, issuer_key=message.source.key.private)
    return showing(message, der_of(made), private)


@CERTIFICATES.attack()
def self_signed_in_the_name_of_the_source(message: Genuine) -> bytes:
    source, private = message.source, same_kind(message.source)
    made = certificate(source, private, issuer=source.key.certificate.subject, issuer_key=private)
    return showing(message, der_of(made), private)


@CERTIFICATES.attack()
def the_authority_itself_as_signer(message: Genuine) -> bytes:
    return showing(message, der_of(message.source.authority), message.source.authority_key)


@CERTIFICATES.attack("revoked", needs="revocation")
def revoked(message: Genuine) -> bytes | None:
    held = message.source.revoked
    return None if held is None else message.by(held)


def _spoilt(message: Genuine, *, how: str) -> bytes:
    der = der_of(message.source.key.certificate)
    changed = {
        "cut": der[:-1],
        "longer": der + b"\0",
        "twice": der * 2,
        "with one bit of its signature changed": der[:-1] + bytes([der[-1] ^ 1]),
        "with one bit of its key changed": _flipped(der, der.index(_point(message)) + 20),
        "empty sequence": b"\x30\x00",
        "of noise": bytes(range(256)) * 8,
        "of a length that is not there": b"\x30\x84\xff\xff\xff\xff" + der,
        "nested a thousand times": b"\x30\x80" * 1_000,
        "in PEM": message.source.key.certificate.public_bytes(Encoding.PEM),
    }
    return showing(message, changed[how], message.source.key.private)


def _point(message: Genuine) -> bytes:
    public = message.source.key.certificate.public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[-64:]


def _flipped(octets: bytes, at: int) -> bytes:
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]


for _how in (
    "cut", "longer", "twice", "with one bit of its signature changed", "with one bit of its key changed",
    "empty sequence", "of noise", "of a length that is not there", "nested a thousand times", "in PEM",
):  # fmt: skip
    CERTIFICATES.add(f"a certificate {_how}", partial(_spoilt, how=_how), "untrusted", "malformed")


@CERTIFICATES.attack("untrusted")
def a_certificate_of_a_megabyte(message: Genuine) -> bytes:
    stuffing = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\4\x83\x0f\x42\x40" + bytes(1_000_000))
    private = same_kind(message.source)
    made = certificate(message.source, private, issuer_key=private, further=((stuffing, False),))
    return showing(message, der_of(made), private)


@CERTIFICATES.attack("untrusted")
def a_certificate_of_ten_thousand_names(message: Genuine) -> bytes:
    names = x509.SubjectAlternativeName([x509.DNSName(f"n{at}.example") for at in range(10_000)])
    private = same_kind(message.source)
    made = certificate(message.source, private, issuer_key=private, further=((names, False),))
    return showing(message, der_of(made), private)
