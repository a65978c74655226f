"""Names in certificates: long Vietnamese ones, what must not stand in them, and that their text is read back."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import example, given, settings
from hypothesis import strategies as st

from security.issuing import PROFILES, Wanted, generated, signed
from security.names import attribute_of, name_of, unseen, written
from security.signature import utc_now
from security.trust_presented import plain_name
from tests.test_pki.conftest import Office, inspected, made, openssl

LONG = "Hệ thống một cửa điện tử tỉnh Bà Rịa - Vũng Tàu"
KINDS = [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATION_IDENTIFIER, ObjectIdentifier("1.2.3.4")]

names = st.lists(
    st.lists(
        st.builds(
            attribute_of,
            st.sampled_from(KINDS),
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda one: one.oid,
    ).map(x509.RelativeDistinguishedName),
    min_size=1,
    max_size=4,
).map(x509.Name)


@settings(deadline=None, max_examples=300)
@given(name=names)
@example(name=x509.Name([attribute_of(NameOID.COMMON_NAME, r"\ ")]))
@example(name=x509.Name([attribute_of(NameOID.COMMON_NAME, "a\n\u202e\\, +#=")]))
@example(name=x509.Name([attribute_of(NameOID.COMMON_NAME, LONG * 3)]))
@example(name=x509.Name([attribute_of(NameOID.ORGANIZATION_NAME, "")]))
def test_what_is_written_is_read_and_seen(name: x509.Name) -> None:
    assert name_of(written(name)) == name
    assert unseen(written(name)) is None


def test_other_programs_write_the_same_name(office: Office) -> None:
    told = office.did("issue", "tax", "--common-name", LONG, "--organization", "A, B+C", "--agency", "H26.12")
    subject = x509.load_pem_x509_certificate(Path(told["certificate"]).read_bytes()).subject
    assert name_of(told["subject"]) == subject
    (facts,) = inspected(told["certificate"])
    assert facts["facts"]["subject"] == told["subject"]
    for form in ("RFC2253", "utf8,sep_comma_plus_space,space_eq,lname,esc_2253"):
        text = openssl("x509", "-in", told["certificate"], "-noout", "-subject", "-nameopt", form)
        assert plain_name(name_of(text.strip().removeprefix("subject=").lstrip())) == plain_name(subject), form
    java = r"CN=" + LONG + r", OID.2.5.4.97=H26.12, O=A\, B\+C, C=VN"
    assert name_of(java) == subject


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CN=a,orgId=G13", "part 2 has the unknown type orgId"),
        ("CN=a, O=b;C=VN", "part 2 (O) has ';'"),
        ('CN="a"', "part 1 (CN) has '\"'"),
        ("CN=", "part 1 (CN) is empty"),
        ("CN=a,", "part 2 does not begin"),
        ("=a", "part 1 does not begin"),
        ("CN=a+nothing", "part 2 does not begin"),
        (r"CN=\ff", "part 1 (CN) has a number or an escape"),
        ("CN=#zz", "part 1 (CN) has a number or an escape"),
        ("9.9.9=a", "part 1 (9.9.9) has a number"),
        ("CN=a\\", "part 1 (CN) has '\\\\'"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(text: str, told: str) -> None:
    with pytest.raises(ValueError, match="part") as raised:
        name_of(text)
    assert told in str(raised.value)


def test_long_names_are_counted_in_characters(office: Office) -> None:
    whole = "Ữ" * 64
    told = office.did("issue", "tax", "--common-name", LONG, "--organization", whole)
    text = openssl("x509", "-in", told["certificate"], "-noout", "-subject", "-nameopt", "utf8,sep_multiline")
    assert f"CN={LONG}" in text
    assert f"O={whole}" in text
    assert "OK" in office.verify(told["certificate"])
    refused = office.run("issue", "land", "--common-name", whole + "x")
    assert (refused.exit_code, "65 characters" in refused.stderr, "shorten" in refused.stderr) == (2, True, True)
    # Whoever reads it does not hear the library count the bytes.
    arguments = ("-c", "from commands import app; app()", "pki", "inspect", told["certificate"])
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_mark_of_a_sandbox_counts(tmp_path: Path) -> None:
    office = made(tmp_path / "ca", "--sandbox")
    office.did("issue", "tax", "--common-name", "x" * 51)
    refused = office.run("issue", "land", "--common-name", "x" * 52)
    assert (refused.exit_code, "mark of the sandbox" in refused.stderr) == (2, True)


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31m", "\u202eknab", "a\u2066b", "a\u200bb", "\ufeffa", "a\u2028b"])
def test_nothing_unseen_is_issued(office: Office, text: str) -> None:
    for arguments in (("--common-name", text), ("--common-name", "x", "--organization", text)):
        refused = office.run("issue", "tax", *arguments)
        assert (refused.exit_code, "nobody sees" in refused.stderr) == (2, True)
        assert text not in refused.output
    assert office.did("list") == []


@pytest.mark.parametrize("option", ["--common-name", "--organization"])
@pytest.mark.parametrize("text", ["", "  "])
def test_nobody_is_nobody(office: Office, tmp_path: Path, option: str, text: str) -> None:
    given = ("--common-name", "x", option, text)
    refused = office.run("issue", "tax", *given)
    assert (refused.exit_code, "is empty" in refused.stderr) == (2, True)
    made = Office(tmp_path / "new").run("init", "--organization", text)
    assert (made.exit_code, "is empty" in made.stderr) == (2, True)
    assert not (tmp_path / "new").exists()


def test_what_others_hid_in_a_name_is_shown(tmp_path: Path) -> None:
    key, now = generated("ec"), utc_now()
    subject = x509.Name([attribute_of(NameOID.COMMON_NAME, "a\nPROBLEM\x1b[0m\u202e")])
    wanted = Wanted(
        subject=subject,
        key=key.public_key(),
        profile=PROFILES["signing"],
        begin=now,
        end=now + timedelta(days=20_000),
        hosts=("a\x1bb",),
    )
    path = tmp_path / "odd.pem"
    path.write_bytes(signed(wanted, subject, key).public_bytes(Encoding.PEM))
    (found,) = inspected(path)
    assert found["facts"]["subject"] == r"CN=a\0APROBLEM\1B[0m\E2\80\AE"
    assert found["facts"]["hosts"] == [r"a\1Bb"]
