"""Answers of more than 10 MB: read whole where `max_answer` allows them, refused where it does not, never cut short."""

import json
from typing import Any

import pytest

from schemas.errors import UpstreamUnreadable
from tests.test_translation.foreign import (
    KINDS,
    MEDIA,
    XML_KINDS,
    Flat,
    Kind,
    Thing,
    asked,
    binding_of,
    database_of,
    envelope,
    http,
    payload,
    xml_answer,
)
from tests.test_translation.signing import Signing

ABOVE = 16 * 1024 * 1024
PARTS = 30_000
NAME = "Nguyễn Thị Đỗ Quyên & con " + "đ" * 140


def large(kind: Kind) -> bytes:
    """An answer of more than 10 MB with 30,000 parts of one record."""
    if kind == "rest":
        parts = [{"Ten": f"{NAME}{number:06}", "SoTien": f"{number}.10"} for number in range(PARTS)]
        return http(json.dumps({"Thu": {"DanhSach": {"Muc": parts}}}, ensure_ascii=False).encode(), b"application/json")
    return xml_answer(kind, inside())


def inside() -> str:
    name = NAME.replace("&", "&amp;")
    parts = (f"<Muc><Ten>{name}{number:06}</Ten><SoTien>{number}.10</SoTien></Muc>" for number in range(PARTS))
    return f"<DanhSach>{''.join(parts)}</DanhSach>"


def complete(data: dict[str, Any]) -> bool:
    parts = [{"name": f"{NAME}{number:06}", "amount": f"{number}.10"} for number in range(PARTS)]
    return bool(data["parts"] == parts)


@pytest.mark.parametrize("kind", KINDS)
async def test_more_than_ten_megabytes_are_read_where_they_are_allowed(kind: Kind) -> None:
    answer = large(kind)
    assert len(answer) > 10 * 1024 * 1024
    database = database_of(binding_of(kind), Flat if kind == "rest" else Thing)
    assert complete((await asked(database, answer, max_answer=ABOVE)).data)


@pytest.mark.parametrize("kind", ["1.1", "1.2", "signed-xml"])
async def test_signed_ones_too(signing: Signing, kind: str) -> None:
    answer = await asked(signing.database(kind), signing.answer(kind, inside()), **signing.endpoint(), max_answer=ABOVE)
    assert complete(answer.data)


@pytest.mark.parametrize("limit", [{}, {"max_answer": 10 * 1024 * 1024}], ids=["default", "ten-megabytes"])
@pytest.mark.parametrize("kind", KINDS)
async def test_they_are_refused_where_they_are_not_allowed(kind: Kind, limit: dict[str, Any]) -> None:
    database = database_of(binding_of(kind), Flat if kind == "rest" else Thing)
    with pytest.raises(UpstreamUnreadable) as refused:
        await asked(database, large(kind), **limit)
    assert "larger than" in refused.value.detail.en


@pytest.mark.parametrize("kind", XML_KINDS)
async def test_a_single_text_has_a_limit_of_its_own(kind: Kind) -> None:
    # libxml2's ten million bytes for one text, whatever is allowed for the whole: refused, and not cut.
    text = "x" * 10_000_001
    with pytest.raises(UpstreamUnreadable):
        await asked(database_of(binding_of(kind)), xml_answer(kind, f"<Ten>{text}</Ten>"), max_answer=ABOVE)


async def test_more_elements_are_not_allowed_by_fewer_bytes() -> None:
    crowd = "<Nhan/>" * 60_000
    body = http(envelope(payload(crowd)), MEDIA["1.1"])
    with pytest.raises(UpstreamUnreadable):
        await asked(database_of(binding_of("soap-1.1")), body)
    answer = await asked(database_of(binding_of("soap-1.1")), body, max_answer=ABOVE)
    assert answer.data["labels"] == [""] * 60_000
