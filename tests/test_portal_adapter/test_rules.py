"""The tables of (code, message) rules: what is known is classified, and nothing unknown is ever a success."""

import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs import Unreadable
from adapters.portal_rules import FIRST, SECOND, UNKNOWN, Call, Outcome, Rules, plain, plain_code

CALLS: tuple[Call, ...] = get_args(Call)
WRITES: tuple[Call, ...] = ("create", "update", "progress")


@pytest.mark.parametrize(
    ("code", "message", "call", "outcome", "reason"),
    [
        ("0", "Hồ sơ đã tồn tại, cập nhật thành công", "create", "exists", "already-exists"),
        ("0", "Tiến độ đã tồn tại", "progress", "exists", "already-exists"),
        ("0", "Hồ sơ đã tồn tại", "update", "refused", UNKNOWN),
        ("0", "Cập nhật thành công", "update", "applied", "applied"),
        ("0", "Chưa được thành công", "update", "refused", UNKNOWN),
        ("0", "unsuccessful", "create", "refused", UNKNOWN),
        ("0", "Thành công 4/5 hồ sơ, 1 hồ sơ lỗi", "progress", "refused", UNKNOWN),
        ("2", "Hồ sơ 000.00.00.H26-260105-0001 chưa tồn tại", "update", "missing", "no-such-dossier"),
        ("2", "Không tìm thấy mã hồ sơ", "progress", "missing", "no-such-dossier"),
        ("2", "Hồ sơ không tồn tại", "create", "refused", UNKNOWN),
        ("2", "Mã thủ tục của hồ sơ này không tồn tại", "update", "refused", UNKNOWN),
        ("1", "Phiên bản dữ liệu không hợp lệ", "create", "refused", "invalid-data"),
        ("1", "PHIÊN ĐĂNG NHẬP KHÔNG TỒN TẠI", "progress", "session", "session-ended"),
        ("7", "Vui lòng thử lại sau ít phút", "create", "busy", "busy"),
        ("4", "Dịch vụ không tồn tại", "read", "refused", "not-offered"),
        ("0", "", "read", "applied", "read"),
        ("0", "Ơ hay", "read", "applied", "read"),
        ("1", "", "create", "refused", UNKNOWN),
        ("200", "Thành công", "create", "refused", UNKNOWN),
        ("0.0", "Thành công", "create", "refused", UNKNOWN),
    ],
)
def test_the_first_table(code: str, message: str, call: Call, outcome: Outcome, reason: str) -> None:
    assert FIRST.verdict(code, message, call) == (outcome, reason)


def test_the_second_table_has_its_own_code_of_success() -> None:
    assert SECOND.verdict("200", "Thành công", "create").outcome == "applied"
    assert SECOND.verdict("0", "Thành công", "create").outcome == "applied"
    assert SECOND.verdict("400", "Thành công", "create") == ("refused", UNKNOWN)


@pytest.mark.parametrize("rules", [FIRST, SECOND], ids=["first", "second"])
@given(code=st.sampled_from(["-3", "-1", "1", "3", "99", "ERR"]) | st.text(max_size=6), message=st.text(max_size=60))
def test_only_a_code_of_success_is_a_success(rules: Rules, code: str, message: str) -> None:
    if code not in ("0", "200"):
        for call in CALLS:
            assert rules.verdict(code, message, call).outcome != "applied"


@given(message=st.text(st.characters(codec="utf-8", exclude_characters="ôÔ"), min_size=1, max_size=60))
def test_a_text_that_no_rule_knows_is_no_success(message: str) -> None:
    text = plain(message)
    if text and text != "ok" and "thanh cong" not in text and "success" not in text:
        for call in WRITES:
            assert FIRST.verdict("0", message, call).outcome != "applied"


@given(
    st.sampled_from(["Hồ sơ đã tồn tại", "Đồng bộ thành công", "Phiên làm việc đã hết hạn", "Hệ thống đang bận"]),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    st.sampled_from([str.upper, str.lower, str.title, str.casefold, lambda text: text.replace(" ", " \n\t ")]),
    st.sampled_from(CALLS),
    st.sampled_from(["0", "1"]),
)
def test_spelling_makes_no_difference(text: str, form: str, change: object, call: Call, code: str) -> None:
    assert callable(change)
    spelled = unicodedata.normalize(form, change(text))  # type: ignore[arg-type]
    assert FIRST.verdict(code, spelled, call) == FIRST.verdict(code, text, call)


@pytest.mark.parametrize(
    ("said", "code"),
    [(0, "0"), ("0", "0"), ("00", "0"), (" 0 ", "0"), ("-0", "0"), (-3, "-3"), ("-03", "-3"), ("OK", "OK"), ("٠", "٠")],
)
def test_codes_are_compared_as_numbers(said: object, code: str) -> None:
    assert plain_code(said) == code


@pytest.mark.parametrize("said", [None, "", " ", True, False, [], {}, 0.0])
def test_no_code(said: object) -> None:
    with pytest.raises(Unreadable):
        plain_code(said)


def test_a_long_message_costs_no_more_than_its_beginning() -> None:
    assert len(plain("phiên làm việc " * 1_000_000)) <= 2000
