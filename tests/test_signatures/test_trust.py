"""Who may sign: pins, paths, usage, strength, validity, revocation; and our own key files."""

from base64 import b64encode, encodebytes
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from security.signature import Rejected
from security.signature_key import KeyRefused, SigningKey
from security.trust import AnchoredTrust, ByKeyIdentifier, PinnedTrust, load_certificates
from security.trust_revocation import RevocationLists

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def der(certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def refusal(trust, certificate, at=NOW) -> str:
    with pytest.raises(Rejected) as refused:
        trust.accept(certificate if isinstance(certificate, bytes) else der(certificate), at)
    return refused.value.reason


@pytest.fixture
def public(pki):
    return pki.keys["p256"].public_key()


def test_the_expected_signer_is_accepted_and_the_verdict_is_kept_only_while_it_holds(pki, public):
    leaf = pki.certificate("CSDL thử", public, before=NOW - HOUR, after=NOW + HOUR)
    for trust in (pki.anchored(), PinnedTrust([leaf]), pki.anchored(pinned=[leaf]), pki.anchored(None)):
        first = trust.accept(der(leaf), NOW)
        assert first.certificate == leaf
        assert trust.accept(der(leaf), NOW) is first
        assert refusal(trust, leaf, NOW + 2 * HOUR) == "expired"
        assert refusal(trust, leaf, NOW - 2 * HOUR) == "expired"
        assert trust.accept(der(leaf), NOW).certificate == leaf


def test_a_certificate_of_a_version_that_does_not_exist_is_refused(pki, public):
    leaf = der(pki.certificate("CSDL thử", public))
    version = bytes.fromhex("a003020102")
    assert version in leaf
    assert refusal(pki.anchored(), leaf.replace(version, bytes.fromhex("a003020174"), 1)) == "untrusted"


def test_a_certificate_in_base64_is_the_same_as_in_der(pki, public):
    leaf = pki.certificate("CSDL thử", public, before=NOW - HOUR, after=NOW + HOUR)
    text = b64encode(der(leaf)).decode()
    folded = encodebytes(der(leaf)).decode()
    for trust in (pki.anchored(), PinnedTrust([leaf])):
        first = trust.accept(text, NOW)
        assert first.certificate == leaf
        assert first.fingerprint == leaf.fingerprint(hashes.SHA256()).hex()
        assert all(trust.accept(same, NOW) is first for same in (text, der(leaf), folded, f" {text}"))
        for wrong in ("", "?", text[:-4], text + "=", text.replace("=", "") + "A"):
            with pytest.raises(Rejected) as refused:
                trust.accept(wrong, NOW)
            assert refused.value.reason in ("malformed", "untrusted")
        # A verdict on the text ends with the certificate, as the one on the bytes does.
        with pytest.raises(Rejected) as refused:
            trust.accept(text, NOW + 2 * HOUR)
        assert refused.value.reason == "expired"


def test_verdicts_are_not_kept_for_each_spelling_of_a_certificate(pki, public):
    leaf = pki.certificate("CSDL thử", public)
    trust = pki.anchored()
    for spaces in range(20):
        trust.accept(b64encode(der(leaf)).decode() + " " * spaces, NOW)
    assert len(trust._verdicts._signers) == 2


def test_other_signers_are_untrusted(pki, public):
    leaf = pki.certificate("CSDL thử", public)
    twin = pki.certificate("CSDL thử", public)
    stranger = pki.certificate("CSDL khác", public)
    assert refusal(PinnedTrust([leaf]), twin) == "untrusted"
    assert refusal(pki.anchored(pinned=[leaf]), twin) == "untrusted"
    assert refusal(pki.anchored(), stranger) == "untrusted"
    assert pki.anchored(None).accept(der(stranger), NOW)
    # A name of more parts is another name, whatever its CN says.
    more = x509.Name([*pki.name("CSDL thử"), x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "khác")])
    assert refusal(AnchoredTrust([pki.root.certificate], subject=more), leaf) == "untrusted"


