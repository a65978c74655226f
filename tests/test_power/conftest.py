from pathlib import Path

import pytest

from tests.test_power.failing import Programs
from tools.power_recording import build


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder, compiled."""
    library = tmp_path_factory.mktemp("recorder") / "recorder.so"
    build(library)
    return library


@pytest.fixture
def programs(recorder: Path, tmp_path: Path) -> Programs:
    return Programs(recorder, tmp_path)
