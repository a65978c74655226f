"""How the tool is called, how it ends, and how the gateway hands it out."""

import ast
import subprocess
import sys
from pathlib import Path
from string import Formatter

import pytest

from tests.test_verify_audit.made import TOOL, judged, refused, told
from tools import verify_audit
from tools.verify_audit import LABELS, RESULTS, TEXTS

WRONG_USE = {
    "nothing": [],
    "no-key": ["answer.json"],
    "no-file": ["--key", "keys.txt"],
    "language": ["answer.json", "--key", "keys.txt", "--lang", "fr"],
    "option": ["answer.json", "--key", "keys.txt", "--fast"],
}


@pytest.mark.parametrize("arguments", WRONG_USE.values(), ids=WRONG_USE)
def test_wrong_use_ends_with_two(made: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.chdir(made)
    assert refused(*arguments) == 2


def test_help_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        verify_audit.main(["--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert out.startswith("usage: verify_audit.py [-h] --key FILE")
    assert str(verify_audit.__doc__).strip() in out
    said = " ".join(out.split())
    for each in (
        " FILE [FILE ...] ",
        " --key FILE verifier keys that are trusted ",
        " --checkpoint FILE must be of the same history ",
        " --lang {vi,en} default: as LANG says, or else Vietnamese ",
    ):
        assert each in said
    assert said.endswith(" --json print one JSON document")


def test_what_cannot_be_read_ends_with_two(made: Path, tmp_path: Path) -> None:
    for file in ("missing", tmp_path, "gateway.db", "/dev/null"):
        status, out = told(file, "--lang", "en", folder=made)
        assert (status, out.splitlines()[1:]) == (2, ["RESULT: a file cannot be read, so it was not checked"])
        assert out.startswith(f"UNREADABLE: {file}: ")


@pytest.mark.parametrize("content", ["", "# nothing\n", "no key\n", "{}"])
def test_without_good_keys_nothing_is_looked_at(made: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.txt").write_text(content)
    status, out = told(made / "answer.json", "--lang", "en", folder=tmp_path)
    assert status == 2
    assert [line.split(":")[0] for line in out.splitlines()] == ["UNREADABLE", "RESULT"]


def test_a_file_that_is_no_archive_has_a_largest_size(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (made / "answer.json").stat().st_size
    for largest, expected in ((size, 0), (size - 1, 2)):
        monkeypatch.setattr(verify_audit, "LARGEST_FILE", largest)
        status, facts = judged(made / "answer.json", key=made / "keys.txt")
        assert (status, ("unreadable", "malformed: file, too large") in facts) == (expected, expected == 2)


def test_one_bad_file_is_not_hidden_by_good_ones(made: Path) -> None:
    assert told("answer.json", "missing", "proof.json", folder=made)[0] == 2
    assert told("short.json", "missing", folder=made)[0] == 1


def test_what_is_printed_is_short_and_has_no_control_characters() -> None:
    assert verify_audit.printable("é\x1b[2J\u202e") == "é\\u001b[2J\\u202e"
    assert verify_audit.printable("x" * 2000) == "x" * 2000
    assert verify_audit.printable("x" * 2001) == "x" * 2000 + "..."


def test_a_run_that_shows_nothing_is_no_success() -> None:
    assert verify_audit.Run({}, 1).status() == 2


def test_a_reader_that_goes_away_sees_no_traceback(made: Path) -> None:
    command = f"{sys.executable} -I {TOOL} answer.json whole.zip --key keys.txt | true"
    done = subprocess.run(["bash", "-c", command], cwd=made, capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_it_imports_nothing_but_the_standard_library_and_reaches_nothing() -> None:
    tree = ast.parse(TOOL.read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert modules <= sys.stdlib_module_names
    assert not modules & {"socket", "ssl", "urllib", "http", "subprocess", "ctypes", "pickle", "importlib"}
    modes = [
        node.args[1] for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "open"
    ]
    assert {ast.literal_eval(mode) for mode in modes} == {"rb"}


def test_every_text_is_in_both_languages_with_the_same_values() -> None:
    def values(text: str) -> set[str]:
        return {field for _, field, _, _ in Formatter().parse(text) if field}

    source = TOOL.read_text(encoding="utf-8")
    for name, (vi, en) in TEXTS.items():
        assert values(vi) == values(en), name
        assert source.count(f'"{name}"') > 1, f"{name} is never said"
    assert all(len(each) == 2 for each in (*LABELS.values(), *RESULTS))


def test_the_gateway_hands_it_out(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "audit", "verifier"]
    root = TOOL.parents[1]
    shown = subprocess.run(command, cwd=root, capture_output=True, timeout=60)
    assert (shown.returncode, shown.stdout) == (0, TOOL.read_bytes())
    out = tmp_path / "verify_audit.py"
    told = subprocess.run([*command, "--out", str(out)], cwd=root, capture_output=True, text=True, timeout=60)
    assert (told.returncode, out.read_bytes()) == (0, TOOL.read_bytes())
    again = subprocess.run([*command, "--out", str(out)], cwd=root, capture_output=True, text=True, timeout=60)
    taken = f"lgsp: {out} exists, and evidence is never overwritten: name another file\n"
    assert (again.returncode, again.stderr) == (2, taken)