def test_a_look_alike_authority_is_untrusted(pki, public):
    lookalike = pki.authority("CA thử")
    leaf = pki.certificate("CSDL thử", public, lookalike)
    assert refusal(pki.anchored(), leaf) == "untrusted"
    assert AnchoredTrust([pki.root.certificate, lookalike.certificate], subject=None).accept(der(leaf), NOW)


def test_paths_go_through_held_intermediates_only(pki, public):
    middle = pki.authority("CA trung gian", pki.root)
    leaf = pki.certificate("CSDL thử", public, middle)
    assert refusal(pki.anchored(), leaf) == "untrusted"
    assert pki.anchored(intermediates=[middle.certificate]).accept(der(leaf), NOW)
    # The path must end at an anchor, not at an intermediate.
    other = pki.authority("CA lạ")
    assert (
        refusal(AnchoredTrust([other.certificate], subject=None, intermediates=[middle.certificate]), leaf)
        == "untrusted"
    )


def test_the_path_length_of_an_authority_binds(pki, public):
    short = pki.authority("CA ngắn", pki.root, path_length=0)
    below = pki.authority("CA dưới", short)
    leaf = pki.certificate("CSDL thử", public, below)
    direct = pki.certificate("CSDL thử", public, short)
    trust = pki.anchored(intermediates=[short.certificate, below.certificate])
    assert refusal(trust, leaf) == "untrusted"
    assert trust.accept(der(direct), NOW)


def test_long_paths_and_authorities_that_vouch_for_each_other_end(pki, public):
    chain = [pki.authority("CA 0", pki.root)]
    for depth in range(1, 8):
        chain.append(pki.authority(f"CA {depth}", chain[-1]))
    trust = pki.anchored(intermediates=[authority.certificate for authority in chain])
    assert refusal(trust, pki.certificate("CSDL thử", public, chain[-1])) == "untrusted"
    assert trust.accept(der(pki.certificate("CSDL thử", public, chain[3])), NOW)
    first, second = pki.authority("A"), pki.authority("B")
    crossed = [
        pki.certificate("A", first.key.public_key(), second, ca=True),
        pki.certificate("B", second.key.public_key(), first, ca=True),
    ]
    assert refusal(pki.anchored(intermediates=crossed), pki.certificate("CSDL thử", public, first)) == "untrusted"


def test_authorities_do_not_sign_messages_and_leaves_do_not_issue(pki, public):
    authority = pki.authority("CSDL thử", pki.root)
    assert refusal(pki.anchored(), authority.certificate) == "untrusted"
    assert refusal(pki.anchored(None), pki.root.certificate) == "untrusted"
    leaf = pki.certificate("CA giả", public)
    issued = pki.certificate("CSDL thử", public, type(authority)(leaf, pki.keys["p256"]))
    assert refusal(pki.anchored(intermediates=[leaf]), issued) == "untrusted"
    assert refusal(AnchoredTrust([leaf], subject=None), issued) == "untrusted"


def test_a_certificate_that_says_nothing_about_its_use_may_sign(pki, public):
    """RFC 5280 section 4.2.1.3: keyUsage restricts where it is there; small authorities leave it out."""
    silent = pki.certificate("CSDL thử", public, usage=False)
    assert pki.anchored().accept(der(silent), NOW).certificate == silent


