"""The demo's `gateway.toml`: what somebody changed in it stays, and the demo's own new values get in."""

from pathlib import Path

import pytest

from sandbox.carried import kept

MADE = """\
[server]
listen = "127.0.0.1:{port}"
workers = 1

[endpoints.tax]
url = "http://127.0.0.1:{port}1"
retry = 3
"""
ADDED = '\n[vocabularies.x]\ncodes = { "DA_HUY" = "3" }\n'


def made(port: int) -> str:
    return MADE.format(port=port)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.toml"


def test_what_nobody_changed_is_written_anew_without_a_word(path: Path) -> None:
    assert [kept(path, made(port)) for port in (8080, 8080, 9090)] == [None] * 3
    assert path.read_text() == made(9090)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("port", [8080, 9090], ids=["same-ports", "other-ports"])
def test_what_was_changed_stays_with_the_ports_of_now(path: Path, port: int) -> None:
    kept(path, made(8080))
    path.write_text(made(8080).replace("workers = 1", "workers = 3").replace("retry = 3\n", "") + ADDED)
    for _ in range(2):
        told = kept(path, made(port))
        assert told is not None
        assert "gateway.toml.made" in told
        assert path.read_text() == made(port).replace("workers = 1", "workers = 3").replace("retry = 3\n", "") + ADDED


def test_where_both_changed_a_line_that_of_the_person_stands(path: Path) -> None:
    kept(path, made(8080))
    path.write_text(made(8080).replace('"127.0.0.1:8080"', '"0.0.0.0:80"'))
    kept(path, made(9090))
    assert path.read_text() == made(9090).replace('"127.0.0.1:9090"', '"0.0.0.0:80"')


def test_what_a_later_release_adds_gets_in(path: Path) -> None:
    kept(path, made(8080))
    path.write_text(made(8080) + ADDED)
    newer = made(8080).replace("workers = 1\n", "workers = 1\nreserve = 5\n")
    kept(path, newer)
    assert path.read_text() == newer + ADDED


def test_one_of_an_earlier_release_is_laid_aside_and_said(path: Path) -> None:
    path.write_text(made(8080) + ADDED)
    told = kept(path, made(9090))
    assert told is not None
    aside = path.with_name("gateway.toml.before")
    assert str(aside) in told
    assert (path.read_text(), aside.read_text()) == (made(9090), made(8080) + ADDED)
    assert kept(path, made(9090)) is None
