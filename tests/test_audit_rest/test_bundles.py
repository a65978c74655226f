"""The bundle of an entry over REST: closed for who may read it, opened by right and reason, or by having the answer."""

import io
import json
import zipfile
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from security.audit.canonical import canonical
from security.audit.receipt import Receipt
from tests.test_audit_rest.office import Office, asked_about, shape
from tests.test_audit_rest.test_values import REASON, redact
from tests.test_commands.exchanged import checked
from tests.test_docs.pages import ROOT
from tests.test_openapi.deployment import Answer

ASKED, TOLD = "001085000061", "001085000062"
DATA: dict[str, Any] = {"full_name": "Nguyễn Bá Bình", "children": [{"personal_id": TOLD}]}


def bundle(office: Office, index: int, body: Mapping[str, Any] = {}, client: str = "auditor") -> Answer:
    return office.ask(f"/v1/audit/entries/{index}/bundle", body, client=client)


def exchange(office: Office, **members: Any) -> Receipt:
    return office.log(asked_about(ASKED, TOLD, data=canonical(DATA), **members))[0]


def answered(receipt: Receipt) -> dict[str, Any]:
    """What the caller got."""
    return {"data": DATA, "receipt": receipt.as_json()}


def facts(office: Office, told: Answer, folder: Path) -> list[tuple[str, str]]:
    """What the tool that outsiders have says of a bundle."""
    assert told.status == 200, told.body
    file, key = folder / "bundle.zip", folder / "log.vkey"
    file.write_bytes(told.body)
    keys = office.get("/v1/audit/keys", client=None)["keys"]
    key.write_text("".join(f"{each['vkey']}\n" for each in keys), encoding="utf-8")
    return checked(file, key)


def openings(told: Answer) -> dict[str, Any]:
    """What is opened, by the name of the commitment or the pointer of the field."""
    with zipfile.ZipFile(io.BytesIO(told.body)) as archive:
        assert json.loads(archive.read("manifest.json"))["format"] == "lgsp-audit-bundle/1"
        if "openings.json" not in archive.namelist():
            return {}
        listed = json.loads(archive.read("openings.json"))["openings"]
    return {
        each.get("name") or each["pointer"]: b64decode(each["content"]).decode() if "name" in each else each["value"]
        for each in listed
    }


def reading(office: Office, told: Answer) -> dict[str, Any]:
    return office.entry(int(told.headers["Lgsp-Reading"]))


def flaws(told: Answer) -> list[str]:
    assert told.status == 422, told.body
    return [each["pointer"] for each in told.json["errors"]]


def test_a_closed_bundle_verifies_and_opens_nothing(office: Office, tmp_path: Path) -> None:
    receipt = exchange(office, archive=True)
    told = bundle(office, receipt.index)
    assert (told.headers["Content-Type"], openings(told)) == ("application/zip", {})
    assert told.headers["Content-Disposition"] == f'attachment; filename="entry-{receipt.index}.zip"'
    found = facts(office, told, tmp_path)
    assert ("note", "the bundle says that it has no openings.json: nothing was to be opened") in found
    assert ("note", "data: this commitment is not opened here") in found
    assert reading(office, told)["details"] == {"action": "audit-bundle", "entries": [receipt.index], "opened": []}
    assert "subjects" not in reading(office, told)


def test_everything_is_opened_by_right_and_reason(office: Office, tmp_path: Path) -> None:
    receipt = exchange(office, archive=True)
    told = bundle(office, receipt.index, {"all": True, **REASON})
    assert openings(told) == {"data": canonical(DATA).decode(), "subjects/0": ASKED, "subjects/1": TOLD}
    found = facts(office, told, tmp_path)
    assert {("holds", f"{name}: the content that the entry commits to") for name in openings(told)} <= set(found)
    entry = reading(office, told)
    assert (entry["details"]["opened"], entry["details"]["reason"]) == (sorted(openings(told)), REASON["reason"])
    # Who looks for them later finds who opened what about them.
    last = office.ask("/v1/audit/search?limit=500", {"subject": {"value": TOLD}}).json["items"][-1]
    assert last["index"] == int(told.headers["Lgsp-Reading"])


