"""What an OCSP answer proves, and every way in which one proves nothing."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from security.trust_ocsp import Unusable, judged, question
from tests.test_revocation.issuing import DAY, HOUR, NOW, REVOKED, UNKNOWN, Holder, der, usage

ROOT = Holder.root()
LEAF = ROOT.issue()
OTHER = ROOT.issue("CSDL khác")
STRANGER = Holder.root("CA lạ")
NAME = ocsp.OCSPResponderEncoding.NAME
STRANGE = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)


def refusal(body: bytes, at=NOW, **options) -> str:
    with pytest.raises(Unusable) as refused:
        judged(body, ROOT.certificate, at, **options)
    return str(refused.value)


@pytest.mark.parametrize("encoding", [ocsp.OCSPResponderEncoding.HASH, NAME])
@pytest.mark.parametrize("named_by", [hashes.SHA1(), hashes.SHA256()])
@pytest.mark.parametrize("delegated", [False, True])
def test_what_the_issuer_or_its_delegate_says_counts(encoding, named_by, delegated) -> None:
    responder = ROOT.responder() if delegated else None
    options = {"encoding": encoding, "named_by": named_by, "responder": responder}
    answer = judged(ROOT.answer(LEAF, **options), ROOT.certificate, NOW)
    assert (answer.status, answer.serial, answer.until) == ("good", LEAF.certificate.serial_number, NOW + HOUR)
    revoked = judged(ROOT.answer(LEAF, REVOKED, **options), ROOT.certificate, NOW)
    assert (revoked.status, revoked.revoked_at, revoked.on_hold) == ("revoked", NOW - 2 * HOUR, False)
    assert judged(ROOT.answer(LEAF, UNKNOWN, **options), ROOT.certificate, NOW).status == "unknown"


@pytest.mark.parametrize("kind", ["rsa", "p384"])
def test_other_keys_sign_too(kind) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP384R1())
    root = Holder.root("CA khác", key=key)
    answer = root.answer(root.issue(), algorithm=hashes.SHA384())
    assert judged(answer, root.certificate, NOW).status == "good"


def test_nobody_else_may_answer() -> None:
    lookalike = Holder.root(ROOT.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
    assert lookalike.certificate.subject == ROOT.certificate.subject
    for responder in (
        STRANGER,
        lookalike,
        LEAF,
        OTHER,
        ROOT.responder(purposes=()),
        ROOT.responder(purposes=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)),
        ROOT.responder(said=usage("key_encipherment")),
        ROOT.responder(key=ec.generate_private_key(ec.SECP521R1())),
        STRANGER.responder(),
        lookalike.responder(),
        ROOT.authority().responder(),
    ):
        for encoding in (ocsp.OCSPResponderEncoding.HASH, NAME):
            refusal(ROOT.answer(LEAF, responder=responder, encoding=encoding))
    # The delegate is known, but its certificate does not come with the answer.
    assert "neither" in refusal(ROOT.answer(LEAF, responder=ROOT.responder(), certificates=[OTHER.certificate]))
    # A key that is not that of the responder that is named.
    assert "fit" in refusal(ROOT.answer(LEAF, responder=lookalike, encoding=NAME))
    impostor = ROOT.issue("OCSP")
    genuine = ROOT.responder().certificate
    assert "fit" in refusal(ROOT.answer(LEAF, responder=impostor, encoding=NAME, certificates=[genuine]))


def test_a_delegate_is_asked_about_itself_unless_it_says_that_nobody_needs_to() -> None:
    delegate = ROOT.responder(nocheck=False)
    answer = ROOT.answer(LEAF, responder=delegate)
    assert "may be revoked" in refusal(answer)
    assert "may be revoked" in refusal(answer, listed=lambda _: True)
    seen = []
    assert judged(answer, ROOT.certificate, NOW, listed=lambda one: bool(seen.append(one))).status == "good"
    assert seen == [delegate.certificate]


def test_a_delegate_counts_while_its_certificate_does() -> None:
    soon = ROOT.responder(after=NOW + timedelta(minutes=10))
    answer = ROOT.answer(LEAF, responder=soon)
    assert judged(answer, ROOT.certificate, NOW).until == NOW + timedelta(minutes=10)
    assert "expired" in refusal(answer, NOW + timedelta(minutes=11))
    assert "expired" in refusal(ROOT.answer(LEAF, responder=ROOT.responder(before=NOW + HOUR)))


def test_it_speaks_about_the_certificate_that_was_asked_for() -> None:
    assert judged(ROOT.answer(OTHER), ROOT.certificate, NOW).serial == OTHER.certificate.serial_number
    # The right key signs about somebody else's certificate.
    assert "something else" in refusal(ROOT.answer(LEAF, issuer=STRANGER))
    again = Holder.root("CA gốc")
    assert "something else" in refusal(ROOT.answer(LEAF, issuer=again))
    assert "something else" in refusal(ROOT.answer(LEAF, named_by=hashes.SHA224()))


def test_an_answer_has_its_time() -> None:
    answer = ROOT.answer(LEAF, since=NOW - HOUR, until=NOW + HOUR)
    assert judged(answer, ROOT.certificate, NOW + HOUR).status == "good"
    assert "out of date" in refusal(answer, NOW + HOUR + timedelta(seconds=1))
    assert "future" in refusal(ROOT.answer(LEAF, since=NOW + timedelta(minutes=5), until=NOW + HOUR))
    assert judged(ROOT.answer(LEAF, since=NOW + timedelta(seconds=30)), ROOT.certificate, NOW).status == "good"
    # Without an end it means that there may be another one at any time.
    endless = ROOT.answer(LEAF, since=NOW - timedelta(minutes=1), until=None)
    assert judged(endless, ROOT.certificate, NOW).until == NOW + timedelta(minutes=9)
    assert "out of date" in refusal(endless, NOW + timedelta(minutes=10))
    # However long it says that it lasts.
    assert judged(ROOT.answer(LEAF, until=NOW + 90 * DAY), ROOT.certificate, NOW).until == NOW - HOUR + 7 * DAY


def test_who_was_revoked_for_good_stays_so_whatever_the_age_of_the_answer() -> None:
    soon = ROOT.responder(after=NOW + timedelta(minutes=10))
    for responder in (None, soon):
        answer = ROOT.answer(LEAF, REVOKED, responder=responder)
        assert judged(answer, ROOT.certificate, NOW + 40 * DAY).status == "revoked"
    on_hold = ROOT.answer(LEAF, REVOKED, reason=x509.ReasonFlags.certificate_hold)
    assert judged(on_hold, ROOT.certificate, NOW).on_hold
    assert "out of date" in refusal(on_hold, NOW + 2 * HOUR)


def test_a_nonce_that_comes_back_is_ours() -> None:
    assert judged(ROOT.answer(LEAF, nonce=b"n" * 16), ROOT.certificate, NOW, nonce=b"n" * 16).status == "good"
    assert judged(ROOT.answer(LEAF), ROOT.certificate, NOW, nonce=b"n" * 16).status == "good"
    assert judged(ROOT.answer(LEAF, nonce=b"n" * 16), ROOT.certificate, NOW).status == "good"
    assert "nonce" in refusal(ROOT.answer(LEAF, nonce=b"m" * 16), nonce=b"n" * 16)


def test_what_is_critical_and_strange_is_refused() -> None:
    assert "critical" in refusal(ROOT.answer(LEAF, more=[STRANGE]))
    assert judged(ROOT.answer(LEAF, more=[(STRANGE[0], False)]), ROOT.certificate, NOW).status == "good"
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    delegate = ROOT.issue("OCSP", more=[(purposes, False), (x509.OCSPNoCheck(), False), STRANGE])
    refusal(ROOT.answer(LEAF, responder=delegate))


@pytest.mark.parametrize("status", [one for one in ocsp.OCSPResponseStatus if one.name != "SUCCESSFUL"])
def test_a_responder_that_refuses_proves_nothing(status) -> None:
    body = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    assert status.name.lower().replace("_", " ") in refusal(der(body))


def test_a_weak_signature_proves_nothing() -> None:
    """No library makes one any more: the name of SHA-256 is changed in a genuine answer, and it is signed anew."""
    old = Holder.root("CA cũ", key=rsa.generate_private_key(65537, 2048))
    answer = old.answer(old.issue())
    read = ocsp.load_der_ocsp_response(answer)
    signature = old.key.sign(read.tbs_response_bytes, padding.PKCS1v15(), hashes.SHA1())
    rsa_with = "2a864886f70d0101"
    weak = answer.replace(bytes.fromhex(rsa_with + "0b"), bytes.fromhex(rsa_with + "05"))
    weak = weak.replace(read.signature, signature)
    assert isinstance(ocsp.load_der_ocsp_response(weak).signature_hash_algorithm, hashes.SHA1)
    with pytest.raises(Unusable, match="fit"):
        judged(weak, old.certificate, NOW)


ANSWER = ROOT.answer(LEAF, responder=ROOT.responder())


@given(place=st.integers(0, len(ANSWER) - 1), bit=st.integers(0, 7))
def test_a_damaged_answer_never_says_anything_else(place, bit) -> None:
    damaged = bytearray(ANSWER)
    damaged[place] ^= 1 << bit
    try:
        answer = judged(bytes(damaged), ROOT.certificate, NOW)
    except Unusable:
        return
    assert answer == judged(ANSWER, ROOT.certificate, NOW)


@given(st.binary(max_size=300))
def test_noise_proves_nothing(noise) -> None:
    refusal(noise)


def test_the_question_names_one_certificate() -> None:
    asked = ocsp.load_der_ocsp_request(question(LEAF.certificate, ROOT.certificate, b"n" * 16))
    assert asked.serial_number == LEAF.certificate.serial_number
    assert asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 16
    assert list(ocsp.load_der_ocsp_request(question(LEAF.certificate, ROOT.certificate)).extensions) == []
