"""The metrics library stays out of the way until it is needed."""

import subprocess
import sys
from pathlib import Path


def test_importing_the_definitions_does_not_import_the_library() -> None:
    code = "import sys, config.metrics, routes.frame; sys.exit('prometheus_client' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
