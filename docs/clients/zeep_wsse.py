"""Sign SOAP requests to the gateway with zeep, and accept only answers that the gateway signed for them.

Chữ ký WS-Security cho zeep. One file to copy; it needs zeep, lxml and cryptography, no xmlsec. Use:

    from zeep import Client
    from zeep_wsse import GatewaySignature

    signature = GatewaySignature("client.key", "client.pem", "gateway-answers.pem")
    client = Client("https://gateway.example.vn/soap/population?wsdl", wsse=signature)
    client.service.Person(personalId="...", _soapheaders={"Purpose": "dossier-processing", "Officer": "..."})

Signed are the Body, a Timestamp and every header element, with exclusive C14N and SHA-256, by an RSA key or one of
P-256 or P-384. zeep's own BinarySignature does not do: it signs no header element, makes no Timestamp, and says SHA-1
unless told otherwise. Of an answer, Body and Timestamp must be signed by the gateway's certificate, together with a
SignatureConfirmation of the very request (OASIS WSS 1.1.1). A fault without a signature is passed on as zeep's Fault:
the gateway sends such when it does not know who asks. It may come from anybody, so it is an error and never an answer.
"""

import base64
import secrets
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree
from zeep.exceptions import SignatureVerificationFailed

OASIS = "http://docs.oasis-open.org/wss"
WSSE = f"{OASIS}/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = f"{OASIS}/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSSE11 = f"{OASIS}/oasis-wss-wssecurity-secext-1.1.xsd"
X509V3 = f"{OASIS}/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64 = f"{OASIS}/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
ECDSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
SOAP = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
ID = f"{{{WSU}}}Id"
SKEW = timedelta(minutes=1)

# The signature of the request that this thread or task sent last: what its answer has to confirm.
_asked = ContextVar("asked")


class GatewaySignature:
    """The `wsse` of a zeep client; one may serve many threads and tasks.

    `key` and `certificate` are yours, PEM files; `gateway` holds the certificates that the gateway may sign with.
    """

    def __init__(self, key, certificate, gateway, password=None):
        self._key = load_pem_private_key(Path(key).read_bytes(), password)
        own = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
        if own.public_key() != self._key.public_key():
            raise ValueError("the certificate belongs to another key")
        self._token = base64.b64encode(own.public_bytes(Encoding.DER)).decode()
        trusted = x509.load_pem_x509_certificates(Path(gateway).read_bytes())
        self._gateway = {one.public_bytes(Encoding.DER): one for one in trusted}

    def apply(self, envelope, headers):
        """Sign a request; zeep calls it with the finished envelope."""
        soap = etree.QName(envelope).namespace
        header, body = envelope.find(f"{{{soap}}}Header"), envelope.find(f"{{{soap}}}Body")
        if header is None:
            header = etree.Element(f"{{{soap}}}Header")
            envelope.insert(0, header)
        parts = [body, *header.iterchildren(etree.Element)]
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
        security.set(f"{{{soap}}}mustUnderstand", "1")
        token = etree.SubElement(security, f"{{{WSSE}}}BinarySecurityToken", EncodingType=BASE64, ValueType=X509V3)
        token.text = self._token
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        now = datetime.now(timezone.utc)
        for name, at in (("Created", now), ("Expires", now + timedelta(minutes=5))):
            written = at.replace(tzinfo=None).isoformat("T", "milliseconds")
            etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = f"{written}Z"
        signature = etree.SubElement(security, f"{{{DS}}}Signature", nsmap={"ds": DS})
        info = etree.SubElement(signature, f"{{{DS}}}SignedInfo")
        etree.SubElement(info, f"{{{DS}}}CanonicalizationMethod", Algorithm=EXC_C14N)
        etree.SubElement(info, f"{{{DS}}}SignatureMethod", Algorithm=_algorithm(self._key))
        token.set(ID, _new_id())
        for part in (*parts, timestamp):
            # Two equal requests of one moment must not have equal signatures, so the names are new each time.
            part.set(ID, _new_id())
            reference = etree.SubElement(info, f"{{{DS}}}Reference", URI=f"#{part.get(ID)}")
            transforms = etree.SubElement(reference, f"{{{DS}}}Transforms")
            etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm=EXC_C14N)
            etree.SubElement(reference, f"{{{DS}}}DigestMethod", Algorithm=SHA256)
            etree.SubElement(reference, f"{{{DS}}}DigestValue").text = _digest(part)
        value = base64.b64encode(_sign(self._key, _canonical(info))).decode()
        etree.SubElement(signature, f"{{{DS}}}SignatureValue").text = value
        key_info = etree.SubElement(signature, f"{{{DS}}}KeyInfo")
        named = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
        etree.SubElement(named, f"{{{WSSE}}}Reference", URI=f"#{token.get(ID)}", ValueType=X509V3)
        _asked.set(value)
        return envelope, headers

    def verify(self, envelope):
        """Raise SignatureVerificationFailed unless the gateway signed this answer to the request sent last."""
        soap = etree.QName(envelope).namespace
        _need(envelope.tag == f"{{{soap}}}Envelope" and soap in SOAP, "it is no SOAP envelope")
        _need(not envelope.getroottree().docinfo.doctype, "it has a document type")
        # Canonical text is without them: they could cut a signed text in two.
        _need(next(envelope.iter(etree.Comment, etree.PI, etree.Entity), None) is None, "it has comments")
        children = list(envelope)
        body = children[-1] if children else None
        _need(body is not None and body.tag == f"{{{soap}}}Body", "it has no Body")
        security = envelope.findall(f"{{{soap}}}Header/{{{WSSE}}}Security")
        if not security and [one.tag for one in body] == [f"{{{soap}}}Fault"]:
            return
        _need(len(children) == 2 and len(security) == 1, "it is not signed")
        signature, timestamp, token = (
            _only(envelope, security[0], name)
            for name in (f"{{{DS}}}Signature", f"{{{WSU}}}Timestamp", f"{{{WSSE}}}BinarySecurityToken")
        )
        confirmation = _only(envelope, security[0], f"{{{WSSE11}}}SignatureConfirmation")
        certificate = self._gateway.get(_decoded(token.text))
        _need(certificate is not None, "the gateway's certificate is not one of those you hold")
        info = signature[0]
        _need(info.tag == f"{{{DS}}}SignedInfo", "its Signature has another form")
        _check_value(certificate.public_key(), info, _decoded(signature.findtext(f"{{{DS}}}SignatureValue")))
        covered = _covered(envelope, info)
        for part, name in ((body, "Body"), (timestamp, "Timestamp"), (confirmation, "SignatureConfirmation")):
            _need(part in covered, f"its {name} is not signed")
        asked = _asked.get(None)
        _need(asked is not None and confirmation.get("Value") == asked, "it answers another request")
        created, expires = (_instant(timestamp.findtext(f"{{{WSU}}}{name}")) for name in ("Created", "Expires"))
        now = datetime.now(timezone.utc)
        _need(created - SKEW <= now < expires + SKEW, "it is too old, or from the future: check your clock")


