"""`lgsp audit report`: the inspector's file, as the tool for outsiders sees it, whole and changed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from security.audit.packing import Package
from tests.test_commands.conftest import Deployment, printed, quick
from tests.test_commands.exchanged import LAN, MINH, checked, exchange, key_file, recorded

DAYS = [datetime(2087, 11, day, 5, tzinfo=UTC) for day in (20, 21, 22, 23)]
OFFICER = "001090000033"
PERIOD = ("--from", "2087-11-21", "--to", "2087-11-22", "--reason", "inspection 7 of 2087")


@pytest.fixture
def reported(deployed: Deployment, tmp_path: Path) -> Path:
    """A report on LAN with three entries, one more redacted, and one of somebody else."""
    events = [exchange(LAN, at=DAYS[0]), exchange(LAN, MINH, at=DAYS[1], officer=OFFICER, archive=True)]
    events += [exchange(MINH, LAN, at=DAYS[2]), exchange(MINH, at=DAYS[2]), exchange(LAN, at=DAYS[2])]
    recorded(deployed, [*events, exchange(LAN, at=DAYS[3])])
    printed("audit", "redact", "8", "--reason", "court order", *deployed.config)
    subject, file = tmp_path / "subject.txt", tmp_path / "report.zip"
    subject.write_text(LAN, encoding="utf-8")
    about = ("--subject-file", str(subject), "--out", str(file), *PERIOD, *deployed.config)
    made = printed("audit", "report", *about)
    assert (made["entries"], made["redacted"], made["recorded_as"]) == ([5, 6], 1, 11)
    assert quick("audit", "report", *about).exit_code == 2
    return file


def contents(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Words(HTMLParser):
    """The texts of a page, and its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: set[str] = set()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.add(tag)


def test_a_report_verifies_as_a_whole(deployed: Deployment, reported: Path, tmp_path: Path) -> None:
    facts = checked(reported, key_file(deployed, tmp_path))
    assert ("holds", "entry 5 stands in the log localhost/lgsp-demo of 11 entries (RFC 9162)") in facts
    assert (
        "holds",
        "the checkpoint of 11 of localhost/lgsp-demo continues that of 5: no earlier entry was changed",
    ) in (facts)
    assert {text.partition(":")[0] for kind, text in facts if kind == "holds" and "commits to" in text} == {
        "data",
        "officer",
        "subjects/0",
        "subjects/1",
    }
    assert any(
        "NOT proven are the words of report.html, and that there are no other entries" in text
        for kind, text in facts
        if kind == "note"
    )
    told = deployed.entries()[-1]
    assert (told["kind"], told["details"]["action"], told["details"]["entries"]) == ("reading", "audit-report", [5, 6])
    assert told["details"]["reason"] == "inspection 7 of 2087"
    assert LAN not in json.dumps(told)
    assert reported.stat().st_mode & 0o777 == 0o600


def test_each_entry_is_a_bundle_of_its_own_that_opens_one_person(
    deployed: Deployment, reported: Path, tmp_path: Path
) -> None:
    import base64

    files, opened = contents(reported), {}
    for name in ("bundles/000000000005.zip", "bundles/000000000006.zip"):
        bundle = tmp_path / "one.zip"
        bundle.write_bytes(files[name])
        checked(bundle, key_file(deployed, tmp_path))
        listed = json.loads(contents(bundle)["openings.json"])["openings"]
        opened[name] = {each["name"]: base64.b64decode(each["content"]).decode() for each in listed}
    first, second = opened.values()
    assert first["subjects/0"] == second["subjects/1"] == LAN
    assert first["officer"] == OFFICER
    assert set(first) == {"data", "officer", "subjects/0"}
    assert set(second) == {"subjects/1"}


def test_the_page_says_what_was_found_and_what_is_not_proven(reported: Path) -> None:
    words = Words(contents(reported)["report.html"].decode())
    whole = " ".join(words.texts)
    assert "từ 21/11/2087 00:00:00 đến trước 23/11/2087 00:00:00" in whole
    assert f"{LAN} (số định danh cá nhân hoặc số hộ khẩu)" in words.texts
    assert {"inspection 7 of 2087", "2 bản ghi", OFFICER, "nva", "Giải quyết thủ tục hành chính"} <= set(words.texts)
    assert {"được hỏi", "có trong câu trả lời", "000.00.00.G15 ministry"} <= set(words.texts)
    assert "Cán bộ, mục đích và mã hồ sơ là lời của bên gọi" in whole
    assert "không còn tìm được: 1." in whole
    assert "script" not in words.elements


def test_what_stands_in_entries_is_text_and_no_markup(deployed: Deployment, tmp_path: Path) -> None:
    recorded(deployed, [exchange(LAN, at=DAYS[1], officer="<script>alert(1)</script>")])
    subject, file = tmp_path / "subject.txt", tmp_path / "report.zip"
    subject.write_text(LAN, encoding="utf-8")
    printed("audit", "report", "--subject-file", str(subject), "--out", str(file), *PERIOD, *deployed.config)
    words = Words(contents(file)["report.html"].decode())
    assert "<script>alert(1)</script>" in words.texts
    assert "script" not in words.elements


