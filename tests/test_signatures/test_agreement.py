"""What we accept, xmlsec and signxml accept as well: generated messages, and what is left of them after a change."""

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from lxml import etree

from security.signature import Rejected, SignaturePolicy
from security.signature_structure import C14N, C14N_1_1, EXC_C14N
from security.soap_signature import verify_soap
from security.xml_signature import verify_enveloped
from tests.test_signatures.conftest import DS, NOW, WSU
from tests.test_signatures.forms import KINDS, WSSE, messages, mutated
from tests.test_signatures.test_inclusive_c14n import filled, template

ANY = SignaturePolicy()
USUAL = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
INSERTED = [
    *["\n ", " ", "&#13;", "x", "<![CDATA[ ]]>", "<![CDATA[x]]>", "\u00a0", "<o/>", '<o xmlns="urn:o"/>', "<!-- -->"],
    *[' Id="o"', ' xmlns:o="urn:o"', ' xmlns="urn:o"', ' xml:lang="vi"', ' u:Id="b-1"', ' Id="b-1"', ' URI="#b-1"'],
    *[f' xmlns:u="{WSU}"', f' xmlns:s="{WSSE}"', f' xmlns:ds="{DS}"', ' env:mustUnderstand="0"', ' Algorithm="x"'],
    *["#", "=", "0", "A", "b-1", "&#98;-1"],
]  # fmt: skip

# Names of namespaces that are no whole URIs: the library below xmlsec then makes nothing canonical, not even parts that
# do not use them.
RELATIVE = re.compile(rb"""xmlns(?::[^\s=]+)?\s*=\s*["'](?![A-Za-z][A-Za-z0-9+.-]*:|["'])""")


@pytest.fixture(scope="module")
def judged(pki, xmlsec_accepts, signxml_accepts):
    """Our verdict on a message, after both others have agreed where it is that the message is valid."""

    def judge(document: bytes, key) -> bool:
        try:
            verify_soap(document, ANY, pki.pinned(key), now=NOW)
        except Rejected as refused:
            event(refused.reason)
            return False
        event("accepted")
        if RELATIVE.search(document):
            return True
        xmlsec_accepts(document, key)
        # Lists of prefixes are not in its schema, and it takes an empty one and #default for something else.
        if b"PrefixList" not in document:
            signxml_accepts(document, key)
        return True

    return judge


@pytest.fixture(scope="module")
def keys(pki):
    return {kind: pki.signer(kind) for kind in KINDS}


@settings(USUAL, max_examples=200)
@given(data=st.data())
def test_every_form_of_a_genuine_message_is_accepted_by_all(keys, judged, data):
    message = data.draw(messages(keys))
    assert judged(message.signed(NOW), message.key)


@settings(USUAL, max_examples=400)
@given(data=st.data())
def test_what_is_accepted_after_a_change_is_accepted_by_all(keys, judged, data):
    """Changed after it was signed; and changed before, so that only its form can be wrong."""
    message = data.draw(messages(keys))
    text = data.draw(mutated(message.text, INSERTED))
    judged(message.filled(text, NOW), message.key)
    try:
        document = replace(message, text=text).signed(NOW)
    except (etree.XMLSyntaxError, etree.C14NError, StopIteration, ValueError, KeyError, TypeError, AttributeError):
        # It is no longer what can be signed.
        return
    judged(document, message.key)


@settings(USUAL, max_examples=300)
@given(data=st.data())
def test_what_is_accepted_after_a_byte_changed_is_accepted_by_all(keys, judged, data):
    message = data.draw(messages(keys))
    document = message.signed(NOW)
    # Not all signatures are of one length.
    at = data.draw(st.integers(0, 10_000)) % len(document)
    put = data.draw(st.binary(max_size=3) | st.sampled_from([b" ", b"\n", b"\r", b"\t", b"&#10;"]))
    judged(document[:at] + put + document[at + data.draw(st.integers(0, 2)) :], message.key)


DOCUMENT = (
    '<a:A xmlns:a="urn:a" xmlns="urn:d" xmlns:o="urn:o" xml:lang="vi" issuedAt="2026-11-22T08:00:00Z">'
    '<b xmlns=""><c o:x="&#13;">ễ</c></b> x{}\n<a:e/></a:A>'
)


@pytest.fixture(scope="module")
def documents(keys) -> list[str]:
    """A document signed by xmlsec in each way of canonicalising it; of this kind of key all signatures are the same."""
    methods = [C14N, C14N_1_1, EXC_C14N]
    return [
        filled(DOCUMENT.format(template(keys["rsa"].token, method, transform, prefix)), keys["rsa"]).decode()
        for method in methods
        for transform in (None, *methods)
        for prefix in ("", "ds")
    ]


@settings(USUAL, max_examples=400)
@given(data=st.data())
def test_documents_that_are_accepted_after_a_change_are_accepted_by_xmlsec(pki, keys, documents, xmlsec_accepts, data):
    text = data.draw(st.sampled_from(documents))
    if data.draw(st.booleans()):
        text = data.draw(mutated(text, INSERTED))
    else:
        at = data.draw(st.integers(0, 10_000)) % len(text)
        text = text[:at] + data.draw(st.text(max_size=2)) + text[at + data.draw(st.integers(0, 2)) :]
    document = text.encode(errors="ignore")
    try:
        verify_enveloped(document, SignaturePolicy(inclusive_c14n=True), pki.pinned(keys["rsa"]), now=NOW)
    except Rejected as refused:
        event(refused.reason)
        return
    event("accepted")
    xmlsec_accepts(document, keys["rsa"])
