"""What each error code means and what to do about it, in Vietnamese and English: the text of the problem pages."""

from __future__ import annotations

from schemas.errors import Text

# code → (what it means, what to do next)
EXPLANATIONS: dict[str, tuple[Text, Text]] = {
    "malformed": (
        Text(
            "Không đọc được yêu cầu: không phải JSON hoặc UTF-8, tên lặp lại, lồng quá sâu, hoặc tiêu đề gửi hai lần.",
            "The request cannot be read: not JSON or UTF-8, a name used twice, too deep, or a header sent twice.",
        ),
        Text("Sửa chỗ mà errors[].pointer chỉ ra.", "Mend what errors[].pointer points at."),
    ),
    "invalid": (
        Text(
            "Đọc được yêu cầu nhưng có giá trị trái với hợp đồng đã công bố.",
            "The request can be read, but a value in it breaks the published contract.",
        ),
        Text(
            "Xem từng mục trong errors và lược đồ tại /openapi.json.",
            "See each item of errors and the schema in /openapi.json.",
        ),
    ),
    "purpose-required": (
        Text("Mọi lần khai thác phải nêu mục đích.", "Every look-up has to state its purpose."),
        Text(
            "Gửi tiêu đề Lgsp-Purpose với một mã mục đích trong GET /v1/me.",
            "Send the header Lgsp-Purpose with one of the purpose codes in GET /v1/me.",
        ),
    ),
    "dossier-required": (
        Text("Quyền được cấp đòi hỏi mã hồ sơ.", "The grant asks for the dossier that this look-up serves."),
        Text("Gửi tiêu đề Lgsp-Dossier với mã hồ sơ.", "Send the header Lgsp-Dossier with the dossier code."),
    ),
    "officer-required": (
        Text("Quyền được cấp đòi hỏi tài khoản cán bộ.", "The grant asks which officer is looking up."),
        Text(
            "Gửi tiêu đề Lgsp-Officer với tài khoản của cán bộ trong hệ thống của bạn.",
            "Send the header Lgsp-Officer with the officer's account in your system.",
        ),
    ),
    "too-large": (
        Text("Nội dung vượt quá mức tối đa.", "The body exceeds the maximum."),
        Text("Gửi ít hơn trong một lần.", "Send less at a time."),
    ),
    "unsupported-media-type": (
        Text(
            "Kiểu nội dung, bảng mã hoặc cách nén không được nhận ở đường dẫn này.",
            "This path does not take the content type, charset or content coding.",
        ),
        Text(
            "Gửi Content-Type: application/json bằng UTF-8, không nén.",
            "Send Content-Type: application/json in UTF-8, without Content-Encoding.",
        ),
    ),
    "unauthenticated": (
        Text(
            "Không biết bên gọi là ai: thiếu thông tin xác thực, hoặc không biết, đã hết hạn, đã bị thu hồi.",
            "Nobody knows who asks: the credential is missing, unknown, expired or revoked.",
        ),
        Text(
            "Lấy mã truy cập mới tại POST /oauth2/token; nếu vẫn lỗi, hỏi đơn vị vận hành.",
            "Get a new token from POST /oauth2/token; if that fails, ask the operator.",
        ),
    ),
    "refused": (
        Text(
            "Bên gọi đã xác thực nhưng không có quyền cho nghiệp vụ này.",
            "The caller is known but holds no grant for this operation.",
        ),
        Text(
            "Xem các quyền tại GET /v1/me; đề nghị đơn vị vận hành cấp thêm.",
            "See the grants in GET /v1/me; ask the operator for another.",
        ),
    ),
    "purpose-refused": (
        Text("Quyền được cấp không gồm mục đích đã nêu.", "The grant does not cover the stated purpose."),
        Text("Dùng một mục đích trong GET /v1/me.", "Use one of the purposes in GET /v1/me."),
    ),
    "signature-rejected": (
        Text(
            "Chữ ký của bên gọi còn thiếu hoặc không đúng.",
            "The caller's own signature is missing where it is required, or does not hold.",
        ),
        Text(
            "Xem reason; kiểm tra chứng thư đã đăng ký trong GET /v1/me, giờ máy, nonce và các phần phải ký "
            "(tiêu đề Signature-Input tại /openapi.json).",
            "See reason; check the registered certificate in GET /v1/me, clock, nonce and the parts that must be "
            "covered (the header Signature-Input in /openapi.json).",
        ),
    ),
    "not-found": (
        Text(
            "Trục không có đường dẫn, nghiệp vụ hoặc tài nguyên này.",
            "The gateway has no such path, operation or resource.",
        ),
        Text("So đường dẫn với /openapi.json.", "Compare the path with /openapi.json."),
    ),
    "method-not-allowed": (
        Text("Đường dẫn có, nhưng không nhận phương thức HTTP này.", "The path exists, the HTTP method does not."),
        Text("Dùng phương thức trong tiêu đề Allow.", "Use a method named in the header Allow."),
    ),
    "no-record": (
        Text(
            "Cơ sở dữ liệu nguồn đã trả lời: không có bản ghi phù hợp.",
            "The registry answered: nobody and nothing matches.",
        ),
        Text("Kiểm tra lại dữ liệu đã hỏi.", "Check what was asked for."),
    ),
    "conflict": (
        Text("Yêu cầu trái với trạng thái hiện tại.", "The request contradicts the current state."),
        Text("Đọc lại trạng thái rồi quyết định.", "Read the state again, then decide."),
    ),
    "ambiguous": (
        Text(
            "Cơ sở dữ liệu nguồn đã trả lời: nhiều bản ghi phù hợp, không nêu bản ghi nào.",
            "The registry answered: several records match; it names none of them.",
        ),
        Text("Hỏi cụ thể hơn.", "Ask more precisely."),
    ),
    "too-many-requests": (
        Text("Vượt tần suất của quyền được cấp.", "The rate of the grant is exceeded."),
        Text(
            "Chờ hết Retry-After; xem RateLimit và RateLimit-Policy.",
            "Wait for Retry-After; see RateLimit and RateLimit-Policy.",
        ),
    ),
    "idempotency-key-required": (
        Text(
            "Yêu cầu ghi nhận sự kiện phải có khóa chống trùng để gửi lại không thành hai sự kiện.",
            "A request that hands in an event needs a key, so that sending it again makes no second event.",
        ),
        Text(
            "Gửi tiêu đề Idempotency-Key: 1 đến 255 ký tự ASCII in được, mỗi sự kiện một khóa.",
            "Send the header Idempotency-Key: 1 to 255 printable ASCII characters, another key for each event.",
        ),
    ),
    "idempotency-key-reused": (
        Text(
            "Khóa chống trùng này đã được dùng với nội dung khác; không có gì được ghi nhận.",
            "This key was used before with other contents; nothing was taken.",
        ),
        Text(
            "Gửi lại nguyên văn yêu cầu đầu, hoặc dùng khóa mới cho sự kiện mới.",
            "Send the first request as it was, or take a new key for a new event.",
        ),
    ),
    "idempotency-in-progress": (
        Text(
            "Yêu cầu đầu tiên với khóa này chưa xử lý xong.",
            "The first request with this key has not been answered yet.",
        ),
        Text("Gửi lại nguyên văn sau Retry-After.", "Send the same request again after Retry-After."),
    ),
    "upstream-refused": (
        Text(
            "Cơ sở dữ liệu nguồn không nhận câu hỏi của trục: thông tin đăng nhập, quyền hoặc nội dung.",
            "The registry does not take the gateway's question: its credentials, rights or contents.",
        ),
        Text("Báo đơn vị vận hành kèm request_id.", "Tell the operator, with the request_id."),
    ),
    "upstream-unreadable": (
        Text(
            "Cơ sở dữ liệu nguồn trả lời trái với hợp đồng của chính nó.",
            "The registry's answer breaks its own contract.",
        ),
        Text("Báo đơn vị vận hành kèm request_id.", "Tell the operator, with the request_id."),
    ),
    "upstream-signature-rejected": (
        Text(
            "Không chứng minh được trả lời là của cơ sở dữ liệu nguồn, nên không có dữ liệu nào được chuyển.",
            "The answer is not proven to be the registry's own, so nothing of it was passed on.",
        ),
        Text(
            "Báo đơn vị vận hành kèm request_id và reason; nếu trả lời ghi retryable là true, trước hết gọi lại sau "
            "Retry-After: hiện chưa biết chứng thư của bên ký có bị thu hồi hay không.",
            "Tell the operator, with the request_id and the reason; where the answer says that it is retryable, ask "
            "again after Retry-After first: it is not known at present whether the signer's certificate was revoked.",
        ),
    ),
    "upstream-unavailable": (
        Text("Không kết nối được tới cơ sở dữ liệu nguồn.", "The registry cannot be reached, or says so itself."),
        Text("Gọi lại sau Retry-After.", "Ask again after Retry-After."),
    ),
    "circuit-open": (
        Text(
            "Nguồn vừa lỗi nhiều lần nên được để yên một lúc.",
            "The registry failed so often that it is left alone for a while.",
        ),
        Text("Gọi lại sau Retry-After.", "Ask again after Retry-After."),
    ),
    "upstream-timeout": (
        Text(
            "Nguồn không trả lời trong thời hạn của quyền được cấp.",
            "The registry did not answer within the time of the endpoint or the grant.",
        ),
        Text("Gọi lại sau; nếu lặp lại, báo đơn vị vận hành.", "Ask again later; if it repeats, tell the operator."),
    ),
    "evidence-unavailable": (
        Text(
            "Không ghi được nhật ký kiểm toán nên không cung cấp dữ liệu.",
            "The audit trail cannot be written, so nothing is disclosed.",
        ),
        Text("Gọi lại sau Retry-After.", "Ask again after Retry-After."),
    ),
    "signing-unavailable": (
        Text(
            "Khoá ký của trục không trả lời hoặc chưa được cấu hình: câu hỏi tới nguồn, hoặc câu trả lời cho bên gọi "
            "có ký, không được gửi.",
            "The gateway's signing key does not answer or is not configured: what it had to sign, a question to the "
            "registry or the answer to a caller who signs, was not sent.",
        ),
        Text(
            "Gọi lại sau Retry-After; nếu lặp lại, báo đơn vị vận hành.",
            "Ask again after Retry-After; if it repeats, tell the operator.",
        ),
    ),
    "overloaded": (
        Text("Có quá nhiều yêu cầu đang được xử lý.", "Too many requests are being worked on."),
        Text("Gọi lại sau Retry-After.", "Ask again after Retry-After."),
    ),
    "internal": (
        Text("Lỗi của trục mà không ai lường trước.", "A fault of the gateway that nobody foresaw."),
        Text("Báo đơn vị vận hành kèm request_id.", "Tell the operator, with the request_id."),
    ),
}

