"""The portal behind a whole gateway: reached through every stage with evidence, and by no caller."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.portal import PORTAL
from schemas.errors import Refused, UpstreamUnavailable
from schemas.exchange import Answer, Caller, Credential, Exchange, Grant
from schemas.ids import new_id
from security.audit.reading import AuditReader
from security.policy import field_paths
from tests.test_openapi.deployment import Deployment, deployment
from tests.test_portal.visitor import Visitor
from tests.test_portal_adapter.wiring import CODE, dossier, step

NUMBER = "001190000001"
GRANTS = {
    (PORTAL.name, operation.name): (
        Grant(
            PORTAL.name,
            operation.name,
            frozenset({"dossier-processing"}),
            field_paths([PORTAL], PORTAL.name, operation.name, ["*"]),
        ),
    )
    for operation in PORTAL.operations
}


@pytest.fixture
async def deployed(portal: Visitor, tmp_path: Path) -> AsyncIterator[Deployment]:
    section = f"""
[endpoints.portal]
url = "{portal.url}"
username = "lgsp-portal"
secret = "{portal.secret}"
params = {{ madonvi = "H26" }}
"""
    async with deployment(tmp_path, adjust=lambda text: text + section) as made:
        yield made


async def ask(deployed: Deployment, operation: str, question: dict[str, Any], *, granted: bool = True) -> Answer:
    declared = PORTAL.operation(operation)
    assert declared is not None
    return await deployed.gateway.handler(
        Exchange(
            id=new_id(),
            database=PORTAL,
            operation=declared,
            question=declared.question.model_validate(question),
            caller=Caller("lgsp-sync", "H26", Credential("secret", "sync"), GRANTS if granted else {}),
            purpose="dossier-processing",
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + 20,
        )
    )


async def test_a_delivery_leaves_evidence_of_what_was_sent(deployed: Deployment, portal: Visitor) -> None:
    whole = dossier(owner_identities=[{"number": NUMBER}])
    answer = await ask(deployed, "register", {"updating": False, "dossiers": [whole]})
    assert answer.data["outcome"] == "applied"
    assert answer.data["elements"][0]["code"] == CODE
    answer = await ask(deployed, "progress", {"steps": [step(1, "4")]})
    assert answer.data["outcome"] == "applied"
    await portal.fault("drop-after-commit")
    with pytest.raises(UpstreamUnavailable):
        await ask(deployed, "progress", {"steps": [step(2, "9")]})
    await portal.fault(None)
    with pytest.raises(Refused):
        await ask(deployed, "look-up", {"code": CODE}, granted=False)
    assert [line[1:] for line in await portal.ledger()] == [(1, "4", 1), (2, "9", 1)]

    reader = AuditReader(deployed.gateway.storage)
    size = await reader.size()
    entries = [(await reader.show(index)).entry for index in range(size)]
    mine = [entry for entry in entries if entry.get("database") == "portal"]
    assert [(entry["kind"], entry["operation"], entry["outcome"]["code"]) for entry in mine] == [
        ("exchange", "register", "ok"),
        ("exchange", "progress", "ok"),
        ("exchange", "progress", "upstream-unavailable"),
        ("refusal", "look-up", "refused"),
    ]
    registered = mine[0]
    assert {subject["kind"] for subject in registered["subjects"]} == {"personal-id"}
    assert {"question", "request_messages", "answer_messages", "data"} <= registered["commitments"].keys()
    assert NUMBER not in json.dumps(entries)
    assert "Nguyễn Thị Mẫu" not in json.dumps(entries, ensure_ascii=False)


async def test_no_caller_has_a_way_to_the_portal(deployed: Deployment) -> None:
    assert [each.name for each in deployed.gateway.destinations] == ["portal"]
    assert "portal" not in [each.name for each in deployed.gateway.databases]
    client = next(iter(deployed.clients))
    token = await asyncio.to_thread(deployed.token, client)
    for path in ("/v1/portal/look-up", "/soap/portal", "/soap/portal?wsdl"):
        answer = await asyncio.to_thread(deployed.ask, "POST", path, {"code": CODE}, Authorization=f"Bearer {token}")
        # A SOAP fault has status 500.
        assert answer.status in (404, 500)
        assert b"not-found" in answer.body, path
    described = await asyncio.to_thread(deployed.ask, "GET", "/openapi.json")
    assert described.status == 200
    assert not any(path.startswith("/v1/portal") for path in described.json["paths"])


async def test_a_reload_keeps_the_way_to_the_portal(deployed: Deployment) -> None:
    await deployed.gateway.reload()
    answer = await ask(deployed, "register", {"updating": False, "dossiers": [dossier()]})
    assert answer.data["outcome"] == "applied"
