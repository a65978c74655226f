"""Bodies that sources push, complete and smallest."""

from typing import Any

SMALLEST: dict[str, Any] = {
    "procedure": "1.005129",
    "channel": "counter",
    "owner_name": "Nguyễn Văn An",
    "owner_kind": "citizen",
    "received_at": "2026-11-23T08:00:00+07:00",
}

WHOLE: dict[str, Any] = {
    **SMALLEST,
    "procedure": "1.005129.000.00.00.H22",
    "procedure_name": "Đăng ký khai sinh",
    "field": "G03-GD10",
    "field_name": "Hộ tịch",
    "channel": "online",
    "receipt_number": "BN-0001",
    "owner_identities": [{"number": "001190000001"}, {"number": "012345678"}],
    "owner_enterprise_code": "0100109106",
    "owner_account": "TECH-1",
    "other_information": "Dòng một\nDòng hai",
    "email": "an@example.invalid",
    "fax": "024",
    "phone": "0900000000",
    "summary": "s" * 1000,
    "submitted_at": "2026-11-22T20:00:00Z",
    "due_at": "2026-12-01T17:00:00+07:00",
    "refused_at": None,
    "finished_at": "2026-11-30T17:00:00+07:00",
    "returned_at": "2026-11-30T17:30:00.5+07:00",
    "return_information": "Tại quầy",
    "return_method": "post",
    "submitted_to": "local-system",
    "agency": "H26.01",
    "processing_unit": "Phòng Tư pháp",
    "note": "Không",
    "has_digitised": True,
    "vneid_verified": False,
    "online_payment": True,
    "attachments": [{"name": "to-khai.pdf", "digitised": True, "reused": "2", "component": "000.00.00.G09-KQ002269"}],
    "fees": [{"name": "Lệ phí", "amount": "50000", "collected": "1", "kind": "2"}],
    "other_papers": [{"name": "Giấy chứng sinh", "copies": 2, "kind": "1"}],
    "supplements": [
        {
            "request": "Bổ sung giấy chứng sinh",
            "requested_at": "2026-11-24T08:00:00+07:00",
            "papers": [{"name": "Giấy chứng sinh"}],
            "fees": [{"name": "Phí", "amount": "1.50"}],
        }
    ],
    "results": [{"name": "Giấy khai sinh", "code": "KQ.G15.000031"}],
    "databases": [{"code": "1"}],
    "status": "4",
    "deliver": False,
}

STATUS: dict[str, Any] = {"status": "4", "at": "2026-11-23T09:00:00+07:00"}
CODE = "000.00.01.H26-261123-0001"
