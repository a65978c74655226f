"""Evidence in which one byte was changed is never taken for genuine, and never makes the tool fall over."""

import json
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_verify_audit.made import WITNESS, judged

# With them the changed file is looked at: what it takes besides.
FILES = {
    "answer.json": [],
    "receipt.json": [],
    "proof.json": [],
    "old.txt": [],
    "consistency.json": ["old.txt", "new.txt"],
}
ARCHIVES = ["small.zip", "bundle.zip"]
# What nothing in the log says anything about: when it was answered, and, where the answer is not there, the salt that
# would open its data.
UNPROVEN = {
    "answer.json": re.compile(rb'(?<="answered_at": ")[^"]+'),
    "receipt.json": re.compile(rb'(?<="salt":")[^"]+'),
}


def mutants(raw: bytes, step: int = 1) -> Iterator[tuple[int, bytes]]:
    """Every byte once, or each so many, with one bit or several of it turned over."""
    for at in range(0, len(raw), step):
        yield at, raw[:at] + bytes([raw[at] ^ (1 + at * 7 % 255)]) + raw[at + 1 :]


@pytest.mark.parametrize("name", FILES)
def test_no_byte_of_a_document_can_be_changed(made: Path, tmp_path: Path, name: str) -> None:
    raw, changed = (made / name).read_bytes(), tmp_path / name
    unproven = UNPROVEN[name].search(raw) if name in UNPROVEN else None
    others = [made / other for other in FILES[name]]
    assert judged(made / name, *others, key=made / "keys.txt")[0] == 0
    taken = []
    for at, mutant in mutants(raw):
        if unproven is not None and unproven.start() <= at < unproven.end():
            continue
        # The receipt alone has its turn byte for byte.
        if name != "answer.json" or at % 5 == 0 or at < raw.index(b'"receipt"') or 0 < at - raw.index(b'"salt"') < 60:
            changed.write_bytes(mutant)
            status, facts = judged(changed, *others, key=made / "keys.txt")
            if status == 0 and renamed(facts) is None:
                taken.append(at)
    assert taken == []


def renamed(facts: list[tuple[str, str]]) -> str | None:
    """The names that nothing proves, where one of them has changed: then it is named."""
    said = [text for _, text in facts if "does NOT prove: " in text]
    return None if said in ([], ["the entry does NOT prove: exchange.answered_at, exchange.warnings"]) else said[0]


@pytest.mark.parametrize("name", ARCHIVES)
def test_no_byte_of_what_an_archive_holds_can_be_changed(made: Path, tmp_path: Path, name: str) -> None:
    raw, changed = (made / name).read_bytes(), tmp_path / name
    content = held(raw)
    same = 0
    # A checksum, a digest and the tree stand behind each; what is in the headers has its turn in test_hostile_zips.py.
    for _, mutant in mutants(raw, 3):
        changed.write_bytes(mutant)
        if judged(changed, key=made / "keys.txt")[0] == 0:
            # The container has bytes that mean nothing: who made it, the file attributes, the last bits of a stream.
            assert held(mutant) == content
            same += 1
    assert same <= 10 * len(content)


def held(raw: bytes) -> dict[str, bytes]:
    """What an archive holds, but for the reasons that it gives for what it does not hold: nothing proves them."""
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    return {name: re.sub(rb'(?<=der":")[^"]*', b"", content) for name, content in found.items()}


def test_no_byte_of_a_cosigned_checkpoint_can_be_changed_and_still_be_a_witness(made: Path, tmp_path: Path) -> None:
    raw, changed = (made / "new.txt").read_bytes(), tmp_path / "new.txt"
    for at, mutant in mutants(raw):
        changed.write_bytes(mutant)
        status, facts = judged(changed, key=made / "keys.txt")
        if status == 0:
            # The name or the id of the witness was changed: a signature by somebody we do not know.
            assert raw.index(b"witness") - 5 < at
            assert not any(f"the witness {WITNESS}" in text for _, text in facts)


@given(st.data())
def test_no_random_change_is_taken(made: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*FILES, "small.zip", "whole.zip"]))
    raw = (made / name).read_bytes()
    at = data.draw(st.integers(0, len(raw)))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(st.binary(max_size=40))
    mutant = raw[:at] + put + raw[at + cut :]
    changed = tmp_path_factory.getbasetemp() / "changed"
    changed.write_bytes(mutant)
    status, facts = judged(changed, *(made / other for other in FILES.get(name, [])), key=made / "keys.txt")
    assert status != 0 or proven(name, mutant) == proven(name, raw), facts


def proven(name: str, raw: bytes) -> object:
    """What evidence says, however it is laid out, without what nothing proves."""
    if name.endswith(".zip"):
        return held(raw)
    if name.endswith(".txt"):
        return raw
    document = json.loads(raw)
    if name == "answer.json":
        # What is told beside them: test_members.py.
        return document["data"], document["receipt"]
    if name == "receipt.json":
        del document["salt"]
    return document


@given(st.binary(max_size=300))
def test_junk_is_not_taken(tmp_path_factory: pytest.TempPathFactory, made: Path, junk: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "junk"
    for head in (b"", b"PK", b'{"receipt":{', b'{"salt":', b"PK\5\6", (made / "old.txt").read_bytes()[:60]):
        file.write_bytes(head + junk)
        assert judged(file, key=made / "keys.txt")[0] != 0 or not (head + junk).strip()
