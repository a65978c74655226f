"""Every fact that a verified message proves, whichever of three ways it was read, and the memory that it is put in."""

import base64
import dataclasses
import hashlib
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from lxml import etree

from security import soap_plain, soap_signature
from security.signature import Assurance, RecentSignatures, Rejected, SignaturePolicy
from security.signature_algorithms import ALGORITHMS, checks, sign, weakness
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts
from security.xml import canonical
from security.xml_signature import sign_enveloped, verify_enveloped

DS = "{http://www.w3.org/2000/09/xmldsig#}"
PAYLOAD = b'<a xmlns="urn:a">1</a>'
ASKED = base64.b64encode(b"asked").decode()


@pytest.fixture(params=["plain", "walked"])
def way(request, monkeypatch):
    """Both ways to read SOAP; patterns are made anew, so that how they are made is looked at too."""
    soap_plain._form.cache_clear()
    if request.param == "walked":
        monkeypatch.setattr(soap_signature, "plain_message", lambda *_: None)
    return request.param


def check_signer(verified, document, key):
    info = next(etree.fromstring(document).iter(f"{DS}SignedInfo"))
    value = next(etree.fromstring(document).iter(f"{DS}SignatureValue")).text
    assert verified.signer == key.certificate
    assert verified.subject == key.certificate.subject.rfc4514_string()
    assert verified.fingerprint == key.certificate.fingerprint(hashes.SHA256()).hex()
    assert verified.signature_digest == hashlib.sha256(canonical(info)).digest()
    assert verified.signature_value == value
    assert verified.algorithm == key.algorithm.uri
    assert verified.assurance == Assurance()


@pytest.mark.parametrize("confirms", [None, ASKED])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_what_a_soap_message_proves(pki, key, now, way, version, confirms):
    made = sign_soap_parts(PAYLOAD, key, version=version, now=now, confirms=confirms, lifetime=timedelta(minutes=2))
    verified = verify_soap(made.envelope, SignaturePolicy(), pki.pinned(key), now=now, confirms=confirms)
    check_signer(verified, made.envelope, key)
    assert canonical(verified.element) == PAYLOAD
    assert verified.headers == ()
    assert verified.signed_at == now
    # Its own end comes before the policy's.
    assert verified.fresh_until == now + timedelta(minutes=2) + SignaturePolicy().skew
    assert verified.confirms == (() if confirms is None else (confirms,))


@pytest.mark.parametrize("given", [None, base64.b64encode(b"another").decode()])
def test_an_answer_that_confirms_another_question_is_none(pki, key, now, way, given):
    envelope = sign_soap_parts(PAYLOAD, key, now=now, confirms=given).envelope
    with pytest.raises(Rejected) as refused:
        verify_soap(envelope, SignaturePolicy(), pki.pinned(key), now=now, confirms=ASKED)
    assert refused.value.reason == "not-answer-to-request"


def test_its_own_end_counts_for_every_message(pki, key, now, way):
    envelope = sign_soap_parts(PAYLOAD, key, now=now, lifetime=timedelta(seconds=30)).envelope
    policy = SignaturePolicy(skew=timedelta(0))
    assert verify_soap(envelope, policy, pki.pinned(key), now=now + timedelta(seconds=29))
    with pytest.raises(Rejected) as refused:
        verify_soap(envelope, policy, pki.pinned(key), now=now + timedelta(seconds=30))
    assert refused.value.reason == "stale"


def test_what_an_enveloped_signature_proves(pki, key, now):
    document = sign_enveloped(f'<a requestId="r" issuedAt="{now.isoformat()}">1</a>'.encode(), key)
    verified = verify_enveloped(document, SignaturePolicy(), pki.pinned(key), now=now, request_id="r")
    check_signer(verified, document, key)
    assert verified.element.text == "1"
    assert verified.headers == ()
    assert verified.signed_at == now
    assert verified.fresh_until == now + SignaturePolicy().max_age + SignaturePolicy().skew
    assert verified.confirms == ()


def test_each_message_is_remembered_by_itself(pki, key, now, way):
    policy = SignaturePolicy(replays=RecentSignatures(clock=lambda: now))
    enveloped = [sign_enveloped(f'<a n="{n}" issuedAt="{now.isoformat()}"></a>'.encode(), key) for n in range(2)]
    envelopes = [sign_soap_parts(PAYLOAD, key, now=now).envelope for _ in range(2)]
    asked = [(verify_enveloped, one) for one in enveloped] + [(verify_soap, one) for one in envelopes]
    for verify, document in asked:
        assert verify(document, policy, pki.pinned(key), now=now)
    for verify, document in asked:
        with pytest.raises(Rejected) as refused:
            verify(document, policy, pki.pinned(key), now=now)
        assert refused.value.reason == "replayed"


class Vouched:
    """A trust that says how far it vouches, as a trust domain does."""

    def __init__(self, trust):
        self._trust = trust

    def accept(self, presented, now):
        return dataclasses.replace(self._trust.accept(presented, now), assurance=Assurance("domain", "good"))


def test_how_far_a_signer_was_vouched_for_is_passed_on(pki, key, now, way):
    trust = Vouched(pki.pinned(key))
    document = sign_enveloped(f'<a issuedAt="{now.isoformat()}"></a>'.encode(), key)
    assert verify_enveloped(document, SignaturePolicy(), trust, now=now).assurance == ("domain", "good")
    envelope = sign_soap_parts(PAYLOAD, key, now=now).envelope
    assert verify_soap(envelope, SignaturePolicy(), trust, now=now).assurance == ("domain", "good")


def test_a_value_of_the_wrong_length_is_malformed(pki):
    for private in (pki.keys["p256"], pki.keys["p384"]):
        for uri, check in checks(private.public_key()).items():
            value = sign(ALGORITHMS[uri], private, b"data")
            for wrong in (value[:-1], value + b"\0", b""):
                with pytest.raises(Rejected) as refused:
                    check(wrong, b"data")
                assert refused.value.reason == "malformed"


def test_one_signature_by_each_algorithm_that_fits_a_key(pki):
    for private in (pki.keys["rsa"], pki.keys["p256"], pki.keys["p384"]):
        fitting = checks(private.public_key())
        for uri, check in fitting.items():
            value = sign(ALGORITHMS[uri], private, b"data")
            check(value, b"data")
            with pytest.raises(Rejected):
                check(value, b"other")


def test_keys_are_neither_weak_nor_a_way_to_spend_our_time(pki):
    for bits, good in ((1024, False), (2047, False), (2048, True), (4096, True), (4097, False), (8192, False)):
        found = weakness(rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key())
        assert (found is None) is good, bits
    assert weakness(pki.keys["p256"].public_key()) is None
    assert weakness(pki.keys["p384"].public_key()) is None
    assert "secp521r1" in weakness(pki.keys["p521"].public_key())
    assert weakness(ed25519.Ed25519PrivateKey.generate().public_key()) is not None
