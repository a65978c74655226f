"""A `keyid` names a certificate that the caller registered for signing; nobody else's counts, and none that ended."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from schemas.errors import SignatureRejected
from schemas.exchange import Caller, CallerSignature
from security.administration import Change, add, register, revoke
from security.client_store import store
from security.clients import Client, StoredCredential
from security.credentials import certificate_credential
from security.registry import ClientRegistry
from security.request_signatures import RequestSignatures
from sync.database import open_storage, upgrade
from tests.test_request_signatures.callers import CREATED, NOW, REQUEST, Holder, holder, make_certificate, signed


@dataclass
class Office:
    """The registered clients, as one process knows them."""

    registry: ClientRegistry
    commit: Callable[[Change], Awaitable[Client]]
    now: datetime = NOW
    addressed: Callable[[str], bool] | None = None

    def verify(self, client: Client, request: Any) -> CallerSignature:
        caller: Caller = client.caller(client.credentials[0])
        signatures = RequestSignatures(self.registry, addressed=self.addressed, clock=lambda: self.now)
        return signatures.verify(request, caller)

    def refused(self, client: Client, request: Any) -> str | None:
        with pytest.raises(SignatureRejected) as error:
            self.verify(client, request)
        assert error.value.detail.vi != error.value.detail.en
        return error.value.reason


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    url = f"sqlite:///{tmp_path / 'lgsp.sqlite'}"
    await upgrade(url)
    storage = await open_storage(url)
    registry = ClientRegistry(storage)

    async def commit(change: Change) -> Client:
        await storage.write(lambda connection: store(connection, change.client))
        await registry.refresh()
        found = registry.get(change.client.client_id)
        assert found is not None
        return found

    yield Office(registry, commit)
    await storage.close()


async def client(office: Office, name: str, *signers: Holder) -> Client:
    credentials = [certificate_credential(one.certificate, NOW, signs=True) for one in signers]
    return await office.commit(add(name, name="A ministry", agency="G12", credentials=credentials, by="test", at=NOW))


async def test_a_registered_certificate_signs_for_its_client(office: Office, holders: dict[str, Holder]) -> None:
    ministry = await client(office, "ministry", *holders.values())
    for by in holders.values():
        found = office.verify(ministry, signed(REQUEST, by, nonce="n-1"))
        # 60 s of its own, 60 s of skew, and as much again for a node whose clock runs ahead.
        assert found == CallerSignature(by.keyid, NOW, "n-1", CREATED + 180)


async def test_each_way_to_name_a_certificate_is_understood(office: Office, p256: Holder) -> None:
    ministry = await client(office, "ministry", p256)
    digest = p256.certificate.fingerprint(SHA256())
    for keyid in (
        f"sha256:{digest.hex()}",
        f"sha256:{digest.hex().upper()}",
        f"signature-sha256:{digest.hex()}",
        base64.urlsafe_b64encode(digest).decode().rstrip("="),
    ):
        assert office.verify(ministry, signed(REQUEST, p256, keyid=keyid)).certificate == p256.keyid
    for keyid in (
        "ministry",
        digest.hex(),
        f"sha1:{digest.hex()}",
        f"sha256:{digest.hex()[:-1]}",
        f"sha256:{digest.hex()} ",
        f"mtls-sha256:{digest.hex()}",
        base64.b64encode(digest).decode(),
        "sha256:" + "0" * 64,
        "A" * 43,
    ):
        assert office.refused(ministry, signed(REQUEST, p256, keyid=keyid)) == "untrusted"


async def test_nobody_signs_for_somebody_else(office: Office, holders: dict[str, Holder]) -> None:
    ministry = await client(office, "ministry", holders["p256"])
    province = await client(office, "province", holders["p384"])
    assert office.verify(ministry, signed(REQUEST, holders["p256"]))
    assert office.refused(province, signed(REQUEST, holders["p256"])) == "untrusted"
    assert office.refused(ministry, signed(REQUEST, holders["p384"])) == "untrusted"


async def test_what_was_signed_for_another_gateway_is_refused(office: Office, p256: Holder) -> None:
    ministry = await client(office, "ministry", p256)
    office.addressed = {"gateway.example.vn"}.__contains__
    for authority in ("gateway.example.vn", "GATEWAY.example.vn:443"):
        assert office.verify(ministry, signed(replace(REQUEST, authority=authority), p256))
    for authority in ("gateway.example.vn:80", "gateway.example", "evil"):
        assert office.refused(ministry, signed(replace(REQUEST, authority=authority), p256)) == "not-covered"
    # What does not hold at all is told first: that the address was changed on the way is another thing.
    assert office.refused(ministry, replace(signed(REQUEST, p256), authority="evil")) == "altered"


async def test_a_certificate_for_tls_does_not_sign(office: Office, p256: Holder) -> None:
    credential = certificate_credential(p256.certificate, NOW)
    made = add("ministry", name="A ministry", agency="G12", credentials=[credential], by="test", at=NOW)
    assert office.refused(await office.commit(made), signed(REQUEST, p256)) == "untrusted"


async def test_one_that_is_made_for_something_else_does_not_sign(office: Office, p256: Holder) -> None:
    """As an older release registered it; now nobody can."""
    until = NOW + timedelta(days=1)
    made = make_certificate(p256.key, "other", NOW - timedelta(days=1), until, usage="key_agreement")
    with pytest.raises(ValueError, match="keyUsage"):
        certificate_credential(made, NOW, signs=True)
    digest = made.fingerprint(SHA256()).hex()
    material = {"sha256": digest, "certificate": base64.b64encode(made.public_bytes(Encoding.DER)).decode()}
    held = StoredCredential("signature", f"signature-sha256:{digest}", material, NOW, until)
    change = add("ministry", name="A ministry", agency="G12", credentials=[held], by="test", at=NOW)
    assert office.refused(await office.commit(change), signed(REQUEST, p256, keyid=f"sha256:{digest}")) == "untrusted"


async def test_a_revoked_certificate_or_client_signs_no_more(office: Office, holders: dict[str, Holder]) -> None:
    ministry = await client(office, "ministry", holders["p256"], holders["p384"])
    ended = next(item.id for item in ministry.credentials if item.id.endswith(holders["p256"].keyid[7:]))
    ministry = await office.commit(revoke(ministry, credential_id=ended, by="test", at=NOW))
    assert office.refused(ministry, signed(REQUEST, holders["p256"])) == "revoked"
    assert office.verify(ministry, signed(REQUEST, holders["p384"]))


async def test_old_and_new_certificates_overlap(office: Office, p256: Holder) -> None:
    ministry = await client(office, "ministry", p256)
    new = holder(ec.generate_private_key(ec.SECP384R1()), "new")
    credential = certificate_credential(new.certificate, NOW, signs=True)
    ministry = await office.commit(register(ministry, credential, by="test", at=NOW))
    assert office.verify(ministry, signed(REQUEST, p256))
    assert office.verify(ministry, signed(REQUEST, new))


@pytest.mark.parametrize(("since", "until"), [(-20, -10), (10, 20)])
async def test_outside_of_its_time_a_certificate_does_not_sign(
    office: Office, p256: Holder, since: int, until: int
) -> None:
    certificate = make_certificate(p256.key, "late", NOW + timedelta(days=since), NOW + timedelta(days=until))
    late = p256._replace(certificate=certificate)
    credential = certificate_credential(certificate, NOW, signs=True)
    then = NOW + timedelta(days=since)
    made = add("ministry", name="A ministry", agency="G12", credentials=[credential], by="test", at=then)
    ministry = await office.commit(made)
    assert office.refused(ministry, signed(REQUEST, late)) == "expired"
    office.now = NOW + timedelta(days=(since + until) / 2)
    assert office.verify(ministry, signed(REQUEST, late, created=int(office.now.timestamp())))


async def test_what_is_changed_misses_something_or_comes_late_is_refused(office: Office, p256: Holder) -> None:
    ministry = await client(office, "ministry", p256)
    sent = signed(REQUEST, p256)
    assert office.refused(ministry, replace(sent, body=b"{}")) == "altered"
    assert office.refused(ministry, replace(sent, fields={**sent.fields, "signature": []})) == "malformed"
    less = signed(replace(REQUEST, fields={"content-type": ["application/json"]}), p256)
    more = replace(less, fields={**less.fields, "lgsp-officer": ["x"]})
    with pytest.raises(SignatureRejected, match="does not cover lgsp-officer"):
        office.verify(ministry, more)
    office.now = datetime(2026, 11, 24, tzinfo=UTC)
    assert office.refused(ministry, sent) == "stale"


@pytest.mark.parametrize(
    "key", [lambda: rsa.generate_private_key(65537, 1024), lambda: ec.generate_private_key(ec.SECP521R1())]
)
def test_a_weak_or_foreign_key_is_not_registered(key: Any) -> None:
    certificate = make_certificate(key(), "weak", NOW, NOW + timedelta(days=1))
    with pytest.raises(ValueError, match="the certificate holds"):
        certificate_credential(certificate, NOW, signs=True)
