"""Messages whose signature is genuine but whose form is not the profile's, each refused for the right reason."""

import base64
import re

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from security.signature import Rejected, SignaturePolicy
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap, sign_soap_parts
from security.trust import PinnedTrust

PAYLOAD = b'<q:Answer xmlns:q="urn:q"><q:Name>genuine</q:Name></q:Answer>'
WSU = b"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
EXC = b"http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = b"http://www.w3.org/2001/04/xmlenc#sha256"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
ANY = SignaturePolicy()
TRANSFORM = b'<ds:Transform Algorithm="%b"></ds:Transform>' % EXC


@pytest.fixture
def key(pki):
    return pki.signer("rsa")


@pytest.fixture
def message(key, now):
    return sign_soap_parts(PAYLOAD, key, now=now).envelope


@pytest.fixture
def reason(pki, key, now):
    def of(document: bytes, policy: SignaturePolicy = ANY, **options) -> str:
        with pytest.raises(Rejected) as refused:
            verify_soap(document, policy, options.pop("trust", pki.pinned(key)), now=options.pop("now", now), **options)
        return refused.value.reason

    return of


def change(document: bytes, old: bytes, new: bytes, count: int = -1) -> bytes:
    assert old in document, "the test changes nothing"
    return document.replace(old, new, count)


def without(document: bytes, tag: str) -> bytes:
    root = etree.fromstring(document)
    element = next(root.iter(tag))
    element.getparent().remove(element)
    return etree.tostring(root)


def test_a_message_signed_anew_is_still_accepted(message, key, resign, pki, now):
    assert verify_soap(resign(message, key), SignaturePolicy(), pki.pinned(key), now=now).element[0].text == "genuine"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"genuine", b"forged!"),
        (b"<q:Name>", b'<q:Name a="1">'),
        (b":00:00.000Z</u:Created>", b":00:01.000Z</u:Created>"),
        (b":05:00.000Z</u:Expires>", b":09:00.000Z</u:Expires>"),
        (b"<q:Name>", b"<q:Name> "),
        (b'xmlns:q="urn:q"', b'xmlns:q="urn:p"'),
    ],
)
def test_a_changed_content_is_altered(message, reason, old, new):
    assert reason(change(message, old, new)) == "altered"


def test_a_changed_signature_or_signed_info_is_altered(message, reason, key, resign):
    value = re.search(rb"<ds:SignatureValue>([^<]+)<", message)[1]
    raw = bytearray(base64.b64decode(value))
    raw[7] ^= 1
    assert reason(change(message, value, base64.b64encode(raw))) == "altered"
    assert reason(change(message, value, base64.b64encode(raw[:-1]))) == "altered"
    digest = re.search(rb"<ds:DigestValue>([^<]+)<", message)[1]
    assert reason(change(message, digest, base64.b64encode(bytes(32)))) == "altered"
    assert reason(change(message, SHA256, b"http://www.w3.org/2001/04/xmlenc#sha512")) == "altered"
    # The digests are genuine, the signature over them is not.
    forged = resign(change(message, b"genuine", b"forged!"), key)
    assert reason(change(forged, re.search(rb"<ds:SignatureValue>([^<]+)<", forged)[1], value)) == "altered"


def test_white_space_in_base64_is_accepted_as_xml_schema_says(message, key, pki, now):
    value = re.search(rb"<ds:SignatureValue>([^<]+)<", message)[1]
    wrapped = change(message, value, b"\n  " + b"&#13;\n".join(value[at : at + 76] for at in range(0, len(value), 76)))
    assert verify_soap(wrapped, SignaturePolicy(), pki.pinned(key), now=now)


@pytest.mark.parametrize("bad", [b"", b"!!!!", b"AAA", b"AB==", b"QUJD\xc3\xa1", b"QUJD====", b"Q=UJD", b"QUJD-_=="])
def test_base64_is_strict(message, reason, bad):
    value = re.search(rb"<ds:SignatureValue>([^<]+)<", message)[1]
    digest = re.search(rb"<ds:DigestValue>([^<]+)<", message)[1]
    token = re.search(rb"<s:BinarySecurityToken[^>]+>([^<]+)<", message)[1]
    for text in (value, digest):
        assert reason(change(message, b">" + text + b"<", b">" + bad + b"<")) in ("malformed", "altered")
    assert reason(change(message, b">" + token + b"<", b">" + bad + b"<")) == "malformed"
    assert reason(change(message, b">" + value + b"<", b">" + value + bad + b"<" if bad else b"><")) == "malformed"


