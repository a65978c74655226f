"""What we sign verifies here, in xmlsec and in signxml; what comes out is what was signed; time, replay, answers."""

from datetime import timedelta
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from security.signature import RecentSignatures, Rejected, SignaturePolicy
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap, sign_soap_parts, text_header
from tests.test_signatures.conftest import WSU, private_pem

PAYLOAD = (
    '<q:Hoi xmlns:q="urn:hoi"><q:SoDinhDanh>001090123456</q:SoDinhDanh><q:HoTen>Nguyễn Thị Hằng</q:HoTen></q:Hoi>'
).encode()
WSA = "http://www.w3.org/2005/08/addressing"
EXC = b"http://www.w3.org/2001/10/xml-exc-c14n#"
ANY = SignaturePolicy()
SECOND = timedelta(seconds=1)


def c14n(element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)


def refusal(document, policy, trust, **options) -> str:
    with pytest.raises(Rejected) as refused:
        verify_soap(document, policy, trust, **options)
    return refused.value.reason


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_every_key_kind_and_version_verifies_everywhere(key, pki, now, version, xmlsec_accepts, signxml_accepts):
    headers = [text_header(WSA, "RelatesTo", "a & <b>")]
    signed = sign_soap_parts(PAYLOAD, key, version=version, now=now, headers=headers)
    verified = verify_soap(signed.envelope, ANY, pki.pinned(key), now=now, relates_to="a & <b>")
    assert c14n(verified.element) == PAYLOAD
    assert [header.tag for header in verified.headers] == [f"{{{WSA}}}RelatesTo"]
    assert verified.signed_at == now
    assert verified.signature_value == signed.signature_value
    assert verified.signer == key.certificate
    xmlsec_accepts(signed.envelope, key)
    signxml_accepts(signed.envelope, key)


# What XML 1.0 can say, and what a serialiser may get wrong: quotes, brackets, line ends, tabs, astral letters.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")) | (
    st.text(alphabet="\r\n\t \"'<>&]ễ\U0001f600")
)
NAMES = st.sampled_from(["a", "q:a", "p:b", "env", "u:x"])


@st.composite
def documents(draw) -> str:
    """Elements with several prefixes, default namespaces set and unset, attributes, CDATA, redundant declarations."""

    def element(depth: int, declared: dict[str, str]) -> str:
        prefix = draw(st.sampled_from(["", "q", "p", "env", "u", "s"]))
        attributes: dict[str, str] = {}
        inner = dict(declared)
        for one in {prefix, draw(st.sampled_from(["", "q", "p", "soap"]))}:
            if one not in inner or draw(st.booleans()):
                uri = draw(st.sampled_from(["urn:1", "urn:2", *(["", "urn:3"] if not one else [])]))
                inner[one] = uri
                attributes[f"xmlns:{one}" if one else "xmlns"] = uri
        for other in draw(st.sets(st.sampled_from(["z", "lang", "q:k", "p:k", "xml:lang"]), max_size=3)):
            before, _, _ = other.rpartition(":")
            if before in ("", "xml") or before in inner:
                # Two prefixes of one namespace would make the same attribute twice.
                if {"q:k", "p:k"} <= {*attributes, other} and inner.get("q") == inner.get("p"):
                    continue
                attributes[other] = draw(TEXT)
        if inner.get(prefix) == "" and prefix:
            inner[prefix] = "urn:1"
        text = "".join(
            f' {name}="{escape(value, {chr(34): "&quot;", chr(13): "&#13;", chr(10): "&#10;", chr(9): "&#9;"})}"'
            for name, value in attributes.items()
        )
        content = escape(draw(TEXT), {"\r": "&#13;"})
        if draw(st.booleans()):
            content += "<![CDATA[" + draw(TEXT).replace("]]>", "").replace("]", "").replace("\r", "") + "]]>"
        if depth < 3:
            for _ in range(draw(st.integers(0, 2))):
                content += element(depth + 1, inner) + escape(draw(TEXT), {"\r": "&#13;"})
        tag = f"{prefix}:e" if prefix else "e"
        return f"<{tag}{text}>{content}</{tag}>"

    return element(0, {})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=documents(), kind=st.sampled_from(["p256", "rsa"]), version=st.sampled_from(["1.1", "1.2"]))