@pytest.mark.parametrize(
    "options",
    [
        {"sign": False},
        {"ca": True, "issues": False},
        {"ca": False, "issues": True},
        {"critical": x509.NameConstraints([x509.DNSName("example")], None)},
        {"critical": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")},
    ],
)
def test_a_certificate_made_for_something_else_is_untrusted(pki, public, options):
    assert refusal(pki.anchored(), pki.certificate("CSDL thử", public, **options)) == "untrusted"


def test_weak_and_foreign_keys_are_untrusted(pki):
    for kind in ("rsa-1024", "p521"):
        leaf = pki.certificate("CSDL thử", pki.keys[kind].public_key())
        assert refusal(pki.anchored(), leaf) == "untrusted"
        with pytest.raises(ValueError, match=r"RSA|ECDSA"):
            PinnedTrust([leaf])
        with pytest.raises(KeyRefused):
            SigningKey.of(pki.keys[kind], leaf)
    edwards = pki.certificate("CSDL thử", ed25519.Ed25519PrivateKey.generate().public_key())
    assert refusal(pki.anchored(), edwards) == "untrusted"


def test_an_expired_authority_vouches_for_nobody(pki, public):
    old = pki.authority("CA cũ", pki.root, before=NOW - 20 * DAY, after=NOW - DAY)
    leaf = pki.certificate("CSDL thử", public, old)
    trust = pki.anchored(intermediates=[old.certificate])
    assert refusal(trust, leaf) == "expired"
    assert trust.accept(der(leaf), NOW - 2 * DAY)
    assert refusal(trust, leaf) == "expired"


def test_wrong_signer_is_said_before_expired(pki, public):
    assert refusal(pki.anchored(), pki.certificate("CSDL khác", public, after=NOW - DAY)) == "untrusted"


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_are_untrusted(pki, noise):
    assert refusal(pki.anchored(), noise) == "untrusted"


# A serial number that is not positive.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(at=st.floats(0, 1, exclude_max=True), to=st.integers(0, 255))
def test_a_damaged_certificate_is_refused(pki, at, to):
    good = bytearray(der(pki.certificate("CSDL thử", pki.keys["p256"].public_key())))
    position = int(at * len(good))
    if good[position] != to:
        good[position] = to
        assert refusal(pki.anchored(), bytes(good)) in ("untrusted", "expired")


def test_a_revoked_certificate_is_called_revoked(pki, public):
    good, bad = (pki.certificate("CSDL thử", public) for _ in range(2))
    lists = RevocationLists([pki.crl([bad])], [pki.root.certificate])
    for trust in (pki.anchored(revocation=lists), PinnedTrust([good, bad], lists)):
        assert trust.accept(der(good), NOW)
        assert refusal(trust, bad) == "revoked"
        # Before it was revoked it held.
        assert trust.accept(der(bad), NOW - 2 * DAY)
        assert refusal(trust, bad) == "revoked"


def test_silence_about_revocation_is_not_good_standing(pki, public):
    leaf = pki.certificate("CSDL thử", public)
    stale = pki.anchored(revocation=RevocationLists([pki.crl([], until=NOW + HOUR)], [pki.root.certificate]))
    assert stale.accept(der(leaf), NOW)
    assert refusal(stale, leaf, NOW + 2 * HOUR) == "untrusted"
    middle = pki.authority("CA trung gian", pki.root)
    below = pki.certificate("CSDL thử", public, middle)
    only_root = RevocationLists([pki.crl([])], [pki.root.certificate])
    assert refusal(pki.anchored(intermediates=[middle.certificate], revocation=only_root), below) == "untrusted"


def test_a_revoked_intermediate_revokes_what_it_issued(pki, public):
    middle = pki.authority("CA trung gian", pki.root)
    leaf = pki.certificate("CSDL thử", public, middle)
    issuers = [pki.root.certificate, middle.certificate]
    for revoked, reason in (([middle.certificate], "revoked"), ([], None)):
        lists = RevocationLists([pki.crl(revoked), pki.crl([], middle)], issuers)
        trust = pki.anchored(intermediates=[middle.certificate], revocation=lists)
        if reason:
            assert refusal(trust, leaf) == reason
        else:
            assert trust.accept(der(leaf), NOW)


def test_revocation_lists_must_be_their_issuers(pki, tmp_path):
    lookalike = pki.authority("CA thử")
    with pytest.raises(ValueError, match="not signed"):
        RevocationLists([pki.crl([], lookalike)], [pki.root.certificate])
    path = tmp_path / "list.crl"
    for encoding in (Encoding.PEM, Encoding.DER):
        path.write_bytes(pki.crl([]).public_bytes(encoding))
        assert RevocationLists.load([path], [pki.root.certificate])
    der_form = pki.crl([]).public_bytes(Encoding.DER)
    # Version 6, and a name that is no text but a string of bits: the library has other errors than ValueError for them.
    for old, new in (("020101", "020105"), ("06035504030c", "060355040303")):
        path.write_bytes(der_form.replace(bytes.fromhex(old), bytes.fromhex(new), 1))
        with pytest.raises(ValueError, match=r"list\.crl"):
            RevocationLists.load([path], [pki.root.certificate])
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"list\.crl"):
        RevocationLists.load([path], [pki.root.certificate])


