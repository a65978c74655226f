"""Every sentence of our own validators is there in Vietnamese, and none is left that nobody says any more."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from routes.flaw_texts import VIETNAMESE

SCHEMAS = Path(__file__).parents[2] / "schemas"
MODULES = (
    *("identifiers", "values", "population", "enterprise", "social_insurance", "land", "tax", "civil_status"),
    *("codes/agencies", "dossiers/contents", "dossiers/models", "dossiers/moments", "dossiers/parts"),
    *("dossiers/idempotency", "audit", "periods"),
)
# Said to programmers: by conversions between forms of agency codes, and about nine digits that are none of a caller's.
OURS = ("a check digit is made of", "an agency code of the ", "a third-level unit", "this agency code has no old form")


def sentences(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((SCHEMAS / f"{module}.py").read_text(encoding="utf-8"))):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if name in ("ValueError", "shaped"):
            said = node.args[-1]
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield said.value


def test_the_table_holds_what_is_said_and_nothing_else():
    said = {text for module in MODULES for text in sentences(module) if not text.startswith(OURS)}
    assert len(said) > 25
    assert said - VIETNAMESE.keys() == set()
    assert VIETNAMESE.keys() - said == set()


def test_members_are_named_alike_in_both_languages():
    for english, vietnamese in VIETNAMESE.items():
        assert re.findall(r"[a-z]+_[a-z_]+", english) == re.findall(r"[a-z]+_[a-z_]+", vietnamese)
