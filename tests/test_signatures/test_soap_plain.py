"""Messages read off their canonical text, against the walk over their elements: the same parts, the same refusals."""

import base64
import hashlib
import re
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from security import soap_signature
from security.signature import Rejected, SignaturePolicy
from security.signature_structure import DS, EXC_C14N, WSU, WSU_ID
from security.soap_plain import MAX_SIZE, SOAP, plain_message
from security.soap_signature import verify_soap
from security.soap_signer import BASE64, WSSE, WSSE11, X509V3
from security.soap_signing import sign_soap_parts, text_header
from security.xml import Limits, XmlRefused, canonical, parse
from tests.test_signatures.forms import mutated

ANY = SignaturePolicy()
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ASKED = base64.b64encode(bytes(range(64))).decode()
PAYLOAD = "<q:Hỏi xmlns:q='urn:hoi' xmlns:unused='urn:u'><q:Tên a='>' q:b='&#13;'>Nguyễn &amp; &#13;</q:Tên></q:Hỏi>"

REFERENCE = (
    f'<ds:Reference URI="#%s"><ds:Transforms><ds:Transform Algorithm="{EXC_C14N}"/></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>[digest %s]</ds:DigestValue></ds:Reference>'
)
INFO = (
    f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{EXC_C14N}"/>'
    '<ds:SignatureMethod Algorithm="[method]"/>%s</ds:SignedInfo>'
)
SIGNATURE = (
    f'<ds:Signature xmlns:ds="{DS}">{INFO}<ds:SignatureValue>[value]</ds:SignatureValue><ds:KeyInfo>'
    f'<s:SecurityTokenReference><s:Reference URI="#tok" ValueType="{X509V3}"/></s:SecurityTokenReference>'
    "</ds:KeyInfo></ds:Signature>"
)
TOKEN = (
    f'<s:BinarySecurityToken EncodingType="{BASE64}" ValueType="{X509V3}" xmlns:u="{WSU}" u:Id="tok">'
    "[token]</s:BinarySecurityToken>"
)
TIME = (
    f'<u:Timestamp xmlns:u="{WSU}" u:Id="time-1"><u:Created>[now]</u:Created><u:Expires>[end]</u:Expires></u:Timestamp>'
)
CONFIRMATION = f'<w:SignatureConfirmation xmlns:w="{WSSE11}" xmlns:u="{WSU}" Value="{ASKED}" u:Id="c.1"/>'


BLOCKS = {
    "p": f'<h:Purpose xmlns:h="urn:lgsp:gateway:1" xmlns:u="{WSU}" u:Id="head.p">a &amp; b</h:Purpose>',
    "o": f'<Officer xmlns="urn:lgsp:gateway:1" xmlns:a="{WSU}" a:Id="head.o"/>',
    "r": f'<z:To xmlns:z="urn:wsa" xmlns:u="{WSU}" u:Id="head.r">a > b&#13;</z:To>',
}


def written(order: str = "xtcg", version: str = "1.1", before: str = "", after: str = "") -> str:
    """The text of a message with places for what makes it genuine; `order` is that of the parts of Security.

    `before` and `after` are the header blocks beside it.
    """
    named = ["b_1", "time-1", *(["c.1"] if "c" in order else []), *(f"head.{one}" for one in before + after)]
    references = "".join(REFERENCE % (name, name) for name in named)
    pieces = {"x": TOKEN, "t": TIME, "c": CONFIRMATION, "g": SIGNATURE % references}
    return (
        f'<env:Envelope xmlns:env="{SOAP[version]}"><env:Header>{"".join(map(BLOCKS.get, before))}'
        f'<s:Security xmlns:s="{WSSE}" env:mustUnderstand="1">'
        f"{''.join(pieces[one] for one in order)}</s:Security>{''.join(map(BLOCKS.get, after))}</env:Header>"
        f'<env:Body xmlns:u="{WSU}" u:Id="b_1">{PAYLOAD}</env:Body></env:Envelope>'
    )


