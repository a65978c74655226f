"""ds:Signature read strictly: its exact children, one Id space, an allow-list of everything it may name.

Shared by the SOAP and the enveloped profile. Whatever is not listed here is Rejected("malformed").
"""

import re
from itertools import islice
from operator import attrgetter
from typing import Literal, NamedTuple

from lxml import etree

from security.signature import Rejected
from security.signature_algorithms import check_of, digest, encode, strict_base64
from security.trust import Signer
from security.xml import WHITESPACE, XML_BASE, Element, XmlRefused, blank, canonical, canonical_inclusive
from security.xml_namespaces import are_too_many

DS = "http://www.w3.org/2000/09/xmldsig#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_1_1 = "http://www.w3.org/2006/12/xml-c14n11"
ENVELOPED = f"{DS}enveloped-signature"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
SIGNATURE = f"{{{DS}}}Signature"
WSU_ID = f"{{{WSU}}}Id"

MAX_REFERENCES = 16
_MAX_PREFIXES = 16
_MAX_PREFIX_LIST = 65 * _MAX_PREFIXES
# SignedInfo, two methods and, for each Reference, itself with eight of what it may hold.
_MAX_ELEMENTS = 4 + 8 * MAX_REFERENCES

_SIGNED_INFO = f"{{{DS}}}SignedInfo"
_SIGNATURE_VALUE = f"{{{DS}}}SignatureValue"
_KEY_INFO = f"{{{DS}}}KeyInfo"
_C14N_METHOD = f"{{{DS}}}CanonicalizationMethod"
_SIGNATURE_METHOD = f"{{{DS}}}SignatureMethod"
_REFERENCE = f"{{{DS}}}Reference"
_TRANSFORMS = f"{{{DS}}}Transforms"
_TRANSFORM = f"{{{DS}}}Transform"
_DIGEST_METHOD = f"{{{DS}}}DigestMethod"
_DIGEST_VALUE = f"{{{DS}}}DigestValue"
_INCLUSIVE_NAMESPACES = f"{{{EXC_C14N}}}InclusiveNamespaces"

_SIGNATURE_PARTS = [_SIGNED_INFO, _SIGNATURE_VALUE, _KEY_INFO]
_ID_ONLY = frozenset({"Id"})
_ALGORITHM_ONLY = frozenset({"Algorithm"})
_REFERENCE_ATTRIBUTES = frozenset({"URI", "Id"})
_NOTHING: frozenset[str] = frozenset()
_PREFIX = re.compile(r"#default|[A-Za-z_][A-Za-z0-9._-]{0,63}", re.ASCII)
_LOCAL = re.compile(r"#[A-Za-z_][A-Za-z0-9._-]{0,127}", re.ASCII)


_INCLUSIVE: dict[str, Literal["1.0", "1.1"]] = {C14N: "1.0", C14N_1_1: "1.1"}


class Method(NamedTuple):
    """A canonicalisation or transform: its name and the PrefixList of exclusive C14N."""

    uri: str
    prefixes: list[str] | None


_EXCLUSIVE = Method(EXC_C14N, None)


class Reference(NamedTuple):
    """One signed part: `uri` as written, its transforms in order, digest algorithm and expected digest in base64."""

    uri: str
    transforms: tuple[Method, ...]
    digest_method: str
    digest_value: str


class SignedInfo(NamedTuple):
    """What a ds:SignedInfo says; `canonical` is its canonical form by `method`, where that was computed already."""

    method: Method
    signature_method: str
    references: tuple[Reference, ...]
    canonical: bytes | None = None


class SignatureParts(NamedTuple):
    """The content of one ds:Signature: SignedInfo as element and as what it says, SignatureValue, KeyInfo."""

    signed_info: Element
    said: SignedInfo
    value: bytes
    key_info: Element


def malformed(detail: str) -> Rejected:
    """The refusal of something outside the profile."""
    return Rejected("malformed", detail)


_TAG = attrgetter("tag")
_TAIL = attrgetter("tail")


def expect(element: Element, tags: list[str], attributes: frozenset[str], what: str) -> list[Element]:
    """The children of `element`, which must have exactly these tags, at most these attributes and no text."""
    if not attributes.issuperset(element.keys()):
        raise malformed(f"{what} has attributes that the profile does not know")
    found = list(element)
    if not tags:
        if found or not blank(element.text):
            raise malformed(f"{what} must be empty")
    elif list(map(_TAG, found)) != tags:
        raise malformed(f"{what} is not made as the profile says")
    elif not element_only(element, found):
        raise malformed(f"there is text between the elements of {what}")
    return found


def element_only(element: Element, children: list[Element]) -> bool:
    """Whether there is nothing but white space between the children of an element."""
    return not "".join(filter(None, (element.text, *map(_TAIL, children)))).strip(WHITESPACE)


