"""The tool's Ed25519 says yes and no exactly where `cryptography` does, for what is genuine, altered and contrived."""

from hashlib import sha512

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.verify_audit import NEUTRAL, L, P, added, base_multiples, decoded_point, is_signed, multiples, times

# RFC 8032 section 7.1: public key, message, signature.
PUBLISHED = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
MESSAGES = st.binary(max_size=100)


def theirs(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def scalar(number: int) -> bytes:
    return number.to_bytes(32, "little")


def encoded(point: tuple[int, int, int, int]) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


# The eight points of small order, canonically encoded: multiples of one of order eight.
EIGHT = decoded_point(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
SMALL = [encoded(times(n, multiples(EIGHT))) for n in range(8)]


@pytest.mark.parametrize(("public", "message", "signature"), PUBLISHED, ids=["empty", "one-byte", "two-bytes"])
def test_published_signatures_hold(public: str, message: str, signature: str) -> None:
    raw = bytes.fromhex(signature)
    assert is_signed(bytes.fromhex(public), bytes.fromhex(message), raw)
    assert not is_signed(bytes.fromhex(public), bytes.fromhex(message) + b"\0", raw)
    for at in range(64):
        assert not is_signed(
            bytes.fromhex(public), bytes.fromhex(message), raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        )


@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32), MESSAGES, st.data())
def test_it_agrees_with_cryptography(seed: bytes, message: bytes, data: st.DataObject) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert is_signed(public, message, signature)
    at, bit = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 7))
    altered = signature[:at] + bytes([signature[at] ^ 1 << bit]) + signature[at + 1 :]
    assert is_signed(public, message, altered) == theirs(public, message, altered) == (altered == signature)
    other = data.draw(MESSAGES)
    assert is_signed(public, other, signature) == theirs(public, other, signature) == (other == message)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 7))
def test_a_scalar_beyond_the_order_is_no_signature(seed: bytes, times_over: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"note")
    s = int.from_bytes(signature[32:], "little") + times_over * L
    malleable = signature[:32] + scalar(s)
    assert not theirs(public, b"note", malleable)
    assert not is_signed(public, b"note", malleable)


@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 128])
def test_a_signature_has_64_bytes(length: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signature = (private.sign(b"") * 2)[:length]
    assert not is_signed(private.public_key().public_bytes_raw(), b"", signature)


SPECIAL = [0, 1, 2, L - 1, L, L + 1, P - 1, P, P + 1, 2**255 - 1, 2**255, 2**256 - 1]


def test_contrived_r_and_s_are_judged_as_by_cryptography() -> None:
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    for r in [*map(scalar, SPECIAL), *SMALL]:
        for s in SPECIAL:
            signature = r + scalar(s)
            assert is_signed(public, b"?", signature) is theirs(public, b"?", signature) is False


def test_keys_of_small_order_are_judged_as_by_cryptography() -> None:
    """No cofactor: with S = 0 and a key A of small order, R = -k*A must be just that, not that times eight."""
    outcomes = set()
    for public in SMALL:
        for r in SMALL:
            for message in (b"", b"a", b"b", b"c"):
                signature = r + bytes(32)
                outcome = is_signed(public, message, signature)
                assert outcome is theirs(public, message, signature)
                outcomes.add(outcome)
    assert outcomes == {True, False}


def test_the_equation_has_no_cofactor() -> None:
    """R with something of small order added to it holds only when both sides are multiplied by eight."""
    seed = sha512(bytes(32)).digest()
    a = int.from_bytes(seed[:32], "little") & ~7 & ~(1 << 255) | 1 << 254
    public = encoded(times(a, base_multiples()))
    for small in (decoded_point(each) for each in SMALL):
        r = encoded(added(times(7, base_multiples()), small))
        k = int.from_bytes(sha512(r + public + b"m").digest(), "little")
        signature = r + scalar((7 + k * a) % L)
        assert is_signed(public, b"m", signature) is theirs(public, b"m", signature) is (encoded(small) == SMALL[0])


@pytest.mark.parametrize("number", [P, P + 1, P + 3, 2**255 - 1, 2**255 + 1, 2**255 + P - 1, 2**256 - 1, 2])
def test_what_is_not_the_encoding_of_a_point_is_no_key(number: int) -> None:
    assert decoded_point(scalar(number)) is None
    assert not is_signed(scalar(number), b"", bytes(64))
    assert decoded_point(scalar(1)) is not None


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_points_add_up(one: int, other: int) -> None:
    base = base_multiples()
    assert encoded(added(times(one, base), times(other, base))) == encoded(times((one + other) % L, base))


def test_the_table_of_a_point_has_its_multiples_at_64_places() -> None:
    table, point = multiples(EIGHT), EIGHT
    assert [len(row) for row in table] == [16] * 64
    for row in table:
        total = NEUTRAL
        for each in row:
            assert encoded(each) == encoded(total)
            total = added(total, point)
        point = total


def torsion(point: tuple[int, int, int, int], place: int) -> tuple[int, int, int, int]:
    """The point with one of small order added to it."""
    return added(point, decoded_point(SMALL[place]))


@pytest.mark.parametrize("r_place", range(8))
@pytest.mark.parametrize("a_place", range(8))
def test_mixed_orders_are_judged_as_by_cryptography(a_place: int, r_place: int) -> None:
    """Key and R of order 8*L: what holds with the cofactor holds without it where their small parts cancel out."""
    a, r = 0x1234567890ABCDEF << 180, 0xFEDCBA0987654321 << 180
    public = encoded(torsion(times(a, base_multiples()), a_place))
    commitment = encoded(torsion(times(r, base_multiples()), r_place))
    for message in (b"0", b"1", b"2"):
        k = int.from_bytes(sha512(commitment + public + message).digest(), "little") % L
        signature = commitment + scalar((r + k * a) % L)
        outcome = is_signed(public, message, signature)
        # SMALL[n] is n times a point of order eight.
        assert outcome is theirs(public, message, signature) is ((r_place + k * a_place) % 8 == 0)
        # With the cofactor every one of them would hold.
        assert not is_signed(public, message, commitment + scalar((r + k * a) % L + L))


def test_the_order_itself_is_no_scalar() -> None:
    """It says what 0 says, and with a key of small order that can hold."""
    for s, expected in ((0, True), (L, False)):
        signature = SMALL[0] + scalar(s)
        assert is_signed(SMALL[0], b"m", signature) is theirs(SMALL[0], b"m", signature) is expected


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, L - 1), MESSAGES)
def test_small_keys_with_any_s_are_judged_as_by_cryptography(a: int, place: int, s: int, message: bytes) -> None:
    """With a key of small order R = S*B - k*A is one of eight points for each S, whoever signs."""
    commitment = encoded(torsion(times(s, base_multiples()), place))
    signature = commitment + scalar(s)
    k = int.from_bytes(sha512(commitment + SMALL[a] + message).digest(), "little") % L
    outcome = is_signed(SMALL[a], message, signature)
    assert outcome is theirs(SMALL[a], message, signature) is ((place + k * a) % 8 == 0)