def genuine(text: str, key, now) -> bytes:
    """The message with right digests and a right signature value, whatever its form; its text is kept."""
    text = text.replace("[token]", key.token.decode()).replace("[method]", key.algorithm.uri)
    text = text.replace("[now]", f"{now.isoformat()[:-6]}Z")
    text = text.replace("[end]", f"{(now + timedelta(minutes=4)).isoformat()[:-6]}Z")
    for element in etree.fromstring(text.encode()).iter(etree.Element):
        digest = base64.b64encode(hashlib.sha256(canonical(element)).digest()).decode()
        text = text.replace(f"[digest {element.get(WSU_ID)}]", digest)
    info = next(etree.fromstring(text.encode()).iter(f"{{{DS}}}SignedInfo"))
    return text.replace("[value]", base64.b64encode(key.sign(canonical(info))).decode()).encode()


def is_plain(document: bytes, policy: SignaturePolicy = ANY) -> bool:
    return plain_message(parse(document, policy.limits), len(document), policy) is not None


def seen(document: bytes, trust, now, confirms: str | None) -> tuple[object, ...]:
    """All that a caller can tell of one verification."""
    try:
        found = verify_soap(document, ANY, trust, now=now, confirms=confirms)
    except Rejected as refused:
        return refused.reason, refused.detail
    whole = found.element.getroottree().getroot()
    assert all(block.getparent() is whole[0] for block in found.headers)
    headers = tuple(map(canonical, found.headers))
    return canonical(found.element), re.sub(rb">[ \t\n]+<", b"><", canonical(whole)), headers, *found[2:]


def agreed(document: bytes, pki, key, now, confirms: str | None = ASKED) -> tuple[object, ...]:
    """What is seen of a message; the same must be seen of it where none is plain."""
    usual = seen(document, pki.pinned(key), now, confirms)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(soap_signature, "plain_message", lambda *_: None)
        assert usual == seen(document, pki.pinned(key), now, confirms)
    return usual


@pytest.mark.parametrize("confirms", [None, ASKED])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_what_we_sign_is_plain(key, pki, now, version, confirms):
    payload = canonical(etree.fromstring(PAYLOAD))
    signed = sign_soap_parts(payload, key, version=version, now=now, confirms=confirms).envelope
    assert is_plain(signed)
    assert agreed(signed, pki, key, now, confirms)[0] == payload


SENDERS = [
    [],
    [(" env:mustUnderstand", " x"), (' x="1"', "")],
    [("ds:", ""), ("xmlns:ds", "xmlns")],
    [("xmlns:ds", "xmlns"), ("<ds:", "<"), ("</ds:", "</"), ("<s:", "<o:"), ("</s:", "</o:"), (":s=", ":o=")],
    [("env:", ""), ("xmlns:env", "xmlns")],
    [("env:", "S:"), (":env=", ":S="), ("u:", "S1:"), (":u=", ":S1=")],
    [("env:", "z:"), (":env=", ":z="), ("ds:", "env:"), (":ds=", ":env=")],
    [("/><", "/>\n  <"), ("><", ">\r\n\t<")],
    [("<ds:Signature ", '<ds:Signature Id="SIG-1" '), ("<ds:KeyInfo>", '<ds:KeyInfo Id="KI-1">')],
    [("<s:SecurityTokenReference>", f'<s:SecurityTokenReference xmlns:u="{WSU}" u:Id="STR-1">')],
    [(f' xmlns:u="{WSU}"', ""), ("<env:Envelope", f'<env:Envelope xmlns:u="{WSU}" xmlns:ds="{DS}"')],
    [(f' EncodingType="{BASE64}"', ""), (f'#tok" ValueType="{X509V3}"', '#tok"')],
    [("[now]", "\n[now] "), ("[token]", "\n[token]\n")],
]


@pytest.mark.parametrize("order", ["xtcg", "tgxc", "gxct", "cxtg", "xtg", "gtx"])
@pytest.mark.parametrize("sender", SENDERS)
def test_what_senders_write_is_plain(sender, order, pki, now):
    key = pki.signer()
    text = written(order)
    for old, new in sender:
        text = text.replace(old, new)
    document = genuine(text, key, now)
    assert is_plain(document)
    accepted = agreed(document, pki, key, now, ASKED if "c" in order else None)
    assert accepted[2] == ()
    assert accepted[-2] == ((ASKED,) if "c" in order else ())


