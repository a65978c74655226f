"""Ratios of a run: from both sides of the same rounds, with their target, or empty with a reason."""

from __future__ import annotations

import pytest

from bench.report import RATIOS, judged, pieces_table, table, verdicts, waiting


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_sides() -> None:
    rates = {"full_ecdsa": [100.0, 50.0, 200.0], "node_soap": [100.0, 100.0, 100.0]}
    found = judged(rates, None, {})["full_ecdsa/node_soap"]
    assert found == {"value": 1.0, "range": [0.5, 2.0], "at_least": 0.8, "met": True}


@pytest.mark.parametrize(
    ("name", "over", "under", "value", "met"),
    [
        ("full_ecdsa/node_soap", 79.0, 100.0, 0.79, False),
        ("full_rsa/flask_zeep", 130.0, 100.0, 1.3, True),
        ("unsigned/node_soap", 119.0, 100.0, 1.19, False),
        ("unsigned/php_soap", 30.0, 100.0, 0.3, None),
        ("evidence/exchange", 75.0, 100.0, 0.25, True),
        ("evidence/exchange", 74.0, 100.0, 0.26, False),
        ("two_workers/one", 85.0, 100.0, 0.85, True),
        ("million_entries/empty", 94.0, 100.0, 0.94, False),
    ],
)
def test_each_target(name: str, over: float, under: float, value: float, met: bool | None) -> None:
    ratio = next(each for each in RATIOS if each.name == name)
    found = judged({ratio.over: [over], ratio.under: [under]}, None, {})[name]
    assert (found["value"], found["met"]) == (pytest.approx(value), met)


@pytest.mark.parametrize(("added", "met"), [(9.99, True), (10.0, True), (10.1, False), (None, None)])
def test_added_milliseconds(added: float | None, met: bool | None) -> None:
    found = judged({}, added, {})["p99_added_ms"]
    assert (found["value"], found["met"]) == (added, met)
    assert ("reason" in found) == (added is None)


def test_what_was_not_measured_is_null_and_says_why() -> None:
    found = judged({"full_ecdsa": [1.0]}, None, {"node_soap": "node is not installed"})
    assert found["full_ecdsa/node_soap"]["value"] is None
    assert found["full_ecdsa/node_soap"]["met"] is None
    assert "node is not installed" in found["full_ecdsa/node_soap"]["reason"]
    assert found["full_rsa/flask_zeep"]["reason"] == "not measured in this run"


def test_what_is_printed_names_everything() -> None:
    rows = {
        "full_ecdsa": {
            "requests_per_cpu_second": 2000,
            "cpu_ms_per_request": 0.5,
            "requests_per_second": 1990,
            "answered": 12345,
            "resident_mb": 180.2,
        }
    }
    printed = table(rows, {"full_ecdsa": {"p50": 1.61, "p99": 3.02}})
    assert all(text in printed for text in ("full_ecdsa", "2000", "0.500", "12345", "180.2", "1.61", "3.02"))
    assert "full_ecdsa" in table(rows, {})
    lines = verdicts(judged({"full_ecdsa": [60.0], "node_soap": [100.0]}, 12.5, {})).splitlines()
    assert len(lines) == len(RATIOS) + 1
    assert "MISSED" in lines[0]
    assert "12.5" in lines[-1]
    quantiles = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    shown = {"rate": 900, "answered": 9, "gateway_ms": quantiles, "upstream_ms": quantiles, "added_ms": quantiles}
    assert "900" in waiting(shown)
    assert "sign: RSA-2048" in pieces_table({"sign": {"RSA-2048": 298.0}})
