"""Vocabularies of dossier statuses (bộ mã trạng thái hồ sơ): what each source says, and which national code it means.

A vocabulary is data. Several of its codes may mean one national code; a code whose meaning the portal has no word for
means nothing, for a reason that is told. What is unknown or means nothing goes to quarantine with the text that came:
never a guess. Deployments add their own, or words to those given here, in `[vocabularies.NAME]` of the configuration.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from schemas.dossiers.statuses import NATIONAL
from schemas.errors import Text

Why = Literal["unknown-vocabulary", "unknown-status", "no-national-meaning"]


@dataclass(frozen=True, slots=True)
class Word:
    """One status in a source's own words; `national` is None where the portal has no such status, and `reason` why."""

    code: str
    title: Text
    national: str | None
    reason: Text | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meaning:
    """The national code that a source's status means."""

    national: str


@dataclass(frozen=True, slots=True)
class NoMeaning:
    """A status that may not be passed on; `raw` is what came, `detail` is for whoever decides about the quarantine."""

    reason: Why
    vocabulary: str
    raw: str
    detail: Text


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All statuses of one source: `words` by every spelling that is taken for them."""

    name: str
    title: Text
    owner: Text
    words: Mapping[str, Word]

    def meaning(self, raw: str) -> Meaning | NoMeaning:
        """What a status means nationally; spellings are compared in NFC, digits and codes as they are."""
        word = self.words.get(_spelled(raw))
        if word is None:
            detail = Text("Trạng thái không có trong bộ mã", "The vocabulary has no such status")
            return NoMeaning("unknown-status", self.name, raw, detail)
        if word.national is None:
            return NoMeaning("no-national-meaning", self.name, raw, word.reason or word.title)
        return Meaning(word.national)


def meaning(vocabularies: Mapping[str, Vocabulary], name: str, raw: str) -> Meaning | NoMeaning:
    """What `raw` means in the vocabulary called `name`; one that does not exist is a reason for quarantine, too."""
    vocabulary = vocabularies.get(name)
    if vocabulary is None:
        detail = Text("Không có bộ mã trạng thái này", "There is no such vocabulary")
        return NoMeaning("unknown-vocabulary", name, raw, detail)
    return vocabulary.meaning(raw)


def _spelled(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _by_spelling(words: Iterable[Word]) -> Mapping[str, Word]:
    return MappingProxyType({_spelled(spelling): word for word in words for spelling in (word.code, *word.also)})


_PORTAL: Final = Text("Cổng Dịch vụ công quốc gia", "National Public Service Portal")

_NATIONAL: Final = Vocabulary(
    "national",
    Text("Trạng thái hồ sơ của Cổng Dịch vụ công quốc gia", "Statuses of the National Public Service Portal"),
    _PORTAL,
    _by_spelling(Word(status.code, status.title, status.code) for status in NATIONAL.values()),
)


def _insurance(code: str, vi: str, en: str, national: str) -> Word:
    return Word(code, Text(vi[0].upper() + vi[1:], en), national, also=(vi, vi[0].upper() + vi[1:]))


_INSURANCE: Final = Vocabulary(
    "bhxh",
    Text("Trạng thái hồ sơ bảo hiểm xã hội", "Statuses of social insurance dossiers"),
    Text("Bảo hiểm xã hội Việt Nam", "Vietnam Social Security"),
    _by_spelling(
        (
            _insurance("1", "đã tiếp nhận hồ sơ", "Dossier accepted", "2"),
            _insurance("2", "đang xử lý hồ sơ", "Dossier being processed", "4"),
            # That there is a result is what 9 says; that somebody has it is 10.
            _insurance("3", "đã xử lý xong hồ sơ và đã có kết quả", "Processed, the result is there", "9"),
            _insurance("4", "đã trả kết quả", "Result returned", "10"),
            # The only national word for a refusal; after acceptance the rules of transitions object to it.
            _insurance("5", "đã từ chối hồ sơ", "Dossier refused", "3"),
        )
    ),
)

_ANY_PROVINCE: Final = Text("Ví dụ của trục, không của địa phương nào", "An example of the gateway, of no province")

_OPENCPS: Final = Vocabulary(
    "opencps-example",
    Text("Ví dụ: một cửa kiểu OpenCPS", "Example: a one-stop system in the manner of OpenCPS"),
    _ANY_PROVINCE,
    _by_spelling(
        (
            Word("new", Text("Mới đăng ký", "New"), "1"),
            Word("receiving", Text("Chờ tiếp nhận", "Waiting to be accepted"), "1"),
            Word("received", Text("Đã tiếp nhận", "Accepted"), "2"),
            Word("denied", Text("Từ chối tiếp nhận", "Not accepted"), "3"),
            Word("processing", Text("Đang xử lý", "Being processed"), "4"),
            Word("waiting", Text("Chờ bổ sung", "Waiting for a supplement"), "5"),
            Word("paying", Text("Chờ thanh toán", "Waiting for a payment"), "6"),
            Word("cancelled", Text("Đã rút hồ sơ", "Withdrawn"), "7", also=("canceled",)),
            Word("releasing", Text("Chờ trả kết quả", "The result waits"), "9"),
            # On its way is not in the applicant's hands.
            Word("posting", Text("Đang gửi kết quả qua bưu chính", "The result is in the post"), "9"),
            Word("done", Text("Đã trả kết quả", "Result returned"), "10"),
            Word(
                "unresolved",
                Text("Không giải quyết", "Not resolved"),
                None,
                Text(
                    "Không rõ là từ chối, dừng xử lý hay trả hồ sơ; cần quy tắc của địa phương",
                    "Refusal, suspension and return are different national statuses; the province has to say which",
                ),
            ),
            Word(
                "cancelling",
                Text("Đang yêu cầu rút hồ sơ", "Withdrawal asked for"),
                None,
                Text("Yêu cầu rút chưa được chấp nhận", "The withdrawal is not yet agreed to"),
            ),
        )
    ),
)

_IGATE: Final = Vocabulary(
    "igate-example",
    Text("Ví dụ: một cửa kiểu iGate", "Example: a one-stop system in the manner of iGate"),
    _ANY_PROVINCE,
    _by_spelling(
        (
            Word("MOI_DANG_KY", Text("Mới đăng ký", "New"), "1"),
            Word("CHO_TIEP_NHAN", Text("Chờ tiếp nhận", "Waiting to be accepted"), "1"),
            Word("DA_TIEP_NHAN", Text("Đã tiếp nhận", "Accepted"), "2"),
            Word("TU_CHOI_TIEP_NHAN", Text("Từ chối tiếp nhận", "Not accepted"), "3"),
            Word("DANG_XU_LY", Text("Đang xử lý", "Being processed"), "4"),
            Word("CHO_PHE_DUYET", Text("Chờ phê duyệt", "Waiting for approval"), "4"),
            Word("YEU_CAU_BO_SUNG", Text("Yêu cầu bổ sung", "Supplement requested"), "5"),
            Word("CHO_THANH_TOAN", Text("Chờ nghĩa vụ tài chính", "Waiting for a payment"), "6"),
            Word("RUT_HO_SO", Text("Công dân rút hồ sơ", "Withdrawn"), "7"),
            Word("TAM_DUNG", Text("Tạm dừng", "Suspended"), "8"),
            Word("DA_CO_KET_QUA", Text("Đã có kết quả", "The result is there"), "9"),
            Word("DA_TRA_KET_QUA", Text("Đã trả kết quả", "Result returned"), "10"),
            Word(
                "DA_XOA",
                Text("Đã xóa", "Deleted"),
                None,
                Text("Cổng quốc gia không có trạng thái xóa hồ sơ", "The portal knows no deleted dossiers"),
            ),
        )
    ),
)

VOCABULARIES: Final[Mapping[str, Vocabulary]] = MappingProxyType(
    {vocabulary.name: vocabulary for vocabulary in (_NATIONAL, _INSURANCE, _OPENCPS, _IGATE)}
)
"""The vocabularies that need no configuration.

