"""The report in words: one page of HTML in Vietnamese, without scripts, to read, print and keep (trang báo cáo)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from html import escape
from typing import Any, Final

from schemas.periods import VIETNAM
from schemas.purposes import PURPOSES
from security.audit.checkpoint import Checkpoint
from security.audit.report import Reported

KINDS: Final[Mapping[str, str]] = {
    "personal-id": "số định danh cá nhân",
    "id-card": "số chứng minh nhân dân",
    "social-insurance-number": "mã số bảo hiểm xã hội",
    "health-card": "thẻ bảo hiểm y tế",
    "identity-document": "giấy tờ tùy thân",
    "household": "số hộ khẩu",
    "tax-code": "mã số thuế",
    "enterprise": "mã số doanh nghiệp",
    "officer": "tài khoản cán bộ",
}
EVENTS: Final[Mapping[str, str]] = {
    "exchange": "khai thác dữ liệu",
    "refusal": "bị từ chối",
    "unreadable": "yêu cầu không đọc được",
    "reading": "xem nhật ký",
}
_ROLES: Final = {"asked": "được hỏi", "disclosed": "có trong câu trả lời"}
_COLUMNS: Final = (
    "Số",
    "Thời điểm (giờ Việt Nam)",
    "Sự kiện",
    "Bên gọi",
    "Cơ sở dữ liệu",
    "Mục đích *",
    "Hồ sơ *",
    "Cán bộ *",
    "Kết quả",
    "Trường đã cung cấp",
    "Người này",
)
_HEAD: Final = (
    '<!DOCTYPE html><html lang="vi"><head><meta charset="utf-8"><title>Báo cáo</title><style>'
    "body{font:14px/1.5 serif;max-width:75em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{border:1px solid #777;padding:.2em .5em;text-align:left;vertical-align:top}code{word-break:break-all}"
    "</style></head>"
)
_ENDS: Final = "<th>Mốc</th><th>Số bản ghi</th><th>Gốc (SHA-256)</th>"
_HOW: Final = (
    "<p>Lấy <code>verify_audit.py</code>, khóa <code>log.vkey</code> và mốc <code>MOC.txt</code> từ nơi khác, không từ "
    "người đưa báo cáo này. Trong <code>bundles/</code>, mỗi bản ghi là một gói ZIP riêng, đưa cho người khác được mà "
    "không kèm các bản ghi còn lại. Báo cáo có dữ liệu cá nhân: giữ như hồ sơ mật.</p>"
)


def page(
    reported: Reported, *, by: str, reason: str, made_at: datetime, entry: int, databases: Mapping[str, str]
) -> str:
    """Return the page. `by` and `reason` say who had it made and why, `entry` is the number of the entry about that.

    `databases` maps names of databases to their titles.
    """
    period, end = reported.period, reported.end
    kinds = " hoặc ".join(dict.fromkeys(KINDS.get(each.kind, each.kind) for each in reported.subjects))
    facts = [
        ("Đối tượng", f"{reported.subjects[0].value} ({kinds})"),
        ("Kỳ báo cáo", f"từ {_moment(period.since)} đến trước {_moment(period.before)}"),
        ("Lý do", reason),
        ("Người lập", f"tài khoản {by} trên máy chủ, {_moment(made_at)}"),
        ("Ghi nhận", f"bản ghi {entry} của nhật ký: việc lập báo cáo này cũng là một bản ghi"),
        ("Nhật ký", end.origin),
        ("Đã tìm trong", f"bản ghi {period.first} đến {period.last - 1}"),
        ("Tìm thấy", f"{len(reported.entries)} bản ghi"),
    ]
    rows = [
        row
        for each, openings in zip(reported.entries, reported.openings, strict=True)
        for row in _rows(each.index, each.entry, openings, databases)
    ]
    parts = [
        "<h1>Báo cáo tra cứu nhật ký khai thác dữ liệu</h1>",
        _table([f"<th>{escape(name)}</th><td>{escape(value)}</td>" for name, value in facts]),
        "<h2>1. Các bản ghi về đối tượng</h2>",
        _table(["".join(f"<th>{escape(name)}</th>" for name in _COLUMNS), *rows])
        if rows
        else "<p>Trong kỳ này không tìm thấy bản ghi nào về đối tượng.</p>",
        "<p>* Lời của bên gọi, xem mục 4.</p>",
        "<h2>2. Mốc kiểm tra ở hai đầu</h2>",
        _table([_ENDS, _checkpoint("đầu kỳ", reported.begin), _checkpoint("cuối kỳ", end)]),
        "<h2>3. Điều được chứng minh</h2>",
        _list(_proven(reported)),
        "<h2>4. Điều KHÔNG được chứng minh</h2>",
        _list(_unproven(reported)),
        "<h2>5. Cách kiểm tra, không cần hệ thống của chúng tôi</h2>",
        "<pre>python3 verify_audit.py BAO-CAO.zip --key log.vkey --checkpoint MOC.txt</pre>",
        _HOW,
    ]
    return f"{_HEAD}<body>\n" + "\n".join(parts) + "\n</body></html>\n"


def _rows(
    index: int, entry: Mapping[str, Any], openings: Iterable[Mapping[str, str]], databases: Mapping[str, str]
) -> Iterator[str]:
    caller, outcome, officer = entry.get("caller", {}), entry.get("outcome", {}), entry.get("officer")
    opened = {each["name"]: b64decode(each["content"]).decode(errors="replace") for each in openings}
    places = [int(name.partition("/")[2]) for name in opened if name.startswith("subjects/")]
    database, purpose, kind = entry.get("database"), entry.get("purpose"), str(entry.get("kind"))
    cells = [
        str(index),
        _moment(datetime.fromisoformat(str(entry["at"]))),
        EVENTS.get(kind, kind),
        " ".join(filter(None, [caller.get("agency"), caller.get("client")])) or _by(entry),
        f"{databases.get(database, database)}: {entry.get('operation')}" if isinstance(database, str) else "",
        PURPOSES[purpose].vi if purpose in PURPOSES else "",
        str(entry.get("dossier") or ""),
        opened.get("officer", officer if isinstance(officer, str) else ""),
        " ".join(filter(None, [outcome.get("code"), outcome.get("reason")])),
        ", ".join(entry.get("fields", [])),
        ", ".join(dict.fromkeys(_ROLES[entry["subjects"][place]["role"]] for place in places)),
    ]
    yield "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    if "data" in opened:
        yield f'<td></td><td colspan="{len(cells) - 1}">Đã trả lời: <code>{escape(opened["data"])}</code></td>'


def _by(entry: Mapping[str, Any]) -> str:
    by = entry.get("details", {}).get("by")
    return f"tài khoản {by} trên máy chủ" if by else ""


def _proven(reported: Reported) -> list[str]:
    told = [
        "Mỗi bản ghi nêu trên có trong nhật ký đúng như vậy, ở đúng số đó (chứng minh Merkle theo RFC 9162).",
        "Bản ghi nói về đúng đối tượng này: cam kết trong bản ghi mở ra đúng giá trị đó.",
        "Mốc cuối kỳ do khóa của nhật ký ký; đổi, bớt hay thêm một bản ghi trước mốc là gốc không còn khớp.",
    ]
    if reported.begin is not None and reported.begin.size < reported.end.size:
        told.append("Mốc cuối kỳ nối tiếp mốc đầu kỳ: từ đầu kỳ không bản ghi cũ nào bị đổi.")
    return told


def _unproven(reported: Reported) -> list[str]:
    told = [*_NEVER, f"Bản ghi trong khoảng này đã bị xóa phần mở, nên không còn tìm được: {reported.period.redacted}."]
    if reported.begin is None:
        told.append("Không có mốc trước kỳ: nhật ký bắt đầu trong kỳ này.")
    return told


_NEVER: Final = (
    """Cán bộ, mục đích và mã hồ sơ là lời của bên gọi. Cổng xác thực hệ thống gọi đến, không xác thực cán bộ: phải đối
    chiếu với nhật ký của cơ quan đó.""",
    """Rằng không còn bản ghi nào khác về đối tượng: việc tìm dựa vào chỉ mục có khóa của đơn vị vận hành. Muốn kiểm tra
    sự đầy đủ, yêu cầu bản xuất toàn bộ kỳ này (lgsp audit export) và mở các bản ghi nghi vấn.""",
    "Rằng nhật ký không có bản thứ hai: chỉ mốc kiểm tra giữ ở nơi khác (nhân chứng, biên nhận của bên gọi) cho biết.",
    "Thời điểm là đồng hồ của cổng khi ghi.",
    "Chuỗi chứng thư số và trạng thái thu hồi: công cụ nêu lệnh openssl để kiểm tra.",
)


def _checkpoint(name: str, checkpoint: Checkpoint | None) -> str:
    if checkpoint is None:
        return f"<td>{escape(name)}</td><td>không có</td><td></td>"
    return f"<td>{escape(name)}</td><td>{checkpoint.size}</td><td><code>{checkpoint.root.hex()}</code></td>"


def _moment(at: datetime) -> str:
    return at.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S")


def _table(rows: Iterable[str]) -> str:
    return "<table>\n" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "\n</table>"


def _list(items: Iterable[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
