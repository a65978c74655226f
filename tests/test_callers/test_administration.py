"""Changing clients: what is stored, what is evident, what is refused, and how every process learns of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from schemas.errors import Unauthenticated
from schemas.exchange import Database, Grant
from security.administration import ChangeRefused, add, register, revoke, rotate
from security.administration import grant as give
from security.audit.tables import ENTRIES
from security.client_files import apply
from security.client_store import CREDENTIALS, Stale, Taken, load_all, store
from security.credentials import certificate_credential, key_credential
from security.registry import ClientRegistry


async def entries(deployment: Any) -> list[dict[str, Any]]:
    bodies = await deployment.storage.read(
        lambda connection: connection.execute(select(ENTRIES.c.body).order_by(ENTRIES.c.idx)).scalars().all()
    )
    return [json.loads(body) for body in bodies]


async def test_a_client_is_stored_whole_and_its_evidence_with_it(deployment: Any, grant: Grant, tmp_path: Path) -> None:
    client = await deployment.add(rights=["audit"])
    special = replace(
        grant, dossier_required=True, officer_required=True, rate=2.5, expires_at=datetime(2027, 1, 1, tzinfo=UTC)
    )
    client = await deployment.commit(give(client, special, by="an operator"))
    assert client.grants == (special,)
    assert (client.agency, client.rights, client.name) == ("G12", {"audit"}, "A ministry")
    assert deployment.registry.get("ministry") == client
    added, granted = await entries(deployment)
    assert added["kind"] == granted["kind"] == "admin"
    assert granted["details"]["by"] == "an operator"
    assert granted["details"]["action"] == "client-grant"
    change = granted["details"]["changes"]["grant store/thing inspection"]
    assert change["before"] is None
    assert change["after"]["fields"] == ["code", "place.street"]
    # The secret is nowhere: not in the trail, not in any database file.
    secret = deployment.secrets["ministry"]
    for path in tmp_path.iterdir():
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
            assert secret.removeprefix("lgsp_").encode() not in path.read_bytes()


async def test_a_secret_works_until_its_overlap_ends(deployment: Any) -> None:
    client = await deployment.add()
    old = deployment.secrets["ministry"]
    await deployment.commit(rotate(client, timedelta(days=7), by="test"))
    new = deployment.secrets["ministry"]
    assert deployment.identity.by_secret("ministry", old)[0].client_id == "ministry"
    assert deployment.identity.by_secret("ministry", new)[0].client_id == "ministry"
    deployment.clock.offset = timedelta(days=7, seconds=1).total_seconds()
    with pytest.raises(Unauthenticated) as caught:
        deployment.identity.by_secret("ministry", old)
    assert caught.value.reason == "expired"
    assert deployment.identity.by_secret("ministry", new)


async def test_a_second_rotation_never_prolongs_an_old_secret(deployment: Any) -> None:
    client = await deployment.add()
    first = client.credentials[0].id
    client = await deployment.commit(rotate(client, timedelta(hours=1), by="test"))
    client = await deployment.commit(rotate(client, timedelta(days=30), by="test"))
    assert client.credential(first).not_after < datetime.now(UTC) + timedelta(hours=2)


async def test_revocation_reaches_another_node_by_refreshing(deployment: Any) -> None:
    node = ClientRegistry(deployment.storage)
    client = await deployment.add()
    assert await node.refresh() == 1
    secret = deployment.secrets["ministry"]
    assert node.by_secret("ministry", secret, datetime.now(UTC))
    await deployment.commit(revoke(client, by="test"), refresh=False)
    assert await node.refresh() == 1
    with pytest.raises(Unauthenticated) as caught:
        node.by_secret("ministry", secret, datetime.now(UTC))
    assert caught.value.reason == "revoked"
    assert await node.refresh() == 0


async def test_many_clients_arrive_in_pieces_and_none_is_missed(deployment: Any) -> None:
    made = [add(f"client-{number}", name="n", agency="H30", by="test", secret=False).client for number in range(450)]

    def write(connection: Any) -> None:
        for client in made:
            store(connection, client)

    await deployment.storage.write(write)
    assert await deployment.registry.refresh() == 450
    assert len(deployment.registry) == 450
    stored = await deployment.storage.read(load_all)
    assert [client.client_id for client in stored] == sorted(client.client_id for client in made)


async def test_two_operators_at_once_do_not_overwrite_each_other(deployment: Any, grant: Grant) -> None:
    client = await deployment.add()
    before = len(await entries(deployment))
    await deployment.commit(give(client, grant, by="one"))
    with pytest.raises(Stale):
        await deployment.commit(revoke(client, by="two"))
    assert len(await entries(deployment)) == before + 1
    with pytest.raises(Stale):
        await deployment.commit(add("ministry", name="n", agency="G12", by="three"))
    assert (await deployment.client("ministry")).grants == (grant,)


async def test_a_certificate_belongs_to_one_client(deployment: Any, authority: Any) -> None:
    credential = certificate_credential(authority.issue("app")[0], datetime.now(UTC))
    first = await deployment.add("first")
    second = await deployment.add("second")
    first = await deployment.commit(register(first, credential, by="test"))
    with pytest.raises(Taken, match="first"):
        await deployment.commit(register(second, credential, by="test"))
    await deployment.commit(revoke(first, credential_id=credential.id, by="test"))
    await deployment.commit(register(second, credential, by="test"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"client_id": "A"}, "client id"),
        ({"client_id": "app-001099012345"}, "nine digits"),
        ({"client_id": "../x"}, "client id"),
        ({"agency": "hanoi"}, "agency"),
        ({"rights": ["root"]}, "no such right"),
    ],
)
def test_what_cannot_be_a_client_is_refused(given: dict[str, Any], says: str) -> None:
    options: dict[str, Any] = {"client_id": "ministry", "name": "n", "agency": "G12", "by": "test"} | given
    with pytest.raises(ChangeRefused, match=says):
        add(**options)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"purposes": frozenset()}, "purpose"),
        ({"purposes": frozenset({"curiosity"})}, "curiosity"),
        ({"fields": frozenset()}, "without fields"),
        ({"rate": 0.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"burst": -1}, "burst"),
        ({"deadline_ms": 1}, "deadline"),
        ({"purposes": frozenset({"inspection", "benefit-verification"})}, "cover inspection"),
    ],
)
def test_what_cannot_be_a_grant_is_refused(grant: Grant, changes: dict[str, Any], says: str) -> None:
    client = give(add("ministry", name="n", agency="G12", by="test").client, grant, by="test").client
    with pytest.raises(ChangeRefused, match=says):
        give(client, replace(grant, **changes), by="test")


def test_a_grant_for_the_same_purposes_is_replaced(grant: Grant) -> None:
    client = give(add("ministry", name="n", agency="G12", by="test").client, grant, by="test").client
    change = give(client, replace(grant, rate=1.0), by="test")
    assert [item.rate for item in change.client.grants] == [1.0]
    assert list(change.differences) == ["grant store/thing inspection"]
    assert not give(client, grant, by="test").differences


async def test_what_was_revoked_stays_so(deployment: Any, grant: Grant) -> None:
    client = await deployment.commit(revoke(await deployment.add(), by="test"))
    with pytest.raises(ChangeRefused, match="for good"):
        give(client, grant, by="test")
    with pytest.raises(ChangeRefused, match="for good"):
        rotate(client, timedelta(0), by="test")
    with pytest.raises(ChangeRefused, match="no credential"):
        revoke(client, credential_id="nothing", by="test")
    with pytest.raises(ChangeRefused, match="no grant"):
        revoke(client, operation=("store", "thing"), by="test")


FILE = """
[[clients]]
id = "province"
name = "A province"
agency = "H30"
rights = ["dossiers"]
secret = true
certificates = ["app.pem", {subject = "CN=renewed", issuer = "ca.pem"}]