@pytest.mark.parametrize(("before", "after"), [("p", ""), ("", "p"), ("po", "r"), ("", "rop")])
@pytest.mark.parametrize("sender", SENDERS)
def test_signed_blocks_of_text_are_plain(sender, before, after, pki, now):
    key = pki.signer()
    text = written(before=before, after=after)
    for old, new in sender:
        text = text.replace(old, new)
    document = genuine(text, key, now)
    assert is_plain(document)
    header = etree.fromstring(document)[0]
    expected = tuple(canonical(block) for block in header if block.tag != f"{{{WSSE}}}Security")
    accepted = agreed(document, pki, key, now)
    assert accepted[2] == expected
    assert len(expected) == len(before + after)


INSERTED = [
    *["\n ", "&#13;", " x ", "<![CDATA[ ]]>", "<![CDATA[x]]>", "\u00a0", "<o/>", "</o>", '<o xmlns="urn:o"/>'],
    *[' Id="o"', ' o="1"', ' xmlns:o="urn:o"', ' xmlns="urn:o"', ' xml:lang="vi"', ' u:Id="b_1"', ' Id="b_1"'],
    *[f' xmlns:u="{WSU}"', f' xmlns:s="{WSSE}"', f' xmlns:s="{WSU}"', f' xmlns:s="{DS}"', f' xmlns:ds="{WSSE}"'],
    *[' xmlns:a="relative"', ' env:actor="urn:me"', ' env:mustUnderstand="0"', ' Algorithm="x"', ' Value="QUJD"'],
    *["#", "-", "=", "0", "A", "Z", "b_1", "time-1"],
    *[TOKEN, TIME, CONFIRMATION, REFERENCE % ("tok", "tok"), REFERENCE % ("b_1", "b_1"), SIGNATURE % ""],
    *[*BLOCKS.values(), "head.p", ' xmlns:h="urn:o"', ' h:o="1"', ' xmlns=""', REFERENCE % ("head.p", "head.p")],
    *['<h:Purpose xmlns:h="urn:lgsp:gateway:1">x</h:Purpose>', "<env:o/>", ' u:Id="head.p"', ' env:role="urn:me"'],
]


@st.composite
def changed(draw) -> str:
    """A message in which a few things are not where or what they were."""
    order = draw(st.sampled_from(["xtcg", "tgxc", "gxct", "xtg", "xtgg", "tcg"]))
    before, after = draw(st.sampled_from([("", ""), ("p", ""), ("", "po"), ("o", "pr"), ("", "pp")]))
    return draw(mutated(written(order, before=before, after=after), INSERTED))


@settings(max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=changed())
@example(text=written().replace("s:", "u:").replace("xmlnu:", "xmlns:").replace(":s=", ":u="))
@example(text=written().replace("<s:SecurityTokenReference>", f'<s:SecurityTokenReference xmlns:s="{DS}">'))
@example(text=written().replace("TokenReference>", f'TokenReference xmlns:s="{WSU}" s:Id="r">', 1))
@example(text=written().replace("s:", "ds:").replace("dds:", "ds:").replace("xmlnds:", "xmlns:").replace(":s=", ":ds="))
def test_a_message_of_any_form_is_judged_as_the_walk_judges_it(text, pki, now):
    key = pki.signer()
    try:
        document = genuine(text, key, now)
        parse(document)
    except (etree.XMLSyntaxError, etree.C14NError, XmlRefused, StopIteration, ValueError):
        return
    agreed(document, pki, key, now)
    agreed(document, pki, key, now, None)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_message_changed_after_it_was_signed_is_judged_as_the_walk_judges_it(data, pki, now):
    key = pki.signer()
    document = genuine(written(after=data.draw(st.sampled_from(["", "po"]))), key, now)
    # Not all signatures are of one length.
    start = data.draw(st.integers(0, 8000)) % len(document)
    end = start + data.draw(st.integers(0, 3))
    put = data.draw(st.sampled_from([one.encode() for one in INSERTED]) | st.binary(max_size=2))
    agreed(document[:start] + put + document[end:], pki, key, now)


