"""What the log holds of an exchange that passed its stages: why it was asked, and what the grant says to keep."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from schemas.errors import GatewayError
from schemas.exchange import (
    Answer,
    Caller,
    CallerSignature,
    Credential,
    Database,
    Exchange,
    Grant,
    Provenance,
    compose,
)
from security.audit.anonymous import BulkCounter
from security.audit.assembly import open_sealer
from security.audit.reading import AuditReader
from security.audit.trail import AuditTrail
from security.policy import authorised
from tests.test_callers.conftest import Deployment


@pytest.fixture
def reader(deployment: Deployment) -> AuditReader:
    vault = deployment.keys.directory.parent / "vault"
    return AuditReader(deployment.storage, open_sealer(deployment.keys, vault))


async def recorded(
    deployment: Deployment,
    reader: AuditReader,
    declared: Database,
    grant: Grant,
    purpose: str | None,
    said: object = "A",
    signed: CallerSignature | None = None,
    proven: Provenance | None = None,
) -> Mapping[str, Any]:
    """Ask a source that says this code once under this grant, signed or not on either side; return the entry."""

    async def source(asked: Exchange) -> Answer:
        asked.trail.provenance = proven
        return Answer({"code": said, "colour": None, "place": {"street": "", "owners": []}, "tags": []})

    operation = declared.operations[0]
    exchange = Exchange(
        id=str(uuid4()),
        database=declared,
        operation=operation,
        question=operation.question.model_validate({"code": "A"}),
        caller=Caller("ministry", "G12", Credential("secret", "secret-1"), {("store", "thing"): (grant,)}),
        purpose=purpose,
        asked_at=datetime.now(UTC),
        deadline=0.0,
        signed=signed,
    )
    trail = AuditTrail(deployment.log, BulkCounter(deployment.log))
    with suppress(GatewayError):
        await compose((trail.audited, authorised), source)(exchange)
    return (await reader.show(await reader.size() - 1)).entry


async def test_the_purpose_of_an_answer_stands_in_its_entry(
    deployment: Deployment, reader: AuditReader, declared: Database, grant: Grant
) -> None:
    entry = await recorded(deployment, reader, declared, grant, "inspection")
    assert (entry["outcome"], entry["purpose"]) == ({"code": "ok", "status": 200}, "inspection")


@pytest.mark.parametrize(
    ("purpose", "kept"),
    [("identity-verification", "identity-verification"), ("001085000001", None), ("Inspection", None), (None, None)],
)
async def test_a_refused_purpose_stands_in_its_entry_where_it_is_a_known_code(
    deployment: Deployment, reader: AuditReader, declared: Database, grant: Grant, purpose: str | None, kept: str | None
) -> None:
    entry = await recorded(deployment, reader, declared, grant, purpose)
    assert entry["kind"] == "refusal"
    assert entry.get("purpose") == kept


@pytest.mark.parametrize("archive", [True, False])
async def test_what_was_disclosed_is_kept_where_the_grant_says_so(
    deployment: Deployment, reader: AuditReader, declared: Database, grant: Grant, archive: bool
) -> None:
    await recorded(deployment, reader, declared, replace(grant, archive=archive), "inspection")
    kept = (await reader.open(await reader.size() - 1)).data
    assert kept == (b'{"code":"A","place":{"street":""}}' if archive else None)


async def test_an_answer_without_canonical_form_leaves_evidence_and_no_data(
    deployment: Deployment, reader: AuditReader, declared: Database, grant: Grant
) -> None:
    entry = await recorded(deployment, reader, declared, grant, "inspection", said=2**60)
    assert entry["outcome"] == {"code": "internal", "status": 500}
    assert "data" not in entry["commitments"]


@pytest.mark.parametrize("domain", ["government", None])
@pytest.mark.parametrize("revocation", ["good", "indeterminate", None])
async def test_the_entry_says_how_far_signers_were_vouched_for(
    deployment: Deployment, reader: AuditReader, declared: Database, grant: Grant, domain: Any, revocation: Any
) -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    ours = CallerSignature("sha256:aa", at, "n", 0, domain, revocation)
    theirs = Provenance("CN=CSDL", "sha256:bb", at, domain, revocation)
    entry = await recorded(deployment, reader, declared, grant, next(iter(grant.purposes)), signed=ours, proven=theirs)
    details = entry["details"]
    assert (details["signer"], details["caller_signer"]) == ("sha256:bb", "sha256:aa")
    for before in ("", "caller_"):
        assert details.get(f"{before}signer_domain") == domain
        assert details.get(f"{before}signer_revocation") == revocation


@pytest.mark.parametrize("provable", [True, False], ids=["provable", "plain"])
async def test_the_grant_says_whether_fields_are_committed_to_one_by_one(
    deployment: Deployment, reader: AuditReader, declared: Database, grant: Grant, provable: bool
) -> None:
    entry = await recorded(deployment, reader, declared, replace(grant, provable=provable), "inspection")
    assert ("fields" in entry["commitments"]) == provable
    assert ("fields" in (await reader.open(await reader.size() - 1)).salts) == provable
