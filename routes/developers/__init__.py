"""Material for those who write callers: pages with snippets, Postman and SoapUI files (tài liệu lập trình)."""
