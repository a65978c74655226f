"""X-Road clients as credentials: registered, unique, revoked, given back; what a file and the registry make of them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Unauthenticated
from schemas.exchange import Credential, Database
from security.administration import ChangeRefused, add, register, revoke
from security.client_files import apply
from security.client_store import Taken
from security.credentials import xroad_credential
from security.registry import ClientRegistry

DVC = "VN/GOV/000.00.00.H26/DVC"


def credential(client: str = DVC) -> Any:
    return xroad_credential(client, datetime.now(UTC))


async def test_it_identifies_its_client_and_nobody_else(deployment: Any) -> None:
    ministry = await deployment.add(secret=False, credentials=(credential(), credential("VN/GOV/000.00.00.H26")))
    caller = deployment.identity.by_xroad(DVC)
    assert (caller.client_id, caller.credential) == ("ministry", Credential("xroad", f"xroad:{DVC}"))
    assert deployment.identity.by_xroad("VN/GOV/000.00.00.H26").client_id == ministry.client_id
    for other in ("VN/GOV/000.00.00.H26/dvc", "VN/GOV/000.00.00.H26/DVC2", "VN/GOV", f"{DVC}/", ""):
        with pytest.raises(Unauthenticated) as caught:
            deployment.identity.by_xroad(other)
        assert caught.value.reason == "unknown"


async def test_a_revocation_reaches_another_node_and_names_itself(deployment: Any) -> None:
    node = ClientRegistry(deployment.storage)
    ministry = await deployment.add(secret=False, credentials=(credential(),))
    await node.refresh()
    assert node.by_xroad(DVC, datetime.now(UTC))[0].client_id == "ministry"
    ended = await deployment.commit(revoke(ministry, credential_id=f"xroad:{DVC}", by="test"))
    await node.refresh()
    with pytest.raises(Unauthenticated) as caught:
        node.by_xroad(DVC, datetime.now(UTC))
    assert caught.value.reason == "revoked"
    # The subsystem has no other name to come back under.
    await deployment.commit(register(ended, credential(), by="test"))
    assert deployment.identity.by_xroad(DVC).client_id == "ministry"


async def test_it_stands_for_one_living_client(deployment: Any) -> None:
    first = await deployment.add("first", secret=False, credentials=(credential(),))
    second = await deployment.add("second")
    with pytest.raises(Taken, match="X-Road client is already registered for client first"):
        await deployment.commit(register(second, credential(), by="test"))
    await deployment.commit(revoke(first, by="test"))
    await deployment.commit(register(second, credential(), by="test"))
    assert deployment.identity.by_xroad(DVC).client_id == "second"
    # What is revoked may be changed on, without taking the name back.
    first = await deployment.client("first")
    await deployment.commit(revoke(first, credential_id=first.credentials[0].id, by="test"))
    assert deployment.identity.by_xroad(DVC).client_id == "second"


@pytest.mark.parametrize(
    "client",
    ["", "VN", "VN/GOV", "VN/GOV/A/B/C", "VN//A", "VN/GOV/A/", " VN/GOV/A", "VN/GOV/A\n", "VN/GOV/A\x00B", "V" * 91],
)
def test_what_names_no_client_is_refused(client: str) -> None:
    with pytest.raises(ValueError, match="X-Road"):
        credential(client)


def test_the_longest_identifier_fits_its_column() -> None:
    from security.client_store import CREDENTIALS

    longest = credential("VN/GOV/" + "M" * 83).id
    assert len(longest) == CREDENTIALS.c.credential_id.type.length
    with pytest.raises(ValueError, match="at most 90"):
        credential("VN/GOV/" + "M" * 84)


def test_a_file_lists_them(tmp_path: Path, declared: Database) -> None:
    def changes(current: Any, line: str) -> Any:
        file = tmp_path / "clients.toml"
        file.write_text(f'[[clients]]\nid = "ministry"\nname = "N"\nagency = "G12"\n{line}\n', encoding="utf-8")
        return apply(file, current, (declared,), by="test")

    (made,) = changes({}, f'xroad = ["{DVC}"]')
    current = {"ministry": made.client}
    assert [one.id for one in made.client.credentials] == [f"xroad:{DVC}"]
    assert changes(current, f'xroad = ["{DVC}"]') == []
    assert changes(current, "") == []
    (ended,) = changes(current, "xroad = []")
    assert [one.lapse(datetime.now(UTC)) for one in ended.client.credentials] == ["revoked"]
    (again,) = changes({"ministry": ended.client}, f'xroad = ["{DVC}"]')
    assert [one.lapse(datetime.now(UTC)) for one in again.client.credentials] == [None]
    with pytest.raises(ChangeRefused, match="INSTANCE/CLASS/MEMBER"):
        changes(current, 'xroad = ["VN/GOV"]')


def test_what_is_evident_of_it_is_its_name() -> None:
    change = add("ministry", name="N", agency="G12", secret=False, credentials=(credential(),), by="test")
    shown = change.differences[f"credential xroad:{DVC}"]
    assert shown == {"before": None, "after": {"kind": "xroad", "not_after": None, "revoked_at": None}}
