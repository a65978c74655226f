"""The wheel holds everything that is needed, and runs from another folder."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.test_rules.sources import PACKAGES, ROOT, shown, tracked

pytestmark = pytest.mark.xdist_group("wheel")


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; what it depends on comes from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python3*/site-packages")
    # A path in a .pth file is searched, but the .pth files there are not read: the checkout stays out.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    arguments = ("install", "-q", "--disable-pip-version-check", "--no-index", "--no-deps", str(wheel))
    run(sys.executable, "-m", "pip", "--python", str(python), *arguments, cwd=folder)
    return folder


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [shown(path) for path in tracked()]
    wanted = {file for file in files if file.partition("/")[0] in PACKAGES} | {"gateway.py"}
    # What the gateway serves of the documentation, and what an outsider verifies its evidence with.
    wanted |= {"commands/static/verify_audit.py"}
    wanted |= {file.replace("docs/", "routes/static/", 1) for file in files if file.startswith("docs/clients/")}
    assert inside == wanted
    for kind in (".wsdl", ".xsd", ".csv", ".json", ".js", ".css"):
        assert any(name.endswith(kind) for name in inside), kind


def test_the_wheel_brings_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "lgsp = gateway:main" in archive.read(entry).decode()


def test_what_is_installed_runs_from_another_folder(environment: Path, tmp_path: Path) -> None:
    told = run(str(environment / "bin" / "lgsp"), "--help", cwd=tmp_path)
    for command in ("demo", "serve", "worker", "check", "doctor", "openapi", "audit"):
        assert command in told
    assert list(tmp_path.iterdir()) == []


def test_what_is_installed_finds_its_data(environment: Path, tmp_path: Path) -> None:
    code = (
        "import adapters, schemas\n"
        "from adapters.contract_check import check_contracts\n"
        "from schemas.codes.communes import *\n"
        "import routes.application\n"
        "print(schemas.__file__)\n"
        "assert check_contracts(adapters.DATABASES) == []"
    )
    verifier = run(str(environment / "bin" / "lgsp"), "audit", "verifier", cwd=tmp_path)
    assert verifier == (ROOT / "tools" / "verify_audit.py").read_text(encoding="utf-8")
    place = run(str(environment / "bin" / "python"), "-c", code, cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(environment)
    assert '"openapi"' in run(str(environment / "bin" / "lgsp"), "openapi", cwd=tmp_path)
