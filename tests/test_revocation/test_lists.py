"""Revocation lists as they came: what their signature is checked over, and that nothing else is taken."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from security.trust_revocation import RevocationLists, parse_list
from tests.test_revocation.issuing import HOUR, NOW, Holder, der

KEYS = {
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}
ROOT = Holder.root()
LEAF = ROOT.issue()
# Longer than what one octet of length can say, and longer than what two can.
LISTS = {size: der(ROOT.crl(*[LEAF] * size)) for size in (0, 1, 20, 3_000)}


def taken(octets: bytes, root: Holder = ROOT) -> bool:
    return RevocationLists((), [root.certificate]).take(parse_list(octets), octets)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_every_key_and_hash_that_signs_here_is_understood(kind: str, algorithm: hashes.HashAlgorithm) -> None:
    root = Holder.root("CA", key=KEYS[kind])
    octets = der(root.crl(LEAF, algorithm=algorithm))
    assert taken(octets, root)
    for other in (*KEYS.values(), ROOT.key):
        if other is not KEYS[kind]:
            with pytest.raises(ValueError, match="not signed"):
                taken(octets, Holder.root("CA", key=other))


@pytest.mark.parametrize("size", LISTS)
def test_lists_of_every_length_are_taken_in_both_forms(size: int) -> None:
    assert taken(LISTS[size])
    assert taken(parse_list(LISTS[size]).public_bytes(Encoding.PEM))


def test_the_same_list_again_is_none_that_is_newer() -> None:
    lists = RevocationLists((), [ROOT.certificate])
    assert lists.take(parse_list(LISTS[1]), LISTS[1])
    assert not lists.take(parse_list(LISTS[1]), LISTS[1])
    later = der(ROOT.crl(since=NOW - HOUR / 2))
    assert lists.take(parse_list(later), later)


@given(place=st.integers(0, len(LISTS[20]) - 1), bit=st.integers(0, 7))
def test_a_damaged_list_is_not_taken(place: int, bit: int) -> None:
    damaged = bytearray(LISTS[20])
    damaged[place] ^= 1 << bit
    with pytest.raises(ValueError):
        taken(bytes(damaged))


def test_a_list_that_names_two_algorithms_is_none() -> None:
    """RFC 5280 section 5.1.1.2: what is signed names the algorithm too, and it must be the same."""
    root = Holder.root("CA", key=KEYS["rsa"])
    octets = der(root.crl(LEAF))
    with_rsa = bytes.fromhex("2a864886f70d0101")
    first = octets.index(with_rsa + b"\x0b")
    changed = octets[:first] + with_rsa + b"\x0c" + octets[first + 9 :]
    with pytest.raises(ValueError, match="algorithms"):
        parse_list(changed)