def test_identifiers_are_resolved_among_pinned_certificates_only(pki, public):
    leaf = pki.certificate("CSDL thử", public)
    identifier = ByKeyIdentifier(x509.SubjectKeyIdentifier.from_public_key(public).digest)
    assert pki.anchored(pinned=[leaf]).accept(identifier, NOW).certificate == leaf
    with pytest.raises(Rejected) as refused:
        pki.anchored().accept(identifier, NOW)
    assert refused.value.reason == "untrusted"


def write(path, key, mode=0o600, encryption=None):
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))
    path.chmod(mode)
    return path


def test_key_files_are_read_only_if_nobody_else_can(pki, tmp_path):
    private = pki.keys["p256"]
    certificate = tmp_path / "cert.pem"
    certificate.write_bytes(pki.certificate("CSDL thử", private.public_key()).public_bytes(Encoding.PEM))
    for mode in (0o600, 0o400):
        assert SigningKey.load(write(tmp_path / f"key{mode}", private, mode), certificate).sign(b"x")
    for mode in (0o640, 0o604, 0o620, 0o601):
        with pytest.raises(KeyRefused, match="chmod 600"):
            SigningKey.load(write(tmp_path / f"key{mode}", private, mode), certificate)
    locked = write(tmp_path / "locked", private, encryption=BestAvailableEncryption(b"secret"))
    assert SigningKey.load(locked, certificate, b"secret").certificate == load_certificates(certificate)[0]
    for password in (None, b"wrong"):
        with pytest.raises(KeyRefused, match="locked"):
            SigningKey.load(locked, certificate, password)
    good = write(tmp_path / "good", private)
    with pytest.raises(KeyRefused, match="missing"):
        SigningKey.load(tmp_path / "missing", certificate)
    with pytest.raises(KeyRefused, match="regular"):
        SigningKey.load(tmp_path, certificate)
    with pytest.raises(KeyRefused, match="no certificate"):
        SigningKey.load(good, good)
    with pytest.raises(KeyRefused, match="another private key"):
        SigningKey.load(write(tmp_path / "other", ec.generate_private_key(ec.SECP256R1())), certificate)
    with pytest.raises(KeyRefused, match="RSA or ECDSA"):
        SigningKey.load(write(tmp_path / "ed", ed25519.Ed25519PrivateKey.generate()), certificate)


def test_a_key_does_not_show_itself(pki):
    key = pki.signer("p256")
    assert "private" not in repr(key)
    assert key.token.decode() not in repr(key)


def test_a_certificate_signed_with_sha1_is_untrusted(pki, public):
    """No library makes one any more: both names of SHA-256 are changed in a genuine one, and it is signed anew."""
    private = pki.keys["rsa"]
    authority = type(pki.root)(None, private)
    authority = type(pki.root)(pki.certificate("CA RSA", private.public_key(), authority, ca=True), private)
    trust = AnchoredTrust([authority.certificate], subject=None)
    genuine = pki.certificate("CSDL thử", public, authority)
    assert trust.accept(der(genuine), NOW)
    rsa_with = "2a864886f70d0101"
    to_be_signed = genuine.tbs_certificate_bytes.replace(bytes.fromhex(rsa_with + "0b"), bytes.fromhex(rsa_with + "05"))
    signature = private.sign(to_be_signed, padding.PKCS1v15(), hashes.SHA1())
    weak = der(genuine).replace(genuine.tbs_certificate_bytes, to_be_signed)
    weak = weak.replace(bytes.fromhex(rsa_with + "0b"), bytes.fromhex(rsa_with + "05")).replace(
        genuine.signature, signature
    )
    parsed = x509.load_der_x509_certificate(weak)
    parsed.public_key()
    private.public_key().verify(parsed.signature, parsed.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1())
    assert refusal(trust, weak) == "untrusted"
