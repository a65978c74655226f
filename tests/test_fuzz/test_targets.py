"""The targets of `make fuzz` without the fuzzer: each takes what it starts from and sees where a promise is broken."""

import random
from collections import Counter

import pytest

from fuzz import targets, world
from fuzz.mutations import mutated
from fuzz.targets import ACCEPTED, TARGETS, Broken
from security import http_signature, signature_structure, soap_signature, xml_signature
from security.signature import Rejected

VERDICTS = {
    "soap": {ACCEPTED: 12, "malformed": 2},
    "enveloped": {ACCEPTED: 4},
    "xml": {ACCEPTED: 4, "comment": 1, "doctype": 1, "too-deep": 1, "no canonical form": 1},
    "request": {ACCEPTED: 3},
    "fields": {ACCEPTED: 4},
    "presented": {ACCEPTED: 3, "untrusted": 3, "expired": 1, "revoked": 1},
    "revocation": {ACCEPTED: 1, "revoked": 3},
    "ocsp": {"good": 3, "revoked": 1, "unusable": 1},
}


def verdicts(name: str) -> Counter[str]:
    target, seeds = TARGETS[name]
    return Counter(map(target, seeds()))


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_knows_what_it_starts_from(name):
    assert verdicts(name) == VERDICTS[name]


# A serial number that is not positive.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("name", TARGETS)
def test_changed_inputs_end_in_a_verdict(name):
    target, seeds = TARGETS[name]
    chance = random.Random(name)
    for seed in seeds():
        for _ in range(20):
            start = chance.randrange(len(seed))
            put = chance.choice([b"", b"<", b"\0", b"\xff", b'"', seed[start : start + 40], chance.randbytes(3)])
            target(seed[:start] + put + seed[start + chance.choice([0, 0, 1, 5]) :])
            target(mutated(seed, 16_384, chance.randrange(1 << 32)))
    assert target(b"") != ACCEPTED or name == "fields"


@pytest.mark.parametrize("name", ["soap", "enveloped", "request", "xml"])
def test_whole_pieces_are_changed_so_that_genuine_messages_come_out(name):
    target, seeds = TARGETS[name]
    found = Counter(target(mutated(seeds()[0], 16_384, number)) for number in range(400))
    assert found[ACCEPTED] > 4
    assert len(found) > 1
    assert all(len(mutated(seed, 100, number)) <= 100 for seed in seeds() for number in range(20))


def nothing(*_, **__):
    return None


@pytest.mark.parametrize(
    ("name", "module", "check"),
    [
        ("soap", soap_signature, "check_digest"),
        ("enveloped", xml_signature, "check_digest"),
        ("soap", soap_signature, "_check_answers"),
        ("request", http_signature, "check_content_digest"),
        ("request", http_signature, "_check_coverage"),
    ],
)
def test_a_check_that_is_left_out_is_seen(name, module, check, monkeypatch):
    """Changes what was signed, as a fuzzer would; without the check it is accepted, and the target says so."""
    target, seeds = TARGETS[name]
    forgeries = [
        (b"Nguy", b"nguy"),
        (b"urn:uuid:asked<", b"urn:uuid:other<"),
        (b"Sheet>12", b"Sheet>13"),
        (b'{"a":1}', b'{"a":2}'),
        (b' "lgsp-purpose"', b""),
    ]
    changed = [
        forged
        for seed in seeds()
        for text in (seed, filled(name, seed))
        for old, new in forgeries
        if (forged := text.replace(old, new)) != text
    ]
    genuine = {one for one in changed if target(one) == ACCEPTED}
    monkeypatch.setattr(module, check, nothing)
    forged = [one for one in changed if one not in genuine]
    with pytest.raises(Broken):
        list(map(target, forged))


def filled(name: str, seed: bytes) -> bytes:
    if name == "request":
        return seed.replace(b"[digest]", targets.content_digest(b'{"a":1}')[9:-1].encode())
    return world.genuine(seed).document


def test_an_exception_that_is_not_ours_gets_out(monkeypatch):
    def fails(*_):
        raise TypeError

    monkeypatch.setattr(soap_signature, "plain_message", fails)
    with pytest.raises(TypeError):
        verdicts("soap")


@pytest.mark.parametrize("name", ["soap", "enveloped"])
def test_the_two_ways_to_read_a_message_are_compared(name, monkeypatch):
    def refuses(*_, **__):
        raise Rejected("malformed", "nothing is read")

    monkeypatch.setattr(signature_structure, "walked_signed_info", refuses)
    with pytest.raises(Broken):
        verdicts(name)
