"""`lgsp pki`: an authority for a small office, as its operator has it and as OpenSSL sees it."""

from __future__ import annotations

import re
import stat
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.endpoint_trust import trust_of
from adapters.trust_domains import NO_DOMAINS
from config.settings import Endpoint, Expected
from security.signature import Rejected, utc_now
from security.signature_key import SigningKey
from security.trust import AnchoredTrust
from security.trust_signer import ExpectedSigner
from tests.test_pki.conftest import PASSPHRASE, Office, made, openssl

SIGNER = ("--common-name", "Trục LGSP", "--agency", "H26.12")


def text_of(path: str | Path) -> str:
    return openssl("x509", "-in", path, "-noout", "-text", "-nameopt", "utf8,sep_comma_plus")


def test_init_makes_a_root_and_an_authority_below_it(office: Office) -> None:
    assert "OK" in office.verify(office.directory / "issuing.pem")
    root, issuing = text_of(office.directory / "root.pem"), text_of(office.directory / "issuing.pem")
    for text, length in ((root, 1), (issuing, 0)):
        assert f"CA:TRUE, pathlen:{length}" in text
        assert re.search(r"Key Usage: critical\s+Certificate Sign, CRL Sign\n", text)
        assert "Sở TT&TT" in text
        assert "SANDBOX" not in text
    assert "URI:http://pki.example/x/root.crl" in issuing
    assert "URI:http://pki.example/x/root.cer" in issuing
    der = ("-inform", "DER", "-noout")
    assert openssl("x509", *der, "-in", office.directory / "publish" / "issuing.cer") == ""


def test_only_the_owner_can_read_keys(office: Office) -> None:
    office.did("issue", "tax", *SIGNER)
    keys = list(office.directory.rglob("*.key"))
    assert {key.name for key in keys} == {"root.key", "issuing.key", "tax.key"}
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE(office.directory.stat().st_mode) == 0o700


def test_init_takes_an_empty_directory_but_not_the_one_it_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir(mode=0o755)
    made(tmp_path / "empty").did("list")
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o700
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    refused = Office(Path()).run("init", "--organization", "X")
    assert (refused.exit_code, "where you are" in refused.stderr) == (2, True)


def test_init_touches_no_directory_with_something_in_it(office: Office) -> None:
    before = (office.directory / "root.pem").read_bytes()
    refused = office.run("init", "--organization", "X")
    assert refused.exit_code == 2
    assert "is not empty" in refused.stderr
    assert (office.directory / "root.pem").read_bytes() == before
    assert [path.name for path in office.directory.parent.iterdir()] == ["ca"]


@pytest.mark.parametrize(
    ("kind", "options", "usage", "extended"),
    [
        ("signing", (), "Digital Signature, Non Repudiation", None),
        ("tls-server", ("--host", "gw.example", "--host", "10.0.0.1"), "Digital Signature", "TLS Web Server"),
        ("tls-client", (), "Digital Signature", "TLS Web Client"),
        ("ocsp-responder", (), "Digital Signature", "OCSP Signing"),
    ],
)
def test_every_kind_says_what_it_is_for(
    office: Office, kind: str, options: tuple[str, ...], usage: str, extended: str | None
) -> None:
    told = office.did("issue", "holder", "--kind", kind, *SIGNER, *options)
    assert "OK" in office.verify(told["certificate"])
    text = text_of(told["certificate"])
    assert re.search(rf"Key Usage: critical\s+{usage}\n", text)
    assert ("Extended Key Usage" in text) == (extended is not None)
    assert extended is None or extended in text
    assert ("DNS:gw.example, IP Address:10.0.0.1" in text) == (kind == "tls-server")
    assert ("OCSP No Check" in text) == (kind == "ocsp-responder")
    assert "organizationIdentifier=H26.12" in text
    assert "OCSP - URI:http://pki.example/ocsp" in text
    assert "URI:http://pki.example/x/issuing.crl" in text
    assert openssl("pkey", "-in", told["key"], "-pubout") == openssl(
        "x509", "-in", told["certificate"], "-pubkey", "-noout"
    )


