"""Vietnamese unless Accept-Language prefers English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routes.language import preferred

weights = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
others = st.lists(st.tuples(st.sampled_from(["fr", "de-AT", "zh-Hans", "ja"]), weights), max_size=3)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "vi"),
        ("", "vi"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("en, vi", "vi"),
        ("vi, en", "vi"),
        ("en, vi;q=0.9", "en"),
        ("en;q=0.8, vi;q=0.9", "vi"),
        ("vi;q=0.1,en;q=0.100", "vi"),
        ("en-US;q=0.3, en;q=0.9, vi;q=0.5", "en"),
        ("fr", "vi"),
        ("*", "vi"),
        ("*, vi;q=0.5", "en"),
        ("*;q=0.5, en;q=0.4", "vi"),
        ("en;q=0", "vi"),
        ("en;q=2", "vi"),
        ("en;q=abc", "vi"),
        ("en;q=0.5;x=1", "vi"),
        ("english", "vi"),
        ("en ; q = 0.5", "en"),
        (",,;;q=,en", "en"),
        ("en;q=0.٥", "vi"),
    ],
)
def test_examples(header: str | None, language: str) -> None:
    assert preferred(header) == language


@given(weights, weights, others, st.randoms())
def test_the_higher_weight_wins_in_any_order(
    english: float, vietnamese: float, rest: list[tuple[str, float]], random: object
) -> None:
    parts = [f"{name};q={weight:.3f}" for name, weight in [("en", english), ("vi-VN", vietnamese), *rest]]
    random.shuffle(parts)  # type: ignore[attr-defined]
    assert preferred(", ".join(parts)) == ("en" if english > vietnamese else "vi")


@given(st.text())
def test_anything_is_answered(header: str) -> None:
    assert preferred(header) in ("vi", "en")
