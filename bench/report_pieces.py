"""What was promised of pieces: verifying and signing beside others, revocation, how long a message holds the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Pieces = Mapping[str, Mapping[str, float]]
"""CPU microseconds by group and piece."""


@dataclass(frozen=True, slots=True)
class PieceRatio:
    """The longest of some pieces of a group over another one, or in milliseconds where `under` is None; a target."""

    name: str
    group: str
    over: tuple[str, ...]
    under: str | None
    most: float

    def value(self, pieces: Pieces) -> float | None:
        """Return the value, None where a piece of it was not measured."""
        held = pieces.get(self.group, {})
        micros = [held[piece] for piece in self.over if piece in held]
        if len(micros) < len(self.over) or (self.under is not None and self.under not in held):
            return None
        return round(max(micros) / (1000 if self.under is None else held[self.under]), 3)


_KEYS: Final = {"ecdsa": "ECDSA P-256", "rsa": "RSA-2048"}
_OVER_XMLSEC: Final = {"2 KB": 0.9, "10 KB": 0.9, "100 KB": 0.95}
_OVER_SIGNXML: Final = 0.45
_OVER_BARE: Final = {"ecdsa": 3.0, "rsa": 1.3}

PIECE_RATIOS: Final = (
    *(
        PieceRatio(
            f"verify_{size.replace(' ', '').lower()}_{short}/{library}",
            "verify",
            (f"{size} {key}",),
            f"{size} {key} {library}",
            _OVER_SIGNXML if library == "signxml" else most,
        )
        for library in ("xmlsec", "signxml")
        for size, most in _OVER_XMLSEC.items()
        for short, key in _KEYS.items()
    ),
    *(
        PieceRatio(f"sign_2kb_{short}/bare_key", "sign", (f"2 KB {key}",), f"bare key {key}", _OVER_BARE[short])
        for short, key in _KEYS.items()
    ),
    # Of the verification alone, which is a part of the exchange: its share of the whole is smaller.
    PieceRatio("revocation/verification", "trust", ("message, with revocation",), "message, without revocation", 1.05),
    PieceRatio("loop_held_ms", "loop", ("read, on the loop", "evidence, on the loop"), None, 2.0),
)


def judged_pieces(pieces: Pieces) -> dict[str, dict[str, Any]]:
    """Return every ratio of pieces: its value (None with a reason), target and verdict."""
    return {ratio.name: _judged(ratio, pieces) for ratio in PIECE_RATIOS}


def _judged(ratio: PieceRatio, pieces: Pieces) -> dict[str, Any]:
    value = ratio.value(pieces)
    if value is not None:
        return {"value": value, "at_most": ratio.most, "met": value <= ratio.most}
    absent = [piece for piece in pieces.get(ratio.group, {}) if piece.startswith("absent: ")]
    return {
        "value": None,
        "at_most": ratio.most,
        "met": None,
        "reason": "; ".join(absent) or "not measured in this run",
    }
