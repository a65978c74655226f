"""Whatever a file holds, `lgsp pki inspect` says something about it and never fails in a way of its own."""

from __future__ import annotations

from base64 import encodebytes
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from security.issuing import PROFILES, Addresses, Wanted, generated, signed, subject_name
from security.pki_files import FileUnreadable, things_in
from security.pki_inspection import Inspection, Piece
from security.signature import utc_now

NOW = utc_now()


def made() -> dict[str, bytes]:
    key = generated("ec")
    subject = subject_name("Trục LGSP", "Sở TT&TT", "H26.12")
    where = Addresses("http://pki.example/a.crl", "http://pki.example/ocsp", "http://pki.example/a.cer")
    wanted = Wanted(
        subject=subject,
        key=key.public_key(),
        profile=PROFILES["tls-server"],
        begin=NOW,
        end=NOW + timedelta(days=365),
        hosts=("a.example", "10.0.0.1"),
        policies=("2.25.1234",),
        addresses=where,
    )
    crl = x509.CertificateRevocationListBuilder().issuer_name(subject).last_update(NOW).next_update(wanted.end)
    entry = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(NOW)
    crl = crl.add_revoked_certificate(entry.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), False).build())
    crl = crl.add_extension(x509.CRLNumber(7), False)
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    request = request.add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), False)
    return {
        "certificate": signed(wanted, subject, key).public_bytes(Encoding.DER),
        "list": crl.sign(key, SHA256()).public_bytes(Encoding.DER),
        "request": request.sign(key, SHA256()).public_bytes(Encoding.DER),
        "key": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    }


GOOD = made()
LABELS = {"certificate": "CERTIFICATE", "list": "X509 CRL", "request": "CERTIFICATE REQUEST", "key": "PRIVATE KEY"}


def explained(path: Path) -> int:
    """Inspect a file alone and beside a good certificate; return how many things it holds."""
    try:
        things = things_in(path)
    except FileUnreadable:
        return 0
    known = x509.load_der_x509_certificate(GOOD["certificate"])
    pieces = [Piece(path, thing) for thing in things]
    for beside in ((), (Piece(path, known),)):
        found = Inspection([*pieces, *beside], [known], NOW).explain()
        assert len(found) == len(pieces) + len(beside)
        assert all(isinstance(line, str) for one in found for line in one.findings)
    return len(things)


@pytest.mark.parametrize("kind", GOOD)
def test_the_good_ones_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(GOOD[kind])
    assert explained(path) == 1


@settings(deadline=None, max_examples=300)
@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 3),
    pem=st.booleans(),
)
@example(kind="certificate", changes=[(12, 9)], cut=0, pem=True)
def test_broken_ones_are_told_of(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: list[tuple[int, int]], cut: int, pem: bool
) -> None:
    raw = bytearray(GOOD[kind])
    for place, value in changes:
        raw[place % len(raw)] = value
    content = bytes(raw[: len(raw) - cut])
    if pem:
        label = LABELS[kind].encode()
        content = b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, encodebytes(content), label)
    path = tmp_path_factory.getbasetemp() / "broken"
    path.write_bytes(content)
    assert explained(path) in ((1,) if pem else (0, 1))


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=300))
def test_anything_else_is_no_failure(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(content)
    explained(path)
