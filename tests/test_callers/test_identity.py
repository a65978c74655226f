"""Recognising callers: access tokens and certificates; what each hostile variant gets."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from schemas.errors import Unauthenticated
from schemas.exchange import Grant
from security import registry
from security.administration import grant as granted
from security.administration import register, revoke
from security.client_store import revoke_token
from security.clients import new_secret
from security.credentials import certificate_credential, secret_credential, subject_credential
from security.identity import Identity, thumbprint
from security.keys import KeyRing
from security.tokens import Tokens

ISSUER = "https://gateway.test"


def bearer(deployment: Any, client: Any, credential: Any = None, bound: str | None = None) -> str:
    token, _ = deployment.tokens.issue(client, credential or client.credentials[0], bound)
    return f"Bearer {token}"


def reason(deployment: Any, authorization: str | None, certificate: bytes | None = None) -> str | None:
    with pytest.raises(Unauthenticated) as caught:
        deployment.identity.identify(authorization, certificate)
    return caught.value.reason


def der(certificate: Any) -> bytes:
    encoded: bytes = certificate.public_bytes(Encoding.DER)
    return encoded


async def test_a_token_names_its_client_and_credential(deployment: Any) -> None:
    client = await deployment.add(rights=["audit"])
    token, claims = deployment.tokens.issue(client, client.credentials[0])
    for authorization in (f"Bearer {token}", f"bearer {token}", f"BEARER  {token} "):
        caller = deployment.identity.identify(authorization, None)
        assert (caller.client_id, caller.agency, caller.rights) == ("ministry", "G12", {"audit"})
        assert caller.credential == client.credentials[0].public()
    assert claims.expires_at - claims.issued_at == 600


async def test_a_token_ends_after_ten_minutes(deployment: Any) -> None:
    token = bearer(deployment, await deployment.add())
    deployment.clock.offset = 598
    assert deployment.identity.identify(token, None)
    deployment.clock.offset = 601
    # Also where it was verified before and is remembered.
    assert reason(deployment, token) == "expired"
    deployment.tokens.forget()
    assert reason(deployment, token) == "expired"


async def test_revoking_client_or_credential_ends_its_tokens(deployment: Any) -> None:
    client = await deployment.add()
    token = bearer(deployment, client)
    assert deployment.identity.identify(token, None)
    await deployment.commit(revoke(client, credential_id=client.credentials[0].id, by="test"))
    assert reason(deployment, token) == "revoked"
    other = await deployment.add("other")
    token = bearer(deployment, other)
    await deployment.commit(revoke(other, by="test"))
    assert reason(deployment, token) == "revoked"


async def test_a_changed_client_is_seen_by_a_token_it_already_had(deployment: Any, authority: Any) -> None:
    client = await deployment.add()
    token = bearer(deployment, client)
    before = deployment.identity.identify(token, None)
    credential = certificate_credential(authority.issue("app")[0], datetime.now(UTC))
    await deployment.commit(register(client, credential, by="test"))
    after = deployment.identity.identify(token, None)
    assert before is not after
    assert deployment.identity.identify(token, None) is after


async def test_keys_overlap_when_rotated(deployment: Any) -> None:
    client = await deployment.add()
    token = bearer(deployment, client)
    deployment.keys.rotate("token", overlap=timedelta(hours=1))
    deployment.tokens.forget()
    assert deployment.identity.identify(token, None)
    assert deployment.identity.identify(bearer(deployment, client), None)
    assert [key["kid"] for key in deployment.tokens.jwks()["keys"]] == ["token-2", "token-1"]
    deployment.keys.rotate("token", overlap=timedelta(0))
    deployment.tokens.forget()
    deployment.clock.offset = 5
    assert reason(deployment, bearer(deployment, client).replace("Bearer ", "Bearer x")) == "malformed"
    assert [key["kid"] for key in deployment.tokens.jwks()["keys"]] == ["token-3", "token-1"]


async def test_a_remembered_token_ends_with_the_overlap_of_its_key(deployment: Any) -> None:
    client = await deployment.add()
    token = bearer(deployment, client)
    deployment.keys.rotate("token", overlap=timedelta(seconds=60))
    deployment.tokens.forget()
    assert deployment.identity.identify(token, None)
    deployment.clock.offset = 65
    assert reason(deployment, token) == "unknown"
    assert deployment.identity.identify(bearer(deployment, client), None)


async def test_a_node_finds_the_key_that_another_one_rotated_in(deployment: Any) -> None:
    client = await deployment.add()
    elsewhere = Tokens(KeyRing(deployment.keys.directory), ISSUER)
    KeyRing(deployment.keys.directory).rotate("token", overlap=timedelta(hours=1))
    other_node = Tokens(KeyRing(deployment.keys.directory), ISSUER)
    token, _ = other_node.issue(client, client.credentials[0])
    assert elsewhere.verify(token).client_id == "ministry"


async def test_published_keys_verify_tokens_and_hold_nothing_private(deployment: Any) -> None:
    client = await deployment.add()
    (published,) = deployment.tokens.jwks()["keys"]
    assert "d" not in published
    token = bearer(deployment, client).removeprefix("Bearer ")
    claims = jwt.decode(token, ECKey.import_key(published), algorithms=["ES256"]).claims
    assert claims["sub"] == claims["client_id"] == "ministry"
    assert claims["iss"] == claims["aud"] == ISSUER


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        (None, "missing"),
        ("", "malformed"),
        ("Bearer", "malformed"),
        ("Bearer a b", "malformed"),
        ("Bearer a.b", "malformed"),
        ("Bearer a.b.c", "malformed"),
        ("Bearer " + "a" * 5000 + ".b.c", "malformed"),
        ("Bearer ....", "malformed"),
        ("Bearer é.é.é", "malformed"),
        ("Basic bWluaXN0cnk6eA==", "malformed"),
        ("Bearer " + encoded({"alg": "none", "typ": "at+jwt"}) + ".e30.e30", "unknown"),
        ("Bearer " + encoded({"alg": "ES256", "typ": "at+jwt", "kid": "token-9"}) + ".e30.e30", "unknown"),
        ("Bearer " + encoded({"alg": "ES256", "typ": "at+jwt", "kid": ["token-1"]}) + ".e30.e30", "unknown"),
        ("Bearer " + encoded({"alg": "ES256", "typ": "at+jwt", "kid": "token-1"}) + ".e30.e30", "unknown"),
        ("Bearer " + base64.urlsafe_b64encode(b"[" * 2000).decode().rstrip("=") + ".e30.e30", "malformed"),
    ],
)
async def test_what_is_no_token_of_ours_is_refused(deployment: Any, authorization: str | None, why: str) -> None:
    assert reason(deployment, authorization) == why


async def test_forged_tokens_are_unknown(deployment: Any, tmp_path: Path) -> None:
    client = await deployment.add()
    genuine = bearer(deployment, client).removeprefix("Bearer ")
    header, payload, signature = genuine.split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = f"{header}.{encoded(content | {'client_id': 'auditor'})}.{signature}"
    assert reason(deployment, f"Bearer {changed}") == "unknown"

    # Signed by another gateway, by its own kid and name; and by our key but for another purpose or issuer.
    elsewhere = Tokens(KeyRing.create(tmp_path / "other"), ISSUER)
    assert reason(deployment, f"Bearer {elsewhere.issue(client, client.credentials[0])[0]}") == "unknown"
    key = ECKey.import_key(deployment.keys.current("token").material)
    for typ, claims in (("JWT", content), ("at+jwt", content | {"iss": "x"}), ("at+jwt", content | {"aud": [ISSUER]})):
        token = jwt.encode({"alg": "ES256", "kid": "token-1", "typ": typ}, claims, key, algorithms=["ES256"])
        assert reason(deployment, f"Bearer {token}") == "unknown"
    for missing in ("jti", "exp", "client_id", "credential"):
        claims = {name: value for name, value in content.items() if name != missing}
        token = jwt.encode({"alg": "ES256", "kid": "token-1", "typ": "at+jwt"}, claims, key, algorithms=["ES256"])
        assert reason(deployment, f"Bearer {token}") == "unknown"

    # The public key as a secret of HMAC: the oldest trick against JWT libraries.
    public = key.as_pem(private=False)
    forged = jwt.encode(
        {"alg": "HS256", "kid": "token-1", "typ": "at+jwt"},
        content,
        OctKey.import_key(base64.b64encode(public).decode()),
        algorithms=["HS256"],
    )
    assert reason(deployment, f"Bearer {forged}") == "unknown"


async def test_memory_of_tokens_is_bounded(deployment: Any) -> None:
    client = await deployment.add()
    small = Identity(deployment.registry, deployment.tokens, remembered=3)
    values = [bearer(deployment, client) for _ in range(6)]
    for value in values:
        for written in (value, value.replace(" ", "  "), value + " "):
            assert small.identify(written, None).client_id == "ministry"
    assert list(small._proven) == values[3:]
    assert small.identify(values[0], None).client_id == "ministry"


async def test_a_signature_is_checked_once_for_each_token_and_set_of_keys(
    deployment: Any, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    check = deployment.tokens._check

    def counted(token: str) -> Any:
        checked.append(token)
        return check(token)

    monkeypatch.setattr(deployment.tokens, "_check", counted)
    client = await deployment.add()
    values = [bearer(deployment, client) for _ in range(3)]

    def ask() -> int:
        checked.clear()
        for value in values * 5:
            assert deployment.identity.identify(value, None).client_id == "ministry"
        return len(checked)

    assert ask() == 3
    assert ask() == 0
    await deployment.commit(granted(client, grant, by="test"))
    assert ask() == 0
    deployment.tokens.forget()
    assert ask() == 3
    deployment.clock.offset = 700
    checked.clear()
    assert [reason(deployment, value) for value in values * 2] == ["expired"] * 6
    assert not checked


async def test_what_is_remembered_says_what_looking_anew_says(deployment: Any, grant: Grant, authority: Any) -> None:
    """One identity that remembers and a new one for each question must agree, whatever happened in between."""
    certificate, _ = authority.issue("app")
    client = await deployment.add()
    ending = replace(
        secret_credential(new_secret(), datetime.now(UTC)), not_after=datetime.now(UTC) + timedelta(minutes=1)
    )
    client = await deployment.commit(register(client, ending, by="test"))
    held = [
        bearer(deployment, client, item, bound)
        for item in client.credentials
        for bound in (None, thumbprint(der(certificate)))
    ]

    def outcome(identity: Identity, value: str, shown: bytes | None) -> object:
        try:
            return identity.identify(value, shown)
        except Unauthenticated as error:
            return error.reason

    seen = []

    def compare() -> None:
        for value in held:
            for shown in (None, der(certificate), b"another"):
                new = Identity(deployment.registry, deployment.tokens, clock=deployment.clock)
                said = outcome(deployment.identity, value, shown)
                assert said == outcome(new, value, shown)
                seen.append(said if isinstance(said, str) else "known")

    compare()
    compare()
    for offset in (500.0, 601.0, -600.0, 0.0):
        deployment.clock.offset = offset
        compare()
    ended = deployment.tokens.verify(held[0].removeprefix("Bearer "))
    await deployment.storage.write(lambda connection: revoke_token(connection, ended.token_id, ended.expires_at, 0))
    await deployment.registry.refresh()
    compare()
    client = await deployment.commit(granted(client, grant, by="test"))
    compare()
    client = await deployment.commit(revoke(client, credential_id=client.credentials[1].id, by="test"))
    compare()
    await deployment.commit(revoke(client, by="test"))
    compare()
    assert set(seen) == {"known", "unknown", "expired", "revoked"}


# --- certificates -----------------------------------------------------------------------------------------------


async def test_a_pinned_certificate_is_its_client(deployment: Any, authority: Any, stranger: Any) -> None:
    certificate, _ = authority.issue("app")
    client = await deployment.add()
    credential = certificate_credential(certificate, datetime.now(UTC))
    client = await deployment.commit(register(client, credential, by="test"))
    caller = deployment.identity.identify(None, der(certificate))
    assert caller.client_id == "ministry"
    assert caller.credential.kind == "mtls"
    assert caller.credential.not_after == certificate.not_valid_after_utc
    assert reason(deployment, None, der(authority.issue("app")[0])) == "unknown"
    assert reason(deployment, None, der(stranger.issue("app")[0])) == "unknown"
    assert reason(deployment, None, b"not a certificate") == "malformed"
    deployment.clock.offset = timedelta(days=31).total_seconds()
    assert reason(deployment, None, der(certificate)) == "expired"
    deployment.clock.offset = 0
    await deployment.commit(revoke(client, credential_id=credential.id, by="test"))
    assert reason(deployment, None, der(certificate)) == "revoked"


async def test_a_subject_counts_only_from_its_own_authority(deployment: Any, authority: Any, stranger: Any) -> None:
    client = await deployment.add()
    credential = subject_credential("CN=app", authority.certificate, datetime.now(UTC))
    await deployment.commit(register(client, credential, by="test"))
    for _ in range(2):
        assert deployment.identity.identify(None, der(authority.issue("app")[0])).client_id == "ministry"
    assert reason(deployment, None, der(stranger.issue("app")[0])) == "unknown"
    assert reason(deployment, None, der(authority.issue("other")[0])) == "unknown"
    assert reason(deployment, None, der(authority.issue("app", days=0)[0])) == "expired"
    assert reason(deployment, None, der(authority.issue("app", start=timedelta(days=2))[0])) == "expired"


async def test_the_signature_of_an_authority_is_checked_once_for_each_certificate(
    deployment: Any, authority: Any, stranger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def counted(der: bytes) -> x509.Certificate:
        loaded.append(der)
        return x509.load_der_x509_certificate(der)

    monkeypatch.setattr(registry, "load_der_x509_certificate", counted)
    client = await deployment.add()
    credential = subject_credential("CN=app", authority.certificate, datetime.now(UTC))
    client = await deployment.commit(register(client, credential, by="test"))
    shown, forged = der(authority.issue("app")[0]), der(stranger.issue("app")[0])
    for _ in range(3):
        assert deployment.identity.identify(None, shown).client_id == "ministry"
        assert reason(deployment, None, forged) == "unknown"
    assert len(loaded) == 2 * 3
    # Its time and the credential's are looked at whenever it is shown.
    deployment.clock.offset = timedelta(days=31).total_seconds()
    assert reason(deployment, None, shown) == "expired"
    deployment.clock.offset = 0
    await deployment.commit(revoke(client, credential_id=credential.id, by="test"))
    assert reason(deployment, None, shown) == "revoked"
    assert len(loaded) == 2 * 3


async def test_a_signing_certificate_does_not_open_tls(deployment: Any, authority: Any) -> None:
    certificate, _ = authority.issue("signer")
    client = await deployment.add()
    await deployment.commit(
        register(client, certificate_credential(certificate, datetime.now(UTC), signs=True), by="test")
    )
    assert reason(deployment, None, der(certificate)) == "unknown"


async def test_a_bound_token_is_worth_nothing_without_its_certificate(deployment: Any, authority: Any) -> None:
    certificate, _ = authority.issue("app")
    client = await deployment.add()
    token = bearer(deployment, client, bound=thumbprint(der(certificate)))
    assert deployment.identity.identify(token, der(certificate)).client_id == "ministry"
    assert reason(deployment, token) == "unknown"
    assert reason(deployment, token, der(authority.issue("app")[0])) == "unknown"