def text_of(element: Element, attributes: frozenset[str], what: str) -> str:
    """The text of an element without children, white space around it removed."""
    if len(element) or not attributes.issuperset(element.keys()):
        raise malformed(f"{what} is not made as the profile says")
    return (element.text or "").strip(WHITESPACE)


def read_signature(signature: Element, root: Element, document: bytes) -> SignatureParts:
    """The parts of a ds:Signature of a parsed document; Rejected("malformed") for anything beyond the profile.

    Refused too is what it would cost too much to make canonical as the Signature asks.
    """
    signed_info, value, key_info = expect(signature, _SIGNATURE_PARTS, _ID_ONLY, "the Signature")
    if not 3 <= len(signed_info) <= MAX_REFERENCES + 2:
        raise malformed(f"SignedInfo must hold one to {MAX_REFERENCES} references")
    # Its canonical form is made before anybody is known to have signed it, at a price that grows with the product of
    # its elements and its prefixes.
    if next(islice(signed_info.iter(), _MAX_ELEMENTS, None), None) is not None:
        raise malformed("SignedInfo holds more elements than the profile knows")
    said = (plain_signed_info(signed_info) if len(document) <= _MAX_DOCUMENT else None) or walked_signed_info(
        signed_info
    )
    # After enveloped-signature alone the form is inclusive.
    methods = [said.method, *(reference.transforms[-1] for reference in said.references)]
    prefixes = max(len(method.prefixes or ()) for method in methods)
    inclusive = any(method.uri != EXC_C14N for method in methods)
    if (prefixes or inclusive) and are_too_many(root, document, prefixes, inclusive=inclusive):
        raise malformed("too many namespaces in scope of too many elements for this canonicalisation")
    return SignatureParts(
        signed_info,
        said,
        strict_base64(text_of(value, _ID_ONLY, "SignatureValue"), "SignatureValue"),
        key_info,
    )


# Canonical text says each thing in one way only, so that a pattern over all of it is as strict as a walk over the tree,
# and many times as fast. Names have one prefix, the one that SignedInfo declares: nothing here declares another.
_NAME = r"[A-Za-z_][A-Za-z0-9._-]*"
_PREFIXED = rf"<((?:{_NAME}:)?)"
_GAP = r"[ \t\n]*"
_TEXT = r'"([^"&<]*)"'
# No digest is longer than 64 bytes; for each repetition the pattern would need eighty.
_BASE64 = r"(?=[^<])((?:[A-Za-z0-9+/]{4}){0,21}(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?)"
_MAX_PLAIN = 64 * 1024
# Canonical text can be six times as long as what was written, and is made before anything is known of what it holds.
_MAX_DOCUMENT = 1024 * 1024
_PLAIN_HEAD = re.compile(
    rf'{_PREFIXED}SignedInfo xmlns(?::{_NAME})?="{re.escape(DS)}">{_GAP}'
    rf'<\1CanonicalizationMethod Algorithm="{re.escape(EXC_C14N)}"></\1CanonicalizationMethod>{_GAP}'
    rf"<\1SignatureMethod Algorithm={_TEXT}></\1SignatureMethod>{_GAP}"
)
_PLAIN_REFERENCE = re.compile(
    rf"{_PREFIXED}Reference URI={_TEXT}>{_GAP}<\1Transforms>{_GAP}"
    rf"<\1Transform Algorithm={_TEXT}></\1Transform>{_GAP}"
    rf"(?:<\1Transform Algorithm={_TEXT}></\1Transform>{_GAP})?</\1Transforms>{_GAP}"
    rf"<\1DigestMethod Algorithm={_TEXT}></\1DigestMethod>{_GAP}"
    rf"<\1DigestValue>{_BASE64}</\1DigestValue>{_GAP}</\1Reference>{_GAP}"
)


def plain_signed_info(element: Element) -> SignedInfo | None:
    """What a SignedInfo without Ids and PrefixLists says, read off its canonical form; None if it is not so plain.

    It says what `walked_signed_info` would say of it, and is never refused there.
    """
    try:
        octets = canonical(element)
        if len(octets) > _MAX_PLAIN:
            return None
        text = octets.decode()
    except (etree.C14NError, UnicodeDecodeError):
        return None
    head = _PLAIN_HEAD.match(text)
    if head is None:
        return None
    prefix, signature_method = head.groups()
    references = []
    end = head.end()
    while found := _PLAIN_REFERENCE.match(text, end):
        its_prefix, uri, first, second, digest_method, digest_value = found.groups()
        if its_prefix != prefix:
            return None
        transforms = (Method(first, None),) if second is None else (Method(first, None), Method(second, None))
        references.append(Reference(uri, transforms, digest_method, digest_value))
        end = found.end()
    if text[end:] != f"</{prefix}SignedInfo>":
        return None
    return SignedInfo(_EXCLUSIVE, signature_method, tuple(references), octets)


