"""The sandbox's authorities: marked, kept, closed to others, and with certificates that fail for one reason each."""

import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki import MARK, Pki
from security.signature import Rejected
from security.trust import AnchoredTrust, load_certificates
from security.trust_revocation import RevocationLists


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / "pki"
    _ask_for_everything(Pki(path))
    return path


def _ask_for_everything(pki: Pki) -> None:
    pki.revocations(("population", "tax"))
    for name in ("population", "tax"):
        pki.signer(name, "expired")
    pki.stranger()
    pki.gateway_signing()
    pki.gateway_tls("127.0.0.1")
    pki.client("ministry")


def test_private_keys_are_for_their_owner_only(directory: Path) -> None:
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    keys = list(directory.glob("*.key"))
    assert len(keys) >= 8
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_everything_says_that_it_is_a_sandbox(directory: Path) -> None:
    for path in directory.glob("*.pem"):
        (certificate,) = load_certificates(path)
        names = {attribute.oid: str(attribute.value) for attribute in certificate.subject}
        assert names[x509.NameOID.ORGANIZATION_NAME] == MARK
        assert names[x509.NameOID.COMMON_NAME].startswith(MARK)


def test_a_restart_changes_nothing(directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    _ask_for_everything(Pki(directory))
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_both_kinds_of_key_occur(directory: Path) -> None:
    pki = Pki(directory)
    population, tax = pki.signer("population").private, pki.signer("tax").private
    assert isinstance(population, rsa.RSAPrivateKey)
    assert population.key_size == 2048
    assert isinstance(tax, ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize("name", ["population", "tax"])
def test_variants_fail_for_their_own_reason(directory: Path, name: str) -> None:
    pki = Pki(directory)
    authorities = load_certificates(pki.registries_ca)
    genuine = pki.signer(name)
    lists = RevocationLists.load([pki.revocations(())], authorities)
    trust = AnchoredTrust(authorities, subject=genuine.certificate.subject, revocation=lists)

    def reason(certificate: x509.Certificate) -> str | None:
        try:
            trust.accept(certificate.public_bytes(Encoding.DER), datetime.now(UTC))
        except Rejected as rejected:
            return rejected.reason
        return None

    assert reason(genuine.certificate) is None
    assert reason(pki.signer(name, "expired").certificate) == "expired"
    assert reason(pki.signer(name, "revoked").certificate) == "revoked"
    assert reason(pki.stranger().certificate) == "untrusted"


def test_a_later_registry_joins_the_revocation_list(directory: Path) -> None:
    pki = Pki(directory)
    crl = x509.load_pem_x509_crl(pki.revocations(("population", "tax", "land")).read_bytes())
    revoked = {entry.serial_number for entry in crl}
    assert {pki.signer(name, "revoked").certificate.serial_number for name in ("population", "tax", "land")} == revoked


def test_a_state_directory_of_before_the_index_works_on(directory: Path, tmp_path: Path) -> None:
    old = shutil.copytree(directory, tmp_path / "pki")
    for path in (*old.glob("*.index"), old / "site"):
        path.unlink(missing_ok=True)
    pki = Pki(old)
    revoked = {pki.signer(name, "revoked").certificate.serial_number for name in ("population", "tax")}
    (authority,) = (one for one in pki.store.authorities() if one.name == "registries-ca")
    assert revoked <= authority.index.revoked.keys()
    assert pki.signer("tax").certificate.serial_number in authority.index.issued
    listed = (old / "registries.crl").read_bytes()
    assert pki.revocations(("population", "tax")).read_bytes() == listed


def test_server_names_stand_in_the_certificate(directory: Path) -> None:
    (certificate,) = load_certificates(Pki(directory).gateway_tls("127.0.0.1").certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
