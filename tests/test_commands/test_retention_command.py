"""`lgsp audit retention`: what is kept for longer than configured is shown, and destroyed when that is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.test_commands.conftest import Deployment, printed, quick
from tests.test_commands.exchanged import LAN, MINH, exchange, recorded

CASE = "000.00.00.G15-261122-0001"
REASON = ("--apply", "--reason", "retention of 2026, decision 12")


def configured(deployed: Deployment, text: str) -> None:
    deployed.rewrite("\n[log]\n", f"\n{text}\n\n[log]\n")


def test_beyond_its_days_is_shown_and_destroyed_on_demand(deployed: Deployment) -> None:
    now = datetime.now(UTC)
    recorded(deployed, [exchange(LAN, MINH, at=now - timedelta(days=days)) for days in (500, 401, 399, 1)])
    unset = printed("audit", "retention", *deployed.config)
    population = {"class": "population", "days": None, "open": 4, "oldest": 4, "beyond": 0, "held": 0}
    assert [{**each, "since": None} for each in unset["classes"]] == [{**population, "since": None}]
    configured(deployed, "[audit.retention]\ndefault = 4000\ndays = { population = 400, land = 'forever' }")
    shown = quick("audit", "retention", *deployed.config)
    assert (shown.exit_code, "makes 2 entries unopenable" in shown.stdout) == (0, True)
    before = len(deployed.entries())
    assert before == 8
    done = printed("audit", "retention", *REASON, *deployed.config)
    assert (done["redacted"], [each["beyond"] for each in done["classes"]]) == (2, [0, 0])
    acts = [entry["details"] for entry in deployed.entries()[before:]]
    said = {"action": "audit-retention", "class": "population", "days": 400, "reason": REASON[2]}
    assert [each["index"] for each in acts] == [4, 5]
    assert all(each.items() >= said.items() and each["by"] for each in acts)
    verdict = printed("audit", "verify", "--values", *deployed.config)
    assert (verdict["valid"], verdict["opened"]) == (True, 2)
    assert "nothing to do" in quick("audit", "retention", *REASON, *deployed.config).stdout


def test_a_dossier_on_hold_is_kept_and_one_that_nobody_knows_stops_everything(deployed: Deployment) -> None:
    recorded(deployed, [exchange(LAN, at=datetime.now(UTC) - timedelta(days=500))])
    configured(deployed, f'[audit.retention]\ndefault = 400\nhold = ["{CASE}", "{CASE}9"]')
    told = printed("audit", "retention", *deployed.config)
    assert (told["classes"][0]["beyond"], told["classes"][0]["held"], told["unknown_holds"]) == (1, 1, [f"{CASE}9"])
    before = deployed.entries()
    refused = quick("audit", "retention", *REASON, *deployed.config)
    assert (refused.exit_code, f"{CASE}9" in refused.stderr) == (2, True)
    deployed.rewrite(f', "{CASE}9"', "")
    assert printed("audit", "retention", *REASON, *deployed.config)["redacted"] == 0
    assert deployed.entries() == before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--apply",), ""),
        (("--reason", "because"), ""),
        (("--apply", "--reason", f"about {LAN}"), ""),
        (REASON, "[audit.retention.days]\npopulace = 400"),
        (REASON, "[audit.retention]\ndefault = 3"),
        (REASON, "[audit.retention]\nholds = []"),
    ],
    ids=["no-reason", "no-apply", "personal-reason", "no-class", "too-short", "no-setting"],
)
def test_wrong_use_destroys_nothing(deployed: Deployment, arguments: tuple[str, ...], text: str) -> None:
    recorded(deployed, [exchange(LAN, at=datetime.now(UTC) - timedelta(days=500))])
    before = deployed.entries()
    configured(deployed, text)
    assert quick("audit", "retention", *arguments, *deployed.config).exit_code in (1, 2)
    assert deployed.entries() == before
