"""`make vectors`: other people's signed documents out of source packages, each pinned by its SHA-256, cached in .venv.

They are not ours to publish and are not committed; `vectors.tsv` says which files of which package there are. What is
in the cache and right is not fetched again. Exit code 1, with what to do, when something is missing or differs.
"""

import csv
import hashlib
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
TABLE: Final = Path(__file__).with_name("vectors.tsv")
CACHE: Final = ROOT / ".venv" / "vectors"
DEBIAN: Final = ("xmlsec1", "lxml")
PYPI: Final = {"signxml": "signxml==5.2.0"}
_TRIES = 3


class Vector(NamedTuple):
    """One row of the table: a file of a package, its SHA-256, what it is and what has to come of it (see the test)."""

    sha256: str
    package: str
    path: str
    kind: str
    verdict: str
    signed_info: str
    digests: str

    @property
    def file(self) -> Path:
        """Where it lies."""
        return CACHE / self.package / self.path

    def present(self) -> bool:
        """Whether it is there, unchanged."""
        return self.file.is_file() and hashlib.sha256(self.file.read_bytes()).hexdigest() == self.sha256


def vectors() -> list[Vector]:
    """The table."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return [Vector(*row) for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)][1:]


class Unavailable(Exception):
    """A package that could not be had, with the reason of whoever was asked."""


def main() -> int:
    """Fetch what is missing."""
    missing = [vector for vector in vectors() if not vector.present()]
    for package in sorted({vector.package for vector in missing}):
        wanted = {vector.path: vector for vector in missing if vector.package == package}
        print(f"fetching the vectors of {package}: {len(wanted)} files")
        try:
            _fetch(package, wanted)
        except Unavailable as reason:
            print(f"{package} could not be fetched: {reason}", file=sys.stderr)
    left = [vector for vector in missing if not vector.present()]
    for vector in left[:5]:
        print(f"{vector.package}: {vector.path} is not there, or not the file that the table names", file=sys.stderr)
    if left:
        print(
            f"{len(left)} vectors are missing. Is there a network, and does apt-get update work? Then", file=sys.stderr
        )
        print("run `make vectors` again; where a package has changed, see docs/vectors.md.", file=sys.stderr)
    return bool(left)


def _fetch(package: str, wanted: dict[str, Vector]) -> None:
    for attempt in range(1, _TRIES + 1):
        with tempfile.TemporaryDirectory(prefix="lgsp-vectors-") as folder:
            try:
                (_from_debian if package in DEBIAN else _from_pypi)(package, Path(folder))
                for path, content in _files(next(Path(folder).glob(f"{package}[_-]*tar.*"))):
                    if path in wanted and hashlib.sha256(content).hexdigest() == wanted[path].sha256:
                        wanted[path].file.parent.mkdir(parents=True, exist_ok=True)
                        wanted[path].file.write_bytes(content)
                return
            except Unavailable:
                if attempt == _TRIES:
                    raise
                time.sleep(attempt * 2)


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive without the name of its one folder."""
    with tarfile.open(archive) as packed:
        for member in packed:
            content = packed.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name.removeprefix("./").partition("/")[2], content.read()


def _from_pypi(package: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "5"]
    _run([*command, "--no-deps", "--no-binary", package, "--dest", str(folder), PYPI[package]], folder)


def _from_debian(package: str, folder: Path) -> None:
    """The source package of the distribution that runs here, checked by apt; its own lists stay as they are."""
    (folder / "sources").mkdir()
    (folder / "sources" / "source.sources").write_text("\n\n".join(_source_stanzas()), encoding="utf-8")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": folder / "sources",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": 3,
        "Acquire::http::Timeout": 30,
    }
    apt = ["apt-get", "--quiet=2", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*apt, "update"], folder)
    _run([*apt, "source", "--download-only", package], folder)
    for other in (*folder.glob("*.debian.tar.*"), *folder.glob("*.asc")):
        other.unlink()


def _source_stanzas() -> Iterator[str]:
    """The distribution's own archives out of apt's configuration, as archives of sources."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE))
    codename = release.get("VERSION_CODENAME", "")
    for fields in _archives():
        suites = [suite for suite in fields["Suites"].split() if suite.partition("-")[0] == codename]
        if suites and "main" in fields["Components"].split():
            fields |= {"Types": "deb-src", "Suites": " ".join(suites), "Components": "main"}
            yield "\n".join(f"{name}: {value}" for name, value in fields.items())


def _archives() -> Iterator[dict[str, str]]:
    """The entries of apt's configuration in both of its formats (sources.list(5))."""
    folder = Path("/etc/apt/sources.list.d")
    for path in sorted(folder.glob("*.sources")):
        text = re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for stanza in re.split(r"\n\s*\n", text.strip()):
            fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE))
            if "deb" in fields.get("Types", "").split() and "Components" in fields:
                yield fields
    for path in (Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))):
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            found = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+?)\s*(?:#.*)?$", line)
            if found:
                signed_by = re.search(r"signed-by=(\S+)", found[1] or "")
                fields = {"Types": "deb", "URIs": found[2], "Suites": found[3], "Components": found[4]}
                yield fields | ({"Signed-By": signed_by[1]} if signed_by else {})


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from None
    if done.returncode:
        raise Unavailable(f"{shlex.join(command[:1])} failed: {(done.stderr or done.stdout)[-600:].strip()}")


if __name__ == "__main__":
    raise SystemExit(main())
