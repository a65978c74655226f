"""A receipt proves the exchange to whoever holds the log's public key, without asking the gateway."""

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from tests.test_gateway import evidence
from tests.test_gateway.live import Caller, Live
from tests.test_verify_audit.made import judged

FULL = {"Lgsp-Receipt": "full"}


@pytest.fixture
def log_key(live: Live) -> Path:
    return Path(live.described["log_key"])


async def test_each_answer_is_proven_by_its_receipt(caller: Caller, log_key: Path) -> None:
    for name in caller.samples:
        told = (await caller.ask(name, headers=FULL)).json
        entry = evidence.proven(told["receipt"], log_key)
        assert evidence.opens(told["receipt"], entry, told["data"])
        assert not evidence.opens(told["receipt"], entry, {**told["data"], "more": None})
        assert entry["id"] == told["exchange"]["id"]
        assert f"{entry['database']}/{entry['operation']}" == name
        assert entry["fields"] == told["exchange"]["fields"]
        assert entry["purpose"] == caller.samples[name]["headers"]["Lgsp-Purpose"]
        assert entry["outcome"] == {"code": "ok", "status": 200}


async def test_the_checkpoint_of_a_plain_receipt_covers_it(caller: Caller, log_key: Path) -> None:
    receipt = (await caller.ask("population/person")).json["receipt"]
    assert receipt.keys() == {"log", "index", "leaf", "salt", "checkpoint"}
    origin, size, _ = evidence.opened(receipt["checkpoint"], log_key)
    assert origin == receipt["log"]
    assert receipt["index"] < size


async def test_an_altered_receipt_proves_nothing(caller: Caller, log_key: Path) -> None:
    receipt = (await caller.ask("population/person", headers=FULL)).json["receipt"]
    entry = base64.b64decode(receipt["entry"])
    altered = base64.b64encode(entry.replace(b"ministry", b"province")).decode()
    other_size = receipt["checkpoint"].replace("\n", "\n1", 1)
    for wrong in ({"entry": altered}, {"index": receipt["index"] + 1}, {"proof": receipt["proof"][:-1]}):
        with pytest.raises(AssertionError):
            evidence.proven({**receipt, **wrong}, log_key)
    with pytest.raises(InvalidSignature):
        evidence.proven({**receipt, "checkpoint": other_size}, log_key)


async def test_refusals_and_misses_are_proven_too(caller: Caller, live: Live, log_key: Path) -> None:
    miss = next(case for case in live.described["cases"]["population/person"] if case["status"] == 404)
    replies = [
        await caller.ask("population/person", miss["body"]),
        await caller.ask("population/person", headers={"Lgsp-Purpose": None}),
        await caller.ask("tax/taxpayer", client="limited"),
        await caller.ask("population/person", {"personal_id": "x"}),
    ]
    newest = (await caller.ask("population/match", headers=FULL)).json["receipt"]
    _, size, root = evidence.opened(newest["checkpoint"], log_key)
    entries = evidence.stored_entries(Path(live.described["database"]))[:size]
    assert evidence.root_of([evidence.leaf_hash(entry) for entry in entries]) == root
    for reply in replies:
        problem = reply.problem
        body = entries[problem["receipt"]["index"]]
        assert base64.b64decode(problem["receipt"]["leaf"]) == evidence.leaf_hash(body)
        assert problem["exchange"]["id"].encode() in body
        assert problem["receipt"]["salt"] is None


async def test_a_full_receipt_of_a_failure_verifies_by_itself(caller: Caller, live: Live, log_key: Path) -> None:
    miss = next(case for case in live.described["cases"]["population/person"] if case["status"] == 404)
    for reply in (
        await caller.ask("population/person", miss["body"], headers=FULL),
        await caller.ask("population/person", headers={**FULL, "Lgsp-Purpose": None}),
        await caller.ask("tax/taxpayer", client="limited", headers=FULL),
        await caller.ask("population/person", {"personal_id": "x"}, headers=FULL),
    ):
        entry = evidence.proven(reply.problem["receipt"], log_key)
        assert entry["outcome"]["code"] == reply.problem["code"]


async def test_the_file_for_outsiders_verifies_what_callers_get(
    caller: Caller, live: Live, log_key: Path, tmp_path: Path
) -> None:
    miss = next(case for case in live.described["cases"]["population/person"] if case["status"] == 404)
    told = [(await caller.ask(name, headers=FULL)).body for name in caller.samples]
    told.append((await caller.ask("population/person", miss["body"], headers=FULL)).body)
    told.append((await caller.ask("population/person", {"personal_id": "x"}, headers=FULL)).body)
    bearer = {"Authorization": f"Bearer {await caller.token('province')}", **FULL}
    path = "/v1/dossiers/000.00.00.H26-260109-0001"
    dossier = live.described["samples"]["dossiers/dossier"]["body"]
    told.append((await caller.send("PUT", path, headers=bearer, json=dossier)).body)
    told.append((await caller.send("GET", path, headers=bearer)).body)
    for number, body in enumerate(told):
        (tmp_path / f"{number}.json").write_bytes(body)
        status, facts = judged(tmp_path / f"{number}.json", key=log_key)
        assert status == 0, (facts, body)
        answered = number < len(caller.samples) or number == len(told) - 1
        assert (("holds", "data: the content that the entry commits to") in facts) is answered
    (tmp_path / "plain.json").write_bytes((await caller.ask("population/person")).body)
    assert judged(tmp_path / "plain.json", key=log_key)[0] == 1


async def test_subjects_are_committed_to_with_their_roles(caller: Caller, log_key: Path) -> None:
    told = (await caller.ask("population/person", headers=FULL)).json
    entry = evidence.proven(told["receipt"], log_key)
    relatives = [told["data"][who] for who in ("father", "mother", "spouse") if told["data"][who]]
    roles = [subject["role"] for subject in entry["subjects"]]
    assert roles.count("asked") == 1
    assert roles.count("disclosed") >= 1 + len(relatives)
    guesses = {
        base64.b64encode(hashlib.sha256(number.encode()).digest()).decode()
        for number in (told["data"]["personal_id"], *(relative["personal_id"] or "" for relative in relatives))
    }
    assert guesses.isdisjoint(subject["commitment"] for subject in entry["subjects"])
