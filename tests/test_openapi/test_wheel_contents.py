"""What the published contract needs beside code goes into the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_page_and_examples_are_packaged(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    static = ROOT / "routes" / "static"
    needed = {str(file.relative_to(ROOT)) for file in static.rglob("*") if file.is_file()}
    assert len(needed) > 6
    needed |= {f"routes/static/clients/{file.name}" for file in (ROOT / "docs" / "clients").iterdir()}
    assert "routes/static/clients/zeep_wsse.py" in needed
    assert needed | {"schemas/examples.json", "routes/openapi.py"} <= packed