def walked_signed_info(element: Element) -> SignedInfo:
    """What any SignedInfo of the profile says; Rejected("malformed") with the place where it is none."""
    shape = [_C14N_METHOD, _SIGNATURE_METHOD, *[_REFERENCE] * (len(element) - 2)]
    c14n, method, *references = expect(element, shape, _ID_ONLY, "SignedInfo")
    expect(method, [], _ALGORITHM_ONLY, "SignatureMethod")
    return SignedInfo(
        _method(c14n, "CanonicalizationMethod"), method.get("Algorithm", ""), tuple(map(_reference, references))
    )


def _reference(element: Element) -> Reference:
    transforms, method, value = expect(
        element, [_TRANSFORMS, _DIGEST_METHOD, _DIGEST_VALUE], _REFERENCE_ATTRIBUTES, "a Reference"
    )
    # Not more than two are ever allowed: thousands of transforms are not even read.
    count = len(transforms)
    if not 1 <= count <= 2:
        raise malformed("a Reference must have one or two transforms")
    uri = element.get("URI")
    if uri is None:
        raise malformed("a Reference does not say what it refers to")
    expect(method, [], _ALGORITHM_ONLY, "DigestMethod")
    return Reference(
        uri,
        tuple(_method(one, "Transform") for one in expect(transforms, [_TRANSFORM] * count, _NOTHING, "Transforms")),
        method.get("Algorithm", ""),
        encode(strict_base64(text_of(value, _NOTHING, "DigestValue"), "DigestValue")).decode(),
    )


def _method(element: Element, what: str) -> Method:
    uri = element.get("Algorithm", "")
    if not len(element):
        expect(element, [], _ALGORITHM_ONLY, what)
        return Method(uri, None)
    if uri != EXC_C14N:
        raise malformed(f"{what} has parameters that are not accepted")
    (inclusive,) = expect(element, [_INCLUSIVE_NAMESPACES], _ALGORITHM_ONLY, what)
    expect(inclusive, [], frozenset({"PrefixList"}), "InclusiveNamespaces")
    listed = inclusive.get("PrefixList", "")
    prefixes = listed.split() if len(listed) <= _MAX_PREFIX_LIST else [""]
    if len(prefixes) > _MAX_PREFIXES or not all(map(_PREFIX.fullmatch, prefixes)):
        raise malformed("the PrefixList is not accepted")
    return Method(uri, prefixes or None)


def check_signature(parts: SignatureParts, signer: Signer, *, inclusive: bool) -> bytes:
    """The canonical form of SignedInfo, which the signer signed; Rejected if he did not."""
    check = check_of(parts.said.signature_method, signer.checks)
    octets = parts.said.canonical or canonical_by(parts.said.method, parts.signed_info, inclusive=inclusive)
    check(parts.value, octets)
    return octets


def canonical_by(method: Method, element: Element, *, inclusive: bool) -> bytes:
    """The canonical form that `method` names; inclusive C14N only where the profile allows it."""
    try:
        if method.uri == EXC_C14N:
            return canonical(element, method.prefixes)
        if inclusive and method.uri in _INCLUSIVE:
            if method.uri == C14N_1_1 and any(above.get(XML_BASE) is not None for above in element.iterancestors()):
                raise malformed("C14N 1.1 of a part below xml:base is not accepted")
            return canonical_inclusive(element, _INCLUSIVE[method.uri])
    except etree.C14NError:
        # Relative namespace names, for example: they have no canonical form.
        raise malformed("a part has no canonical form") from None
    except XmlRefused as refused:
        raise malformed(str(refused)) from None
    raise malformed("a canonicalisation that is not accepted")


def check_digest(reference: Reference, octets: bytes) -> None:
    """Nothing if these are the octets that were signed; Rejected("altered") otherwise."""
    if encode(digest(reference.digest_method, octets)).decode() != reference.digest_value:
        raise Rejected("altered", "a signed part differs from what was signed")


def same_document(uri: str) -> str:
    """The Id that a Reference of the form `#Id` names; Rejected("malformed") for any other reference."""
    if not _LOCAL.fullmatch(uri):
        raise malformed("a Reference points outside the message")
    return uri[1:]


_ALL_VALUES = etree.XPath("//@*", smart_strings=False)


def are_unique(names: list[str], root: Element, document: bytes) -> bool:
    """Whether each of these values stands in one attribute of the document, whatever its name and namespace.

    Verifiers differ in what they take for an Id (`Id`, `ID`, `id`, `xml:id`, in any namespace): a value that stands
    twice could mean two elements to two of them. It occurs in the bytes once as Id and once in the Reference; where it
    occurs otherwise, or a character reference could hide it, the tree decides.
    """
    if len(set(names)) != len(names):
        return False
    # The search for one character costs a tenth of the one for two.
    hidden = b"&" in document and b"&#" in document
    if not hidden and all(document.count(name.encode()) == 2 for name in names):
        return True
    values: list[str] = _ALL_VALUES(root)  # type: ignore[assignment]  # the stubs do not know the query's result
    return all(values.count(name) == 1 for name in names)