[[clients.grants]]
database = "store"
operation = "thing"
purposes = ["inspection"]
fields = ["*"]
expires_at = 2027-01-01T00:00:00+07:00

[[clients]]
id = "tiny"
name = "Tiny"
agency = "G12"
"""


async def current(deployment: Any) -> dict[str, Any]:
    return {client.client_id: client for client in await deployment.storage.read(load_all)}


async def test_a_file_is_made_true_and_then_changes_nothing(
    deployment: Any, declared: Database, authority: Any, tmp_path: Path
) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(FILE)
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "app.pem").write_bytes(authority.issue("app")[0].public_bytes(Encoding.PEM))
    await deployment.add("bystander")
    changes = apply(path, await current(deployment), (declared,), by="test")
    assert [(change.client.client_id, change.secret is not None) for change in changes] == [
        ("province", True),
        ("tiny", False),
    ]
    for change in changes:
        await deployment.commit(change)
    assert apply(path, await current(deployment), (declared,), by="test") == []
    province = await deployment.client("province")
    assert province.grants[0].fields == {"code", "colour", "place", "tags"}
    assert sorted(item.kind for item in province.credentials) == ["mtls", "mtls", "secret"]
    assert deployment.identity.by_secret("province", deployment.secrets["province"])

    # Less in the file is less in the registry: the grant goes, the pinned certificate is revoked, the secret stays.
    path.write_text(FILE.replace('"app.pem", ', "").split("[[clients.grants]]")[0])
    (change,) = apply(path, await current(deployment), (declared,), by="test")
    province = await deployment.commit(change)
    assert province.grants == ()
    assert [item.revoked_at is None for item in province.credentials if "sha256" in item.material] == [False]
    assert deployment.identity.by_secret("province", deployment.secrets["province"])
    assert set(await current(deployment)) == {"bystander", "province", "tiny"}

    # And a certificate that was revoked does not come back by applying an old file.
    path.write_text(FILE)
    with pytest.raises(ChangeRefused, match="for good"):
        apply(path, await current(deployment), (declared,), by="test")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("clients = 3", "clients"),
        ("[[clients]]\nid = 'x'", "name"),
        (FILE + "colour = 1", "colour"),
        (FILE.replace('["*"]', '["nothing"]'), "no field nothing"),
        (FILE.replace('"thing"', '"things"'), "no operation"),
        (FILE.replace("inspection", "curiosity"), "curiosity"),
        (FILE.replace('"tiny"', '"province"'), "twice"),
        (FILE.replace("app.pem", "missing.pem"), "missing.pem"),
        (FILE.replace("+07:00", ""), "expires_at"),
        ("[[clients]", "clients.toml"),
    ],
)
def test_a_wrong_file_changes_nothing_and_says_where(
    declared: Database, authority: Any, tmp_path: Path, broken: str, says: str
) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(broken)
    for name in ("ca.pem", "app.pem"):
        (tmp_path / name).write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    with pytest.raises(ChangeRefused, match=says):
        apply(path, {}, (declared,), by="test")


def test_a_json_file_says_the_same(declared: Database, tmp_path: Path) -> None:
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"clients": [{"id": "tiny", "name": "Tiny", "agency": "G12", "secret": True}]}))
    (change,) = apply(path, {}, (declared,), by="test")
    assert change.secret is not None
    path.write_text("[" * 100_000)
    with pytest.raises(ChangeRefused):
        apply(path, {}, (declared,), by="test")


def test_a_file_may_list_what_expired_since_it_was_registered(
    declared: Database, authority: Any, tmp_path: Path
) -> None:
    certificate = authority.issue("app")[0]
    (tmp_path / "app.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    path = tmp_path / "clients.json"
    part = {"id": "tiny", "name": "Tiny", "agency": "G12", "secret": True, "certificates": ["app.pem"]}
    path.write_text(json.dumps({"clients": [part]}))
    (change,) = apply(path, {}, (declared,), by="test")
    late = certificate.not_valid_after_utc + timedelta(seconds=1)
    assert apply(path, {"tiny": change.client}, (declared,), by="test", at=late) == []
    with pytest.raises(ChangeRefused, match="expired"):
        apply(path, {}, (declared,), by="test", at=late)


def test_private_keys_are_not_taken() -> None:
    private = {"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "c"}
    with pytest.raises(ValueError, match="private"):
        key_credential(private, datetime.now(UTC))


def test_the_ids_of_all_kinds_of_credentials_fit_their_column(authority: Any) -> None:
    """SQLite takes text of any length; PostgreSQL refuses what is longer than declared."""
    certificate, now = authority.issue("app")[0], datetime.now(UTC)
    ids = [certificate_credential(certificate, now, signs=signs).id for signs in (False, True)]
    assert max(map(len, ids)) <= CREDENTIALS.c.credential_id.type.length