def test_any_envelope_is_signed_so_that_all_agree(pki, now, xmlsec_accepts, signxml_accepts, content, kind, version):
    soap = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
    envelope = (
        f'<soap:Envelope xmlns:soap="{soap[version]}" xmlns="urn:0"><soap:Body>{content}</soap:Body></soap:Envelope>'
    )
    key = pki.signer(kind)
    try:
        before = etree.fromstring(envelope.encode())
    except etree.XMLSyntaxError:
        return
    signed = sign_soap(envelope.encode(), key, now=now)
    xmlsec_accepts(signed.envelope, key)
    signxml_accepts(signed.envelope, key)
    verified = verify_soap(signed.envelope, ANY, pki.anchored(), now=now)
    assert c14n(verified.element) == c14n(before[0][0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=documents(), lifetime=st.integers(1, 1000))
def test_canonical_payloads_are_sent_as_they_are(pki, now, xmlsec_accepts, content, lifetime):
    key = pki.signer("p256")
    try:
        payload = c14n(etree.fromstring(content.encode()))
    except etree.XMLSyntaxError:
        return
    signed = sign_soap_parts(payload, key, now=now, lifetime=lifetime * SECOND)
    xmlsec_accepts(signed.envelope, key)
    assert c14n(verify_soap(signed.envelope, ANY, pki.pinned(key), now=now).element) == payload


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(
    "payload",
    [
        '<q:a xmlns:q="urn:q">xmlns:u= xmlns:env="</q:a>',
        '<a b="&lt;x xmlns:u="></a>',
        '<u:a xmlns:u="urn:x" u:b="1"><env:b xmlns:env="urn:y"></env:b></u:a>',
        '<env:Fault xmlns:env="[soap]"><faultcode>env:Client</faultcode></env:Fault>',
        '<env:Fault xmlns:env="[soap]"><detail><u:b xmlns:u="[wsu]" u:c="1"></u:b></detail></env:Fault>',
    ],
    ids=["in text", "in an attribute", "other namespaces", "fault", "both namespaces of the template"],
)
def test_a_payload_may_use_the_prefixes_of_the_template(pki, now, xmlsec_accepts, signxml_accepts, version, payload):
    soap = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
    octets = payload.replace("[soap]", soap[version]).replace("[wsu]", WSU).encode()
    assert c14n(etree.fromstring(octets)) == octets
    key = pki.signer("p256")
    signed = sign_soap_parts(octets, key, version=version, now=now, confirms="QUJD")
    xmlsec_accepts(signed.envelope, key)
    signxml_accepts(signed.envelope, key)
    verified = verify_soap(signed.envelope, ANY, pki.pinned(key), now=now, confirms="QUJD")
    assert c14n(verified.element) == octets


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), new=st.binary(min_size=1, max_size=4), drop=st.integers(0, 3))
def test_a_message_with_any_bytes_changed_is_refused_or_means_the_same(pki, now, message, at, new, drop):
    envelope, key = message
    position = int(at * len(envelope))
    mutant = envelope[:position] + new + envelope[position + drop :]
    try:
        verified = verify_soap(mutant, ANY, pki.pinned(key), now=now)
    except Rejected:
        return
    assert c14n(verified.element) == PAYLOAD


@pytest.fixture(scope="module")
def message(pki, now):
    key = pki.signer("p256")
    return sign_soap_parts(PAYLOAD, key, now=now, headers=[text_header(WSA, "RelatesTo", "q-1")]).envelope, key


def test_the_window_of_the_timestamp(message, pki, now):
    envelope, key = message
    trust = pki.pinned(key)
    skew, life = timedelta(seconds=60), timedelta(minutes=5)
    for moment in (now - skew, now, now + life + skew - SECOND):
        assert verify_soap(envelope, ANY, trust, now=moment).fresh_until == now + life + skew
    for moment in (now - skew - SECOND, now + life + skew, now + timedelta(days=3)):
        assert refusal(envelope, ANY, trust, now=moment) == "stale"
    strict = SignaturePolicy(max_age=timedelta(seconds=10), skew=timedelta(0))
    assert verify_soap(envelope, strict, trust, now=now + 9 * SECOND).fresh_until == now + 10 * SECOND
    assert refusal(envelope, strict, trust, now=now + 10 * SECOND) == "stale"
    long_lived = sign_soap_parts(PAYLOAD, key, now=now, lifetime=timedelta(days=5)).envelope
    assert refusal(long_lived, ANY, trust, now=now + timedelta(days=1)) == "stale"


def test_a_message_is_accepted_once(message, pki, now):
    envelope, key = message
    policy = SignaturePolicy(replays=RecentSignatures(clock=lambda: now))
    assert verify_soap(envelope, policy, pki.pinned(key), now=now)
    assert refusal(envelope, policy, pki.pinned(key), now=now) == "replayed"
    # Said again in other words it is the same message: white space outside the signed parts changes nothing.
    assert (
        refusal(envelope.replace(b"</env:Header>", b" </env:Header>"), policy, pki.pinned(key), now=now) == "replayed"
    )
    # Two equal questions of the same instant are two messages.
    for _ in range(2):
        assert verify_soap(sign_soap_parts(PAYLOAD, key, now=now).envelope, policy, pki.pinned(key), now=now)


def test_a_refused_message_is_not_remembered(message, pki, now):
    envelope, key = message
    policy = SignaturePolicy(replays=RecentSignatures(clock=lambda: now))
    assert refusal(envelope.replace(b"001090", b"001091"), policy, pki.pinned(key), now=now) == "altered"
    assert verify_soap(envelope, policy, pki.pinned(key), now=now)


