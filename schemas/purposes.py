"""Purposes of a look-up (mục đích khai thác): the closed list that grants and `Lgsp-Purpose` draw from.

Look-ups need a stated purpose under Law 91/2025 on personal data and the purpose split of Decision 468/QĐ-TTg (2021),
which words "xác thực, định danh" for some databases and handling only for others. No national code list of purposes has
been published; these codes are the gateway's own and grants choose among them.
"""

from typing import Final

from schemas.errors import Text

PURPOSES: Final[dict[str, Text]] = {
    "dossier-processing": Text("Giải quyết thủ tục hành chính", "Handling an administrative dossier"),
    "identity-verification": Text("Xác thực, định danh", "Verifying an identity"),
    "benefit-verification": Text("Kiểm tra điều kiện hưởng chế độ", "Checking entitlement to a benefit"),
    "data-reconciliation": Text("Đối soát, làm sạch dữ liệu", "Reconciling and cleaning data"),
    "inspection": Text("Thanh tra, kiểm tra", "Inspection"),
}
