"""`lgsp demo --check`: what it prints, and that its exit code can be believed."""

from pathlib import Path

from tests.test_gateway.live import DATABASES, lgsp


def test_a_tour_through_a_sound_demo(tmp_path: Path) -> None:
    done = lgsp("demo", "--check", "--state", str(tmp_path / "state"), "--port", "0", "--seed", "5", "--people", "20")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in lines[:-1] if not line.startswith("ok  ")] == []
    for database in DATABASES:
        assert any(line.startswith(f"ok   {database}/") for line in lines)
        assert any(line.startswith(f"ok   {database}: down") for line in lines)


def test_a_tour_that_finds_a_source_broken(tmp_path: Path) -> None:
    options = ("--state", str(tmp_path / "state"), "--port", "0", "--people", "20", "--fault", "enterprise:malformed")
    done = lgsp("demo", "--check", *options)
    assert done.returncode == 1, done.stderr
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert "enterprise/enterprise" in failed
    assert "tax/taxpayer" not in failed
