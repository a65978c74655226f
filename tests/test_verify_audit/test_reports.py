"""A report whose parts do not belong together is not taken, and it is said why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.test_audit.audit_world import ORIGIN, a_signer
from tests.test_verify_audit.made import judged, keys, told
from tests.test_verify_audit.test_hostile_claims import repack, report
from tests.test_verify_audit.test_hostile_zips import members

Content = dict[str, bytes]
ABOUT = {"format": "lgsp-audit-report/1", "origin": ORIGIN, "since": "a", "before": "b"}
BEGIN, END, CONSISTENCY = "checkpoints/begin.txt", "checkpoints/end.txt", "consistency.json"
BUNDLE = "bundles/000000000001.zip"
OTHER = a_signer(name="a.example/log")


def written(made: Path, path: Path, change: Callable[[Content], object], about: dict[str, Any]) -> Path:
    content = members(report(made, path).read_bytes())
    del content["manifest.json"]
    change(content)
    repack(path, content, {**ABOUT, **about})
    return path


def without(*names: str) -> Callable[[Content], object]:
    return lambda content: [content.pop(name) for name in names]


def end(made: Path, file: Path) -> tuple[int, list[str]]:
    """The status, and what is said that is not good."""
    (file.parent / "keys").write_text(f"{keys()}{OTHER.verifier.encode()}\n")
    status, facts = judged(file, key=file.parent / "keys")
    return status, [text for kind, text in facts if kind in ("fails", "unreadable", "unshown")]


CONTRADICTION = "the parts of the file CONTRADICT each other"
PROOF = '"proof":["'
Case = tuple[Callable[[Content], object], dict[str, Any], int, str]
WRONG: dict[str, Case] = {
    "more": (lambda content: content.update({"more.txt": b"x"}), {}, 2, "malformed: report"),
    "more-members": (lambda content: 0, {"more": 1}, 2, "the members must be format, origin, since, before, files"),
    "no-end": (without(END), {}, 2, "it cannot be read: KeyError: 'end.txt'"),
    "other-end": (lambda content: content.update({END: content[BEGIN]}), {}, 1, CONTRADICTION),
    "other-origin": (lambda content: 0, {"origin": OTHER.verifier.name}, 1, CONTRADICTION),
    "begin-of-another": (
        lambda content: content.update({BEGIN: OTHER.sign(2, bytes(32)).encode()}),
        {},
        1,
        CONTRADICTION,
    ),
    "no-consistency": (without(CONSISTENCY), {}, 2, "malformed: report"),
    "no-begin": (without(BEGIN), {}, 1, "malformed: report"),
    "empty-consistency": (
        lambda content: content.update({CONSISTENCY: b'{"from":2,"to":3,"proof":[]}'}),
        {},
        1,
        "the proof does NOT show that the checkpoint of 3 continues that of 2",
    ),
    "other-name": (
        lambda content: content.update({"bundles/100000000001.zip": content.pop(BUNDLE)}),
        {},
        1,
        CONTRADICTION,
    ),
    "absent-and-there": (lambda content: 0, {"absent": {CONSISTENCY: "x"}}, 2, "malformed: manifest.json, absent"),
    "absent-of-none": (lambda content: 0, {"absent": {"all": "x"}}, 2, "malformed: manifest.json, absent"),
}


@pytest.mark.parametrize("name", WRONG)
def test_parts_of_a_report_belong_together(made: Path, tmp_path: Path, name: str) -> None:
    change, about, status, said = WRONG[name]
    ended, (first, *_) = end(made, written(made, tmp_path / "wrong.zip", change, about))
    assert (ended, first) == (status, said)


def test_an_end_of_a_report_is_one_checkpoint(made: Path, tmp_path: Path) -> None:
    two = written(
        made, tmp_path / "two.zip", lambda content: content.update({END: content[BEGIN] + b"--\n" + content[END]}), {}
    )
    status, (first, *_) = end(made, two)
    assert (status, first.partition(" values")[0]) == (2, "it cannot be read: ValueError: too many")


def test_a_report_need_not_have_everything(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "less.zip"
    assert end(made, written(made, file, lambda content: 0, {})) == (0, [])
    assert end(made, written(made, file, without(BUNDLE, "report.html"), {})) == (0, [])
    absent = {"absent": {CONSISTENCY: "no earlier checkpoint", BEGIN: "none"}}
    assert end(made, written(made, file, without(BEGIN, CONSISTENCY), absent)) == (0, [])
    (tmp_path / "keys.txt").write_text(keys())
    _, out = told("less.zip", "--lang", "en", folder=tmp_path)
    assert [line for line in out.splitlines() if "has no" in line] == [
        f"NOTE: less.zip/{BUNDLE}: the bundle says that it has no revocation/answer.der: no responder",
        "NOTE: less.zip: the bundle says that it has no checkpoints/begin.txt: none",
        "NOTE: less.zip: the bundle says that it has no consistency.json: no earlier checkpoint",
    ]


def test_the_bundles_of_a_report_are_bundles(made: Path, tmp_path: Path) -> None:
    inner = members((made / "bundle.zip").read_bytes())
    manifest = json.loads(inner.pop("manifest.json"))
    del manifest["files"]
    odd = tmp_path / "odd.zip"
    for about, content, said in (
        ({"format": "lgsp-audit-bundle/2"}, inner, "malformed: manifest.json, format"),
        ({}, {**inner, "more.txt": b""}, "malformed: bundle"),
        ({}, {**inner, "timestamp.tsr": bytes(40)}, CONTRADICTION),
    ):
        repack(odd, content, {**manifest, **about})
        status, facts = judged(odd, key=made / "keys.txt")
        assert facts[-2 if "no witness" in facts[-1][1] else -1][1] == said
        change = {BUNDLE: odd.read_bytes()}
        file = written(made, tmp_path / "wrong.zip", lambda content, change=change: content.update(change), {})
        assert end(made, file) == (status, [said])