def test_one_person_is_proven_without_the_others(local: Office, tmp_path: Path) -> None:
    receipt = exchange(local, archive=True)
    told = bundle(local, receipt.index, {"subject": {"value": TOLD, "kind": "personal-id"}, **REASON})
    assert openings(told) == {"subjects/1": TOLD}
    assert ("holds", "subjects/1: the content that the entry commits to") in facts(local, told, tmp_path)
    assert [each["role"] for each in reading(local, told)["subjects"]] == ["asked"]


@pytest.mark.parametrize(
    ("body", "pointer", "subjects"),
    [
        pytest.param({"subject": {"value": "001085000063", "kind": "personal-id"}}, "/subject", 1, id="somebody-else"),
        pytest.param({"answer": {"full_name": "Trần Thị Hoa"}}, "/answer", 0, id="another-answer"),
        pytest.param({"answer": DATA, "fields": ["/full_name"]}, "/fields", 0, id="not-provable"),
    ],
)
def test_a_guess_is_recorded_before_it_is_answered(local: Office, body: Any, pointer: str, subjects: int) -> None:
    index, size = exchange(local).index, local.size()
    assert flaws(bundle(local, index, {**body, **REASON})) == [pointer]
    entry = local.entry(size)
    assert entry["details"] == {"action": "audit-bundle", "entries": [index], "opened": [], **REASON}
    assert len(entry.get("subjects", [])) == subjects