def test_no_signature_is_not_covered(message, reason):
    wsse = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
    assert reason(without(message, f"{wsse}Security")) == "not-covered"
    assert reason(without(message, f"{DS}Signature")) == "not-covered"
    assert reason(without(message, "{http://schemas.xmlsoap.org/soap/envelope/}Header")) == "not-covered"
    timestamp = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Timestamp"
    assert reason(without(message, timestamp)) == "not-covered"


@pytest.mark.parametrize("part", ["b", "t"])
def test_an_unsigned_body_or_timestamp_is_not_covered(message, reason, key, resign, part):
    reference = re.search(rb'<ds:Reference URI="#%b-.*?</ds:Reference>' % part.encode(), message)[0]
    assert reason(resign(change(message, reference, b""), key)) == "not-covered"


OFF_PROFILE = {
    "sha1 digest": (SHA256, b"http://www.w3.org/2000/09/xmldsig#sha1"),
    "md5 digest": (SHA256, b"http://www.w3.org/2001/04/xmldsig-more#md5"),
    "sha1 signature": (b"2001/04/xmldsig-more#rsa-sha256", b"2000/09/xmldsig#rsa-sha1"),
    "md5 signature": (b"#rsa-sha256", b"#rsa-md5"),
    "dsa": (b"2001/04/xmldsig-more#rsa-sha256", b"2000/09/xmldsig#dsa-sha1"),
    "hmac": (b"#rsa-sha256", b"#hmac-sha256"),
    "none": (b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b"none"),
    "empty": (b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b""),
    "ecdsa name, rsa key": (b"#rsa-sha256", b"#ecdsa-sha256"),
    "truncated hmac": (
        b'#rsa-sha256"></ds:SignatureMethod>',
        b'#hmac-sha256"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>',
    ),
    "inclusive c14n": (TRANSFORM, TRANSFORM.replace(EXC, b"http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
    "c14n with comments": (TRANSFORM, TRANSFORM.replace(EXC, EXC + b"WithComments")),
    "two transforms": (TRANSFORM, TRANSFORM * 2),
    "thousands of transforms": (TRANSFORM, TRANSFORM * 4000),
    "no transform": (TRANSFORM, b""),
    "no transforms": (b"<ds:Transforms>" + TRANSFORM + b"</ds:Transforms>", b""),
    "xslt": (TRANSFORM, TRANSFORM.replace(EXC, b"http://www.w3.org/TR/1999/REC-xslt-19991116")),
    "xpath": (
        TRANSFORM,
        b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>1</ds:XPath></ds:Transform>',
    ),
    "filter2": (TRANSFORM, TRANSFORM.replace(EXC, b"http://www.w3.org/2002/06/xmldsig-filter2")),
    "base64 transform": (TRANSFORM, TRANSFORM.replace(EXC, b"http://www.w3.org/2000/09/xmldsig#base64")),
    "str transform": (
        TRANSFORM,
        TRANSFORM.replace(
            EXC, b"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
        ),
    ),
    "void c14n method": (b'<ds:CanonicalizationMethod Algorithm="%b">' % EXC, b"<ds:CanonicalizationMethod>"),
    "inclusive c14n method": (
        b'Method Algorithm="%b">' % EXC,
        b'Method Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">',
    ),
    "prefix list of nonsense": (
        TRANSFORM,
        b'<ds:Transform Algorithm="%b"><i:InclusiveNamespaces xmlns:i="%b" PrefixList="a/b"/></ds:Transform>'
        % (EXC, EXC),
    ),
    "key value": (b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyValue/>"),
    "key name": (b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyName>x</ds:KeyName>"),
    "retrieval method": (b"<ds:KeyInfo>", b'<ds:KeyInfo><ds:RetrievalMethod URI="http://evil.example/"/>'),
    "two references to tokens": (b"<s:SecurityTokenReference>", b"<s:SecurityTokenReference><s:Embedded/>"),
    "reference to another token": (b'<s:Reference URI="#x-', b'<s:Reference URI="#y-'),
    "external token": (b'<s:Reference URI="#x-', b'<s:Reference URI="http://evil.example/#x-'),
    "pki path": (b"#X509v3", b"#X509PKIPathv1"),
    "reference with a type": (b"<ds:Reference URI=", b'<ds:Reference Type="urn:x" URI='),
    "text in SignedInfo": (b"<ds:SignedInfo xmlns", b"<ds:SignedInfo Odd='1' xmlns"),
    "text between references": (b"</ds:Reference>", b"</ds:Reference>x"),
    "manifest": (b"</ds:KeyInfo>", b"</ds:KeyInfo><ds:Object><ds:Manifest/></ds:Object>"),
    "unknown child of Security": (b"<u:Timestamp", b"<w:X xmlns:w='urn:w'/><u:Timestamp"),
    "encrypted key": (b"<u:Timestamp", b"<e:EncryptedKey xmlns:e='http://www.w3.org/2001/04/xmlenc#'/><u:Timestamp"),
    "text in Security": (b"<u:Timestamp", b"text<u:Timestamp"),
    "comment in the body": (b"genuine", b"gen<!-- -->uine"),
    "comment in SignedInfo": (b"<ds:SignatureMethod", b"<!-- --><ds:SignatureMethod"),
    "processing instruction": (b"<env:Header>", b"<?x y?><env:Header>"),
    "Expires before Created": (b"08:05:00.000Z</u:Expires>", b"07:59:00.000Z</u:Expires>"),
    "no Expires": (b"<u:Expires>2026-11-22T08:05:00.000Z</u:Expires>", b""),
    "two Created": (b"<u:Created>", b"<u:Created>2026-11-22T08:00:00Z</u:Created><u:Created>"),
    "no offset": (b":00:00.000Z</u:Created>", b":00:00.000</u:Created>"),
    "leap second": (b":00:00.000Z</u:Created>", b":00:60.000Z</u:Created>"),
    "a day only": (b"2026-11-22T08:00:00.000Z</u:Created>", b"2026-11-22</u:Created>"),
    "Arabic digits": (b"2026-11-22T08:00:00.000Z</u:Created>", "٢٠٢٦-11-22T08:00:00Z</u:Created>".encode()),
    "two elements in the body": (b"</q:Answer>", b"</q:Answer><q:Answer xmlns:q='urn:q'/>"),
    "empty body": (PAYLOAD, b""),
    "digest value with a child": (b"</ds:DigestValue>", b"<x/></ds:DigestValue>"),
    "digest value with an attribute": (b"<ds:DigestValue>", b'<ds:DigestValue x="">'),
    "created with a child": (b"</u:Created>", b"<x/></u:Created>"),
    "digest method with text": (b"</ds:DigestMethod>", b"x</ds:DigestMethod>"),
    "signature method with a child": (b"</ds:SignatureMethod>", b"<x/></ds:SignatureMethod>"),
    "digest method with a child": (b"</ds:DigestMethod>", b"<x/></ds:DigestMethod>"),
    "relative namespace": (b'xmlns:q="urn:q"', b'xmlns:q="q"'),
}


@pytest.mark.parametrize("case", OFF_PROFILE)
def test_a_genuine_signature_of_another_form_is_malformed(message, reason, key, resign, case):
    document = change(message, *OFF_PROFILE[case])
    if case not in ("relative namespace", "text between references", "empty body"):
        document = resign(document, key)
    assert reason(document) == "malformed"


@pytest.mark.parametrize(
    "uri",
    [b"", b"#", b"http://127.0.0.1:1/x", b"file:///etc/passwd", b"ftp://evil.example/x", b"//evil/share", b"cid:x",
     b"#xpointer(/)", b"#xpointer(id('b'))", b"/etc/passwd", b"?x", b"#nowhere"],
)  # fmt: skip
def test_references_stay_in_the_message(message, reason, key, resign, uri):
    reference = re.search(rb"<ds:Reference URI=.*?</ds:Reference>", message)[0]
    further = re.sub(rb'URI="[^"]*"', b'URI="%b"' % uri, reference)
    assert reason(resign(change(message, reference, reference + further), key)) == "malformed"


def test_more_than_sixteen_references_or_the_same_twice_are_malformed(message, reason, key, resign):
    reference = re.search(rb"<ds:Reference URI=.*?</ds:Reference>", message)[0]
    assert reason(resign(change(message, reference, reference * 2), key)) == "malformed"
    assert reason(resign(change(message, reference, reference * 5000), key, digests=False)) == "malformed"


def test_parts_of_a_part_cannot_be_signed_alone(message, reason, key, resign):
    inner = change(
        message,
        b"<q:Name>",
        b'<q:Name xmlns:u="%b" u:Id="n">' % WSU,
    )
    reference = re.search(rb"<ds:Reference URI=.*?</ds:Reference>", inner)[0]
    further = re.sub(rb'URI="[^"]*"', b'URI="#n"', reference)
    assert reason(resign(change(inner, reference, reference + further), key)) == "malformed"


def test_a_mac_keyed_with_the_public_key_is_no_signature(message, reason, key):
    document = change(message, b"#rsa-sha256", b"#hmac-sha256")
    info = etree.tostring(next(etree.fromstring(document).iter(f"{DS}SignedInfo")), method="c14n", exclusive=True)
    public = key.certificate.public_key()
    for secret in (
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.certificate.public_bytes(Encoding.PEM),
    ):
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(info)
        value = re.search(rb"<ds:SignatureValue>([^<]+)<", document)[1]
        assert reason(change(document, value, base64.b64encode(mac.finalize()))) == "malformed"


@pytest.mark.parametrize(
    "inner",
    [
        b'<t:Timestamp xmlns:t="%b"/>' % WSU,
        b'<t:Signature xmlns:t="http://www.w3.org/2000/09/xmldsig#"/>',
        b'<t:Envelope xmlns:t="http://schemas.xmlsoap.org/soap/envelope/"/>',
        b'<t:Body xmlns:t="http://schemas.xmlsoap.org/soap/envelope/"/>',
        b'<t:Body xmlns:t="http://www.w3.org/2003/05/soap-envelope"/>',
    ],
)
def test_nothing_inside_the_body_may_look_like_a_message(key, reason, now, inner):
    payload = PAYLOAD.replace(b"<q:Name>genuine</q:Name>", inner)
    assert reason(sign_soap_parts(payload, key, now=now).envelope) == "malformed"


def test_sixteen_parts_can_be_signed_and_no_more(key, pki, reason, now):
    for count in (14, 15):
        names = [f"h{n}" for n in range(count)]
        header = "".join(f'<{name} xmlns="urn:h"/>' for name in names)
        soap = "http://schemas.xmlsoap.org/soap/envelope/"
        envelope = f'<e:Envelope xmlns:e="{soap}"><e:Header>{header}</e:Header><e:Body><b/></e:Body></e:Envelope>'
        signed = sign_soap(envelope.encode(), key, headers=[f"{{urn:h}}{name}" for name in names], now=now).envelope
        if count == 14:
            assert len(verify_soap(signed, SignaturePolicy(), pki.pinned(key), now=now).headers) == 14
        else:
            assert reason(signed) == "malformed"


def test_an_empty_id_names_nothing(message, reason, key, resign):
    name = re.search(rb'<ds:Reference URI="#(b-[^"]+)"', message)[1]
    assert reason(resign(change(message, name, b""), key)) == "malformed"


def test_ids_that_contain_one_another_are_still_unique(key, pki, now):
    envelope = (
        b"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:u="%b"><e:Header>
        <a xmlns="urn:a" u:Id="id-1"/>
        </e:Header><e:Body u:Id="id-12"><b>id-1 "id-12" &#39;</b></e:Body></e:Envelope>"""
        % WSU
    )
    signed = sign_soap(envelope, key, headers=["{urn:a}a"], now=now).envelope
    assert verify_soap(signed, SignaturePolicy(), pki.pinned(key), now=now).headers[0].tag == "{urn:a}a"


@pytest.mark.parametrize("added", [b"<a/>", b"text", b'<a xmlns="urn:a"/>text'], ids=["unqualified", "text", "tail"])
def test_a_header_holds_elements_of_a_namespace_and_nothing_else(message, reason, added):
    end = re.search(rb"</[A-Za-z0-9_-]+:Header>", message)[0]
    assert reason(message.replace(end, added + end)) == "malformed"


def test_only_the_soap_versions_of_the_policy_are_accepted(message, reason):
    assert reason(message, SignaturePolicy(soap=frozenset({"1.2"}))) == "malformed"
    assert reason(b"<x/>") == "malformed"
    assert reason(b"not xml") == "malformed"
    assert reason(message + b"x") == "malformed"
    assert reason(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + message) == "malformed"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_signed_mandatory_blocks_are_handed_over_and_missing_ones_refused(key, pki, reason, now, version):
    wsa = "{http://www.w3.org/2005/08/addressing}"
    soap = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
    plain = f"""<s:Envelope xmlns:s="{soap[version]}" xmlns:a="{wsa[1:-1]}"><s:Header>
        <a:To s:mustUnderstand="true">urn:gateway</a:To><a:Action s:mustUnderstand="0">urn:ask</a:Action></s:Header>
        <s:Body><q xmlns="urn:q" xmlns:s2="urn:unused">1</q></s:Body></s:Envelope>""".encode()
    policy = SignaturePolicy(signed_headers=frozenset({f"{wsa}To"}))
    signed = sign_soap(plain, key, headers=[f"{wsa}To"], now=now)
    verified = verify_soap(signed.envelope, policy, pki.pinned(key), now=now)
    assert [(block.tag, block.text) for block in verified.headers] == [(f"{wsa}To", "urn:gateway")]
    assert reason(sign_soap(plain, key, now=now).envelope) == "not-covered"
    optional = plain.replace(b' s:mustUnderstand="true"', b"")
    assert (
        verify_soap(sign_soap(optional, key, now=now).envelope, SignaturePolicy(), pki.pinned(key), now=now).headers
        == ()
    )
    assert reason(sign_soap(optional, key, now=now).envelope, policy) == "not-covered"
    assert reason(sign_soap(optional.replace(b"a:To", b"a:Cc"), key, now=now).envelope, policy) == "not-covered"


class Identifier:
    """Rewrites KeyInfo to name the certificate instead of carrying it."""

    WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
    WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"

    def __init__(self, message: bytes, content: bytes) -> None:
        without_token = re.sub(rb"<s:BinarySecurityToken.*?</s:BinarySecurityToken>", b"", message)
        self.document = re.sub(rb"<s:Reference .*?</s:Reference>", content, without_token)


def test_every_form_of_naming_the_signer_finds_the_pinned_certificate(message, key, pki, now, reason):
    certificate = key.certificate
    ski = base64.b64encode(certificate.extensions.get_extension_for_oid(certificate.extensions[1].oid).value.digest)
    thumbprint = base64.b64encode(certificate.fingerprint(hashes.SHA1()))
    serial = b"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>%b</ds:X509IssuerName><ds:X509SerialNumber>%d</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"  # noqa: E501
    named = b'<s:KeyIdentifier ValueType="%b">%b</s:KeyIdentifier>'
    issuer = certificate.issuer.rfc4514_string().encode()
    reordered = ", ".join(reversed(certificate.issuer.rfc4514_string().split(","))).encode()
    forms = [
        named % (f"{Identifier.WSSE}#X509SubjectKeyIdentifier".encode(), ski),
        named % (f"{Identifier.WSSE11}#ThumbprintSHA1".encode(), thumbprint),
        serial % (issuer, certificate.serial_number),
    ]
    for form in forms:
        document = Identifier(message, form).document
        assert verify_soap(document, SignaturePolicy(), pki.pinned(key), now=now).signer == certificate
        assert reason(document, trust=pki.pinned(pki.signer("p256"))) == "untrusted"
        assert reason(document, trust=pki.anchored()) == "untrusted"
    assert verify_soap(
        Identifier(message, serial % (reordered.replace(b", ", b","), certificate.serial_number)).document,
        SignaturePolicy(), pki.pinned(key), now=now,
    )  # fmt: skip
    for form in (
        named % (b"urn:other", ski),
        b"<s:KeyIdentifier>AAAA</s:KeyIdentifier>",
        b"<s:Embedded/>",
        serial.replace(b"%d", b"x%d") % (issuer, 1),
        b"",
    ):
        assert reason(Identifier(message, form).document) == "malformed"
    assert reason(Identifier(message, serial % (b"CN=other", certificate.serial_number)).document) == "untrusted"
    assert reason(Identifier(message, serial % (b"=,=", certificate.serial_number)).document) == "untrusted"


def test_a_name_that_fits_two_pinned_certificates_is_untrusted(message, key, pki, reason):
    twin = pki.certificate("CSDL thử", key.certificate.public_key())
    ski = base64.b64encode(twin.extensions[1].value.digest)
    form = b'<s:KeyIdentifier ValueType="%b#X509SubjectKeyIdentifier">%b</s:KeyIdentifier>'
    document = Identifier(message, form % (Identifier.WSSE.encode(), ski)).document
    assert reason(document, trust=PinnedTrust([key.certificate, twin])) == "untrusted"