def _need(holds, otherwise):
    if not holds:
        raise SignatureVerificationFailed(f"The answer is refused: {otherwise}")


def _only(envelope, security, tag):
    """The one element of this name, which must be a child of Security."""
    found = list(envelope.iter(tag))
    alone = len(found) == 1 and found[0].getparent() is security
    _need(alone, f"it needs one {etree.QName(tag).localname} in Security")
    return found[0]


def _covered(envelope, info):
    """The elements that the references mean, each compared with its digest."""
    by_id = {}
    for element in envelope.iter(etree.Element):
        name = element.get(ID)
        _need(name is None or name not in by_id, "an Id stands twice")
        by_id[name] = element
    covered = []
    for reference in info.findall(f"{{{DS}}}Reference"):
        transforms = reference.findall(f"{{{DS}}}Transforms/{{{DS}}}Transform")
        plain = [one.get("Algorithm") for one in transforms] == [EXC_C14N] and not len(transforms[0])
        _need(plain and _method(reference, "DigestMethod") == SHA256, "it is signed in another way than agreed")
        part = by_id.get((reference.get("URI") or "")[1:])
        _need(part is not None and reference.get("URI") == f"#{part.get(ID)}", "a reference leads nowhere")
        _need(reference.findtext(f"{{{DS}}}DigestValue") == _digest(part), "it was changed on the way")
        covered.append(part)
    return covered


def _check_value(key, info, value):
    _need(_method(info, "CanonicalizationMethod") == EXC_C14N, "it is signed in another way than agreed")
    _need(_method(info, "SignatureMethod") == _algorithm(key), "it is signed with another algorithm than its key's")
    octets = _canonical(info)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, octets, padding.PKCS1v15(), hashes.SHA256())
        else:
            half = len(value) // 2
            pair = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
            key.verify(utils.encode_dss_signature(*pair), octets, ec.ECDSA(_hash(key)))
    except InvalidSignature:
        _need(False, "its signature is wrong")


def _sign(key, octets):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    # XML signatures hold the two numbers side by side, each as long as the order of the curve.
    size = (key.curve.key_size + 7) // 8
    pair = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(_hash(key))))
    return b"".join(number.to_bytes(size, "big") for number in pair)


def _algorithm(key):
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return RSA_SHA256
    return ECDSA_SHA256 if key.curve.key_size == 256 else ECDSA_SHA384


def _hash(key):
    return hashes.SHA256() if key.curve.key_size == 256 else hashes.SHA384()


def _method(element, name):
    found = element.find(f"{{{DS}}}{name}")
    return None if found is None or len(found) else found.get("Algorithm")


def _canonical(element):
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)


def _digest(element):
    return base64.b64encode(sha256(_canonical(element)).digest()).decode()


def _decoded(text):
    try:
        return base64.b64decode(text or "")
    except ValueError:
        return b""


def _instant(text):
    try:
        return datetime.fromisoformat((text or "").strip().replace("Z", "+00:00"))
    except ValueError:
        raise SignatureVerificationFailed("The answer is refused: its Timestamp cannot be read") from None


def _new_id():
    return f"id-{secrets.token_hex(16)}"