def test_the_gateway_signs_with_it_and_believes_it(office: Office) -> None:
    told = office.did("issue", "tax", *SIGNER, "--rsa")
    key = SigningKey.load(Path(told["key"]), Path(told["certificate"]))
    assert key.certificate.public_key().key_size == 3072  # type: ignore[union-attr]
    issuing, root = x509.load_pem_x509_certificates((office.directory / "chain.pem").read_bytes())
    for agency, believed in (("H26.12", True), ("H26", False)):
        expected = ExpectedSigner(agency=agency, content_commitment=True, rsa_bits=3072)
        trust = AnchoredTrust([root], subject=None, intermediates=[issuing], expected=expected)
        with nullcontext() if believed else pytest.raises(Rejected):
            trust.accept(key.certificate.public_bytes(Encoding.DER), utc_now())
    # What was printed is what an endpoint may say in expect.subject.
    for said, believed in ((told["subject"], True), (told["subject"].replace("H26.12", "H26"), False)):
        endpoint = Endpoint(
            url="https://tax.example", trust=(office.directory / "chain.pem",), expect=Expected(subject=said)
        )
        judge = trust_of("tax", endpoint, NO_DOMAINS)
        with nullcontext() if believed else pytest.raises(Rejected):
            judge.accept(key.certificate.public_bytes(Encoding.DER), utc_now())


def test_days_are_kept_and_nothing_outlives_the_authority(office: Office) -> None:
    told = office.did("issue", "tax", *SIGNER, "--days", "10")
    left = datetime.fromisoformat(told["not_after"]) - utc_now()
    assert timedelta(days=9, hours=23) < left <= timedelta(days=10)
    refused = office.run("issue", "long", *SIGNER, "--days", "3000")
    assert refused.exit_code == 2
    assert "ends on" in refused.stderr
    assert [row["name"] for row in office.did("list")] == ["tax"]


def test_a_name_is_given_once_and_renewed_with_an_overlap(office: Office) -> None:
    first = office.did("issue", "gw", "--kind", "tls-server", "--host", "gw.example", *SIGNER, "--days", "60")
    again = office.run("issue", "gw", *SIGNER)
    assert again.exit_code == 2
    assert "--renew" in again.stderr
    second = office.did("issue", "gw", "--renew", "--overlap", "7d")
    assert second["subject"] == first["subject"]
    assert second["key"] != first["key"]
    assert "DNS:gw.example" in text_of(second["certificate"])
    lasts = [datetime.fromisoformat(told["not_after"]) - utc_now() for told in (first, second)]
    assert abs(lasts[0] - lasts[1]) < timedelta(minutes=2)
    # Both hold now; when the overlap is over, a list says that the first was superseded.
    office.did("crl")
    for told in (first, second):
        assert "OK" in office.verify(told["certificate"])
    rows = office.did("list")
    assert [(row["name"], row["state"]) for row in rows] == [("gw", "good"), ("gw", "good")]
    until = datetime.fromisoformat(rows[0]["good_until"]) - utc_now()
    assert timedelta(days=6, hours=23) < until <= timedelta(days=7)
    assert rows[1]["good_until"] == rows[1]["not_after"]


def test_without_overlap_the_old_one_ends_at_once(office: Office) -> None:
    first = office.did("issue", "tax", *SIGNER)
    second = office.did("issue", "tax", "--renew", "--overlap", "0")
    assert office.did("crl")["revoked"] == 1
    assert "certificate revoked" in office.verify(first["certificate"], code=2)
    assert "OK" in office.verify(second["certificate"])


def test_a_renewal_changes_nothing_that_is_said_of_the_holder(office: Office) -> None:
    office.did("issue", "tax", *SIGNER)
    for options in (("--agency", "H27"), ("--kind", "signing"), ("--kind", "tls-client"), ("--rsa",), ("--ec",)):
        refused = office.run("issue", "tax", "--renew", *options)
        assert (refused.exit_code, options[0] in refused.stderr) == (2, True)
    assert office.run("issue", "nobody", "--renew").exit_code == 2


def test_what_is_revoked_stands_on_the_list(office: Office) -> None:
    tax = office.did("issue", "tax", *SIGNER)
    land = office.did("issue", "land", *SIGNER)
    told = office.did("revoke", "tax", "--reason", "keyCompromise")
    assert [one["serial"] for one in told["revoked"]] == [tax["serial"]]
    assert "certificate revoked" in office.verify(tax["certificate"], code=2)
    assert "OK" in office.verify(land["certificate"])
    listed = openssl(
        "crl", "-inform", "DER", "-in", told["list"], "-noout", "-text", "-CAfile", office.directory / "issuing.pem"
    )
    assert "verify OK" in listed
    assert tax["serial"].upper().lstrip("0") in listed
    assert "Key Compromise" in listed
    by_number = office.did("revoke", land["serial"])
    assert by_number["revoked"][0]["serial"] == land["serial"]
    assert {row["state"] for row in office.did("list")} == {"revoked"}


