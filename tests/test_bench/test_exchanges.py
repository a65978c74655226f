"""The bench's gateways exchange with the bench's upstream for real: signed both ways, unsigned, evidence in memory."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench import peers
from bench.gateways import deploy, question, serve, signings
from bench.measuring import Stage, Subject, interleaved
from bench.processes import Broken
from bench.waiting import under_load


def entries(state: Path) -> int:
    with closing(sqlite3.connect(state / "lgsp.sqlite")) as connection:
        return int(connection.execute("SELECT count(*) FROM audit_entries").fetchone()[0])


@pytest.mark.parametrize(
    ("keys", "build", "durable"),
    [("ecdsa", (), True), ("rsa", ("--memory",), False), (None, ("--unsigned",), True)],
)
def test_a_gateway_answers_with_26_fields(
    keys: str | None, build: tuple[str, ...], durable: bool, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        signing = signings(tmp_path)
        stage = Stage(tmp_path, signing, stack)
        deployed = deploy(tmp_path / "state", stage.ports[keys or "unsigned"], signing[keys] if keys else None)
        pid = serve(deployed, stack, stage.cores, build)
        subject = Subject("gateway", (pid,), deployed.port, question(deployed), gateway=True)
        before = entries(deployed.state)
        stage.ready(subject)
        rounds = interleaved(stage, [subject], 2, 1.0)["gateway"].shown()
        assert rounds["answered"] > 0
        assert len(rounds["rounds"]) == 2
        if keys == "ecdsa":
            waited = under_load(stage, subject, signing["ecdsa"], 20.0, 1, 0.5)
            assert 9 <= waited["answered"] <= 11
        written = entries(deployed.state) - before
        assert written >= rounds["answered"] if durable else written == 0
        spoilt = Subject("gateway", (pid,), deployed.port, question(deployed).replace(b"Bearer ", b"Bearer x"), True)
        with pytest.raises(Broken, match="401"):
            stage.measure(spoilt, 0.1, connections=1)


def test_a_rival_whose_packages_are_missing_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peers, "_NODE", tmp_path)
    with ExitStack() as stack, pytest.raises(peers.Absent, match="node"):
        peers.node_soap(peers.Place(tmp_path, stack, (0,), "http://127.0.0.1:1/thue"))
