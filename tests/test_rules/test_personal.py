"""Texts that others will read name nobody, however the number of a person is written."""

import pytest

from config.personal import could_name_a_person

NUMBER = "079188776655"


@pytest.mark.parametrize(
    "text",
    [NUMBER, "0791 8877 6655", "0791-8877-6655", "theo đơn của 079 188 776 655", "MDc5MTg4Nzc2NjU1", "079.188.776.655"],
    ids=["plain", "spaces", "dashes", "in-a-sentence", "base64", "threes"],
)
def test_a_number_is_seen_in_every_form(text: str) -> None:
    assert could_name_a_person(text)


@pytest.mark.parametrize(
    "text",
    ["theo công văn 123/2026 ngày 30 11 2026", "01a22eea-eeee-70c5-b688-dfe8e8c63e16", "H26-20261130-0000001", "4.1.3"],
    ids=["letter", "uuid", "dossier", "section"],
)
def test_dates_and_codes_name_nobody(text: str) -> None:
    assert not could_name_a_person(text)