The five statuses of `bhxh` are those of the law on its dossiers, taken in its words or by their number in its list; the
numbers are ours. So are both examples altogether (codes of the first occur in public code of OpenCPS).
"""

VOCABULARY_NAME: Final = "[a-z][a-z0-9-]{0,39}"
LONGEST_STATUS: Final = 100


def configured(tables: Mapping[str, Any]) -> Mapping[str, Vocabulary]:
    """All vocabularies: those given here together with the content of `[vocabularies]` in the configuration.

    Each table has `codes`, a source's status to the national code it means, or to `""` where it is known to mean none;
    `title` is optional. A table named like a vocabulary given here adds words to it and may change the meaning of
    others, except in `national`, whose ten codes stand. Raises ValueError naming the place that is wrong.
    """
    found = dict(VOCABULARIES)
    for name, table in tables.items():
        if re.fullmatch(VOCABULARY_NAME, name) is None:
            raise ValueError(f"vocabularies.{name}: a name has small letters, digits and dashes, 40 at most")
        if not isinstance(table, Mapping) or set(table) - {"codes", "title"}:
            raise ValueError(f"vocabularies.{name}: takes codes and title, nothing else")
        codes, title = table.get("codes"), table.get("title", name)
        if not isinstance(codes, Mapping) or not codes:
            raise ValueError(f"vocabularies.{name}.codes: a table of at least one status and what it means")
        if not isinstance(title, str):
            raise ValueError(f"vocabularies.{name}.title: a text")
        words = [_configured_word(name, code, national) for code, national in codes.items()]
        if len(_by_spelling(words)) < len(words):
            raise ValueError(f"vocabularies.{name}.codes: two statuses are the same text in NFC")
        known = found.get(name)
        if known is None:
            owner = Text("Do đơn vị vận hành khai báo", "Configured by the operator")
            found[name] = Vocabulary(name, Text(title, title), owner, _by_spelling(words))
        else:
            found[name] = replace(known, words=MappingProxyType({**known.words, **_by_spelling(words)}))
    return MappingProxyType(found)


def _configured_word(name: str, code: object, national: object) -> Word:
    place = f'vocabularies.{name}.codes."{code}"'
    if not isinstance(code, str) or not code.strip() or len(code) > LONGEST_STATUS:
        raise ValueError(f"{place}: a status has 1 to {LONGEST_STATUS} characters and is not blank")
    if name == _NATIONAL.name and code in NATIONAL and code != national:
        raise ValueError(f"{place}: the ten national codes mean themselves")
    if national == "":
        reason = Text("Cấu hình: không có trạng thái quốc gia tương ứng", "Configured to mean no national status")
        return Word(code, Text(code, code), None, reason)
    if not isinstance(national, str) or national not in NATIONAL:
        raise ValueError(f'{place}: means one of the national codes "1" to "10", or ""')
    return Word(code, NATIONAL[national].title, national)