# Other encodings of points that have one: y beyond the field, and a sign where x is 0.
NOT_CANONICAL = {
    "0-plus-p": (P, 0),
    "0-plus-p-signed": (P | 1 << 255, 0),
    "1-plus-p": (P + 1, 1),
    "1-plus-p-signed": (P + 1 | 1 << 255, 1),
    "1-signed": (1 | 1 << 255, 1),
    "minus-1-signed": (P - 1 | 1 << 255, P - 1),
}


@pytest.mark.parametrize(("odd", "right"), NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_r_is_taken_in_its_one_encoding_alone(odd: int, right: int) -> None:
    """The equation holds for the point, and `cryptography` compares encodings too."""
    seed = sha512(bytes(32)).digest()
    a = int.from_bytes(seed[:32], "little") & ~7 & ~(1 << 255) | 1 << 254
    public = encoded(times(a, base_multiples()))
    for commitment in (scalar(odd), scalar(right)):
        k = int.from_bytes(sha512(commitment + public + b"m").digest(), "little")
        for s in {k * a % L, 0, 1}:
            signature = commitment + scalar(s)
            expected = right == 1 == int.from_bytes(commitment, "little") and s == k * a % L
            assert is_signed(public, b"m", signature) is theirs(public, b"m", signature) is expected


@pytest.mark.parametrize(("odd", "right"), NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_a_key_is_taken_in_its_one_encoding_alone(odd: int, right: int) -> None:
    """RFC 8032 section 5.1.3 decodes no other; OpenSSL is not as strict, and all these points are of small order."""
    taken = False
    for message in (b"%d" % number for number in range(40)):
        signature = SMALL[0] + bytes(32)
        assert not is_signed(scalar(odd), message, signature)
        taken = taken or theirs(scalar(odd), message, signature)
    assert taken, "nothing tells the encodings apart"
    assert decoded_point(scalar(right)) is not None


def test_hundreds_of_signatures_of_many_keys_are_judged_as_by_cryptography() -> None:
    """Genuine ones, and those with one byte changed in key, message, R or S: the same verdict each time."""
    held = 0
    for number in range(60):
        private = Ed25519PrivateKey.from_private_bytes(sha512(b"%d" % number).digest()[:32])
        public, message = private.public_key().public_bytes_raw(), b"note %d\n" % number
        signature = private.sign(message)
        place, flipped = number % 32, 1 << number % 8

        def other(raw: bytes, at: int, bit: int = flipped) -> bytes:
            return raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]

        for case in (
            (public, message, signature),
            (other(public, place), message, signature),
            (public, other(message, place % len(message)), signature),
            (public, message, other(signature, place)),
            (public, message, other(signature, 32 + place)),
        ):
            outcome = is_signed(*case)
            assert outcome is theirs(*case)
            held += outcome
    assert held == 60
