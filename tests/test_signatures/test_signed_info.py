"""What is read off the canonical text of a SignedInfo, against the walk over its elements."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from security.signature import Rejected
from security.signature_structure import (
    DS,
    ENVELOPED,
    EXC_C14N,
    canonical_by,
    plain_signed_info,
    walked_signed_info,
)
from security.xml import XmlRefused, canonical, parse

SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"

# Mostly what a sender writes, now and then what he must not.
PREFIXES = st.sampled_from(["ds", "ds", "ds", "", "d-1", "đ"])
GAPS = st.sampled_from(["", "", "", "", "\n  ", "\t", "\r\n", "&#13;", " x ", "<![CDATA[ ]]>", "\u00a0"])
RARELY = st.sampled_from([False] * 40 + [True])
EXTRA = st.sampled_from(["", "", "", "", "", ' Id="i"', ' xmlns:o="urn:o"', ' Other="o"', ' xmlns="urn:d"'])
URIS = st.sampled_from(["#a", "#b-1", "", "#", "# a", "http://x/", "#a&amp;b", "#&#97;", "#a'", "#ễ", "#a\tb"])
METHODS = st.sampled_from([EXC_C14N, EXC_C14N, ENVELOPED, "", "urn:x", "urn:x&amp;y", "urn:x\ny"])
DIGESTS = st.binary(min_size=1, max_size=70).map(lambda octets: b64encode(octets).decode())
VALUES = (
    DIGESTS
    | DIGESTS
    | DIGESTS
    | st.sampled_from(
        ["", "AA", "AB==", "QUI", "QUJD ", " QUJD", "QU\nJD", "QUJD&#10;", "=", "QUJDQQ==", "QUJDQR==", "QUI=", "QUJ="]
    )
)


@st.composite
def signed_infos(draw) -> str:
    prefix = draw(PREFIXES)
    other = draw(st.sampled_from([prefix] * 9 + ["ds", "p", ""]))

    def element(name: str, attributes: str, content: str, *, own: str = prefix) -> str:
        tag = f"{own}:{name}" if own else name
        attributes += draw(EXTRA) if draw(RARELY) else ""
        if not content and draw(st.booleans()):
            return f"<{tag}{attributes}/>"
        return f"<{tag}{attributes}>{content}</{tag}>"

    def gap() -> str:
        return draw(GAPS) if draw(RARELY) else ""

    def algorithm(strategy: st.SearchStrategy[str]) -> str:
        return f' Algorithm="{draw(strategy)}"' if not draw(RARELY) else ""

    def inside() -> str:
        if not draw(RARELY):
            return ""
        return (
            f'<i:InclusiveNamespaces xmlns:i="{EXC_C14N}" PrefixList="{draw(st.sampled_from(["", "soap", "a b"]))}"/>'
        )

    def reference() -> str:
        transforms = "".join(
            gap() + element("Transform", algorithm(METHODS), inside()) + gap()
            for _ in range(draw(st.sampled_from([1] * 12 + [2] * 6 + [0, 3])))
        )
        parts = [
            element("Transforms", "", transforms),
            element("DigestMethod", algorithm(st.sampled_from([SHA256, SHA256, "urn:x"])), gap()),
            element("DigestValue", "", draw(VALUES)),
        ]
        if draw(RARELY):
            parts = draw(st.permutations(parts))
        uri = f' URI="{draw(URIS)}"' if not draw(RARELY) else ""
        return element("Reference", uri, gap() + gap().join(parts), own=other)

    content = (
        gap()
        + element("CanonicalizationMethod", algorithm(st.sampled_from([EXC_C14N] * 4 + ["urn:x"])), inside())
        + gap()
        + element("SignatureMethod", algorithm(st.sampled_from([ECDSA, "urn:x"])), gap())
        + "".join(gap() + reference() for _ in range(draw(st.integers(1, 4))))
        + gap()
    )
    declared = f' xmlns:{prefix}="{DS}"' if prefix else f' xmlns="{DS}"'
    above, own = (declared, "") if draw(st.booleans()) else ("", declared)
    return f'<r xmlns:p="{DS}"{above}>{element("SignedInfo", own, content)}</r>'


@settings(max_examples=400, deadline=None)
@given(document=signed_infos())
def test_what_is_plain_is_what_the_walk_finds(document):
    try:
        element = parse(document.encode())[0]
    except (XmlRefused, IndexError):
        return
    if len(element) < 3:
        return
    plain = plain_signed_info(element)
    try:
        walked = walked_signed_info(element)
    except Rejected:
        assert plain is None
        return
    if plain is not None:
        assert plain == (*walked[:3], canonical_by(walked.method, element, inclusive=False))


def plain_document(prefix: str, uri: str = "#b-1", gap: str = "", transforms: int = 1) -> bytes:
    before = f"{prefix}:" if prefix else ""
    transform = f'<{before}Transform Algorithm="{EXC_C14N}"/>{gap}' * transforms
    declared = f'xmlns:{prefix}="{DS}"' if prefix else f'xmlns="{DS}"'
    reference = (
        f'<{before}Reference URI="{uri}">{gap}<{before}Transforms>{gap}{transform}</{before}Transforms>{gap}'
        f'<{before}DigestMethod Algorithm="{SHA256}"/>{gap}<{before}DigestValue>QUJD</{before}DigestValue>{gap}'
        f"</{before}Reference>{gap}"
    )
    return (
        f"<{before}Signature {declared}><{before}SignedInfo>{gap}"
        f'<{before}CanonicalizationMethod Algorithm="{EXC_C14N}"/>{gap}'
        f'<{before}SignatureMethod Algorithm="{ECDSA}"/>{gap}{reference * 3}'
        f"</{before}SignedInfo></{before}Signature>"
    ).encode()


@pytest.mark.parametrize("prefix", ["ds", "", "dsig-1"])
@pytest.mark.parametrize("gap", ["", "\n    ", "\r\n"])
@pytest.mark.parametrize(("uri", "transforms"), [("#b-1", 1), ("", 2)])
def test_what_senders_write_is_plain(prefix, gap, uri, transforms):
    element = parse(plain_document(prefix, uri, gap, transforms))[0]
    plain = plain_signed_info(element)
    assert plain is not None
    assert plain.canonical == canonical(element)
    assert plain.references == walked_signed_info(element).references
    assert [one.uri for one in plain.references] == [uri] * 3


_WHOLE_REFERENCE = (b"Reference", b"Transforms", b"Transform", b"DigestMethod", b"DigestValue")


@pytest.mark.parametrize("names", [_WHOLE_REFERENCE, *[(name,) for name in (*_WHOLE_REFERENCE, b"SignatureMethod")]])
def test_names_of_another_namespace_are_not_taken_for_those_of_signatures(names):
    """Without a prefix, under a SignedInfo with one, a name is of no namespace: it only looks alike."""
    alike = plain_document("ds")
    for name in names:
        alike = alike.replace(b"<ds:%b " % name, b"<%b " % name).replace(b"<ds:%b>" % name, b"<%b>" % name)
        alike = alike.replace(b"</ds:%b>" % name, b"</%b>" % name)
    element = parse(alike)[0]
    assert plain_signed_info(element) is None
    with pytest.raises(Rejected):
        walked_signed_info(element)


@pytest.mark.parametrize(
    "value", ["", "A", "AA", "AAA", "AAAA", "AA==", "AB==", "AAA=", "AAB=", "AAE=", "A===", "AAAA="]
)
@pytest.mark.parametrize("before", ["", "AAAA", "++//"])
def test_a_digest_that_is_plain_is_canonical_base64(value, before):
    element = parse(plain_document("ds").replace(b"QUJD", (before + value).encode()))[0]
    plain = plain_signed_info(element)
    try:
        assert (plain and plain.references) == walked_signed_info(element).references
    except Rejected:
        assert plain is None


def test_what_has_no_canonical_form_is_not_plain():
    element = etree.fromstring(plain_document("ds").replace(b"<ds:SignedInfo>", b'<ds:SignedInfo><x xmlns="rel"/>'))[0]
    assert plain_signed_info(element) is None
