"""What our own validators say is wrong, in Vietnamese: they speak fixed English, and callers read Vietnamese first.

`tests/test_server` holds this table to the sentences in `schemas/`.
"""

from __future__ import annotations

from typing import Final

VIETNAMESE: Final[dict[str, str]] = {
    "a personal identification number has exactly 12 digits": "số định danh cá nhân gồm đúng 12 chữ số",
    "an old identity card number has exactly 9 digits": "số CMND gồm đúng 9 chữ số",
    "give personal_id or old_id_card, not both": "chỉ nêu personal_id hoặc old_id_card, không nêu cả hai",
    "give personal_id or old_id_card, or full_name together with birth_date": (
        "nêu personal_id hoặc old_id_card, hoặc full_name cùng với birth_date"
    ),
    "give exactly one of personal_id and old_id_card": "nêu đúng một trong hai: personal_id, old_id_card",
    "either personal_id, or full_name with birth_date is needed": (
        "cần personal_id, hoặc full_name cùng với birth_date"
    ),
    "exactly one of card_number and personal_id is needed": "cần đúng một trong hai: card_number, personal_id",
    "an enterprise code has 10 digits, for a branch followed by 3 more, with or without a dash": (
        "mã số doanh nghiệp gồm 10 chữ số; của đơn vị phụ thuộc thêm 3 chữ số, có hoặc không có gạch nối"
    ),
    "a tax code has 10 digits, 13 for a branch (dash allowed) or 12 for a person": (
        "mã số thuế gồm 10 chữ số, 13 chữ số cho đơn vị phụ thuộc (được có gạch nối) hoặc 12 chữ số cho cá nhân"
    ),
    "the check digit of the code is wrong": "chữ số kiểm tra của mã không đúng",
    "branches are numbered from 001": "đơn vị phụ thuộc được đánh số từ 001",
    "a social insurance number has exactly 10 digits": "mã số BHXH gồm đúng 10 chữ số",
    "a health card has 2 letters, a benefit level 1-5 and 12 digits, or only 10 digits": (
        "mã thẻ BHYT gồm 2 chữ cái, mức hưởng 1-5 và 12 chữ số, hoặc chỉ gồm 10 chữ số"
    ),
    "the hospital gateway takes a whole day or a year alone": (
        "cổng giám định chỉ nhận cả ngày sinh hoặc riêng năm sinh"
    ),
    "a map sheet number has 1 to 10 digits or capital letters": "số hiệu tờ bản đồ gồm 1 đến 10 chữ số hoặc chữ hoa",
    "a parcel number has 1 to 10 digits or capital letters": "số thứ tự thửa gồm 1 đến 10 chữ số hoặc chữ hoa",
    "a certificate serial has two capital letters and 6 or 8 digits": (
        "số phát hành giấy chứng nhận gồm hai chữ hoa và 6 hoặc 8 chữ số"
    ),
    "no province has or had this code": "không có tỉnh, thành phố nào mang mã này",
    "a province code has exactly 2 digits": "mã tỉnh, thành phố gồm đúng 2 chữ số",
    "a commune code has exactly 5 digits": "mã xã, phường gồm đúng 5 chữ số",
    "an officer's account has 1 to 64 of A-Z a-z 0-9 . _ @ -": (
        "tài khoản cán bộ gồm 1 đến 64 ký tự trong A-Z a-z 0-9 . _ @ -"
    ),
    "the text holds control or unassigned characters": "văn bản có ký tự điều khiển hoặc ký tự không xác định",
    "a date is written YYYY-MM-DD, or YYYY-MM or YYYY where no more is known": (
        "ngày viết là YYYY-MM-DD, hoặc YYYY-MM, YYYY nếu chỉ biết đến đó"
    ),
    "a day is written YYYY-MM-DD": "ngày viết là YYYY-MM-DD",
    "there is no such day": "không có ngày này",
    "a period begins and ends with a day YYYY-MM-DD or a time like 2026-11-30T08:00:00+07:00, years 1900 to 2199": (
        "khoảng thời gian nêu bằng ngày YYYY-MM-DD hoặc thời điểm như 2026-11-30T08:00:00+07:00, năm 1900 đến 2199"
    ),
    "no subject is of this kind": "không có loại đối tượng này",
    "the text holds no identifier": "văn bản không có số định danh nào",
    "no value of this kind looks like this": "giá trị của loại này không có dạng như vậy",
    "entries are not about officers and are not found by their accounts: list those of the caller": (
        "bản ghi không nói về cán bộ và không tìm được theo tài khoản cán bộ: hãy liệt kê bản ghi của bên gọi"
    ),
    "due_from is after due_to": "due_from sau due_to",
    "a procedure code looks like 1.005129; an agency code may follow": (
        "mã thủ tục có dạng 1.005129; sau đó có thể là mã cơ quan"
    ),
    "an agency code looks like G12.18 or like 000.00.18.G12": "mã cơ quan có dạng G12.18 hoặc 000.00.18.G12",
    "a dossier code is an agency code, a date of 6 or 8 digits and 4 to 7 digits": (
        "mã hồ sơ gồm mã cơ quan, ngày 6 hoặc 8 chữ số và 4 đến 7 chữ số"
    ),
    "the day in the dossier code does not exist": "ngày trong mã hồ sơ không tồn tại",
    "a personal number has 12 digits, an old identity card 9": "số định danh gồm 12 chữ số, số CMND gồm 9 chữ số",
    "a moment is written YYYY-MM-DDThh:mm:ss with Z or an offset like +07:00, years 1900 to 2199": (
        "thời điểm viết là YYYY-MM-DDThh:mm:ss kèm Z hoặc độ lệch như +07:00, năm 1900 đến 2199"
    ),
    "an amount is a decimal text with a point and at most two places behind it": (
        "số tiền viết là số thập phân với dấu chấm, nhiều nhất hai chữ số sau dấu chấm"
    ),
    "a vocabulary is named in small letters, digits and dashes, at most 40": (
        "tên bộ mã gồm chữ thường, chữ số và gạch nối, nhiều nhất 40 ký tự"
    ),
    "an idempotency key has 1 to 255 printable ASCII characters": ("khoá chống lặp gồm 1 đến 255 ký tự ASCII in được"),
    "give submitted_at or received_at": "nêu submitted_at hoặc received_at",
    "owner_account belongs to dossiers of the channel online": "owner_account chỉ dùng cho hồ sơ kênh online",
}