# What the Body holds is never looked at by the pattern, but digested as a part of the text of the whole envelope.
@pytest.mark.parametrize(
    "payload",
    [
        "<a/>",
        "<a xmlns=''/>",
        f"<u:a xmlns:u='urn:x'><env:b xmlns:env='urn:y'/><c xmlns='{WSSE}'/></u:a>",
        f"<u:a u:b='1'><env:c env:d='2'/><x xmlns:env='{SOAP['1.1']}' env:y='1'/></u:a>",
        "\n <q:a xmlns:q='urn:q' xml:lang='vi' b='&gt;>&quot;'>]]&gt;\u00a0\U0001f600<![CDATA[</env:Body>]]></q:a>\r\n",
        "<a b='></env:Body></env:Envelope' xmlns='urn:a'><b xmlns=''><c xmlns='urn:a'/></b></a>".replace(
            "></e", ">&lt;/e"
        ),
    ],
)
@pytest.mark.parametrize("envelope", ["env", "z", ""])
def test_any_body_is_digested_as_it_is_alone(payload, envelope, pki, now):
    text = written().replace(PAYLOAD, payload)
    if envelope != "env":
        colon = ":" if envelope else ""
        text = text.replace("env:", f"{envelope}{colon}").replace(":env=", f"{colon}{envelope}=")
    key = pki.signer()
    document = genuine(text, key, now)
    assert is_plain(document)
    assert agreed(document, pki, key, now)[0] == canonical(etree.fromstring(document)[1][0])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</env:Body>", "<more/></env:Body>"),
        ("</env:Body>", "x</env:Body>"),
        (PAYLOAD, ""),
        ("#tok", "#other"),
        ("<q:Tên", "<q:Tên c='b_1'"),
        ("</s:Security>", "</s:Security><o xmlns='urn:o'/>"),
        ("[now]", "2026-11-31T08:00:00Z"),
        ("[digest b_1]", "[digest time-1]"),
    ],
)
def test_what_is_not_plain_is_left_to_the_walk(old, new, pki, now):
    key = pki.signer()
    document = genuine(written().replace(old, new), key, now)
    assert not is_plain(document)
    agreed(document, pki, key, now)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</h:Purpose>", "<o/></h:Purpose>"),
        ("</h:Purpose>", "</h:Purpose>x"),
        (' u:Id="head.p"', ' env:mustUnderstand="1" u:Id="head.p"'),
        (' u:Id="head.p"', ' o="1" u:Id="head.p"'),
        ("<h:Purpose ", "<env:Purpose "),
        ("</env:Header>", "<o xmlns='urn:o'/></env:Header>"),
        ("</env:Header>", "<h:Purpose xmlns:h='urn:lgsp:gateway:1'/></env:Header>"),
        ("Officer", "o:Purpose xmlns:o='urn:lgsp:gateway:1'"),
        ("[digest head.p]", "[digest head.o]"),
        (REFERENCE % ("head.p", "head.p"), ""),
        (REFERENCE % ("head.p", "head.p"), (REFERENCE % ("head.p", "head.p")) * 2),
    ],
)
def test_blocks_that_are_not_plain_are_left_to_the_walk(old, new, pki, now):
    key = pki.signer()
    text = written(after="po")
    assert old in text
    text = text.replace(old, new)
    if new.startswith("<env:Purpose"):
        text = text.replace("</h:Purpose>", "</env:Purpose>")
    if new.startswith("o:Purpose"):
        text = text.replace("</Officer>", "</o:Purpose>")
    document = genuine(text, key, now)
    assert not is_plain(document)
    agreed(document, pki, key, now)


def test_more_blocks_than_the_profile_allows_are_left_to_the_walk(pki, now):
    key = pki.signer()
    for count, accepted in ((13, True), (14, True), (15, False)):
        headers = [text_header("urn:o", f"o{number}", "x") for number in range(count)]
        document = sign_soap_parts(b"<a></a>", key, headers=headers, now=now).envelope
        assert is_plain(document) is accepted
        assert (len(agreed(document, pki, key, now, None)) > 2) is accepted


def test_only_small_messages_are_plain(pki, now):
    key = pki.signer()
    large = genuine(written().replace("Nguyễn", "N" * MAX_SIZE), key, now)
    assert not is_plain(large)
    assert len(agreed(large, pki, key, now)) > 2
    usual = genuine(written(), key, now)
    assert not is_plain(usual, SignaturePolicy(signed_headers=frozenset({"{urn:o}o"})))
    assert not is_plain(usual, SignaturePolicy(soap=frozenset({"1.2"})))
    assert not is_plain(usual, SignaturePolicy(limits=Limits(comments=True)))
    blocks = genuine(written(before="p"), key, now)
    assert is_plain(blocks)
    assert not is_plain(blocks, SignaturePolicy(signed_headers=frozenset({"{urn:o}o"})))
