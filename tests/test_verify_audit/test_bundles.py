"""A bundle whose manifest is right and whose parts do not belong together is not taken."""

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from security.audit.packing import Package
from tests.test_verify_audit.made import b64, judged

Content = dict[str, bytes]


def opened(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path, Content], None]:
    def apply(_: Path, content: Content) -> None:
        document = json.loads(content["openings.json"])
        change(document["openings"])
        content["openings.json"] = json.dumps(document).encode()

    return apply


def put(name: str, make: Callable[[Path, Content], bytes]) -> Callable[[Path, Content], None]:
    def apply(made: Path, content: Content) -> None:
        content[name] = make(made, content)

    return apply


def with_bad_cosignature(note: bytes) -> bytes:
    head, _, last = note.decode().rpartition(" ")
    blob = base64.b64decode(last)
    return f"{head} {b64(blob[:-1] + bytes([blob[-1] ^ 1]))}\n".encode()


WRONG: dict[str, Callable[[Path, Content], object]] = {
    "other-entry": put("entry.json", lambda made, content: content["entry.json"].replace(b"ministry", b"province")),
    "other-proof": put("proof.json", lambda made, content: (made / "proof.json").read_bytes()),
    "other-checkpoint": put("checkpoint.txt", lambda made, content: (made / "new.txt").read_bytes()),
    "bad-cosignature": put("checkpoint.txt", lambda made, content: with_bad_cosignature(content["checkpoint.txt"])),
    "no-entry": lambda made, content: content.pop("entry.json"),
    "no-proof": lambda made, content: content.pop("proof.json"),
    "no-checkpoint": lambda made, content: content.pop("checkpoint.txt"),
    "other-salt": opened(lambda openings: openings[0].update(salt=b64(bytes(32)))),
    "other-content": opened(lambda openings: openings[3].update(content=b64(b"001090123458"))),
    "other-name": opened(lambda openings: openings[0].update(name="question")),
    "unknown-name": opened(lambda openings: openings[0].update(name="answer_messages/9")),
    "opened-twice": opened(lambda openings: openings.append(openings[0])),
    "more-in-an-opening": opened(lambda openings: openings[0].update(more=1)),
    "other-openings-format": put("openings.json", lambda made, content: b'{"format":"x","openings":[]}'),
}
MANIFESTS: dict[str, dict[str, Any]] = {
    "other-index": {"index": 0},
    "index-as-text": {"index": "1"},
    "other-origin": {"origin": "other.example/log"},
    "absent-and-there": {"absent": {"entry.json": "lost"}},
    "absent-of-no-bundle": {"absent": {"everything": "holds"}},
    "more": {"more": 1},
}


def written(made: Path, path: Path, change: Callable[[Path, Content], object], about: dict[str, Any]) -> Path:
    with zipfile.ZipFile(made / "bundle.zip") as archive:
        content = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    change(made, content)
    with path.open("wb") as out, Package(out) as package:
        for name, raw in content.items():
            package.add(name, raw)
        package.finish({"format": "lgsp-audit-bundle/1", "index": 1, **about})
    return path


def test_the_same_parts_in_a_new_archive_hold(made: Path, tmp_path: Path) -> None:
    about = {"origin": "lgsp.example/log", "absent": {"revocation/answer.der": "no responder"}}
    file = written(made, tmp_path / "same.zip", lambda made, content: None, about)
    assert judged(file, key=made / "keys.txt")[0] == 0


CONTRADICTION = "the parts of the file CONTRADICT each other"
# What stops each of them, the last that is said of the file.
STOPS = {
    **dict.fromkeys(("other-entry", "other-proof", "other-checkpoint", "other-index", "other-origin"), CONTRADICTION),
    "bad-cosignature": "the signature of witness.example/w1 on the checkpoint is BAD",
    "no-entry": "it cannot be read: KeyError: 'entry.json'",
    "no-proof": "it cannot be read: KeyError: 'proof.json'",
    "no-checkpoint": "it cannot be read: KeyError: 'checkpoint.txt'",
    "more-in-an-opening": "the members must be name, salt, content",
    "other-openings-format": "malformed: openings.json, format",
    "index-as-text": "malformed: index, size",
    "absent-and-there": "malformed: manifest.json, absent",
    "absent-of-no-bundle": "malformed: manifest.json, absent",
    "more": "the members must be format, index, files",
}
for kind, opened_name in (
    *dict.fromkeys(("other-salt", "opened-twice"), "data").items(),
    ("other-content", "subjects/1"),
    ("other-name", "question"),
    ("unknown-name", "answer_messages/9"),
):
    STOPS[kind] = f"{opened_name}: NOT the content that the entry commits to, or its salt is missing"


def stops(made: Path, file: Path) -> tuple[int, str]:
    """The status, and what stopped the check, which nothing else but the note on witnesses follows."""
    status, facts = judged(file, key=made / "keys.txt")
    ends = [text for kind, text in facts if kind in ("fails", "unreadable")]
    assert ends == [text for _, text in facts if "no witness" not in text][-1:]
    assert {"fails": 1, "unreadable": 2}[facts[[text for _, text in facts].index(ends[0])][0]] == status
    return status, ends[0]


@pytest.mark.parametrize("name", [*WRONG, *MANIFESTS])
def test_parts_that_do_not_belong_together(made: Path, tmp_path: Path, name: str) -> None:
    change = WRONG.get(name, lambda made, content: None)
    file = written(made, tmp_path / "wrong.zip", change, MANIFESTS.get(name, {}))
    said = STOPS[name]
    assert stops(made, file) == (1 if "NOT" in said or "BAD" in said or said == CONTRADICTION else 2, said)


def test_a_bundle_without_openings_names_what_it_does_not_open(made: Path, tmp_path: Path) -> None:
    file = written(made, tmp_path / "closed.zip", lambda made, content: content.pop("openings.json"), {})
    status, facts = judged(file, key=made / "keys.txt")
    assert status == 0
    assert ("note", "data: this commitment is not opened here") in facts
