"""The errors a caller can meet, as one tree.

Each class fixes what the caller may rely on: the stable `code`, the HTTP status, who is to blame and whether asking
again can help (RFC 9457 problem details; codes: the table of the published contract). Rendering lives in
`routes.errors` and nowhere else; upstream status codes never pass through.

    GatewayError
      ClientError      Malformed · Invalid · PurposeRequired · DossierRequired · OfficerRequired · TooLarge ·
                       UnsupportedMediaType · Unauthenticated · Refused · PurposeRefused · SignatureRejected ·
                       NotFound · MethodNotAllowed · NoRecord · Conflict · Ambiguous · TooManyRequests ·
                       IdempotencyKeyRequired · IdempotencyKeyReused · IdempotencyInProgress
      UpstreamError    UpstreamRefused · UpstreamUnreadable · UpstreamSignatureRejected · UpstreamUnavailable ·
                       CircuitOpen · UpstreamTimeout
      ServerError      EvidenceUnavailable · SigningUnavailable · Overloaded · Internal
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from schemas.receipt import Receipt

Blame = Literal["client", "server", "upstream"]


class Text(NamedTuple):
    """The same sentence in Vietnamese and in English."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a request: a JSON pointer (RFC 6901) into the body, or a header or query parameter, and why.

    The pointer is empty, which means the whole, where a header or parameter is at fault.
    """

    pointer: str
    detail: Text
    header: str | None = None
    parameter: str | None = None


class GatewayError(Exception):
    """Something that ends an exchange; subclasses are the whole list of `code`s.

    `detail` says what happened this time, without any personal value; `retry_after` is in seconds. `exchange_id` and
    `receipt` are set once the failure stands in the audit log, `proof` where the caller asked for the full receipt.
    `unsent` tells that the failure came before anything was sent that the source could have acted on.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    blame: ClassVar[Blame] = "server"
    retryable: ClassVar[bool] = False
    title: ClassVar[Text] = Text("Lỗi nội bộ của trục", "Internal error of the gateway")

    def __init__(
        self,
        detail: Text | None = None,
        *,
        reason: str | None = None,
        flaws: Sequence[Flaw] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail.en if detail else self.title.en)
        self.detail = detail or self.title
        self.reason = reason
        self.flaws = tuple(flaws)
        self.retry_after = retry_after
        self.unsent = False
        self.exchange_id: str | None = None
        self.receipt: Receipt | None = None
        self.proof: Sequence[bytes] | None = None


class ClientError(GatewayError):
    """The caller has to change something."""

    blame = "client"
    status = 400


class Malformed(ClientError):
    """The request cannot be read at all: not JSON, not UTF-8, a header sent twice."""

    code = "malformed"
    title = Text("Yêu cầu không đọc được", "The request cannot be read")


class Invalid(ClientError):
    """The request can be read, but values in it break the published schema."""

    code, status = "invalid", 422
    title = Text("Yêu cầu có giá trị không hợp lệ", "The request holds invalid values")


class PurposeRequired(ClientError):
    """No `Lgsp-Purpose` header."""

    code = "purpose-required"
    title = Text("Thiếu mục đích khai thác (Lgsp-Purpose)", "The purpose is missing (Lgsp-Purpose)")


class DossierRequired(ClientError):
    """The grant asks for a dossier code (mã hồ sơ) and none was sent."""

    code = "dossier-required"
    title = Text("Thiếu mã hồ sơ (Lgsp-Dossier)", "The dossier code is missing (Lgsp-Dossier)")


class OfficerRequired(ClientError):
    """The grant asks for the officer's account id (cán bộ) and none was sent."""

    code = "officer-required"
    title = Text("Thiếu tài khoản cán bộ (Lgsp-Officer)", "The officer is missing (Lgsp-Officer)")


class TooLarge(ClientError):
    """The request body exceeds the configured cap."""

    code, status = "too-large", 413
    title = Text("Yêu cầu quá lớn", "The request is too large")


class UnsupportedMediaType(ClientError):
    """The content type or coding of the body is not one that this path takes."""

    code, status = "unsupported-media-type", 415
    title = Text("Kiểu nội dung không được hỗ trợ", "The content type is not supported")


class Unauthenticated(ClientError):
    """Nobody we know: no credential, or one that is unknown, expired or revoked (`reason`)."""

    code, status = "unauthenticated", 401
    title = Text("Chưa xác thực", "Not authenticated")


class TwoCallers(Unauthenticated):
    """Two proofs name two clients; each of them may be good."""


class Refused(ClientError):
    """The caller is known but holds no grant for this operation."""

    code, status = "refused", 403
    title = Text("Không được cấp quyền", "No grant for this operation")


class PurposeRefused(ClientError):
    """The grant does not cover the stated purpose."""

    code, status = "purpose-refused", 403
    title = Text("Mục đích không thuộc phạm vi được cấp", "The purpose is not part of the grant")


