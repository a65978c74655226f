"""Opened values: with a right of their own, for a reason that is on record, and gone once they were erased."""

import asyncio
import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.ids import new_id
from security.audit import redaction
from security.audit.assembly import open_sealer
from security.audit.entries import Evidence, Outcome, commitment
from tests.test_audit_rest.office import Office, asked_about, shape

REASON = {"reason": "Kiểm tra theo Quyết định 12/QĐ-TTr"}


def values(office: Office, index: int, body: Any = REASON, client: str = "auditor") -> Any:
    return office.ask(f"/v1/audit/entries/{index}/values", body, client=client)


def redact(office: Office, index: int) -> None:
    gateway = office.gateway
    sealer = open_sealer(gateway.keys, gateway.settings.keys.vault)
    by = Evidence(id=new_id(), kind="redaction", at=datetime.now(UTC), outcome=Outcome("ok", 200))
    office.run(redaction.redact(gateway.storage, gateway.log, sealer, index, reason="yêu cầu", evidence=by))


def test_values_open_the_commitments_of_the_entry(office: Office) -> None:
    data = json.dumps({"full_name": "Nguyễn Bá Bình"}, ensure_ascii=False).encode()
    event = asked_about("001085000041", "001085000042", officer="001085000043", data=data, archive=True)
    receipt = office.log(event)[0]
    told = values(office, receipt.index)
    assert told.status == 200, told.body
    assert told.json["subjects"] == [
        {"role": "asked", "kind": "personal-id", "value": "001085000041"},
        {"role": "disclosed", "kind": "personal-id", "value": "001085000042"},
    ]
    assert (told.json["officer"], told.json["data"]) == ("001085000043", {"full_name": "Nguyễn Bá Bình"})
    entry = json.loads(receipt.entry)
    salts = {each["name"]: b64decode(each["salt"]) for each in told.json["openings"]}
    contents = {each["name"]: b64decode(each["content"]) for each in told.json["openings"] if each["content"]}
    assert commitment(salts["data"], contents["data"]) == entry["commitments"]["data"]
    assert commitment(salts["officer"], contents["officer"]) == entry["officer"]["commitment"]
    for place, subject in enumerate(entry["subjects"]):
        assert commitment(salts[f"subjects/{place}"], contents[f"subjects/{place}"]) == subject["commitment"]
    # What is not kept can be checked by whoever has it.
    assert contents.keys() == {"data", "officer", "subjects/0", "subjects/1"}
    assert event.question is not None
    assert commitment(salts["question"], event.question) == entry["commitments"]["question"]


def test_nothing_is_kept_of_data_that_no_grant_archives(office: Office) -> None:
    told = values(office, office.log(asked_about("001085000044"))[0].index)
    assert (told.json["data"], told.json["officer"]) == (None, None)


def test_reason_and_persons_are_on_record(office: Office) -> None:
    index = office.log(asked_about("001085000045"))[0].index
    reading = office.entry(int(values(office, index).headers["Lgsp-Reading"]))
    assert (reading["kind"], reading["caller"]["client"]) == ("reading", "auditor")
    assert reading["details"] == {"action": "audit-values", "entries": [index], **REASON}
    assert [(each["role"], each["kind"]) for each in reading["subjects"]] == [("disclosed", "personal-id")]
    # Whose values were opened is found like everything else about them.
    found = office.ask("/v1/audit/search", {"subject": {"value": "001085000045"}}).json["items"]
    assert [item["entry"].get("details", {}).get("action") for item in found] == [None, "audit-values"]


def test_the_right_is_needed_and_tells_nothing_of_the_entry(local: Office) -> None:
    own = local.log(asked_about("001085000046", client="ministry"))[0].index
    seen = [shape(values(local, index, client="ministry")) for index in (own, 0, 10**9)]
    assert seen[0] == seen[1] == seen[2]
    assert (seen[0][0], seen[0][1]["reason"]) == (403, "no-right")


def test_redacted_values_are_gone_and_that_is_said(office: Office) -> None:
    receipt = office.log(asked_about("001085000047"))[0]
    redact(office, receipt.index)
    told = values(office, receipt.index)
    assert (told.status, told.json["code"], told.json["reason"]) == (404, "not-found", "redacted")
    # The entry stays, byte by byte, and says so in lists; nobody finds the person by it.
    assert office.ask(f"/v1/audit/entries/{receipt.index}").body == receipt.entry
    (item,) = office.get(f"/v1/audit/entries?limit=1&after={receipt.index - 1}")["items"]
    assert item["redacted"] is True
    found = office.ask("/v1/audit/search", {"subject": {"value": "001085000047"}}).json["items"]
    assert receipt.index not in [each["index"] for each in found]


def test_where_nothing_was_committed_to_nothing_is_opened(local: Office) -> None:
    told = values(local, 10**9)
    assert (told.status, "reason" in told.json) == (404, False)
    plain = Evidence(id=new_id(), kind="admin", at=datetime.now(UTC))
    told = values(local, local.log(plain)[0].index)
    assert (told.status, told.json["reason"]) == (404, "no-values")


def test_destroyed_periods_open_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    office = Office(tmp_path_factory.mktemp("destroyed"))
    try:
        receipt = office.log(asked_about("001085000048"))[0]
        assert values(office, receipt.index).status == 200
        sealer = open_sealer(office.gateway.keys, office.gateway.settings.keys.vault)

        async def destroy() -> None:
            for period in sealer.live_periods():
                await asyncio.to_thread(sealer.destroy_period, period)

        office.run(destroy())
        told = values(office, receipt.index)
        assert (told.status, told.json["reason"]) == (404, "destroyed")
    finally:
        office.close()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({}, "/reason", id="none"),
        pytest.param({"reason": ""}, "/reason", id="empty"),
        pytest.param({"reason": "x" * 501}, "/reason", id="too-long"),
        pytest.param({"reason": "công dân 001085012345"}, "/reason", id="a-person"),
        pytest.param({"reason": "MDAxMDg1MDEyMzQ1"}, "/reason", id="a-person-in-disguise"),
        pytest.param({"reason": "vụ 12", "index": 1}, "/index", id="more"),
    ],
)
def test_reasons_that_cannot_stand_in_the_log_are_refused(local: Office, body: Any, pointer: str) -> None:
    told = values(local, 0, body)
    assert (told.status, [flaw["pointer"] for flaw in told.json["errors"]]) == (422, [pointer])
    assert b"001085012345" not in told.body