def test_callers_have_closed_bundles_of_their_own_entries(local: Office, tmp_path: Path) -> None:
    own, foreign = exchange(local, client="limited"), exchange(local)
    told = bundle(local, own.index, client="limited")
    assert openings(told) == {}
    facts(local, told, tmp_path)
    assert reading(local, told)["caller"]["client"] == "limited"
    hidden, missing = (bundle(local, index, client="limited") for index in (foreign.index, 10**9))
    assert shape(hidden) == shape(missing)
    assert (hidden.status, hidden.json["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "body", [{"all": True}, {"subject": {"value": ASKED}}, {"answer": DATA}, {"fields": ["/full_name"]}], ids=str
)
def test_opening_needs_the_right(local: Office, body: Any) -> None:
    index = exchange(local, archive=True, provable=True).index
    told = bundle(local, index, {**body, **REASON}, client="ministry")
    assert (told.status, told.json["reason"]) == (403, "no-right")
    assert flaws(bundle(local, index, body)) == ["/reason"]


def test_who_shows_an_answer_with_its_receipt_has_it_opened(office: Office, tmp_path: Path) -> None:
    receipt = exchange(office, provable=True)
    told = bundle(office, receipt.index, {"answer": answered(receipt)}, client="ministry")
    assert openings(told) == {"data": canonical(DATA).decode()}
    assert ("holds", "data: the content that the entry commits to") in facts(office, told, tmp_path)
    told = bundle(office, receipt.index, {"answer": answered(receipt), "fields": ["/full_name"]}, client="ministry")
    assert openings(told) == {"/full_name": "Nguyễn Bá Bình"}
    assert ("holds", 'field /full_name is "Nguyễn Bá Bình": as the entry commits to') in facts(office, told, tmp_path)
    pointers = ["/full_name", "/full_name", "/sex"]
    told = bundle(office, receipt.index, {"answer": answered(receipt), "fields": pointers}, client="ministry")
    assert flaws(told) == ["/fields/2"]


def test_an_answer_as_the_gateway_gave_it_is_taken(local: Office, tmp_path: Path) -> None:
    question = json.loads((ROOT / "schemas" / "examples.json").read_bytes())["population/person"]["body"]
    asked = {"Lgsp_Purpose": "dossier-processing", "Lgsp_Dossier": "000.00.00.G15-261130-0001", "Lgsp_Officer": "nva"}
    got = local.ask("/v1/population/person", question, client="ministry", Lgsp_Receipt="full", **asked)
    assert got.status == 200, got.body
    told = bundle(local, got.json["receipt"]["index"], {"answer": got.json}, client="ministry")
    assert json.loads(openings(told)["data"]) == got.json["data"]
    # The source signed: its certificates are there, and what was known of their revocation.
    members = zipfile.ZipFile(io.BytesIO(told.body)).namelist()
    assert {"certificates.pem", "checkpoint.txt", "entry.json", "keys.txt", "proof.json"} <= set(members)
    facts(local, told, tmp_path)


def test_an_answer_without_data_is_proven_as_a_whole(local: Office, tmp_path: Path) -> None:
    receipt = exchange(local)
    told = bundle(local, receipt.index, {"answer": {**DATA, "receipt": receipt.as_json()}}, client="ministry")
    assert openings(told) == {"data": canonical(DATA).decode()}
    facts(local, told, tmp_path)


def test_a_receipt_of_another_exchange_opens_nothing(local: Office) -> None:
    receipt, other = exchange(local, archive=True, provable=True), exchange(local)
    for more in ({}, {"fields": ["/full_name"]}):
        told = bundle(local, receipt.index, {"answer": answered(other), **more}, client="ministry")
        assert flaws(told) == ["/answer"]
    # With a receipt it is the person that still needs the right.
    told = bundle(local, receipt.index, {"answer": answered(receipt), "subject": {"value": TOLD}}, client="ministry")
    assert (told.status, told.json["reason"]) == (403, "no-right")


def test_of_erased_values_the_bundle_is_closed(local: Office, tmp_path: Path) -> None:
    receipt = exchange(local, archive=True, provable=True)
    redact(local, receipt.index)
    told = bundle(local, receipt.index, {"all": True, **REASON})
    note = ("note", "the bundle says that it has no openings.json: redacted")
    assert (openings(told), note in facts(local, told, tmp_path)) == ({}, True)
    gone = bundle(local, receipt.index, {"subject": {"value": TOLD}, **REASON})
    assert (gone.status, gone.json["reason"]) == (404, "redacted")
    # What the caller kept is proven for ever.
    told = bundle(local, receipt.index, {"answer": answered(receipt)}, client="ministry")
    assert openings(told) == {"data": canonical(DATA).decode()}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({"all": True, "subject": {"value": TOLD}, **REASON}, "/all", id="all-and-one"),
        pytest.param({"answer": {"a": 1.5}, **REASON}, "/answer", id="no-answer-of-ours"),
        pytest.param({"answer": {"code": "refused", "receipt": {"salt": None}}}, "/answer", id="a-refusal"),
        pytest.param({"answer": {"data": DATA, "receipt": {"salt": "eA=="}}}, "/answer", id="no-salt"),
        pytest.param({"answer": {"data": DATA, "receipt": {"salt": "é"}}}, "/answer", id="no-base64"),
        pytest.param({"answer": [], **REASON}, "/answer", id="no-object"),
        pytest.param({"fields": ["full_name"], **REASON}, "/fields/0", id="no-pointer"),
        pytest.param({"fields": [], **REASON}, "/fields", id="no-fields"),
        pytest.param({"fields": ["/a"] * 51, **REASON}, "/fields", id="too-many"),
        pytest.param({"fields": ["/full_name"], **REASON}, "/answer", id="nobody-has-it"),
        pytest.param({"reason": f"công dân {TOLD}"}, "/reason", id="a-person"),
        pytest.param({"open": True}, "/open", id="unknown"),
    ],
)
def test_what_cannot_be_meant_is_refused(local: Office, body: Any, pointer: str) -> None:
    told = bundle(local, exchange(local, provable=True).index, body)
    assert flaws(told) == [pointer]
    assert TOLD.encode() not in told.body
