"""What verification reads of an entry by pattern is what a JSON parser reads; entries of older releases still hold."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.audit.canonical import canonical
from security.audit.repeats import _parsed, told
from security.audit.verification import verify
from tests.test_audit.audit_world import a_world, evidence

# Whatever ends a string, an object or a list, and what looks like members of an entry.
TEXT = st.one_of(
    st.text(alphabet='a{}[]":,\\\n\u00e9', max_size=12),
    st.sampled_from(['","dossier":"x', '},"dossier":"x","id":"y","kind":"z"', '"}', "}]", ',"v":1}']),
)
VALUE = st.recursive(
    st.one_of(TEXT, st.integers(-5, 5), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abd"), inner, max_size=2)),
    max_leaves=4,
)
NESTED = st.dictionaries(st.sampled_from(["a", "dossier", "id", "kind", "sealed", "v"]), VALUE, max_size=3)
ENTRY = st.fixed_dictionaries(
    {"at": TEXT, "id": TEXT, "kind": TEXT, "v": st.just(1)},
    optional={
        "after": st.fixed_dictionaries({"note": TEXT, "size": st.integers(0, 2**53 - 1)}),
        "caller": st.fixed_dictionaries({"agency": TEXT, "client": TEXT, "credential": TEXT}),
        "commitments": NESTED,
        "database": TEXT,
        "details": NESTED,
        "dossier": TEXT,
        "fields": st.lists(TEXT, max_size=2),
        "officer": st.one_of(TEXT, st.fixed_dictionaries({"commitment": TEXT})),
        "outcome": st.fixed_dictionaries({"code": TEXT, "status": st.just(200)}, optional={"reason": TEXT}),
        "purpose": TEXT,
        "request_id": TEXT,
        "sealed": st.fixed_dictionaries({"hash": TEXT, "slot": st.integers(0, 99)}),
        "subjects": st.lists(st.fixed_dictionaries({"commitment": TEXT, "kind": TEXT}), max_size=2),
        "other": VALUE,
    },
)


@given(ENTRY)
def test_pattern_reads_what_a_parser_reads(entry: dict[str, object]) -> None:
    body = canonical(entry)  # type: ignore[arg-type]
    expected = _parsed(json.loads(body), body)
    found = told(body)
    assert found._replace(committed=expected.committed) == expected
    # Empty members stand in no entry; there is nothing to open either way.
    if "{}" not in body.decode() and "[]" not in body.decode():
        assert found.committed == expected.committed


async def test_entries_that_do_not_name_their_opening_are_valid(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.batch.bound", lambda body, sealed, *, subjects: body)
    async with a_world(sqlite_url, tmp_path / "vault") as world:
        receipt = await world.log.record(evidence("001090123456"))
        assert b'"sealed"' not in receipt.entry
        monkeypatch.undo()
        await world.log.record(evidence("001090123456"))
        found = await verify(world.storage, [world.signer.verifier], world.sealer)
        assert (found.valid, found.entries, found.opened) == (True, 2, 2)
