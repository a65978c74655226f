"""The gateway's vocabulary for the state of taxpayers and enterprises.

Slugs are ours; titles are Vietnamese. Only the tax codes are a published national catalogue (reference section 3.2);
other sources' own numbers are mapped by their database modules.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Status(NamedTuple):
    """A slug of the gateway's vocabulary and its Vietnamese title."""

    slug: str
    title: str


TAX_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "00": Status("active", "Đang hoạt động"),
        "01": Status("closed", "Ngừng hoạt động và đã chấm dứt hiệu lực mã số thuế"),
        "02": Status("moved", "Đã chuyển cơ quan thuế quản lý"),
        "03": Status("closing", "Ngừng hoạt động nhưng chưa hoàn thành thủ tục chấm dứt hiệu lực mã số thuế"),
        "04": Status("active-incomplete", "Đang hoạt động, hộ kinh doanh hoặc cá nhân chưa đủ thông tin"),
        "05": Status("suspended", "Tạm ngừng hoạt động có thời hạn"),
        "06": Status("not-at-address", "Không hoạt động tại địa chỉ đã đăng ký"),
        "07": Status("awaiting-bankruptcy", "Chờ làm thủ tục phá sản"),
        "09": Status("address-check", "Chờ xác minh tình trạng hoạt động tại địa chỉ đã đăng ký"),
    }
)
"""The catalogue `tthai` of the tax authority: its two-digit code to our slug; there is no 08."""

ENTERPRISE_STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "active": "Đang hoạt động",
        "suspended": "Tạm ngừng kinh doanh",
        "dissolving": "Đang làm thủ tục giải thể",
        "dissolved": "Đã giải thể",
        "bankrupt": "Đã phá sản",
    }
)

ENTERPRISE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "single-member-llc": "Công ty trách nhiệm hữu hạn một thành viên",
        "multi-member-llc": "Công ty trách nhiệm hữu hạn hai thành viên trở lên",
        "joint-stock": "Công ty cổ phần",
        "private": "Doanh nghiệp tư nhân",
        "branch": "Chi nhánh",
    }
)
