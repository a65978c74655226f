"""What was promised of pieces: the targets as they were set, from the pieces that are really measured."""

from __future__ import annotations

import pytest

from bench.report import verdicts
from bench.report_pieces import PIECE_RATIOS, PieceRatio, judged_pieces
from tests.test_bench.test_pieces import GROUPS

TARGETS = {
    **{f"verify_{size}_{key}/xmlsec": 0.9 for size in ("2kb", "10kb") for key in ("ecdsa", "rsa")},
    **{f"verify_100kb_{key}/xmlsec": 0.95 for key in ("ecdsa", "rsa")},
    **{f"verify_{size}_{key}/signxml": 0.45 for size in ("2kb", "10kb", "100kb") for key in ("ecdsa", "rsa")},
    "sign_2kb_rsa/bare_key": 1.3,
    "sign_2kb_ecdsa/bare_key": 3.0,
    "revocation/verification": 1.05,
    "loop_held_ms": 2.0,
}
SAME = {group: dict.fromkeys(pieces, 1000.0) for group, pieces in GROUPS.items()}


def test_each_target_is_the_one_that_was_set() -> None:
    assert {ratio.name: ratio.most for ratio in PIECE_RATIOS} == TARGETS


def test_everything_it_needs_is_measured() -> None:
    judged = judged_pieces(SAME)
    assert {name: ratio["value"] for name, ratio in judged.items()} == dict.fromkeys(TARGETS, 1.0)
    assert {name: ratio["met"] for name, ratio in judged.items()} == {name: most >= 1 for name, most in TARGETS.items()}


@pytest.mark.parametrize("ratio", PIECE_RATIOS, ids=lambda ratio: ratio.name)
def test_the_target_itself_is_met_and_what_is_above_is_not(ratio: PieceRatio) -> None:
    for factor, met in ((1.0, True), (1.02, False)):
        # Of several pieces the longest counts.
        base = 1000.0 if ratio.under is None else SAME[ratio.group][ratio.under]
        pieces = {ratio.group: {**SAME[ratio.group], ratio.over[-1]: base * ratio.most * factor}}
        assert judged_pieces(pieces)[ratio.name]["met"] is met


def test_what_is_missing_says_why() -> None:
    pieces = {"verify": {"2 KB RSA-2048": 1.0, "absent: xmlsec (no xmlsec here)": 0.0}}
    judged = judged_pieces(pieces)
    assert judged["verify_2kb_rsa/xmlsec"] == {
        "value": None,
        "at_most": 0.9,
        "met": None,
        "reason": "absent: xmlsec (no xmlsec here)",
    }
    assert judged["loop_held_ms"]["reason"] == "not measured in this run"
    assert "no xmlsec here" in verdicts(judged)
