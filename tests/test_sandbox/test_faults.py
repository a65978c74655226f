"""Every fault, seen from the wire: what the answer then is, and which rule of the signature profile it breaks."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ServerDisconnectedError

from sandbox.registry import COMMON_FAULTS, SIGNING_FAULTS, FaultRefused, Faults, read_fault
from sandbox.run import REGISTRIES as ALL
from sandbox.run import read_faults, start
from sandbox.world.world import World
from security.signature import RecentSignatures, Rejected, SignaturePolicy, Verified
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts
from security.trust import AnchoredTrust, load_certificates
from security.trust_revocation import RevocationLists
from security.xml_signature import verify_enveloped
from tests.test_sandbox.visitor import REGISTRIES, SIGNING, Reply, Visitor, parcel_question, person_question

REASONS = {
    "unsigned": "not-covered",
    "tampered": "altered",
    "wrong-signer": "untrusted",
    "expired-cert": "expired",
    "revoked-cert": "revoked",
    "stale": "stale",
    "replayed": "replayed",
    "wrong-answer": "not-answer-to-request",
    "malformed": "malformed",
}


class Judge:
    """Verifies answers as a caller must who trusts one authority, one subject and its revocation list."""

    def __init__(self, visitor: Visitor, database: str) -> None:
        pki = visitor.running.pki
        authorities = load_certificates(pki.registries_ca)
        (expected,) = load_certificates(pki.registry(database).certificate)
        lists = RevocationLists.load([pki.revocations(())], authorities)
        self._trust = AnchoredTrust(authorities, subject=expected.subject, revocation=lists)
        self._policy = SignaturePolicy(replays=RecentSignatures())

    def verify(self, reply: Reply, identity: str) -> Verified:
        if reply.sent is None:
            return verify_enveloped(reply.body, self._policy, self._trust, request_id=identity)
        return verify_soap(reply.body, self._policy, self._trust, confirms=reply.sent.signature_value)


@pytest.mark.parametrize("database", SIGNING)
async def test_an_answer_without_fault_holds(visitor: Visitor, database: str) -> None:
    judge = Judge(visitor, database)
    for _ in range(2):
        reply, identity = await visitor.ask(database)
        verified = judge.verify(reply, identity)
        named = verified.element.get("requestId") or verified.element.get("MaYeuCau")
        assert (reply.status, named) == (200, identity)
        assert verified.signer.subject.rfc4514_string().startswith("CN=LGSP SANDBOX")


@pytest.mark.parametrize("database", SIGNING)
@pytest.mark.parametrize("kind", [*SIGNING_FAULTS, "malformed"])
async def test_each_signing_fault_breaks_its_own_rule(visitor: Visitor, database: str, kind: str) -> None:
    judge = Judge(visitor, database)
    before, identity = await visitor.ask(database)
    judge.verify(before, identity)
    token = await visitor.token()
    assert await visitor.fault(database, kind) == 200
    if database == "land" and kind == "malformed":
        key = next(visitor.running.world.blocks()).parcels[0].key
        question = parcel_question(key.commune, key.sheet, key.parcel)
        reply = await visitor.document("/thua-dat/tra-cuu", question, token=token)
    else:
        reply, identity = await visitor.ask(database)
    with pytest.raises(Rejected) as rejected:
        judge.verify(reply, identity)
    assert (reply.status, rejected.value.reason) == (200, REASONS[kind])
    await visitor.fault(database, None)
    reply, identity = await visitor.ask(database)
    judge.verify(reply, identity)


@pytest.mark.parametrize("database", SIGNING)
async def test_a_replayed_answer_is_an_earlier_one_byte_for_byte(visitor: Visitor, database: str) -> None:
    first, _ = await visitor.ask(database)
    for kind in ("wrong-answer", "stale", "tampered", "wrong-signer"):
        # What nobody accepted is nothing to replay.
        await visitor.fault(database, kind)
        await visitor.ask(database)
    await visitor.fault(database, "replayed")
    again, _ = await visitor.ask(database)
    assert again.body == first.body


@pytest.mark.parametrize("database", SIGNING)
async def test_a_wrong_answer_is_genuine_but_about_something_else(visitor: Visitor, database: str) -> None:
    right, _ = await visitor.ask(database)
    await visitor.fault(database, "wrong-answer")
    wrong, identity = await visitor.ask(database)
    judge = Judge(visitor, database)
    if wrong.sent is not None:
        verified = verify_soap(wrong.body, judge._policy, judge._trust)
        assert verified.confirms
    else:
        verified = verify_enveloped(wrong.body, judge._policy, judge._trust)
    assert (verified.element.get("requestId") or verified.element.get("MaYeuCau")) != identity
    key = {"population": "SoDinhDanh", "tax": "MaSoThue", "land": "SoThuTuThua"}[database]
    assert right.text(key) != wrong.text(key)
    assert wrong.text(key)


async def test_down_hangs_up_and_the_way_back_stays_open(visitor: Visitor) -> None:
    await visitor.fault("tax", "down")
    with pytest.raises(ServerDisconnectedError):
        await visitor.ask("tax")
    assert (await visitor.ask("population"))[0].status == 200
    await visitor.fault("tax", None)
    assert (await visitor.ask("tax"))[0].status == 200


async def test_drop_after_commit_does_the_work_and_loses_the_answer(visitor: Visitor) -> None:
    await visitor.fault("land", "drop-after-commit")
    account = visitor.running.accounts["land"]
    form = {"grant_type": "password", "username": account.username, "password": account.secret}
    with pytest.raises(ClientError):
        await visitor.session.post(f"{visitor.running.urls['land']}/oauth/token", data=form)


async def test_a_question_answered_into_the_void_cannot_be_sent_again(visitor: Visitor, world: World) -> None:
    payload = person_question(world.person(1).personal_id or "")
    envelope = sign_soap_parts(payload.encode(), visitor.key, version="1.1").envelope
    await visitor.fault("population", "drop-after-commit")
    with pytest.raises(ClientError):
        await visitor.soap("population", "", envelope=envelope)
    await visitor.fault("population", None)
    reply = await visitor.soap("population", "", envelope=envelope)
    assert (reply.status, reply.text("MaLoi")) == (500, "TrungYeuCau")


@pytest.mark.parametrize("database", SIGNING)
async def test_error_fails_the_given_share(visitor: Visitor, database: str) -> None:
    for share, expected in (("1", {503}), ("0", {200})):
        await visitor.fault(database, None)
        token = await visitor.token() if database == "land" else ""
        await visitor.fault(database, f"error={share}")
        if database == "land":
            key = next(visitor.running.world.blocks()).parcels[0].key
            question = parcel_question(key.commune, key.sheet, key.parcel)
            replies = [await visitor.document("/thua-dat/tra-cuu", question, token=token) for _ in range(3)]
        else:
            replies = [(await visitor.ask(database))[0] for _ in range(3)]
        assert {reply.status for reply in replies} == expected


def test_a_share_of_failures_is_neither_all_nor_none() -> None:
    faults = Faults(signs=False)
    faults.set("error=0.25")
    struck = sum(faults.strikes() for _ in range(1000))
    assert 150 < struck < 350


async def test_latency_waits_before_it_answers(visitor: Visitor) -> None:
    await visitor.fault("tax", "latency=30s")
    asking = asyncio.ensure_future(visitor.ask("tax"))
    other, _ = await visitor.ask("population")
    assert other.status == 200
    assert not asking.done()
    asking.cancel()
    await visitor.fault("tax", "latency=0.001s")
    assert (await visitor.ask("tax"))[0].status == 200


@pytest.mark.parametrize(
    "text",
    ["", "Down", "down ", "latency", "latency=2", "latency=s", "latency=-1s", "error=2", "error=0.1.1", "error=٠", "x"],
)
def test_an_unknown_fault_is_refused(text: str) -> None:
    with pytest.raises(FaultRefused):
        read_fault(text, signs=True)


def test_a_new_certificate_is_no_fault() -> None:
    assert "fresh-cert" not in SIGNING_FAULTS
    faults = Faults(signs=True)
    faults.set("fresh-cert")
    assert faults.delivers
    with pytest.raises(FaultRefused, match="does not sign"):
        read_fault("fresh-cert", signs=False)


@pytest.mark.parametrize("kind", SIGNING_FAULTS)
def test_signing_faults_need_a_source_that_signs(kind: str) -> None:
    assert read_fault(kind, signs=True).kind == kind
    with pytest.raises(FaultRefused, match="does not sign"):
        read_fault(kind, signs=False)


def test_faults_of_the_command_line_name_their_database() -> None:
    found = read_faults(["land:latency=2s", "tax:tampered", "enterprise:down"], ALL)
    assert {name: fault.kind for name, fault in found.items()} == {
        "land": "latency",
        "tax": "tampered",
        "enterprise": "down",
    }
    assert found["land"].amount == 2.0
    for wrong in ("tax", "nobody:down", "enterprise:unsigned", ":down"):
        with pytest.raises(FaultRefused):
            read_faults([wrong], ALL)


async def test_a_fault_can_be_there_from_the_start(world: World, state: Path) -> None:
    running = await start(world, state, faults=read_faults(["tax:down"], REGISTRIES), registries=REGISTRIES)
    async with ClientSession() as session:
        async with session.get(f"{running.urls['tax']}/_faults") as answer:
            assert (await answer.json())["fault"] == "down"
        with pytest.raises(ServerDisconnectedError):
            await session.get(running.contracts["tax"])
    await running.close()


@pytest.mark.parametrize("body", ["", "[]", '{"fault": 1}', '{"kind": "down"}', '{"fault": "down", "more": 1}', "nul"])
async def test_a_wrong_order_to_misbehave_is_explained(visitor: Visitor, body: str) -> None:
    url = f"{visitor.running.urls['tax']}/_faults"
    async with visitor.session.put(url, data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400
    assert await visitor.fault("tax", "no-such") == 422
    assert (await visitor.ask("tax"))[0].status == 200


def test_every_fault_of_the_contract_exists() -> None:
    assert COMMON_FAULTS == ("latency", "error", "down", "malformed", "drop-after-commit")
    assert set(SIGNING_FAULTS) == set(REASONS) - {"malformed"}
