"""Every attack against the verifiers: refused for its reason, at a bounded cost, by quick reading and walk alike.

`python -m pytest tests/test_attacks/test_verifier.py -s` ends with a table of what the refusals cost.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from security import soap_signature
from security.signature import RecentSignatures, Rejected, SignaturePolicy, Verified
from security.soap_signature import verify_soap
from security.xml import canonical
from security.xml_signature import verify_enveloped
from tests.test_attacks import sources
from tests.test_attacks.attack import MARK, Attack, Genuine, signed_anew
from tests.test_attacks.costs import bounded, table
from tests.test_attacks.everything import (
    ATTACKS,
    DOCUMENTS,
    FAMILIES,
    SOAP,
    attacks,
    documents,
    envelopes,
)
from tests.test_attacks.forging import certificate, der_of, same_kind, showing
from tests.test_attacks.traps import touched
from tests.test_docs.pages import rows, section, text_of


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    yield
    print(f"\n{table()}")


def verified(document: bytes, message: Genuine, policy: SignaturePolicy = sources.POLICY) -> Verified:
    """What a verifier that knows the source and the question says."""
    kind = "rsa" if message.source.key.algorithm.kind == "pkcs1" else "p256"
    trust = sources.trust(kind)
    if hasattr(message, "body"):
        return verify_soap(document, policy, trust, confirms=sources.ASKED, now=sources.NOW)
    return verify_enveloped(document, policy, trust, request_id=sources.REQUEST, now=sources.NOW)


def refusal(attack: Attack, message: Genuine, policy: SignaturePolicy) -> Rejected | None:
    """Why the attack was refused, at a bounded cost; None where the message has nothing to be attacked so."""
    forged = attack.forge(message)
    if forged is None:
        return None
    assert attack.after or forged != message.octets, "the attack changes nothing"
    once = replace(policy, replays=RecentSignatures(clock=lambda: sources.NOW))
    if attack.after:
        verified(message.octets, message, once)
    with bounded(attack.family, attack.name, len(forged)), pytest.raises(Rejected) as why:
        verified(forged, message, once)
    assert why.value.reason in attack.reasons, (why.value, message.octets[:200])
    assert MARK.decode() not in str(why.value)
    assert touched() == []
    return why.value


@pytest.mark.parametrize("attack", attacks("soap"), ids=str)
def test_a_forged_envelope_is_refused_by_quick_reading_and_walk(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, kind in envelopes(attack):
        message = sources.envelope(kind, version)
        quick = refusal(attack, message, sources.POLICY)
        with monkeypatch.context() as patched:
            patched.setattr(soap_signature, "plain_message", lambda *_: None)
            walked = refusal(attack, message, sources.POLICY)
        assert str(quick) == str(walked), (version, kind)


@pytest.mark.parametrize("attack", attacks("enveloped"), ids=str)
def test_a_forged_document_is_refused(attack: Attack) -> None:
    for kind in documents(attack):
        message = sources.document(kind)
        refusal(attack, message, sources.POLICY)
        if "exclusive" not in attack.needs:
            refusal(attack, message, replace(sources.POLICY, inclusive_c14n=True))


def messages() -> list[Genuine]:
    return [
        *(sources.envelope(kind, version) for version, kind in SOAP),
        *map(sources.document, DOCUMENTS),
    ]


# What each family starts from is accepted, so that its attacks are refused for what they do.
@pytest.mark.parametrize("quick", [True, False])
def test_the_genuine_message_is_accepted(quick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not quick:
        monkeypatch.setattr(soap_signature, "plain_message", lambda *_: None)
    for message in messages():
        found = verified(message.octets, message)
        assert found.element.findtext(".//{*}Name") == "genuine"
        assert MARK not in canonical(found.element)


def test_what_attacks_are_made_with_makes_messages_that_are_accepted() -> None:
    for message in messages():
        key = message.source.key
        # The forged message under the source's own key is no forgery: this is what a deceived verifier would hand over.
        assert verified(message.by(key), message).element.findtext(".//{*}Name") == MARK.decode()
        assert verified(signed_anew(message.saying(MARK), key), message).element.findtext(".//{*}Name") == MARK.decode()
        assert verified(signed_anew(message.octets, key), message)
        # So is another certificate of the same authority for the same source.
        renewed = certificate(message.source, same_kind(message.source))
        assert verified(showing(message, der_of(renewed), same_kind(message.source)), message)


@pytest.mark.parametrize("spoil", [b"", b"\n", b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="utf-8"?>'])
def test_what_honest_senders_write_otherwise_is_accepted(spoil: bytes) -> None:
    for message in messages():
        octets = message.octets + spoil if spoil == b"\n" else spoil + message.octets
        assert verified(octets, message)
        value = re.sub(rb"(<ds:SignatureValue>)([^<]{9})", rb"\1\n \2\r\n", octets)
        assert verified(value, message)
        assert verified(octets.replace(b"genuine", b"<![CDATA[genuine]]>"), message)


def test_there_are_enough_attacks_of_each_family() -> None:
    assert len({(attack.family, attack.name, attack.kinds) for attack in ATTACKS}) == len(ATTACKS)
    assert len(attacks("soap")) >= 300
    assert len(attacks("enveloped")) >= 150
    assert min(FAMILIES.values()) >= 6
    counted = [
        [str(sum(one.family == name for one in attacks(kind))) for kind in ("soap", "enveloped")] for name in FAMILIES
    ]
    told = rows(section(text_of("docs/security.md"), "### Attacks that are tried"))
    assert told == [[name, *numbers] for name, numbers in zip(FAMILIES, counted, strict=True)]