def test_a_report_from_the_beginning_has_no_checkpoint_before(deployed: Deployment, tmp_path: Path) -> None:
    subject, file = tmp_path / "subject.txt", tmp_path / "report.zip"
    subject.write_text(LAN, encoding="utf-8")
    period = ("--from", "2000-01-01", "--to", "2099-12-31", "--reason", "inspection")
    made = printed("audit", "report", "--subject-file", str(subject), "--out", str(file), *period, *deployed.config)
    assert (made["entries"], made["from"]) == ([], None)
    facts = checked(file, key_file(deployed, tmp_path))
    assert ("note", "the bundle says that it has no checkpoints/begin.txt: the log begins in the period") in facts
    assert "không tìm thấy bản ghi nào" in contents(file)["report.html"].decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "2087-11-22", "--to", "2087-11-21", "--reason", "x"],
        ["--from", "2087-11-21", "--to", "2087-11-22", "--reason", f"about {LAN}"],
        ["--from", "2087-11-21", "--to", "2087-11-22"],
    ],
    ids=["backwards", "personal-reason", "no-reason"],
)
def test_wrong_use_writes_nothing(deployed: Deployment, tmp_path: Path, arguments: list[str]) -> None:
    subject, file = tmp_path / "subject.txt", tmp_path / "report.zip"
    subject.write_text(LAN, encoding="utf-8")
    before = deployed.entries()
    about = ("--subject-file", str(subject), "--out", str(file), *deployed.config)
    assert quick("audit", "report", *about, *arguments).exit_code == 2
    assert (deployed.entries(), file.exists()) == (before, False)


def test_a_period_without_entries_is_a_finding(deployed: Deployment, tmp_path: Path) -> None:
    subject = tmp_path / "subject.txt"
    subject.write_text(LAN, encoding="utf-8")
    about = ("--subject-file", str(subject), "--out", str(tmp_path / "report.zip"), *PERIOD, *deployed.config)
    result = quick("audit", "report", *about)
    assert result.exit_code == 1
    assert "no entries in this period" in result.stderr


Content = dict[str, bytes]
BUNDLE = "bundles/000000000005.zip"


def altered(bundle: bytes) -> bytes:
    """A bundle whose manifest is right and whose entry is another."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(content.pop("manifest.json"))
    del manifest["files"]
    content["entry.json"] = content["entry.json"].replace(b'"ministry"', b'"province"')
    made = io.BytesIO()
    with Package(made) as package:
        for name, raw in content.items():
            package.add(name, raw)
        package.finish(manifest)
    return made.getvalue()


WRONG: dict[str, Callable[[Content], object]] = {
    "entry-changed": lambda content: content.update({BUNDLE: altered(content[BUNDLE])}),
    "bundle-renamed": lambda content: content.update({"bundles/x.zip": content.pop(BUNDLE)}),
    "no-bundle": lambda content: content.update({BUNDLE: b"PK"}),
    "other-end": lambda content: content.update({"checkpoints/end.txt": content["checkpoints/begin.txt"]}),
    "no-end": lambda content: content.pop("checkpoints/end.txt"),
    "no-consistency": lambda content: content.pop("consistency.json"),
    "no-begin": lambda content: content.pop("checkpoints/begin.txt"),
    "other-consistency": lambda content: content.update(
        {"consistency.json": content["consistency.json"].replace(b'"from":5', b'"from":4')}
    ),
    "empty-consistency": lambda content: content.update({"consistency.json": b'{"from":5,"to":11,"proof":[]}'}),
    "more": lambda content: content.update({"more.txt": b"x"}),
}
MANIFESTS: dict[str, dict[str, object]] = {
    "other-origin": {"origin": "other.example/log"},
    "more": {"more": 1},
    "absent-of-no-report": {"absent": {"everything": "holds"}},
    "absent-and-there": {"absent": {"report.html": "lost"}},
}


def rewritten(file: Path, change: Callable[[Content], object], about: dict[str, object]) -> Path:
    content = contents(file)
    manifest = json.loads(content.pop("manifest.json"))
    del manifest["files"]
    change(content)
    other = file.with_name("wrong.zip")
    with other.open("w+b") as out, Package(out) as package:
        for name, raw in content.items():
            package.add(name, raw)
        package.finish(manifest | about)
    return other


def test_no_change_of_a_report_goes_unnoticed(deployed: Deployment, reported: Path, tmp_path: Path) -> None:
    from tests.test_verify_audit.made import judged

    key = key_file(deployed, tmp_path)
    assert judged(rewritten(reported, lambda content: None, {}), key=key)[0] == 0
    taken = [name for name in WRONG if judged(rewritten(reported, WRONG[name], {}), key=key)[0] not in (1, 2)]
    taken += [
        name
        for name in MANIFESTS
        if judged(rewritten(reported, lambda _: 0, MANIFESTS[name]), key=key)[0] not in (1, 2)
    ]
    assert taken == []