def test_a_revocation_is_not_moved(office: Office) -> None:
    tax = office.did("issue", "tax", *SIGNER)
    first = office.did("revoke", "tax", "--reason", "keyCompromise")["revoked"]
    assert office.did("revoke", tax["serial"], "--reason", "superseded")["revoked"] == first


def test_strangers_cannot_be_revoked(office: Office) -> None:
    for what in ("nobody", "12ab"):
        refused = office.run("revoke", what)
        assert refused.exit_code == 2
        assert "lgsp pki list" in refused.stderr


def test_the_issuing_authority_can_be_revoked_by_the_root(office: Office) -> None:
    tax = office.did("issue", "tax", *SIGNER)
    serial = openssl("x509", "-in", office.directory / "issuing.pem", "-noout", "-serial").strip().partition("=")[2]
    told = office.did("revoke", serial, "--reason", "cACompromise")
    assert told["list"].endswith("root.crl")
    assert "certificate revoked" in office.verify(tax["certificate"], code=2)


def test_lists_are_numbered_and_last_as_long_as_asked(office: Office) -> None:
    def number(name: str = "issuing") -> int:
        path = office.directory / "publish" / f"{name}.crl"
        text = openssl("crl", "-inform", "DER", "-in", path, "-noout", "-crlnumber")
        return int(text.strip().partition("=")[2], 16)

    first, told = number(), office.did("crl", "--days", "3")
    assert number() == first + 1
    left = datetime.fromisoformat(told["next_update"]) - utc_now()
    assert timedelta(days=2, hours=23) < left <= timedelta(days=3)
    office.did("crl", "--authority", "root")
    assert (number(), number("root")) == (first + 1, 2)


def test_the_root_key_may_be_elsewhere(office: Office) -> None:
    (office.directory / "root.key").unlink()
    office.did("issue", "tax", *SIGNER)
    office.did("crl")
    failed = office.run("crl", "--authority", "root")
    assert failed.exit_code == 1
    assert "root.key" in failed.stderr


def test_a_passphrase_is_asked_for_and_never_an_argument(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text(f"{PASSPHRASE}\n")
    office = made(tmp_path / "ca", "--passphrase", "env:PKI_WORDS")
    assert "ENCRYPTED" in (office.directory / "issuing.key").read_text()
    assert "ENCRYPTED" in (office.directory / "root.key").read_text()
    closed = office.run("issue", "tax", *SIGNER)
    assert (closed.exit_code, "was not given" in closed.stderr, "--passphrase env" in closed.stderr) == (1, True, True)
    (tmp_path / "others").write_text("other words")
    closed = office.run("crl", "--passphrase", f"file:{tmp_path / 'others'}")
    assert (closed.exit_code, "does not open it" in closed.stderr, "--passphrase" in closed.stderr) == (1, True, True)
    office.did("issue", "tax", *SIGNER, "--passphrase", f"file:{words}")
    wrong = office.run("crl", "--passphrase", "file:/dev/null")
    assert (wrong.exit_code, "empty" in wrong.stderr) == (2, True)
    plain = office.run("crl", "--passphrase", PASSPHRASE)
    assert plain.exit_code == 2
    assert "never the words" in plain.stderr
    assert PASSPHRASE not in plain.output
    assert office.run("crl", "--passphrase", "env:NOBODY_SET_THIS").exit_code == 2


def test_a_sandbox_is_marked_and_an_office_is_not(tmp_path: Path) -> None:
    office = made(tmp_path / "ca", "--sandbox", "--policy", "2.25.1234")
    told = office.did("issue", "tax", *SIGNER)
    for path in (office.directory / "root.pem", office.directory / "issuing.pem", told["certificate"]):
        (subject,) = re.findall(r"Subject: (.*)", text_of(path))
        assert "O=LGSP SANDBOX Sở TT&TT" in subject
        assert "CN=LGSP SANDBOX " in subject
    assert "Policy: 2.25.1234" in text_of(told["certificate"])