_SIGNATURE_REASONS: dict[str, Text] = {
    "altered": Text("nội dung đã bị thay đổi sau khi ký", "the content was changed after signing"),
    "not-covered": Text("chữ ký không bao gồm nội dung", "no signature covers the content"),
    "untrusted": Text("bên ký không được tin cậy", "the signer is not trusted"),
    "expired": Text("chứng thư đã hết hạn hoặc chưa có hiệu lực", "the certificate is not valid at this time"),
    "revoked": Text("chứng thư đã bị thu hồi", "the certificate was revoked"),
    "stale": Text("thời điểm ký quá cũ hoặc ở tương lai", "the time of signing is too old or in the future"),
    "replayed": Text("thông điệp đã được dùng", "the message was used before"),
    "not-answer-to-request": Text("trả lời cho câu hỏi khác", "a genuine answer to another question"),
    "malformed": Text("không đọc được chữ ký", "the signature cannot be read"),
}

# code → reason → what it means
REASONS: dict[str, dict[str, Text]] = {
    "unauthenticated": {
        "missing": Text("không gửi thông tin xác thực", "no credential was sent"),
        "malformed": Text("không đọc được thông tin xác thực", "the credential cannot be read"),
        "unknown": Text("không biết bên gọi hoặc mã truy cập này", "the client or token is unknown"),
        "expired": Text("đã hết hạn", "it has expired"),
        "revoked": Text("đã bị thu hồi", "it was revoked"),
    },
    "signature-rejected": {
        **{reason: text for reason, text in _SIGNATURE_REASONS.items() if reason != "not-answer-to-request"},
        "not-covered": Text(
            "quyền được cấp đòi hỏi chữ ký mà yêu cầu không có, một phần phải ký chưa được ký, "
            "hoặc chữ ký dành cho địa chỉ của cổng khác",
            "the grant asks for a signature and there is none, a part that must be covered is not, or what is covered "
            "is a request to another gateway's address",
        ),
        "untrusted": Text(
            "keyid không phải chứng thư đã đăng ký để ký cho bên gọi này",
            "keyid names no certificate that is registered for signing by this caller",
        ),
        "replayed": Text(
            "nonce, hoặc thông điệp SOAP, đã được dùng: hãy ký mới từng yêu cầu",
            "the nonce, or the SOAP message, was used before: sign each request anew",
        ),
    },
    "refused": {
        "no-grant": Text("không có quyền cho nghiệp vụ này", "there is no grant for this operation"),
        "expired": Text("quyền được cấp đã hết hạn", "the grant has expired"),
        "no-right": Text(
            "bên gọi không có quyền này (gửi hồ sơ, đọc nhật ký, mở giá trị)",
            "the caller does not have that right (to push dossiers, to read the audit log, to open values)",
        ),
        "other-agency": Text("hồ sơ do cơ quan khác đăng ký", "the dossier was registered by another agency"),
    },
    "conflict": {
        "sequence-reused": Text(
            "số thứ tự đã dùng cho sự kiện khác của hồ sơ", "the sequence was used for another event of the dossier"
        ),
    },
    "upstream-signature-rejected": _SIGNATURE_REASONS,
    "not-found": {
        "no-checkpoint": Text(
            "không có mốc kiểm tra của số bản ghi này bao trùm bản ghi",
            "no checkpoint of this number of entries covers the entry",
        ),
        "archived": Text(
            "bản ghi nằm trong tệp lưu trữ mà thông báo nêu tên", "the entry lies in the archive that the text names"
        ),
        "redacted": Text("giá trị của bản ghi đã bị xóa", "the values of the entry were erased"),
        "destroyed": Text("khóa mở các giá trị đã bị hủy", "the keys that open the values were destroyed"),
        "no-values": Text("bản ghi không giữ giá trị nào", "the entry commits to no value"),
        "too-long": Text(
            "có bản ghi không vừa định dạng ô; hãy đọc từng bản ghi",
            "an entry does not fit the format of bundles; read them one by one",
        ),
    },
    "evidence-unavailable": {
        "replay-memory": Text(
            "yêu cầu có chữ ký: hiện không biết chữ ký nào đã được dùng; ký lại và gửi sau Retry-After",
            "a signed request: it is not known at present which signatures were used; sign again after Retry-After",
        ),
    },
}
