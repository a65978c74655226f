"""What an answer of the national portal means: an ordered table of (code, message) rules for each generation, as data.

No code list of the portal has been published, and clients have seen code 0 with "already exists" and the codes 0, 3 and
-3 for the same thing, so a code alone proves nothing and the text decides with it. What no rule knows is a refusal and
never a success. Rules are tried in order; messages are compared without diacritics, case and double spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, get_args

from adapters.codecs import Unreadable

Outcome = Literal["applied", "exists", "missing", "refused", "busy", "session", "unclear"]
"""What became of what was sent (kết quả tiếp nhận).

`applied`: it counts. `exists`: a create of something that is there, to be updated; of progress: that record is there.
`missing`: the portal has no such dossier. `refused`: it does not want it. `busy`: it wants it later. `session`: it did
not take our log-in. Nothing was done in these three, but see `UNKNOWN`. `unclear`: it answered, but not about this one.
"""

UNKNOWN: Final = "unknown-answer"
"""The reason of a refusal that no rule knows: the portal may have acted, so look up before anything is sent again."""

Call = Literal["create", "update", "progress", "read"]
_WRITES: Final[frozenset[Call]] = frozenset(("create", "update", "progress"))
_ALL: Final[frozenset[Call]] = frozenset(get_args(Call))
_LONGEST: Final = 2000
_REMEMBERED: Final = 64


class Verdict(NamedTuple):
    """What an answer means, and the name of the rule that says so (for example `invalid-data`)."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: both patterns must match, the code as a whole, the message (see `plain`) anywhere; `of` which calls."""

    outcome: Outcome
    reason: str
    code: str
    message: str
    of: frozenset[Call] = _ALL


class Rules:
    """A compiled table; the first row that matches decides."""

    def __init__(self, rows: Iterable[Rule]) -> None:
        self._rows = [
            (re.compile(row.code).fullmatch, re.compile(row.message).search, row.of, Verdict(row.outcome, row.reason))
            for row in rows
        ]
        # Elements of a batch are told the same over and over.
        self.verdict = lru_cache(_REMEMBERED)(self._verdict)

    def _verdict(self, code: str, message: str, call: Call) -> Verdict:
        """Say what a code and a message mean in the answer to a call."""
        text = plain(message)
        for codes, says, calls, verdict in self._rows:
            if call in calls and codes(code) and says(text):
                return verdict
        return Verdict("refused", UNKNOWN)


def plain(message: str) -> str:
    """Return a message without diacritics, in small letters, white space as single blanks; only its beginning."""
    letters = unicodedata.normalize("NFKD", message[:_LONGEST].casefold().replace("đ", "d"))
    return " ".join("".join(one for one in letters if unicodedata.category(one) != "Mn").split())


def plain_code(value: Any) -> str:
    """Return a result code as text: 0, "0" and "00" are the same; raises Unreadable for what is no code."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise Unreadable("the result code is missing")
    text = str(value).strip()
    return str(int(text)) if re.fullmatch("-?[0-9]{1,9}", text, re.ASCII) else text


_ANY: Final = ".*"
# At most the code between the noun and what is said of it: "Mã thủ tục của hồ sơ ... không tồn tại" is something else.
_A_DOSSIER: Final = r"\b(?<!cua )ho so (\S+ )?"
_NOT_THERE: Final = rf"{_A_DOSSIER}(khong|chua) (ton tai|tim thay|duoc dong bo)|khong tim thay (ma )?ho so"

_FAILED: Final = r"(khong|chua) (duoc )?thanh cong|that bai|unsuccess|\bfail|\bloi\b|\berror\b"


def _table(success: str) -> Rules:
    """The rows of a generation whose codes of success are `success`."""
    failure = f"(?!({success})$).*"
    return Rules(
        (
            Rule(
                "session",
                "session-ended",
                _ANY,
                r"\bphien (lam viec|dang nhap|ket noi)\b.*(het han|khong hop le|khong ton tai|ket thuc)"
                r"|\bsession\b.*(expired|invalid|not found)|chua dang nhap|dang nhap lai|khong dung token",
            ),
            Rule(
                "busy",
                "busy",
                failure,
                r"\bdang (ban|qua tai|bao tri)\b|qua nhieu yeu cau|thu lai sau|too many requests|server busy",
            ),
            Rule("exists", "already-exists", _ANY, "da ton tai|already exist", frozenset(("create", "progress"))),
            Rule("missing", "no-such-dossier", _ANY, _NOT_THERE, frozenset(("update", "progress", "read"))),
            Rule("missing", "no-such-thing", _ANY, "khong tim thay|khong co du lieu", frozenset(("read",))),
            Rule(
                "refused",
                "invalid-data",
                failure,
                "khong hop le|khong duoc (de trong|ho tro)|bat buoc|sai (dinh dang|kieu)|khong thuoc danh muc|vuot qua"
                "|chi dung khi|phai la|khong phai json",
            ),
            Rule("refused", "no-right", failure, "khong co quyen|khong duoc phep|unauthori[sz]ed|forbidden"),
            Rule("refused", "not-offered", failure, "dich vu khong ton tai"),
            Rule("refused", "failed", failure, _FAILED),
            # The code says one thing and the text another.
            Rule("refused", UNKNOWN, success, _FAILED, _WRITES),
            Rule("applied", "applied", success, r"thanh cong|\bsuccess", _WRITES),
            # Nothing contradicts the code.
            Rule("applied", "applied", success, "^(ok)?$", _WRITES),
            # A reading changes nothing: there is nothing to take for done that is not.
            Rule("applied", "read", success, "", frozenset(("read",))),
        )
    )


FIRST: Final = _table("0")
"""Generation 1: 0, "0" and "00" are success (public clients); every other row is worded after messages seen there or,
where none was, after what the sandbox says."""
SECOND: Final = _table("0|200")
"""Generation 2: 200, the HTTP status repeated, and 0; seen in one client and otherwise as the first."""
