"""A live gateway of two processes that asks the authorities of its sources, and believes in silence where told to."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.test_gateway.evidence import proven
from tests.test_gateway.live import Caller, Live, Reply, lgsp

LAND = "land/parcel"


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    environment = {"LGSP_SERVER__WORKERS": "2", "LGSP_TRUST__REGISTRIES__WHEN_SILENT": "accept"}
    demo = Live(tmp_path_factory.mktemp("trusting") / "state", seed=11, people=40, environment=environment)
    yield demo
    assert demo.stop() == 0


@pytest.fixture
async def caller(trusting: Live, session: ClientSession) -> Caller:  # type: ignore[override]
    return Caller(trusting, session)


async def site(caller: Caller, kind: str | None) -> None:
    """Make the authorities' lists and responder misbehave from now on, or None: behave."""
    async with caller.session.put(f"{caller.live.described['pki']}/_faults", json={"fault": kind}) as answer:
        assert answer.status == 200, await answer.text()


async def told(caller: Caller) -> tuple[dict[str, Any], dict[str, Any]]:
    """What answer and evidence say about who signed."""
    reply = await caller.ask(LAND, headers={"Lgsp-Receipt": "full"})
    assert reply.status == 200, reply.body
    receipt = reply.json["receipt"]
    entry = proven(receipt, Path(caller.live.described["log_key"]))
    # What the audit log shows to its caller is the very entry.
    known = {"Authorization": f"Bearer {await caller.token()}"}
    shown = await caller.send("GET", f"/v1/audit/entries/{receipt['index']}", headers=known)
    assert shown.body == b64decode(receipt["entry"])
    return reply.json["exchange"]["signature"], entry["details"]


async def test_answer_and_evidence_name_the_domain_and_what_is_known(caller: Caller) -> None:
    signature, details = await told(caller)
    assert (signature["domain"], signature["revocation"]) == ("registries", "good")
    assert (details["signer_domain"], details["signer_revocation"]) == ("registries", "good")
    assert details["signer"] == signature["certificate"]


async def test_silence_is_said_wherever_it_counts(caller: Caller, trusting: Live) -> None:
    known, _ = await told(caller)
    await site(caller, "down")
    await caller.fault("land", "fresh-cert")
    try:
        signature, details = await told(caller)
        assert signature["certificate"] != known["certificate"]
        assert (signature["domain"], signature["revocation"]) == ("registries", "indeterminate")
        assert (details["signer_domain"], details["signer_revocation"]) == ("registries", "indeterminate")
        assert await caller.metric("lgsp_signers_indeterminate_total", domain="registries") >= 1
        assert await caller.metric("lgsp_revocation_fetches_total", domain="registries", outcome="unfetched") >= 1
    finally:
        await caller.fault("land", None)
        await site(caller, None)
    # Nobody who was known before was forgotten meanwhile.
    assert (await told(caller))[0]["revocation"] == "good"


async def test_a_revoked_signer_is_refused_by_every_process_although_silence_would_not_be(caller: Caller) -> None:
    await caller.fault("land", "revoked-cert")
    try:
        for _ in range(8):
            reply: Reply = await caller.ask(LAND, headers={"Connection": "close"})
            problem = reply.problem
            assert (problem["code"], problem["reason"]) == ("upstream-signature-rejected", "revoked")
    finally:
        await caller.fault("land", None)
    assert (await told(caller))[0]["revocation"] == "good"


async def test_what_was_found_out_lies_in_files_that_survive_a_restart(caller: Caller, trusting: Live) -> None:
    await told(caller)
    kept = sorted((trusting.state / "revocation").glob("*.ocsp"))
    assert kept
    # The responder is silent from then on, and need not be asked: not by new processes, not after a reload.
    assert trusting.stop() == 0
    trusting.start()
    await site(caller, "down")
    try:
        assert (await told(caller))[0]["revocation"] == "good"
        assert lgsp("reload", "--config", caller.live.described["config"]).returncode == 0
        for _ in range(8):
            reply = await caller.ask(LAND, headers={"Connection": "close"})
            assert reply.json["exchange"]["signature"]["revocation"] == "good"
    finally:
        await site(caller, None)
