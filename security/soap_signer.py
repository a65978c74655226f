"""Which certificate a WS-Security message names as its signer's (X.509 token profile 1.1.1), in exactly one form."""

from security.signature_algorithms import strict_base64
from security.signature_structure import DS, WSU_ID, expect, issuer_serial, malformed, same_document, text_of
from security.trust import ByKeyIdentifier, ByThumbprint, Presented
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


def presented(key_info: Element, token: Element | None) -> Presented:
    """What the message says about its signer, by exactly one of the forms of the profile."""
    (named,) = expect(key_info, _KEY_INFO_PARTS, _KEY_INFO_FORM, "KeyInfo")
    if len(named) != 1:
        raise malformed("SecurityTokenReference must name one token")
    (form,) = expect(named, [named[0].tag], _STR_FORM, "SecurityTokenReference")
    if token is not None:
        expect(form, [], _REFERENCE_FORM, "the reference to the token")
        if form.tag != _REFERENCE or same_document(form.get("URI", "")) != token.get(WSU_ID):
            raise malformed("the token in the message is not the one that KeyInfo names")
        if form.get("ValueType", X509V3) != X509V3:
            raise malformed("the token is not one X.509 certificate")
        if token.get("ValueType") != X509V3 or token.get("EncodingType", BASE64) != BASE64:
            raise malformed("the token is not one X.509 certificate in base64")
        return text_of(token, _IDENTIFIER_FORM, "the token")
    if form.tag == f"{{{DS}}}X509Data":
        (by_serial,) = expect(form, [f"{{{DS}}}X509IssuerSerial"], frozenset(), "X509Data")
        return issuer_serial(by_serial)
    if form.tag != f"{{{WSSE}}}KeyIdentifier" or form.get("EncodingType", BASE64) != BASE64:
        raise malformed("KeyInfo names the signer in a form that is not accepted")
    value = strict_base64(text_of(form, _IDENTIFIER_FORM, "KeyIdentifier"), "KeyIdentifier")
    if form.get("ValueType") == _KEY_IDENTIFIER_TYPE:
        return ByKeyIdentifier(value)
    if form.get("ValueType") == _THUMBPRINT_TYPE:
        return ByThumbprint(value)
    raise malformed("KeyIdentifier is of a type that is not accepted")
