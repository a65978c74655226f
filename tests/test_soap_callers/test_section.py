"""What operators hear about `[signing]`: whether the key signs, whom it signs for, when that ends."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from config.pkcs11_uri import Pkcs11Uri
from config.settings import Settings, Signing
from routes.expiry import certificate_expiries
from routes.signer_findings import signers
from routes.signing_findings import signing_findings
from routes.token_findings import token_expiries, with_tokens
from security.signature_key import SigningKey
from tests.services import SoftHsm
from tests.test_revocation.issuing import Holder as Authority
from tests.test_soap_callers.callers import Holder, files


def test_a_key_that_signs_is_named(p256: Holder, tmp_path: Path) -> None:
    (found,) = signing_findings(Settings(signing=files(p256, tmp_path)))
    assert (found.level, found.subject) == ("ok", "signing")
    assert "Bộ p256" in found.text
    (none,) = signing_findings(Settings())
    assert (none.level, none.subject) == ("ok", "signing")
    assert "refused" in none.text


def test_a_key_that_does_not_belong_to_its_certificate_is_a_problem(holders: dict[str, Holder], tmp_path: Path) -> None:
    section = files(holders["p256"], tmp_path)
    assert section.certificate is not None
    section.certificate.write_text(holders["rsa"].pem)
    (found,) = signing_findings(Settings(signing=section))
    assert (found.level, found.subject) == ("problem", "signing")
    assert "another private key" in found.text


def test_the_end_of_the_certificate_is_warned_of(p256: Holder, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    soon = Holder.of(p256.key.private, "Trục", since=now - timedelta(days=1), days=6)
    (found,) = certificate_expiries(Settings(signing=files(soon, tmp_path)), now)
    assert (found.name, found.paired, found.stage(now)) == ("signing.certificate", True, 7)


async def test_a_certificate_that_may_not_sign_is_a_problem(tmp_path: Path) -> None:
    root = Authority.root()
    issued = root.issue("Trục")
    fit, authority = (Holder(SigningKey.of(one.key, one.certificate)) for one in (issued, root))
    assert await signers(Settings(signing=files(fit, tmp_path))) == []
    (found,) = await signers(Settings(signing=files(authority, tmp_path)))
    assert (found.level, found.subject, found.code) == ("problem", "signing.certificate", "own-wrong-usage")
    assert "callers refuse it" in found.text


def test_a_token_signs_a_probe(softhsm: SoftHsm, p256: Holder, tmp_path: Path) -> None:
    section = files(p256, tmp_path)
    assert isinstance(section.key, Path)
    softhsm.token("section")
    softhsm.import_key("section", section.key, "answers", "01")
    uri = Pkcs11Uri.parse(softhsm.uri("section", "answers"))
    settings = Settings(signing=Signing(key=uri, certificate=section.certificate, key_pin=SecretStr(SoftHsm.PIN)))
    assert [name for name, _ in with_tokens(settings)] == ["signing"]
    (found,) = signing_findings(settings)
    assert (found.level, found.subject, found.code) == ("ok", "signing.key", "token-signs")
    assert list(token_expiries(settings)) == []
