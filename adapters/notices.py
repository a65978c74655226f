"""Warnings that several databases give about their answers."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.exchange import Data, Notice
from schemas.identifiers import is_personal_id, personal_id_mismatches

_DISAGREES = "The number and the record disagree; both are as the source has them"


def number_notices(record: Data, at: str = "/data", member: str = "personal_id") -> Iterator[Notice]:
    """Warn where a personal number does not agree with the sex or birth date of its record.

    The law never recodes a number, so a mismatch is lawful; a text that is no personal number is passed over. `at` is
    the pointer of the record and `member` its member with the number.
    """
    number = record[member]
    if number and is_personal_id(number):
        for code in personal_id_mismatches(number, record["sex"], record["birth_date"]):
            yield Notice(code, f"{at}/{member}", _DISAGREES)
