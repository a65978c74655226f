"""Which certificate a WS-Security message names as its signer's (X.509 token profile 1.1.1), in exactly one form."""

from security.signature_algorithms import strict_base64
from security.signature_structure import DS, WSU_ID, expect, malformed, same_document, text_of
from security.trust_presented import ByKeyIdentifier, ByThumbprint
from security.x509_data import Named, read_x509_data
from security.xml import Element

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
X509V3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_KEY_IDENTIFIER_TYPE = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier"
)
_THUMBPRINT_TYPE = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"

_KEY_INFO_PARTS = [f"{{{WSSE}}}SecurityTokenReference"]
_KEY_INFO_FORM = frozenset({"Id"})
_REFERENCE = f"{{{WSSE}}}Reference"
_REFERENCE_FORM = frozenset({"URI", "ValueType"})
_STR_FORM = frozenset({WSU_ID, f"{{{WSSE11}}}TokenType"})
_IDENTIFIER_FORM = frozenset({"ValueType", "EncodingType", WSU_ID})


def signer_named(key_info: Element, token: Element | None) -> Named:
    """What the message says about its signer, by exactly one of the forms of the profile."""
    (named,) = expect(key_info, _KEY_INFO_PARTS, _KEY_INFO_FORM, "KeyInfo")
    if len(named) != 1:
        raise malformed("SecurityTokenReference must name one token")
    (form,) = expect(named, [named[0].tag], _STR_FORM, "SecurityTokenReference")
    if token is not None:
        expect(form, [], _REFERENCE_FORM, "the reference to the token")
        if form.tag != _REFERENCE or same_document(form.get("URI", "")) != token.get(WSU_ID):
            raise malformed("the token in the message is not the one that KeyInfo names")
        if form.get("ValueType", X509V3) != X509V3 or token.get("ValueType") != X509V3:
            # A path of certificates (X509PKIPathv1, PKCS7), for example.
            raise malformed("the token must be the signer's certificate alone (X509v3): we hold those of authorities")
        if token.get("EncodingType", BASE64) != BASE64:
            raise malformed("the token must be written in base64")
        return Named(text_of(token, _IDENTIFIER_FORM, "the token"))
    if form.tag == f"{{{DS}}}X509Data":
        return read_x509_data(form)
    if form.tag != f"{{{WSSE}}}KeyIdentifier" or form.get("EncodingType", BASE64) != BASE64:
        raise malformed("KeyInfo names the signer in a form that is not accepted")
    text = text_of(form, _IDENTIFIER_FORM, "KeyIdentifier")
    if form.get("ValueType") == X509V3:
        # Of no standard, but what WSS4J writes for its X509KeyIdentifier: the certificate itself.
        return Named(text)
    value = strict_base64(text, "KeyIdentifier")
    if form.get("ValueType") == _KEY_IDENTIFIER_TYPE:
        return Named(ByKeyIdentifier(value))
    if form.get("ValueType") == _THUMBPRINT_TYPE:
        return Named(ByThumbprint(value))
    raise malformed("KeyIdentifier is of a type that is not accepted")
