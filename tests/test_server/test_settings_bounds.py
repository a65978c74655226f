"""Numbers that no gateway could work with are refused by name when the configuration is read."""

from pathlib import Path

import pytest

from config.settings import ConfigurationError, load


@pytest.mark.parametrize(
    ("section", "setting"),
    [
        ("server", "max_body = 0"),
        ("server", "max_in_flight = 0"),
        ("server", "grace = -1.0"),
        ("audit", "anonymous_entries_per_minute = 0"),
        ("endpoints.land", "timeout.connect = 0.0"),
        ("endpoints.land", "timeout.read = nan"),
        ("endpoints.land", "timeout.total = inf"),
        ("endpoints.land", "breaker.failures = 0"),
        ("endpoints.land", "breaker.open_for = 0.0"),
        ("endpoints.land", "retry.initial = -0.1"),
        ("endpoints.land", "concurrency = 0"),
        ("endpoints.land", "max_answer = 0"),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_name(tmp_path: Path, section: str, setting: str) -> None:
    path = tmp_path / "gateway.toml"
    url = 'url = "http://127.0.0.1:1"\n' if section.startswith("endpoints") else ""
    path.write_text(f"[{section}]\n{url}{setting}\n")
    with pytest.raises(ConfigurationError, match=f"{section}.{setting.partition(' ')[0]}".replace(".", r"\.")):
        load(path)
