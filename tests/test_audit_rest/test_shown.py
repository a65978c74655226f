"""One entry byte by byte, its proof, and what others see of it: nothing."""

import json
from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest

from security.audit.checkpoint import VerifierKey, opened
from security.audit.merkle import is_consistent, is_included
from tests.test_audit_rest.office import Office, asked_about, shape


def proven(office: Office, told: dict[str, Any]) -> bool:
    """Whether a proof holds, by what is published alone."""
    keys = [VerifierKey.decode(each["vkey"]) for each in office.get("/v1/audit/keys", client=None)["keys"]]
    head = opened(told["checkpoint"], keys)
    assert told.keys() == {"index", "size", "leaf", "proof", "checkpoint"}
    assert head.size == told["size"]
    path = [b64decode(step) for step in told["proof"]]
    return is_included(told["index"], told["size"], b64decode(told["leaf"]), path, head.root)


def test_the_body_is_the_entry_and_hashes_to_its_leaf(office: Office) -> None:
    receipt = office.log(asked_about("001085012345"))[0]
    told = office.ask(f"/v1/audit/entries/{receipt.index}")
    assert (told.status, told.headers["Content-Type"]) == (200, "application/json")
    assert told.body == receipt.entry
    leaf = sha256(b"\x00" + told.body).digest()
    assert leaf == b64decode(told.headers["Lgsp-Leaf"]) == receipt.leaf
    reading = office.entry(int(told.headers["Lgsp-Reading"]))
    assert (reading["operation"], reading["details"]) == ("show", {"action": "audit-show", "entries": [receipt.index]})


def test_proofs_hold_for_the_newest_checkpoint_and_for_older_ones(office: Office) -> None:
    receipt = office.log(asked_about("001085012345"))[0]
    office.log(asked_about("001085012346"))
    told = office.ask(f"/v1/audit/entries/{receipt.index}/proof")
    assert told.json["leaf"] == receipt.as_json()["leaf"]
    assert proven(office, told.json)
    assert told.json["size"] > receipt.size
    reading = office.entry(int(told.headers["Lgsp-Reading"]))
    assert reading["details"] == {"action": "audit-prove", "entries": [receipt.index]}
    older = office.get(f"/v1/audit/entries/{receipt.index}/proof?size={receipt.size}")
    assert (older["size"], older["checkpoint"]) == (receipt.size, receipt.checkpoint)
    assert proven(office, older)


@pytest.mark.parametrize("size", ["too-small", "none-signed", "future"])
def test_without_a_checkpoint_there_is_no_proof(local: Office, size: str) -> None:
    first = local.log(*(asked_about("001085012345") for _ in range(3)))[0]
    # Three entries of one commit have one checkpoint.
    sizes = {"too-small": first.index, "none-signed": first.index + 1, "future": 10**17}
    told = local.ask(f"/v1/audit/entries/{first.index}/proof?size={sizes[size]}")
    assert (told.status, told.json["reason"]) == (404, "no-checkpoint")


@pytest.mark.parametrize("path", ["", "/proof"], ids=["entry", "proof"])
def test_callers_read_their_own_entries_and_proofs(office: Office, path: str) -> None:
    own, foreign = office.log(asked_about("001085012345", client="limited"), asked_about("001085012345"))
    told = office.ask(f"/v1/audit/entries/{own.index}{path}", client="limited")
    assert told.status == 200
    assert office.entry(int(told.headers["Lgsp-Reading"]))["caller"]["client"] == "limited"
    missing = office.ask(f"/v1/audit/entries/{10**9}{path}", client="limited")
    hidden = office.ask(f"/v1/audit/entries/{foreign.index}{path}", client="limited")
    nobody = office.ask(f"/v1/audit/entries/0{path}", client="limited")
    assert shape(missing) == shape(hidden) == shape(nobody)
    assert (missing.status, missing.json["code"]) == (404, "not-found")


@pytest.mark.parametrize("index", ["01", "+1", "1.0", "-1", "x", "9" * 19, "%31%30", "1%00", "٣"], ids=repr)
def test_what_is_no_number_of_an_entry_is_not_there(local: Office, index: str) -> None:
    wanted = shape(local.ask(f"/v1/audit/entries/{10**9}"))
    if index == "%31%30":
        # Escapes are a spelling of the same path.
        assert local.ask(f"/v1/audit/entries/{index}").body == local.ask("/v1/audit/entries/10").body
        return
    path = index if index.isascii() else "%D9%A3"
    assert shape(local.ask(f"/v1/audit/entries/{path}")) == wanted


def test_a_tree_is_the_beginning_of_every_later_one(office: Office) -> None:
    before = office.checkpoint()
    office.log(*(asked_about("001085012345") for _ in range(5)))
    after = office.checkpoint()
    told = office.get(f"/v1/audit/consistency?from={before.size}&to={after.size}", client=None)
    assert told.keys() == {"from", "to", "proof"}
    proof = [b64decode(step) for step in told["proof"]]
    assert is_consistent(before.size, before.root, after.size, after.root, proof)
    assert not is_consistent(before.size, after.root, after.size, before.root, proof)
    assert office.get("/v1/audit/consistency?from=1&to=1", client=None)["proof"] == []


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        pytest.param("", ["from", "to"], id="nothing"),
        pytest.param("from=1", ["to"], id="no-end"),
        pytest.param("from=2&to=1", ["to"], id="backwards"),
        pytest.param("from=1&to=100000000000", ["to"], id="future"),
        pytest.param("from=0&to=1", ["from"], id="nothing-proves-nothing"),
        pytest.param("from=1&to=1e3", ["to"], id="no-number"),
        pytest.param("from=1&to=1&to=1", ["to"], id="twice"),
    ],
)
def test_consistency_of_no_trees_is_refused(local: Office, query: str, parameters: list[str]) -> None:
    told = local.ask(f"/v1/audit/consistency?{query}", client=None)
    assert (told.status, [flaw["parameter"] for flaw in told.json["errors"]]) == (422, parameters)


@pytest.mark.parametrize(
    "path",
    ["entries", "entries/0", "entries/0/proof", "log/tile/entries/000"],
)
@pytest.mark.parametrize("token", [None, "Bearer x", "Basic bGltaXRlZDp4"], ids=["none", "unknown", "no-token"])
def test_nobody_reads_entries(local: Office, path: str, token: str | None) -> None:
    before = local.size()
    sent = {} if token is None else {"Authorization": token}
    told = local.ask(f"/v1/audit/{path}", client=None, **sent)
    assert (told.status, told.json["code"]) == (401, "unauthenticated")
    assert local.size() == before


def test_a_token_that_was_ended_reads_nothing_more(local: Office) -> None:
    deployed = local.deployment
    token, papers = deployed.token("auditor"), deployed.clients["auditor"]
    assert local.ask("/v1/audit/entries?limit=1", client=None, Authorization=f"Bearer {token}").status == 200
    form = f"token={token}&client_id={papers['client_id']}&client_secret={papers['client_secret']}"
    kind = "application/x-www-form-urlencoded"
    assert deployed.ask("POST", "/oauth2/revoke", form.encode(), Content_Type=kind).status == 200
    told = local.ask("/v1/audit/entries?limit=1", client=None, Authorization=f"Bearer {token}")
    assert (told.status, json.loads(told.body)["reason"]) == (401, "revoked")
