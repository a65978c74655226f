"""`lgsp audit bundle --field`: one field of one answer for a third party, which sees nothing else of it."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from security.audit.canonical import canonical
from security.audit.packing import Package
from tests.test_commands.conftest import Deployment, printed, quick
from tests.test_commands.exchanged import ANSWER, LAN, MINH, WHY, checked, exchange, key_file, recorded
from tests.test_verify_audit.made import judged

POINTER = "/children/0/personal_id"


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    file = tmp_path / "answer.json"
    file.write_text(json.dumps({"data": ANSWER, "receipt": {}}, indent=1), encoding="utf-8")
    return file


def openings(file: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(file) as archive:
        listed: list[dict[str, Any]] = json.loads(archive.read("openings.json"))["openings"]
        return listed


def test_one_field_is_proven_without_the_rest(deployed: Deployment, answer: Path, tmp_path: Path) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN, MINH, provable=True)])
    file = tmp_path / "field.zip"
    about = (str(receipt.index), "--data", str(answer), *WHY, *deployed.config)
    made = printed("audit", "bundle", *about, "--field", "/full_name", "--field", POINTER, "--out", str(file))
    assert made["opened"] == ["field /full_name", f"field {POINTER}"]
    assert deployed.entries()[-1]["details"]["opened"] == made["opened"]
    facts = checked(file, key_file(deployed, tmp_path))
    assert ("holds", f'field {POINTER} is "{MINH}": as the entry commits to') in facts
    assert ("holds", 'field /full_name is "Nguyễn Thị Lan": as the entry commits to') in facts
    assert ("note", "data: this commitment is not opened here") in facts
    # Nothing else of the answer is in it, neither plain nor so that it could be tried.
    whole = b"".join(zipfile.ZipFile(file).read(name) for name in zipfile.ZipFile(file).namelist())
    assert LAN.encode() not in whole
    assert b'"warnings"' not in whole
    leaf = base64.b64decode(openings(file)[0]["leaves"][0])
    assert len(leaf) == 32
    assert set(openings(file)[0]) == {"pointer", "value", "salt", "place", "leaves"}


def test_a_kept_answer_needs_no_file_and_a_person_may_be_opened_too(deployed: Deployment, tmp_path: Path) -> None:
    (receipt,) = recorded(deployed, [exchange(LAN, MINH, archive=True, provable=True)])
    subject, file = tmp_path / "subject.txt", tmp_path / "field.zip"
    subject.write_text(LAN, encoding="utf-8")
    about = ("--field", "/warnings/1", "--subject-file", str(subject), "--out", str(file), *WHY, *deployed.config)
    assert printed("audit", "bundle", str(receipt.index), *about)["opened"] == ["subjects/0", "field /warnings/1"]
    checked(file, key_file(deployed, tmp_path))


def test_what_cannot_be_proven_is_said(deployed: Deployment, answer: Path, tmp_path: Path) -> None:
    first = recorded(deployed, [exchange(LAN), exchange(LAN, provable=True)])[0].index
    file = tmp_path / "field.zip"

    def refused(index: int, *arguments: str) -> str:
        result = quick("audit", "bundle", str(index), "--out", str(file), *arguments, *WHY, *deployed.config)
        assert (result.exit_code, file.exists()) == (1, False)
        return result.stderr

    assert "`provable`" in refused(first, "--field", "/full_name", "--data", str(answer))
    assert "--data FILE" in refused(first + 1, "--field", "/full_name")
    assert "it has /children/0/order" in refused(first + 1, "--field", "/name", "--data", str(answer))
    answer.write_text(json.dumps(ANSWER | {"full_name": "Nguyễn Thị Hoa"}), encoding="utf-8")
    assert "not what the entry commits to" in refused(first + 1, "--field", "/warnings/0", "--data", str(answer))
    printed("audit", "redact", str(first + 1), "--reason", "court order", *deployed.config)
    assert "no opening" in refused(first + 1, "--field", "/full_name", "--data", str(answer))


Opened = list[dict[str, Any]]
WRONG: dict[str, Callable[[Opened], object]] = {
    "value": lambda opened: opened[0].update(value="Nguyễn Thị Hoa"),
    "pointer": lambda opened: opened[0].update(pointer="/name"),
    "salt": lambda opened: opened[0].update(salt=base64.b64encode(bytes(32)).decode()),
    "place": lambda opened: opened[0].update(place=opened[0]["place"] - 1),
    "place-beyond": lambda opened: opened[0].update(place=99),
    "place-negative": lambda opened: opened[0].update(place=opened[0]["place"] - len(opened[0]["leaves"])),
    "place-true": lambda opened: opened[0].update(place=True),
    "leaf-gone": lambda opened: opened[0]["leaves"].pop(0),
    "leaf-more": lambda opened: opened[0]["leaves"].append(opened[0]["leaves"][0]),
    "leaves-swapped": lambda opened: opened[0]["leaves"].__setitem__(slice(3, 5), opened[0]["leaves"][4:2:-1]),
    "leaf-short": lambda opened: opened[0]["leaves"].__setitem__(0, "AAAA"),
    "leaves-forged": lambda opened: opened[0].update(forged(opened[0])),
    "twice": lambda opened: opened.append(opened[0]),
    "more": lambda opened: opened[0].update(name="data"),
    "less": lambda opened: opened[0].pop("leaves"),
    "as-content": lambda opened: opened.__setitem__(0, as_content(opened[0])),
}


def forged(opened: dict[str, Any]) -> dict[str, Any]:
    """Another value with a leaf of its own."""
    from hashlib import sha256

    salt = base64.b64decode(opened["salt"])
    leaves = [*opened["leaves"]]
    leaf = sha256(salt + canonical([opened["pointer"], "Nguyễn Thị Hoa"])).digest()
    leaves[opened["place"]] = base64.b64encode(leaf).decode()
    return {"value": "Nguyễn Thị Hoa", "leaves": leaves}


def as_content(opened: dict[str, Any]) -> dict[str, Any]:
    """The hashes, passed off as salt and content of a commitment."""
    leaves = [base64.b64decode(leaf) for leaf in opened["leaves"]]
    return {"name": "fields", "salt": opened["leaves"][0], "content": base64.b64encode(b"".join(leaves[1:])).decode()}


def test_no_change_of_an_opened_field_goes_unnoticed(deployed: Deployment, answer: Path, tmp_path: Path) -> None:
    receipt, plain = recorded(deployed, [exchange(LAN, provable=True), exchange(LAN)])
    file, key = tmp_path / "field.zip", key_file(deployed, tmp_path)
    about = ("--field", "/full_name", "--data", str(answer), "--out", str(file), *WHY, *deployed.config)
    printed("audit", "bundle", str(receipt.index), *about)
    other = tmp_path / "other.zip"
    printed("audit", "bundle", str(plain.index), "--data", str(answer), "--out", str(other), *WHY, *deployed.config)

    def with_openings(whole: Path, listed: Opened) -> int:
        with zipfile.ZipFile(whole) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(content.pop("manifest.json"))
        del manifest["files"]
        content["openings.json"] = json.dumps({"format": "lgsp-openings/1", "openings": listed}).encode()
        wrong = tmp_path / "wrong.zip"
        with wrong.open("wb") as out, Package(out) as package:
            for name, raw in content.items():
                package.add(name, raw)
            package.finish(manifest)
        return judged(wrong, key=key)[0]

    assert with_openings(file, openings(file)) == 0
    taken = []
    for name, change in WRONG.items():
        listed = openings(file)
        change(listed)
        if with_openings(file, listed) not in (1, 2):
            taken.append(name)
    assert taken == []
    # An entry that commits to no fields opens none.
    assert with_openings(other, openings(file)) == 1
