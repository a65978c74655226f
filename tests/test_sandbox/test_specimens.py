"""Certificates of every kind: each is refused for the reason that it claims, and for that alone."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from typer.testing import CliRunner

from commands import app
from sandbox.pki import MARK, Pki
from sandbox.specimens import POLICIES, SPECIMENS, Specimen, Specimens
from security.signature import Rejected, utc_now
from security.trust import AnchoredTrust, load_certificates
from security.trust_revocation import RevocationLists

BY_NAME = {specimen.name: specimen for specimen in SPECIMENS}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("specimens") / "pki")
    made.publish_at("http://127.0.0.1:1")
    return made


@pytest.fixture(scope="module")
def specimens(pki: Pki) -> Specimens:
    return Specimens(pki.store)


def verdict(pki: Pki, specimens: Specimens, specimen: Specimen, trust: Path, *more: Path) -> str | None:
    """Why the gateway refuses what this certificate signs, where `trust` and `more` are what it holds."""
    held = load_certificates(trust)
    anchors, below = held[:1], [*held[1:], *(one for path in more for one in load_certificates(path))]
    (certificate,) = load_certificates(specimens.pair(specimen).certificate)
    names, now = {one.subject for one in (*anchors, *below)}, utc_now()
    lists = [
        authority.revocation_list(now, now + timedelta(days=365), now)
        for authority in pki.store.authorities()
        if authority.certificate.subject in names and authority.certificate in (*anchors, *below)
    ]
    (good,) = load_certificates(specimens.pair(BY_NAME["good-p256"]).certificate)
    revocation = RevocationLists(lists, [*anchors, *below])
    judge = AnchoredTrust(anchors, subject=good.subject, intermediates=below, revocation=revocation)
    try:
        judge.accept(certificate.public_bytes(Encoding.DER), now)
    except Rejected as rejected:
        return rejected.reason
    return None


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda one: one.name)
def test_each_is_refused_for_what_it_claims(pki: Pki, specimens: Specimens, specimen: Specimen) -> None:
    assert verdict(pki, specimens, specimen, specimens.trust("public")) == specimen.reason
    (certificate,) = load_certificates(specimens.pair(specimen).certificate)
    texts = {attribute.oid: str(attribute.value) for attribute in certificate.subject}
    assert texts[x509.NameOID.ORGANIZATION_NAME] == MARK
    assert texts[x509.NameOID.COMMON_NAME] == f"{MARK} {specimen.title}"
    key = load_pem_private_key(specimens.pair(specimen).key.read_bytes(), None)
    assert key.public_key() == certificate.public_key()


def test_what_was_missing_or_meant_elsewhere_is_all_that_was_wrong(pki: Pki, specimens: Specimens) -> None:
    other, missing = BY_NAME["other-domain"], BY_NAME["missing-intermediate"]
    assert verdict(pki, specimens, other, specimens.trust("government")) is None
    second = specimens.pair(missing).certificate.with_name("public-ca-2.pem")
    assert verdict(pki, specimens, missing, specimens.trust("public"), second) is None
    assert verdict(pki, specimens, BY_NAME["good-rsa"], specimens.trust("government")) == "untrusted"


def test_the_domains_share_neither_keys_nor_policies(specimens: Specimens) -> None:
    held = [load_certificates(specimens.trust(domain)) for domain in ("public", "government")]
    assert not any(one.public_key() == other.public_key() for one in held[0] for other in held[1])
    for certificates, policy in zip(held, POLICIES.values(), strict=True):
        (stated,) = certificates[1].extensions.get_extension_for_class(x509.CertificatePolicies).value
        assert stated.policy_identifier.dotted_string == policy


def test_keys_are_of_the_kinds_named(specimens: Specimens) -> None:
    public = {
        name: load_certificates(specimens.pair(BY_NAME[name]).certificate)[0].public_key()
        for name in ("good-p256", "good-p384", "good-rsa", "rsa-1024")
    }
    assert [public[name].key_size for name in public] == [256, 384, 2048, 1024]  # type: ignore[union-attr]
    assert [isinstance(public[name], ec.EllipticCurvePublicKey) for name in public] == [True, True, False, False]
    assert isinstance(public["good-rsa"], rsa.RSAPublicKey)


def test_another_address_makes_them_anew_and_as_good_or_bad(tmp_path: Path) -> None:
    first = Pki(tmp_path / "pki")
    before = {one.name: Specimens(first.store).pair(one).certificate.read_bytes() for one in SPECIMENS}
    first.publish_at("http://127.0.0.1:2")
    again = Pki(tmp_path / "pki")
    specimens = Specimens(again.store)
    for specimen in SPECIMENS:
        assert verdict(again, specimens, specimen, specimens.trust("public")) == specimen.reason
        path = specimens.pair(specimen).certificate
        # Nobody answers for what a leaf issued: that one names no address.
        assert (path.read_bytes() == before[specimen.name]) is (specimen.issuer == "leaf")


def test_the_command_tells_what_there_is_and_keeps_it(tmp_path: Path) -> None:
    def told(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["sandbox", "certificates", "--state", str(tmp_path), *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    first = json.loads(told("--json"))
    assert [(row["name"], row["reason"]) for row in first["certificates"]] == [
        (one.name, one.reason) for one in SPECIMENS
    ]
    files = {Path(row[kind]) for row in first["certificates"] for kind in ("certificate", "key")}
    files |= {Path(path) for path in first["trust"].values()}
    before = {path: path.read_bytes() for path in files}
    assert json.loads(told("--json")) == first
    assert {path: path.read_bytes() for path in files} == before
    assert "look-alike-authority" in told()
