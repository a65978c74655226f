"""A foreign source that signs: what its signature covers is read as the same unsigned is, however it is spelled."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from lxml import etree

from schemas.errors import UpstreamSignatureRejected
from security.signature import SignaturePolicy
from security.signature_key import SigningKey
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts
from security.trust import AnchoredTrust
from security.trust_domain import TrustDomain
from security.trust_signer import ExpectedSigner
from security.trust_status import StatusPolicy, StatusRegister, Subject, Unsettled
from tests.test_revocation.issuing import DAY, NOW, Holder, named
from tests.test_translation.foreign import (
    MEDIA,
    XSI,
    asked,
    envelope,
    expected,
    http,
    payload,
    same,
)
from tests.test_translation.permits import ANSWERS, DATA, DATABASES
from tests.test_translation.permits import binding_of as soap_of
from tests.test_translation.signing import Respell, Signing
from tests.test_translation.test_values import ABSENT, TEXTS, WAYS, written

KINDS = ("1.1", "1.2", "signed-xml")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_signed_text_arrives_byte_for_byte(signing: Signing, kind: str, name: str) -> None:
    same(await signing.read(kind, written("soap-1.1", TEXTS[name])), expected("soap-1.1", name=TEXTS[name]))


@pytest.mark.parametrize("case", ABSENT)
@pytest.mark.parametrize("kind", KINDS)
async def test_missing_empty_nil_and_lists_that_are_signed(signing: Signing, kind: str, case: str) -> None:
    inside, members = ABSENT[case]
    same(await signing.read(kind, inside, " dau='d'"), expected("soap-1.1", **members, mark="d"))


SPELLINGS: dict[str, Respell] = {
    "byte-order-mark": lambda message: b"\xef\xbb\xbf" + message,
    "declaration": lambda message: (
        b'<?xml version="1.0" encoding="utf-8"?>\n' + message.partition(b"?>")[2].lstrip()
        if message.startswith(b"<?xml")
        else b'<?xml version="1.0" encoding="utf-8"?>\n' + message
    ),
    "trailing-lines": lambda message: message + b"\r\n\n",
    "apostrophes": lambda message: re.sub(rb'(dau)="([^"]*)"', rb"\1='\2'", message),
    "white-space-in-tags": lambda message: message.replace(b"</Ten>", b"</Ten\r\n >"),
} | {
    name: lambda message, way=way: message.replace(b"<Ten>a &amp; &lt;b&gt;</Ten>", way.encode())  # type: ignore[misc]
    for name, way in WAYS.items()
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", KINDS)
async def test_other_spellings_of_what_was_signed_are_the_same(signing: Signing, kind: str, spelling: str) -> None:
    inside = "<Ten>a &amp; &lt;b&gt;</Ten>"
    answer = await signing.read(kind, inside, ' dau="d"', SPELLINGS[spelling])
    same(answer, expected("soap-1.1", name="a & <b>", mark="d"))
    assert answer.provenance is not None


_NIL = f'<Ten xmlns:xsi="{XSI}" xsi:nil="true"/>'.encode()
MISREADINGS: dict[str, tuple[Respell, str]] = {
    "trimmed": (lambda message: message.replace(b"<Ten> a </Ten>", b"<Ten>a</Ten>"), "altered"),
    "nil": (
        lambda message: message.replace(b"<Ten> a </Ten>", _NIL),
        "altered",
    ),
    "comment": (lambda message: message.replace(b"<Ten> a </Ten>", b"<Ten> a<!-- --> </Ten>"), "malformed"),
    "garbage-after": (lambda message: message + b"x", "malformed"),
}


@pytest.mark.parametrize("case", MISREADINGS)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_changed_on_the_way_is_refused(signing: Signing, kind: str, case: str) -> None:
    respell, reason = MISREADINGS[case]
    with pytest.raises(UpstreamSignatureRejected) as refused:
        await signing.read(kind, "<Ten> a </Ten>", "", respell)
    assert refused.value.reason == reason


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_a_signed_envelope_of_the_other_version_is_refused(signing: Signing, version: str) -> None:
    other = "1.2" if version == "1.1" else "1.1"
    with pytest.raises(UpstreamSignatureRejected) as refused:
        await asked(signing.database(version), signing.answer(other, "<Ten>a</Ten>"), **signing.endpoint())
    assert refused.value.reason == "malformed"


@pytest.mark.parametrize("kind", ["1.1", "1.2"])
async def test_a_source_that_forgets_to_sign_is_not_read(signing: Signing, kind: str) -> None:
    answer = http(envelope(payload("<Ten>a</Ten>"), kind), MEDIA[kind])
    with pytest.raises(UpstreamSignatureRejected) as refused:
        await asked(signing.database(kind), answer, **signing.endpoint())
    assert refused.value.reason == "not-covered"


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_given_before_answers_nothing_else(signing: Signing, kind: str) -> None:
    """The message id (X-Road enforces no unique ones) or signature of another question ties it to that one."""
    first: list[bytes] = []

    def once(question: bytes) -> bytes:
        first.append(signing.answer(kind, "<Ten>a</Ten>")(question))
        return first[0]

    database, endpoint = signing.database(kind), signing.endpoint()
    same(await asked(database, once, **endpoint), expected("soap-1.1", name="a"))
    with pytest.raises(UpstreamSignatureRejected) as refused:
        await asked(database, once, **endpoint)
    assert refused.value.reason == "not-answer-to-request"


def test_an_ocsp_answer_that_ends_during_the_exchange_vouches_no_longer() -> None:
    root = Holder.root()
    leaf = root.issue("CSDL thử", ocsp_url="http://ocsp.example/")
    known = StatusRegister([root.certificate], StatusPolicy(), clock=lambda: NOW)
    trust = AnchoredTrust.within(
        TrustDomain.of("public", [root.certificate], [], known), ExpectedSigner((named("CSDL thử"),))
    )
    signer = SigningKey.of(leaf.key, leaf.certificate)
    ends = NOW + timedelta(seconds=30)
    known.take_answer(root.answer(leaf, until=ends), Subject(leaf.certificate, root.certificate))
    policy = SignaturePolicy()

    def answered(at: datetime) -> bytes:
        return sign_soap_parts(b"<a></a>", signer, now=at).envelope

    # Asked while it held and answered after: the verdict is that of the moment at which the answer is read.
    assert verify_soap(answered(NOW), policy, trust, now=ends).assurance == ("public", "good")
    with pytest.raises(Unsettled):
        verify_soap(answered(NOW), policy, trust, now=ends + timedelta(seconds=1))
    # What the responder says when it is asked once more settles it, for better or worse.
    known.take_answer(root.answer(leaf, since=NOW, until=NOW + DAY), Subject(leaf.certificate, root.certificate))
    assert verify_soap(answered(NOW), policy, trust, now=ends + timedelta(seconds=1)).assurance == ("public", "good")


@pytest.mark.parametrize("name", ["qualified", "unqualified", "other-names"])
async def test_a_question_signed_by_any_contract_holds_and_so_does_the_answer(signing: Signing, name: str) -> None:
    database = DATABASES[name]
    soap = soap_of(database)
    anchors = x509.load_pem_x509_certificates(signing.pki.registries_ca.read_bytes())
    trust = AnchoredTrust(anchors, subject=signing.signer.certificate.subject)
    asked_for: list[str] = []

    def answered(question: bytes) -> bytes:
        proven = verify_soap(question.partition(b"\r\n\r\n")[2], SignaturePolicy(), trust)
        asked_for.append("".join(str(text) for text in proven.element.itertext()))
        canonical = etree.tostring(etree.fromstring(ANSWERS[name]), method="c14n", exclusive=True)
        signed = sign_soap_parts(canonical, signing.signer, version=soap.version, confirms=proven.signature_value)
        return http(signed.envelope, MEDIA[soap.version])

    signs = replace(database, operations=(replace(database.operations[0], signed=True),))
    same(await asked(signs, answered, " 00 & <1> ", **signing.endpoint()), DATA)
    assert asked_for == [" 00 & <1> "]