class SignatureRejected(ClientError):
    """The caller's own signature is missing where required, or does not hold (`reason`)."""

    code, status = "signature-rejected", 403
    title = Text("Chữ ký của bên gọi không được chấp nhận", "The caller's signature was rejected")


class NotFound(ClientError):
    """No such path, operation or resource of ours."""

    code, status = "not-found", 404
    title = Text("Không có đường dẫn hoặc tài nguyên này", "No such path or resource")


class MethodNotAllowed(ClientError):
    """The path exists, the HTTP method does not; `allowed` are those that do."""

    code, status = "method-not-allowed", 405
    title = Text("Phương thức không được phép", "Method not allowed")
    allowed: tuple[str, ...] = ()


class NoRecord(ClientError):
    """The registry answered: nobody and nothing matches."""

    code, status = "no-record", 404
    title = Text("Cơ sở dữ liệu không có bản ghi phù hợp", "The registry holds no matching record")


class Conflict(ClientError):
    """The request contradicts the current state of the resource."""

    code, status = "conflict", 409
    title = Text("Xung đột với trạng thái hiện tại", "Conflict with the current state")


class Ambiguous(ClientError):
    """The registry answered: several records match, and it names none."""

    code, status = "ambiguous", 409
    title = Text("Có nhiều bản ghi phù hợp", "Several records match")


class TooManyRequests(ClientError):
    """The rate of the grant is exceeded; `retry_after` says when the next request is admitted."""

    code, status, retryable = "too-many-requests", 429, True
    title = Text("Vượt quá tần suất cho phép", "Too many requests")


class IdempotencyKeyRequired(ClientError):
    """No `Idempotency-Key` header where one is needed."""

    code = "idempotency-key-required"
    title = Text("Thiếu khóa chống trùng (Idempotency-Key)", "The idempotency key is missing (Idempotency-Key)")


class IdempotencyKeyReused(ClientError):
    """The key was used before, with another request."""

    code, status = "idempotency-key-reused", 422
    title = Text("Khóa chống trùng đã dùng cho yêu cầu khác", "The idempotency key was used for another request")


class IdempotencyInProgress(ClientError):
    """The first request with this key has not been answered yet."""

    code, status, retryable = "idempotency-in-progress", 409, True
    title = Text("Yêu cầu cùng khóa đang được xử lý", "The request with this key is being worked on")


class UpstreamError(GatewayError):
    """The registry, or the way to it, is at fault."""

    blame = "upstream"
    status = 502


class UpstreamRefused(UpstreamError):
    """The registry refused our question: credentials, rights or contents it does not take."""

    code = "upstream-refused"
    title = Text("Cơ sở dữ liệu nguồn từ chối", "The registry refused the question")


class UpstreamUnreadable(UpstreamError):
    """The registry answered something that breaks its own contract."""

    code = "upstream-unreadable"
    title = Text("Không đọc được trả lời của nguồn", "The registry's answer cannot be read")


class UpstreamSignatureRejected(UpstreamError):
    """The registry's answer is not proven genuine; `reason` is one of the contract's closed list."""

    code = "upstream-signature-rejected"
    title = Text("Chữ ký của nguồn không được chấp nhận", "The registry's signature was rejected")


class UpstreamUnavailable(UpstreamError):
    """The registry cannot be reached or says that it cannot answer now."""

    code, status, retryable = "upstream-unavailable", 503, True
    title = Text("Nguồn dữ liệu tạm thời không sẵn sàng", "The registry is unavailable")


class CircuitOpen(UpstreamError):
    """The registry failed too often; it is left alone until `retry_after`."""

    code, status, retryable = "circuit-open", 503, True
    title = Text("Tạm ngắt kết nối tới nguồn dữ liệu", "The circuit to the registry is open")


class UpstreamTimeout(UpstreamError):
    """The registry did not answer within the endpoint's or the caller's deadline."""

    code, status, retryable = "upstream-timeout", 504, True
    title = Text("Nguồn dữ liệu trả lời quá hạn", "The registry did not answer in time")


class ServerError(GatewayError):
    """The gateway itself is at fault."""


class EvidenceUnavailable(ServerError):
    """The audit trail cannot be written, so nothing is disclosed."""

    code, status, retryable = "evidence-unavailable", 503, True
    title = Text("Không ghi được nhật ký kiểm toán", "The audit trail cannot be written")


class SigningUnavailable(ServerError):
    """The key that has to sign our question, or our answer, does not; without its signature nothing is sent."""

    code, status, retryable = "signing-unavailable", 503, True
    title = Text("Trục không ký được thông điệp", "The gateway cannot sign")


class Overloaded(ServerError):
    """Too many requests are in flight in this process or towards this endpoint."""

    code, status, retryable = "overloaded", 503, True
    title = Text("Trục đang quá tải", "The gateway is overloaded")


class Internal(ServerError):
    """A fault of ours that nobody foresaw; the log has the trace under the request id."""


def leaves(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """Yield every error that has a `code` of its own, in the order of the tree."""
    for child in root.__subclasses__():
        if "title" in child.__dict__ or child is Internal:
            yield child
        yield from leaves(child)
