"""Codes of agencies, dossiers and procedures, and the two forms of an agency code.

Old form (QCVN 102:2016): `V1V2V3.Z1Z2.Y1Y2.MX1X2`, read from right to left, 000.00.18.G12. New form (Decision
20/2020/QD-TTg, amended 2025): levels from left to right, G12.18, at most 35 characters. Old codes stay inside dossier
codes for ever. That the new form equals the old one reversed without its zero groups is common practice, not law.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.codes.shapes import shaped

_OLD: Final = r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}"
_NEW: Final = r"[A-Z][0-9]{2}(\.[A-Z0-9]+)*"
AGENCY_SHAPE: Final = f"({_OLD}|{_NEW})"
_LONGEST: Final = 35
DOSSIER_SHAPE: Final = f"{AGENCY_SHAPE}-([0-9]{{6}}|[0-9]{{8}})-[0-9]{{4,7}}"
PROCEDURE_SHAPE: Final = rf"[0-9]\.[0-9]{{6}}(\.{AGENCY_SHAPE})?"

check_procedure_code = shaped(PROCEDURE_SHAPE, "a procedure code looks like 1.005129; an agency code may follow")
_agency_shaped = shaped(AGENCY_SHAPE, "an agency code looks like G12.18 or like 000.00.18.G12")
_DOSSIER: Final = re.compile(DOSSIER_SHAPE, re.ASCII)


def check_agency_code(value: str) -> str:
    """Accept an agency code in the new or the old form; raises ValueError otherwise."""
    _check_length(value)
    return _agency_shaped(value)


def _check_length(agency: str) -> None:
    if len(agency) > _LONGEST:
        raise ValueError(f"an agency code has at most {_LONGEST} characters")


def new_agency_code(old: str) -> str:
    """The new form of an old agency code: 000.00.18.G12 becomes G12.18, 000.00.00.H30 becomes H30.

    Raises ValueError when the value is not of the old form, or has a unit of the third level under no second-level
    unit, which the new form could not tell from one of the second level.
    """
    if re.fullmatch(_OLD, old, re.ASCII) is None:
        raise ValueError("an agency code of the old form looks like 000.00.18.G12")
    fourth, third, second, first = old.split(".")
    if second == "00" and third != "00":
        raise ValueError("a third-level unit under no second-level unit has no new form")
    return ".".join((first, *(level for level in (second, third, fourth) if level.strip("0"))))


def old_agency_code(new: str) -> str:
    """The old form of a new agency code: G12.18 becomes 000.00.18.G12.

    Raises ValueError when the value is not of the new form or does not fit: the old form has two levels of two digits
    and one of three, and no letters below the first.
    """
    if re.fullmatch(_NEW, new, re.ASCII) is None:
        raise ValueError("an agency code of the new form looks like G12.18")
    first, *rest = new.split(".")
    fourth = rest.pop() if rest and len(rest[-1]) == 3 else "000"
    levels = (*rest, "00", "00")[:2]
    if (
        len(rest) > 2
        or any(re.fullmatch(r"[0-9]{2}", level, re.ASCII) is None for level in levels)
        or re.fullmatch(r"[0-9]{3}", fourth, re.ASCII) is None
        or "00" in rest
        or (fourth == "000" and new.endswith(".000"))
    ):
        raise ValueError("this agency code has no old form")
    return f"{fourth}.{levels[1]}.{levels[0]}.{first}"


@dataclass(frozen=True, slots=True)
class DossierCodeParts:
    """What a dossier code says: the agency that opened it (as written), the day, and the day's running number."""

    agency: str
    day: date
    sequence: str


def dossier_code_parts(value: str) -> DossierCodeParts:
    """Take a dossier code apart; raises ValueError when its shape is wrong or its day does not exist.

    Days are YYMMDD of this century (Circular 01/2018/TT-VPCP article 19) or, since 2026, YYYYMMDD; running numbers of
    4 to 7 digits occur.
    """
    agency, opened, sequence = _dossier_parts(value)
    return DossierCodeParts(agency, opened, sequence)


def check_dossier_code(value: str) -> str:
    """Accept a dossier code; raises ValueError as `dossier_code_parts`."""
    _dossier_parts(value)
    return value


def _dossier_parts(value: str) -> tuple[str, date, str]:
    if _DOSSIER.fullmatch(value) is None:
        raise ValueError("a dossier code is an agency code, a date of 6 or 8 digits and 4 to 7 digits")
    # What stands before the last two dashes has matched the shape of an agency code already; its length is left.
    agency, day, sequence = value.rsplit("-", 2)
    if len(agency) > _LONGEST:
        _check_length(agency)
    try:
        # A day of six digits is of this century.
        return agency, date.fromisoformat(f"20{day}"[-8:]), sequence
    except ValueError as error:
        raise ValueError("the day in the dossier code does not exist") from error
