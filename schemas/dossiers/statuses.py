"""The ten national statuses of a dossier (TrangThaiHoSo) and what each of them means to people who ask.

Codes and Vietnamese titles are those of the National Public Service Portal, as confirmed in public client code; English
titles are ours. The reporting groups were seen in one client only. The degree of completion is our own rule, because no
text in reach says what "mức độ hoàn thành" of a public look-up is: five steps in the order in which an applicant lives
through them, without the reasons (supplement, payment, suspension) that are nobody else's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, Literal

from schemas.errors import Text

Group = Literal["done", "in-progress", "paused"]


class Degree(IntEnum):
    """How far a dossier has come (mức độ hoàn thành), ordered; all that a public look-up tells beside the code."""

    REGISTERED = 1
    ACCEPTED = 2
    IN_PROGRESS = 3
    RESOLVED = 4
    CLOSED = 5

    @property
    def slug(self) -> str:
        """The word for it in answers, for example `in-progress`."""
        return self.name.lower().replace("_", "-")

    @property
    def title(self) -> Text:
        """Its title in Vietnamese and English."""
        return _DEGREES[self]


_DEGREES: Final[Mapping[Degree, Text]] = MappingProxyType(
    {
        Degree.REGISTERED: Text("Đã đăng ký", "Registered"),
        Degree.ACCEPTED: Text("Đã tiếp nhận", "Accepted"),
        Degree.IN_PROGRESS: Text("Đang giải quyết", "In progress"),
        Degree.RESOLVED: Text("Đã có kết quả", "Resolved"),
        Degree.CLOSED: Text("Đã kết thúc", "Closed"),
    }
)


@dataclass(frozen=True, slots=True)
class NationalStatus:
    """One code of the portal; `group` is None where the statistics count it nowhere, `final` where nothing follows."""

    code: str
    title: Text
    degree: Degree
    group: Group | None = None
    final: bool = False


_ALL: Final = (
    NationalStatus("1", Text("Mới đăng ký", "Newly registered"), Degree.REGISTERED),
    NationalStatus("2", Text("Được tiếp nhận", "Accepted"), Degree.ACCEPTED),
    NationalStatus("3", Text("Không được tiếp nhận", "Not accepted"), Degree.CLOSED, final=True),
    NationalStatus("4", Text("Đang xử lý", "Being processed"), Degree.IN_PROGRESS, "in-progress"),
    NationalStatus("5", Text("Yêu cầu bổ sung giấy tờ", "Supplement requested"), Degree.IN_PROGRESS, "paused"),
    NationalStatus(
        "6", Text("Yêu cầu thực hiện nghĩa vụ tài chính", "Payment requested"), Degree.IN_PROGRESS, "paused"
    ),
    NationalStatus(
        "7", Text("Công dân yêu cầu rút hồ sơ", "Withdrawn by the applicant"), Degree.CLOSED, "done", final=True
    ),
    NationalStatus("8", Text("Dừng xử lý", "Processing stopped"), Degree.IN_PROGRESS, "paused"),
    NationalStatus("9", Text("Đã xử lý xong", "Processing finished"), Degree.RESOLVED, "done"),
    NationalStatus("10", Text("Đã trả kết quả", "Result returned"), Degree.CLOSED, "done", final=True),
)

NATIONAL: Final[Mapping[str, NationalStatus]] = MappingProxyType({status.code: status for status in _ALL})
"""Every national status by its code, in the portal's order."""

NEWLY_REGISTERED: Final = "1"
ACCEPTED: Final = "2"
RETURNED: Final = "10"
