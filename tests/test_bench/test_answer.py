"""The bench's one answer: 26 fields, in the contract, and recognised only when all of them are there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree

from bench.answer import EXPECTED, MARK, QUESTION, RECORD, flaw, leaves, payload
from bench.upstream import text_of, unsigned
from security.contracts import contract_schema

_ENVELOPE = "{http://www.w3.org/2003/05/soap-envelope}"


def answered(question: bytes) -> etree._Element:
    body = etree.fromstring(unsigned(question)).find(f"{_ENVELOPE}Body")
    assert body is not None
    return body[0]


def test_there_are_26_fields_on_both_sides() -> None:
    assert len(list(leaves(RECORD))) == 26
    assert len(list(leaves(EXPECTED))) == 26
    assert all(leaves(RECORD))


def test_the_payload_follows_the_contract() -> None:
    schema = contract_schema("tax.wsdl")
    assert schema.validate(answered(b"<MaYeuCau>abc-1</MaYeuCau>"))
    assert not schema.validate(answered(b"<MaYeuCau></MaYeuCau>"))


def test_the_payload_is_its_own_canonical_form() -> None:
    before, after = payload()
    text = before + b"abc-1" + after
    assert etree.tostring(etree.fromstring(text), method="c14n", exclusive=True) == text


@pytest.mark.parametrize("prefix", ["", "ns0:", "tns:"])
def test_an_answer_repeats_the_id_of_its_question(prefix: str) -> None:
    question = f"<{prefix}MaYeuCau>5c0c0f6e-7a1c</{prefix}MaYeuCau><{prefix}MaSoThue>1</{prefix}MaSoThue>"
    assert answered(question.encode()).get("MaYeuCau") == "5c0c0f6e-7a1c"


def test_text_of_what_is_not_there_is_empty() -> None:
    assert text_of(b"<a>1</a>", b"b") == b""
    assert text_of(b"<p:SignatureValue>qg==</p:SignatureValue>", b"SignatureValue") == b"qg=="


def _rival(record: Any = RECORD) -> bytes:
    return json.dumps(record).encode()


def _gateway(data: Any = EXPECTED, receipt: Any = "receipt") -> bytes:
    return json.dumps({"data": data, "receipt": receipt}).encode()


def test_whole_answers_have_no_flaw() -> None:
    assert flaw(_rival(), gateway=False) is None
    assert flaw(_gateway(), gateway=True) is None


@pytest.mark.parametrize(
    ("body", "gateway"),
    [
        (b"", False),
        (b"<html>", False),
        (_rival({**RECORD, "TenNNT": "C\u00f4ng ty"}), False),
        (_rival({**RECORD, "Nhom": None}), False),
        (_rival({name: value for name, value in RECORD.items() if name != "DiaChi"}), False),
        (_rival({**RECORD, "more": "DN"}), False),
        (_rival(), True),
        (_gateway({**EXPECTED, "status": "closed"}), True),
        (_gateway({**EXPECTED, "branches": []}), True),
        (_gateway(receipt=None), True),
    ],
)
def test_anything_else_has_one(body: bytes, *, gateway: bool) -> None:
    assert flaw(body, gateway=gateway) is not None


def test_a_lost_leading_zero_is_noticed() -> None:
    spoilt = {**RECORD, "SoDinhDanh": int(RECORD["SoDinhDanh"])}
    assert flaw(_rival(spoilt), gateway=False) is not None


def test_the_mark_is_in_every_form_of_the_answer() -> None:
    assert MARK in unsigned(QUESTION)
    assert MARK in _rival()
    assert MARK in _gateway()
