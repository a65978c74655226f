"""Messages with genuine signatures in the many forms that senders write, drawn by hypothesis."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from hypothesis import strategies as st
from lxml import etree

from security.signature_algorithms import ALGORITHMS, Algorithm, sign
from security.signature_key import SigningKey
from security.signature_structure import DS, EXC_C14N, WSU, WSU_ID
from security.soap_plain import SOAP
from security.soap_signer import BASE64, WSSE, WSSE11, X509V3

DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
THUMBPRINT = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"


@dataclass(frozen=True)
class Message:
    """The text of a message, with places for what makes it genuine, the key that will sign it and how it will."""

    text: str
    key: SigningKey
    algorithm: Algorithm

    def signed(self, now: datetime) -> bytes:
        """The message with its times, digests and signature value; nothing else is changed."""
        return self.filled(self.text, now)

    def filled(self, text: str, now: datetime) -> bytes:
        """What makes this message genuine in the places of another text, made of it."""
        for place, value in self._values(now).items():
            text = text.replace(place, value)
        return text.encode()

    def _values(self, now: datetime) -> dict[str, str]:
        values = {"[now]": written(now), "[end]": written(now + timedelta(minutes=4))}
        text = self.text.replace("[now]", values["[now]"]).replace("[end]", values["[end]"])
        root = etree.fromstring(text.encode())
        for reference in root.iter(f"{{{DS}}}Reference"):
            uri = reference.get("URI")[1:]
            (target,) = (one for one in root.iter(etree.Element) if one.get(WSU_ID) == uri)
            name = DIGESTS[reference.find(f"{{{DS}}}DigestMethod").get("Algorithm")]
            digest = hashlib.new(name, _canonical(target, reference.find(f".//{{{DS}}}Transform"))).digest()
            values[f"[digest {uri}]"] = base64.b64encode(digest).decode()
            text = text.replace(f"[digest {uri}]", values[f"[digest {uri}]"])
        info = next(etree.fromstring(text.encode()).iter(f"{{{DS}}}SignedInfo"))
        value = sign(self.algorithm, self.key.private, _canonical(info, info[0]))
        return values | {"[value]": base64.b64encode(value).decode()}


def written(at: datetime) -> str:
    return f"{at.isoformat()[:-6]}Z"


def _canonical(element: etree._Element, method: etree._Element) -> bytes:
    prefixes = method.find(f"{{{EXC_C14N}}}InclusiveNamespaces")
    names = None if prefixes is None else prefixes.get("PrefixList").split()
    return etree.tostring(
        element, method="c14n", exclusive=True, with_comments=False, with_tail=False, inclusive_ns_prefixes=names
    )


KINDS = ["p256", "p384", "rsa", "pss"]
GAPS = ["", "", "\n  ", "\r\n\t"]
LISTS = [None, None, None, "", "env", "xsd", "#default q", "xsd env s"]
CONTENTS = [
    "<q:Hoi xmlns:q='urn:q' xmlns:o='urn:o'><q:Ten a='>' q:b='&#13;ễ'>Nguyễn &amp; &#13;</q:Ten></q:Hoi>",
    "<a xmlns='urn:a'><b xmlns=''><c xmlns='urn:a' xml:lang='vi'/></b>&lt;<![CDATA[>&]]></a>",
    "<q><env:x xmlns:env='urn:e' xsi:type='xsd:string'/></q>",
    "<q/>",
]
PREFIXES: list[dict[str, str]] = [{}, {}, {"ds": ""}, {"env": ""}, {"env": "z", "ds": "A"}, {"u": "wsu", "s": "o"}]
TOKEN = (
    f'<s:BinarySecurityToken xmlns:u="{WSU}"%s ValueType="{X509V3}" u:Id="x-1">%s</s:BinarySecurityToken>',
    ["", f' EncodingType="{BASE64}"'],
)
TIMESTAMP = (
    f'<u:Timestamp xmlns:u="{WSU}" u:Id="t-1">%s<u:Created>[now]</u:Created>%s'
    "<u:Expires>[end]</u:Expires></u:Timestamp>"
)
CONFIRMATION = (
    f'<w:SignatureConfirmation xmlns:w="{WSSE11}" xmlns:u="{WSU}" Value="QUJD" u:Id="c-1"></w:SignatureConfirmation>'
)


@st.composite
def messages(draw, keys: Mapping[str, SigningKey]) -> Message:
    """Any message of the profile: versions, keys, digests, prefixes, prefix lists, header blocks, forms of KeyInfo.

    `keys`: one of each of KINDS.
    """

    def one(choices):
        return draw(st.sampled_from(choices))

    key, gap = keys[one(KINDS)], one(GAPS)
    named = one(["token", "token", "token", "serial", "ski", "thumbprint", "data"])
    blocks = [f"h{number}" for number in range(one([0, 0, 1, 2]))]
    covered = ["b-1", "t-1", *(block for block in blocks if one([True, False]))]
    pieces = [TIMESTAMP % (gap, gap)]
    if named == "token":
        pieces.append(TOKEN[0] % (one(TOKEN[1]), key.token.decode()))
        covered += one([[], ["x-1"]])
    if one([True, False]):
        pieces.append(CONFIRMATION)
        covered.append("c-1")
    algorithm = one([each for each in ALGORITHMS.values() if each.kind == key.algorithm.kind])
    covered = draw(st.permutations(covered))
    pieces.append(_signature(draw, algorithm.uri, covered, key_info(key, named), gap))
    mandatory = one(["", ' env:mustUnderstand="1"'])
    headers = "".join(f'{gap}<q:B xmlns:q="urn:{name}" xmlns:u="{WSU}" u:Id="{name}">ễ</q:B>' for name in blocks)
    text = (
        f'<env:Envelope xmlns:env="{SOAP[one(["1.1", "1.2"])]}" xmlns:xsd="urn:xsd" xmlns:xsi="urn:i">{gap}<env:Header>'
        f'{gap}<s:Security xmlns:s="{WSSE}"{mandatory}>{gap.join(draw(st.permutations(pieces)))}</s:Security>{headers}'
        f'</env:Header>{gap}<env:Body xmlns:u="{WSU}" u:Id="b-1">{gap}{one(CONTENTS)}{gap}</env:Body></env:Envelope>'
    )
    for old, new in one(PREFIXES).items():
        # No prefix at all for SOAP or for signatures, as some stacks write, or odd ones.
        text = re.sub(rf"(</?| ){old}:", rf"\g<1>{new}{':' if new else ''}", text)
        text = text.replace(f"xmlns:{old}=", f"xmlns:{new}=" if new else "xmlns=")
    return Message(text, key, algorithm)


def _signature(draw, algorithm: str, covered: list[str], named: str, gap: str) -> str:
    def method(name: str) -> str:
        prefixes = draw(st.sampled_from(LISTS))
        if prefixes is None:
            return f'<ds:{name} Algorithm="{EXC_C14N}"/>'
        inside = f'<i:InclusiveNamespaces xmlns:i="{EXC_C14N}" PrefixList="{prefixes}"/>'
        return f'<ds:{name} Algorithm="{EXC_C14N}">{inside}</ds:{name}>'

    references = "".join(
        f'{gap}<ds:Reference URI="#{name}"><ds:Transforms>{gap}{method("Transform")}</ds:Transforms>{gap}'
        f'<ds:DigestMethod Algorithm="{draw(st.sampled_from(sorted(DIGESTS)))}"/>'
        f"<ds:DigestValue>[digest {name}]</ds:DigestValue></ds:Reference>"
        for name in covered
    )
    return (
        f'<ds:Signature xmlns:ds="{DS}">{gap}<ds:SignedInfo>{gap}{method("CanonicalizationMethod")}{gap}'
        f'<ds:SignatureMethod Algorithm="{algorithm}"/>{references}</ds:SignedInfo>{gap}'
        f"<ds:SignatureValue>[value]</ds:SignatureValue>{gap}<ds:KeyInfo>{gap}<s:SecurityTokenReference>"
        f"{named}</s:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
    )


def key_info(key: SigningKey, named: str) -> str:
    """What a SecurityTokenReference says in one of the forms of the profile."""
    certificate = key.certificate
    if named == "token":
        return f'<s:Reference URI="#x-1" ValueType="{X509V3}"/>'
    if named == "data":
        return f"<ds:X509Data><ds:X509Certificate>{key.token.decode()}</ds:X509Certificate></ds:X509Data>"
    if named == "serial":
        return (
            f"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{certificate.issuer.rfc4514_string()}"
            f"</ds:X509IssuerName><ds:X509SerialNumber>{certificate.serial_number}</ds:X509SerialNumber>"
            "</ds:X509IssuerSerial></ds:X509Data>"
        )
    kind, value = (f"{PROFILE}#X509SubjectKeyIdentifier", certificate.extensions[1].value.digest)
    if named == "thumbprint":
        kind, value = THUMBPRINT, certificate.fingerprint(hashes.SHA1())
    return f'<s:KeyIdentifier ValueType="{kind}">{base64.b64encode(value).decode()}</s:KeyIdentifier>'


SPOTS = re.compile(r'(?=[<>/"# ])|(?<=[>"#])')
ELEMENTS = re.compile(r"<([\w:]+)[^<>]*(?:/>|>(?:(?!</?\1\b).)*</\1>)", re.DOTALL)
RENAMED = ["env", "s", "u", "ds", "w", "q"]


@st.composite
def mutated(draw, text: str, inserted: Sequence[str]) -> str:
    """The text with a few things put in, moved, copied or taken out, attributes lost, prefixes renamed."""
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["insert", "insert", "move", "copy", "drop", "attribute", "rename", "redeclare"]))
        if kind == "insert":
            at = draw(st.sampled_from([0, *(spot.start() for spot in SPOTS.finditer(text))]))
            text = text[:at] + draw(st.sampled_from(inserted)) + text[at:]
        elif kind in ("move", "copy", "drop"):
            found = draw(st.sampled_from([*ELEMENTS.finditer(text)] or [re.match("", text)]))
            rest = text if kind == "copy" else text[: found.start()] + text[found.end() :]
            at = draw(st.sampled_from([spot.start() for spot in re.finditer(r"<|$", rest)]))
            text = rest if kind == "drop" else rest[:at] + found[0] + rest[at:]
        elif kind == "attribute":
            found = draw(st.sampled_from([*re.finditer(r' [\w:]+="[^"]*"', text)] or [re.match("", text)]))
            text = text[: found.start()] + text[found.end() :]
        else:
            old, new = draw(st.sampled_from(RENAMED)), draw(st.sampled_from([*RENAMED, "x", "A1"]))
            if kind == "rename":
                text = text.replace(f":{old}=", f":{new}=")
            text = re.sub(rf"(</?| ){old}:", rf"\g<1>{new}:", text)
    return text