def test_the_replay_memory_is_bounded_and_forgets_only_what_is_stale(now):
    clock = [now]
    memory = RecentSignatures(capacity=3, clock=lambda: clock[0])
    minute = timedelta(minutes=1)
    assert all(memory.remember(bytes([n]), now + 5 * minute) for n in range(3))
    assert not memory.remember(b"new", now + 5 * minute)
    assert not memory.remember(bytes([0]), now + 5 * minute)
    clock[0] = now + 5 * minute
    assert not memory.remember(bytes([0]), now + 5 * minute)
    clock[0] = now + 6 * minute
    assert memory.remember(b"new", now + 9 * minute)
    assert memory.remember(bytes([0]), now + 9 * minute)


def test_an_answer_must_confirm_our_question(key, pki, now, xmlsec_accepts):
    trust = pki.pinned(key)
    ours, other = (sign_soap_parts(PAYLOAD, key, now=now).signature_value for _ in range(2))
    answer = sign_soap_parts(PAYLOAD, key, now=now, confirms=ours).envelope
    xmlsec_accepts(answer, key)
    assert verify_soap(answer, ANY, trust, now=now, confirms=ours).confirms
    assert refusal(answer, ANY, trust, now=now, confirms=other) == "not-answer-to-request"
    silent = sign_soap_parts(PAYLOAD, key, now=now).envelope
    assert refusal(silent, ANY, trust, now=now, confirms=ours) == "not-answer-to-request"
    forged = answer.replace(f'Value="{ours}"'.encode(), f'Value="{other}"'.encode())
    assert refusal(forged, ANY, trust, now=now, confirms=other) == "altered"
    unsigned = b'<w:SignatureConfirmation xmlns:w="%b" Value="%b"/><ds:Signature ' % (
        b"http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd",
        ours.encode(),
    )
    added = silent.replace(b"<ds:Signature ", unsigned, 1)
    assert refusal(added, ANY, trust, now=now, confirms=ours) == "not-covered"
    assert refusal(answer.replace(b"<ds:Signature ", unsigned, 1), ANY, trust, now=now, confirms=ours) == "not-covered"


def test_an_answer_must_name_our_question(message, pki, now):
    envelope, key = message
    trust = pki.pinned(key)
    assert verify_soap(envelope, ANY, trust, now=now, relates_to="q-1")
    assert refusal(envelope, ANY, trust, now=now, relates_to="q-2") == "not-answer-to-request"
    silent = sign_soap_parts(PAYLOAD, key, now=now).envelope
    assert refusal(silent, ANY, trust, now=now, relates_to="q-1") == "not-answer-to-request"


def test_a_replayed_answer_is_called_replayed_before_it_is_called_somebody_elses(key, pki, now):
    policy = SignaturePolicy(replays=RecentSignatures(clock=lambda: now))
    first, second = (sign_soap_parts(PAYLOAD, key, now=now).signature_value for _ in range(2))
    answer = sign_soap_parts(PAYLOAD, key, now=now, confirms=first).envelope
    assert verify_soap(answer, policy, pki.pinned(key), now=now, confirms=first)
    assert refusal(answer, policy, pki.pinned(key), now=now, confirms=second) == "replayed"


def with_prefix_lists(envelope: bytes, prefixes: bytes) -> bytes:
    inclusive = b'<i:InclusiveNamespaces xmlns:i="%b" PrefixList="%b"></i:InclusiveNamespaces>' % (EXC, prefixes)
    for tag in (b"Transform", b"CanonicalizationMethod"):
        empty = b'<ds:%b Algorithm="%b"></ds:%b>' % (tag, EXC, tag)
        envelope = envelope.replace(empty, empty.replace(b"></", b">" + inclusive + b"</"))
    return envelope


@pytest.mark.parametrize("prefixes", ["", "soap", "soap xsd", "#default", "#default soap xsd none"])
def test_prefix_lists_as_java_writes_them_agree_with_xmlsec(pki, now, prefixes, xmlsec_accepts):
    """xmlsec signs here, so that the canonical form with inherited prefixes is not our own idea."""
    import xmlsec

    envelope = b"""<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:outer"
      xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body><q:a xmlns:q="urn:q"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xsd:string"><b>1</b></q:a></soap:Body>
      </soap:Envelope>"""
    key = pki.signer("rsa")
    root = etree.fromstring(with_prefix_lists(sign_soap(envelope, key, now=now).envelope, prefixes.encode()))
    wsu = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"
    for element in root.iter(etree.Element):
        if element.get(wsu):
            xmlsec.tree.add_ids(element, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(private_pem(key), xmlsec.constants.KeyDataFormatPem)
    context.sign(next(root.iter("{http://www.w3.org/2000/09/xmldsig#}Signature")))
    document = etree.tostring(root)
    assert verify_soap(document, ANY, pki.pinned(key), now=now).element[0].text == "1"
