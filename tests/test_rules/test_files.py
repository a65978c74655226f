"""What the files of the project look like, and what may not stand in them."""

import re
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.test_rules.sources import PACKAGES, ROOT, shown, tracked

# Put together here, so that this file is not the one that is found.
PLACES = re.compile("|".join(["/wo" + r"rk/\w", "/ho" + r"me/\w", "/ro" + r"ot/\w", "/Us" + r"ers/\w"]))
HOSTS = re.compile(
    "|".join(
        [
            "pypi" + r"\.org",
            "python" + r"hosted\.org",
            "npm" + r"js\.org",
            "index-" + "url=",
            "extra-" + "index",
            "trusted-" + "host",
        ]
    )
)
LINE = re.compile(r"(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>[^\s;]+)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def texts() -> list[tuple[str, str]]:
    """Name and content of every file of text."""
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((shown(path), content.decode("utf-8")))
    return found


def test_no_file_speaks_of_one_machine_or_one_index() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if PLACES.search(line) or HOSTS.search(line)
    ]
    assert found == []


def test_no_module_is_too_long() -> None:
    long = {name: text.count("\n") for name, text in texts() if name.endswith(".py") and text.count("\n") > 400}
    # One file to hand to outsiders, who have nothing else of ours.
    assert long.pop("tools/verify_audit.py") < 1200
    assert long == {}


def test_every_target_of_the_makefile_is_described() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = {name for line in re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE) for name in line.split()}
    plain = set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert phony == plain == described


@pytest.mark.parametrize("name", ["runtime", "dev", "hsm", "otel", "fuzz"])
def test_requirements_are_exact_hashed_and_of_no_address(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert lines
    hashes = 1
    for line in lines:
        if HASH.fullmatch(line):
            hashes += 1
            continue
        assert LINE.fullmatch(line), line
        assert hashes, f"nothing is known of what stands before {line}"
        hashes = 0
    assert hashes


def versions(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return {match["name"]: match["version"] for line in text.splitlines() if (match := LINE.fullmatch(line))}


def names(lines: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;\s]", line)[0].lower() for line in lines if line and line[0].isalpha()}


def test_what_is_declared_is_what_is_locked() -> None:
    runtime, dev = versions("runtime"), versions("dev")
    assert runtime.items() <= dev.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = names((ROOT / "requirements" / "runtime.in").read_text(encoding="utf-8").splitlines())
    # The backend builds the project and is no dependency of it.
    assert names(project["dependencies"]) == asked - {"hatchling", "editables"}
    assert asked <= runtime.keys()


@pytest.mark.parametrize("name", ["hsm", "otel"])
def test_an_extra_is_locked_as_it_is_tested(name: str) -> None:
    locked = versions(name)
    assert locked.items() <= versions("dev").items()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = names((ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines())
    assert names(extras[name]) == asked <= locked.keys()
    assert re.search(rf"^{name}: \.venv/\.{name} ## \S", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_nobody_is_told_to_install_our_name_from_an_index() -> None:
    # It is on none: whoever took it there would run code as the user who asked.
    asking = re.compile(r"\b(?:pip3?|pipx|uv)\b[^\n`]* (?:install|add)\b[^\n`]*\blgsp-gate" + "way")
    assert [name for name, text in texts() if asking.search(text)] == []


def test_nobody_else_owns_our_names() -> None:
    owners = packages_distributions()
    ours = (*PACKAGES, "gateway")
    assert {name: owners[name] for name in ours if set(owners.get(name, ())) - {"lgsp-gateway"}} == {}


def test_test_folders_are_not_named_like_packages() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert folders & {*PACKAGES, *packages_distributions()} == set()


def test_the_lock_of_node_names_versions_and_hashes_only() -> None:
    import json

    lock = json.loads((ROOT / "tests" / "test_oracles" / "node" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
