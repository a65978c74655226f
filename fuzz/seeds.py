"""What the fuzzer starts from: for each target well-made inputs of all its kinds, and the words of its language."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from hashlib import sha1
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_crl
from cryptography.x509.ocsp import OCSPResponseBuilder, OCSPResponseStatus, load_der_ocsp_response

from fuzz.world import DAY, FAR, NOW, ROOT, SIGNER, certificate, genuine, ocsp_response, revocation_list
from security.signature import SoapVersion
from security.signature_algorithms import ALGORITHMS, DIGESTS, ECDSA_SHA256, SHA256
from security.signature_structure import C14N, DS, ENVELOPED, EXC_C14N, WSU
from security.soap_plain import SOAP
from security.soap_signer import BASE64, WSSE, WSSE11, X509V3

ASKED: Final = base64.b64encode(bytes(range(64))).decode()
"""The signature value of the question that answers confirm."""
RELATED: Final = "urn:uuid:asked"

_WSA = "http://www.w3.org/2005/08/addressing"
_X509_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
_SECURITY_11 = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"

_REFERENCE = (
    f'<ds:Reference URI="#%s"><ds:Transforms><ds:Transform Algorithm="{EXC_C14N}"/></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>[digest %s]</ds:DigestValue></ds:Reference>'
)
_SIGNED_INFO = (
    f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{EXC_C14N}"/>'
    f'<ds:SignatureMethod Algorithm="{ECDSA_SHA256.uri}"/>%s</ds:SignedInfo>'
)
_SIGNATURE = (
    f'<ds:Signature xmlns:ds="{DS}">{_SIGNED_INFO}<ds:SignatureValue>[value]</ds:SignatureValue><ds:KeyInfo>'
    "<s:SecurityTokenReference>%s</s:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
)
_BY_TOKEN = f'<s:Reference URI="#tok" ValueType="{X509V3}"/>'
_BY_SERIAL = (
    f"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{SIGNER.issuer.rfc4514_string()}</ds:X509IssuerName>"
    f"<ds:X509SerialNumber>{SIGNER.serial_number}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"
)
_THUMBPRINT = base64.b64encode(sha1(SIGNER.public_bytes(Encoding.DER), usedforsecurity=False).digest()).decode()
_BY_THUMBPRINT = (
    f'<s:KeyIdentifier EncodingType="{BASE64}" ValueType="{_SECURITY_11}#ThumbprintSHA1">{_THUMBPRINT}'
    "</s:KeyIdentifier>"
)
_PIECES = {
    "x": f'<s:BinarySecurityToken EncodingType="{BASE64}" ValueType="{X509V3}" xmlns:u="{WSU}" u:Id="tok">[token]'
    "</s:BinarySecurityToken>",
    "t": f'<u:Timestamp xmlns:u="{WSU}" u:Id="time-1"><u:Created>2026-11-22T07:59:00Z</u:Created>'
    "<u:Expires>2026-11-22T08:04:00.000Z</u:Expires></u:Timestamp>",
    "c": f'<w:SignatureConfirmation xmlns:w="{WSSE11}" xmlns:u="{WSU}" Value="{ASKED}" u:Id="c.1"/>',
}
_PAYLOAD = "<q:Hoi xmlns:q='urn:hoi' xmlns:n='urn:u'><q:Ten a='&gt;' q:b='&#13;'>Nguyễn &amp; &#13;</q:Ten></q:Hoi>"


def _soap(
    order: str, *, version: SoapVersion = "1.1", by: str = _BY_TOKEN, header: str = "", payload: str = _PAYLOAD
) -> str:
    """A message with places for what makes it genuine; `order` is that of the parts of Security."""
    named = ["b_1", "time-1", *(["c.1"] if "c" in order else []), *(["h_1"] if "h_1" in header else [])]
    pieces = {**_PIECES, "g": _SIGNATURE % ("".join(_REFERENCE % (name, name) for name in named), by)}
    return (
        f'<env:Envelope xmlns:env="{SOAP[version]}"><env:Header><s:Security xmlns:s="{WSSE}" env:mustUnderstand="1">'
        f"{''.join(pieces[one] for one in order)}</s:Security>{header}</env:Header>"
        f'<env:Body xmlns:u="{WSU}" u:Id="b_1">{payload}</env:Body></env:Envelope>'
    )


_RELATES = f'<a:RelatesTo xmlns:a="{_WSA}" xmlns:u="{WSU}" u:Id="h_1">{RELATED}</a:RelatesTo>'
_OTHER_BLOCK = '<o:Other xmlns:o="urn:o">x</o:Other>'


@cache
def soap() -> tuple[bytes, ...]:
    """Messages of all forms that senders write, two with what is never accepted, two that are filled already."""
    usual = _soap("xtg")
    texts = (
        usual,
        _soap("xtg", version="1.2"),
        _soap("xtcg"),
        _soap("gtx", header=_RELATES),
        _soap("tg", by=_BY_SERIAL, header=_OTHER_BLOCK),
        _soap("tg", by=_BY_THUMBPRINT),
        usual.replace("ds:", "").replace("xmlns:ds", "xmlns"),
        usual.replace("env:", "").replace("xmlns:env", "xmlns"),
        usual.replace("/><", "/>\n  <").replace("><", ">\r\n\t<"),
        usual.replace(f'<ds:Transform Algorithm="{EXC_C14N}"/>', _with_prefixes("env #default"), 1),
        _soap("xtg", payload="<a/>").replace("<env:Body", "<!-- --><env:Body"),
        _soap("xtg", payload=f"<env:Body>{_PAYLOAD}</env:Body>"),
    )
    return (*(text.encode() for text in texts), genuine(usual.encode()).document, genuine(texts[3].encode()).document)


def _with_prefixes(prefixes: str) -> str:
    return (
        f'<ds:Transform Algorithm="{EXC_C14N}"><e:InclusiveNamespaces xmlns:e="{EXC_C14N}" PrefixList="{prefixes}"/>'
        "</ds:Transform>"
    )


_DOCUMENTS = ((EXC_C14N, "ds:", ""), (C14N, "", ""), (EXC_C14N, "", "#whole"), (C14N, "ds:", "#whole"))


@cache
def enveloped() -> tuple[bytes, ...]:
    """Signed documents of several stacks."""
    return tuple(_enveloped(c14n, prefix, uri).encode() for c14n, prefix, uri in _DOCUMENTS)


def _enveloped(c14n: str, prefix: str, uri: str) -> str:
    place = "[enveloped]" if c14n == EXC_C14N else "[inclusive]"
    text = (
        '<Answer xmlns="urn:land" xmlns:x="urn:unused" Id="whole" requestId="r-1" issuedAt="2026-11-22T15:00:00+07:00">'
        "  <Parcel><Sheet>12</Sheet><Owner>Nguyễn Văn A &amp; vợ</Owner></Parcel>\n"
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>'
        f'<ds:SignatureMethod Algorithm="{ECDSA_SHA256.uri}"/><ds:Reference URI="{uri}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{c14n}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>{place}</ds:DigestValue></ds:Reference>'
        "</ds:SignedInfo><ds:SignatureValue>[value]</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
        "<ds:X509Certificate>[token]</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature></Answer>"
    )
    return text if prefix else text.replace("<ds:", "<").replace("</ds:", "</").replace("xmlns:ds", "xmlns")


@cache
def xml() -> tuple[bytes, ...]:
    """Documents that use what XML has, small enough for the caps of the target."""
    return (
        b"<a/>",
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<a b="1">\n<c/>&amp;&#13;</a>\n',
        b'\xef\xbb\xbf<p:a xmlns:p="urn:p" xmlns="urn:d"><b xmlns=""><c xml:lang="vi" p:d="&lt;"/></b></p:a>',
        "<Hỏi><![CDATA[<!-- ]]><Tên>Nguyễn</Tên>]]&gt;</Hỏi>".encode(),
        b"<a><!-- c --><?p i?></a>",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b"<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a>",
        b'<a xmlns:x="relative"><x:b/></a>',
    )


_PARAMETERS = (
    ';created=1795334340;expires=1795334640;nonce="n-1";keyid="key"',
    ';keyid="key";created=1795334400;expires=1795334401;nonce="\\"\\\\"',
)
_LINES = (
    "lgsp-purpose: kiem-tra",
    "content-type: application/json",
    "content-digest: sha-256=:[digest]:",
    'signature-input: sig=("@method" "@authority" "@path" "@query" "content-type" "content-digest" "lgsp-purpose")'
    + _PARAMETERS[0],
    "signature: sig=:[signature]:",
)


@cache
def request() -> tuple[bytes, ...]:
    """Signed requests: method, scheme, Host and target, then headers, then the body."""
    usual = "\n".join(("POST https gateway.example:443 /v1/population/person?a=b", *_LINES)) + '\n\n{"a":1}'
    texts = (
        usual,
        usual.replace(";keyid", ';alg="ecdsa-p256-sha256";keyid'),
        "\n".join(
            (
                "GET http [::1]:8080 /",
                'signature-input: s=( "@query"  "@path" "@method" "@authority" )' + _PARAMETERS[1],
                "signature: s=:[signature]:",
            )
        ),
    )
    return tuple(text.encode() for text in texts)


@cache
def fields() -> tuple[bytes, ...]:
    """Dictionaries of structured fields."""
    return (
        b'sig1=("@method" "@path";req "a");created=1;keyid="a\\"b";x=?0',
        b"a=:AAEC:, b=-12;c, d;e=1, f=(1 :AA==: ?1)",
        b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
        b" ",
    )


@cache
def presented() -> tuple[bytes, ...]:
    """Certificates in DER and base64: of the signer, of an authority, expired, of a weak key."""
    made = (
        SIGNER,
        ROOT,
        certificate("expired", until=NOW - DAY),
        certificate("revoked"),
        certificate("p521", curve=ec.SECP521R1),
        certificate("below", issuer="signer"),
    )
    forms = [one.public_bytes(Encoding.DER) for one in made]
    return (*forms, base64.b64encode(forms[0]), *(b"T" + one.tbs_certificate_bytes for one in made[:1]))


@cache
def revocation() -> tuple[bytes, ...]:
    """Revocation lists in DER and PEM."""
    der = revocation_list([certificate("revoked")])
    pem = b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(der) + b"-----END X509 CRL-----\n"
    return der, revocation_list([]), pem, b"T" + load_der_x509_crl(der).tbs_certlist_bytes


@cache
def ocsp() -> tuple[bytes, ...]:
    """OCSP responses: of the issuer and of its responder, good and revoked, and that nothing can be said."""
    good = ocsp_response(SIGNER, ROOT, "root")
    return (
        good,
        b"T" + load_der_ocsp_response(good).tbs_response_bytes,
        ocsp_response(certificate("revoked"), ROOT, "root", revoked=True),
        ocsp_response(SIGNER, certificate("responder", responds=True, until=FAR), "responder"),
        OCSPResponseBuilder.build_unsuccessful(OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER),
    )


def words() -> Iterator[str]:
    """What the languages of the targets are made of, for libFuzzer's dictionary."""
    yield from (DS, EXC_C14N, C14N, ENVELOPED, WSU, WSSE, WSSE11, X509V3, BASE64, _WSA, *SOAP.values())
    yield from (*ALGORITHMS, *DIGESTS, f"{_X509_PROFILE}#X509SubjectKeyIdentifier", f"{_SECURITY_11}#ThumbprintSHA1")
    yield from ("[token]", "[value]", "[enveloped]", "[inclusive]", "[digest]", "[signature]", ASKED, RELATED)
    yield from (f"[digest {name}]" for name in ("b_1", "time-1", "c.1", "h_1", "tok"))
    yield from ("<env:Body>", "</env:Body>", "<env:Envelope ", "<env:Header>", "<ds:Signature ", "</ds:Signature>")
    yield from ('xmlns:u="', ' u:Id="b_1"', ' Id="b_1"', ' xml:id="b_1"', "#b_1", "#tok", "#time-1", 'PrefixList="')
    yield from ("<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE ", "<!ENTITY ", "&#", "&amp;", 'encoding="')
    yield from ('"@method"', '"@authority"', '"@path"', '"@query"', "created=", "expires=", "nonce=", "keyid=", "alg=")
    yield from ("signature-input: ", "signature: ", "content-digest: ", "lgsp-officer: ", "sha-512=:", "=(", ");", "?1")
