"""Whether a text that others will read could name a person (giá trị cá nhân): reasons, filters, request ids."""

from __future__ import annotations

import re

from config.logging import identifier_shaped

# A number of nine or twelve digits as people write it: in groups of three.
_GROUPED = re.compile(r"(?<!\d)\d{3}([._:/+=~ -])\d{3}\1\d{3}(?:\1\d{3})?(?!\d)")
# Any other groups; a UUID has such by chance.
_GROUPS = re.compile(r"(?<!\d)\d+(?:[._:/+=~ -]\d+)+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Twelve digits of a person begin with one of the province codes, 001 to 096.
_CITIZEN = re.compile(r"0(?:0[1-9]|[1-8]\d|9[0-6])\d{9}")


def could_name_a_person(text: str) -> bool:
    """Tell whether `text` holds the number of a person, whole, encoded, or in groups with separators between them."""
    return (
        identifier_shaped(text)
        or _GROUPED.search(text) is not None
        or any(_is_of_a_person(groups) for groups in _GROUPS.findall(_UUID.sub("", text)))
    )


def _is_of_a_person(groups: str) -> bool:
    """Tell whether digits with separators make a number of a person: dates with a counter and codes of dossiers do not.

    Nine digits (chứng minh nhân dân), ten from 0 (mã số thuế, mã số BHXH, telephone), twelve (căn cước).
    """
    parts = re.split(r"\D", groups)
    digits = "".join(parts)
    match len(digits):
        case 9:
            return min(map(len, parts)) >= 3
        case 10:
            return digits[0] == "0" and min(map(len, parts)) >= 2
        case 12:
            return _CITIZEN.match(digits) is not None
        case _:
            return False
