"""What the errors of X-Road mean: who is to mend something, and whether the source may have acted on the question.

A code is words joined by dots: where it arose (`server.serverproxy`, `server.clientproxy`, `client`), then what went
wrong inside what. Up to version 7.7 words are written `AccessDenied`, from 7.8 on `access_denied`, and one was renamed
besides (OutdatedGlobalConf). The classes follow X-Road's sources at 7.8, not the words alone: `network_error` is any
end of a connection, a reset after the question was passed on included, and `http_error` an answer of the source's.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, NoReturn

import structlog

from adapters.transport import Undelivered
from adapters.xroad_trace import asked
from schemas.errors import GatewayError, Text, UpstreamRefused, UpstreamUnavailable, UpstreamUnreadable

log = structlog.get_logger()

Kind = Literal["ours", "theirs", "unseen", "later", "garbled"]
"""Who has to do what: we or our operator of the security server change something; the source does; anybody asks again
soon, the source having not seen the question (`unseen`) or having perhaps acted on it (`later`); nobody can use what
the source answered (`garbled`)."""

# By the first word that is known, after `service_failed` and `logging_failed`, which only say where it went wrong.
_KINDS: Final[dict[Kind, str]] = {
    "ours": "access_denied unknown_member unknown_service service_type invalid_client_identifier bad_request not_found "
    "invalid_request invalid_protocol_version invalid_content_type invalid_soap_action invalid_http_method "
    "invalid_message invalid_security_server invalid_body invalid_soap invalid_rest invalid_xml missing_header "
    "missing_header_field missing_body missing_soap missing_rest duplicate_header_field inconsistent_headers "
    "mime_parsing_failed client_proxy_version_not_supported ssl_authentication_failed",
    "theirs": "service_disabled service_missing_url service_malformed_url",
    "unseen": "unknown_host global_conf_outdated timestamping_failed maintenance_mode",
    "later": "network_error http_error io_error internal_error database_error timestamper_failed "
    "cannot_create_signature cert_validation cannot_create_cert_path incorrect_certificate incorrect_validation_info "
    "hsm_non_operational malformed_server_conf malformed_global_conf token_not_active token_not_available "
    "token_not_initialized key_not_found cert_not_found cannot_sign",
    "garbled": "inconsistent_response invalid_response missing_signature malformed_signature invalid_signature_value "
    "signature_verification invalid_cert_path invalid_hash_chain malformed_hash_chain",
}
_STAGES: Final = ("service_failed", "logging_failed")

_WORDS: Final[dict[str, str]] = {
    **{word.replace("_", ""): word for words in (*_KINDS.values(), " ".join(_STAGES)) for word in words.split()},
    "outdatedglobalconf": "global_conf_outdated",
}
_KIND_OF: Final[dict[str, Kind]] = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_SIDES: Final = ("server.serverproxy", "server.clientproxy", "client")

_TRACE = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# What an operator does about it.
_ADVICE: Final = {
    "access_denied": Text(
        "đề nghị bên cung cấp cấp quyền dùng dịch vụ cho xroad.client",
        "ask the provider to grant xroad.client the service",
    ),
    "unknown_member": Text(
        "sửa xroad.client hoặc xroad.provider: có bên chưa đăng ký",
        "correct xroad.client or xroad.provider: one of them is not registered",
    ),
    "unknown_service": Text(
        "sửa xroad.provider, xroad.service hoặc xroad.services: không có dịch vụ này",
        "correct xroad.provider, xroad.service or xroad.services: there is no such service",
    ),
    "service_type": Text(
        "dịch vụ được đăng ký theo giao thức khác (SOAP hoặc REST)",
        "the service is registered for the other protocol (SOAP or REST)",
    ),
    "invalid_client_identifier": Text(
        "sửa xroad.client: máy chủ an ninh không có phân hệ này",
        "correct xroad.client: the security server has no such subsystem",
    ),
    "invalid_security_server": Text("sửa xroad.security_server", "correct xroad.security_server"),
    "ssl_authentication_failed": Text(
        "đăng ký chứng thư tls_certificate của trục cho phân hệ trên máy chủ an ninh",
        "register the gateway's tls_certificate for the subsystem on the security server",
    ),
    "client_proxy_version_not_supported": Text(
        "nâng cấp máy chủ an ninh của ta", "upgrade our security server: the provider's takes no older one"
    ),
    "inconsistent_headers": Text(
        "mã dịch vụ trong xroad.services phải là tên của yêu cầu SOAP",
        "the service code in xroad.services must be the name of the SOAP request",
    ),
    "service_disabled": Text("bên cung cấp đã tắt dịch vụ", "the provider has switched the service off"),
    "global_conf_outdated": Text(
        "cấu hình toàn cục của một máy chủ an ninh đã cũ", "the global configuration of a security server is outdated"
    ),
    "timestamping_failed": Text(
        "máy chủ an ninh không lấy được dấu thời gian", "a security server gets no time-stamps"
    ),
    "maintenance_mode": Text("máy chủ an ninh đang bảo trì", "the security server is under maintenance"),
    "cannot_create_signature": Text(
        "khoá ký của một máy chủ an ninh chưa mở", "a security server cannot sign: its token is not logged in"
    ),
    "incorrect_validation_info": Text(
        "máy chủ an ninh thiếu trả lời OCSP còn hiệu lực", "a security server lacks a valid OCSP answer"
    ),
}

_GARBLED: Final = Text("trả lời của nguồn không đúng quy cách X-Road", "the source's answer is not as X-Road wants one")


class XroadFault(NamedTuple):
    """A code in the spelling of 7.8 as far as its words are known, what it means, and who answers for it."""

    side: str
    words: tuple[str, ...]
    kind: Kind

    @property
    def shown(self) -> str:
        """The code in known words only: nobody signed it."""
        return ".".join((self.side, *self.words))


def xroad_fault(code: str) -> XroadFault | None:
    """Read a fault code of X-Road in either spelling; None for a code that is the source's own.

    The source may speak of `Client.Something` itself (SOAP 1.1, section 4.4.1): that is X-Road's where it goes on with
    a word of X-Road's.
    """
    plain = code.strip().rpartition(":")[2].lower().replace("_", "")
    side = next((side for side in _SIDES if f"{plain}.".startswith(f"{side}.")), None)
    if side is None:
        return None
    words = [_WORDS[word] for word in plain[len(side) :].split(".") if word in _WORDS]
    if not words and side == "client":
        return None
    return XroadFault(side, tuple(words), _kind(side, words))


def _kind(side: str, words: list[str]) -> Kind:
    within = [word for word in words if word in _STAGES]
    word = next((word for word in words if word in _KIND_OF), None)
    kind: Kind = _KIND_OF[word] if word is not None else "later"
    if "service_failed" in within:
        # The question had been passed on: what is missing or invalid is the source's answer.
        return "garbled" if kind in ("ours", "garbled") and word != "ssl_authentication_failed" else "later"
    if "logging_failed" in within:
        # Messages are logged on both legs, and the code does not say on which.
        return "later"
    if word == "ssl_authentication_failed" and side == "server.serverproxy":
        return "later"
    return kind


def raise_xroad_fault(name: str, fault: XroadFault, trace: str = "") -> NoReturn:
    """Raise what `fault` means for the endpoint `name`; `trace` is its id in the logs of the security servers."""
    known = trace if _TRACE.fullmatch(trace.strip()) else None
    log.warning("xroad-fault", endpoint=name, code=fault.shown, trace=known, **asked())
    advice = (
        _GARBLED if fault.kind == "garbled" else next((_ADVICE[word] for word in fault.words if word in _ADVICE), None)
    )
    vi = f"Mạng X-Road tới nguồn {name} trả lỗi {fault.shown}"
    en = f"X-Road on the way to {name} answered {fault.shown}"
    detail = Text(f"{vi}: {advice.vi}", f"{en}: {advice.en}") if advice else Text(vi, en)
    raise _ERRORS[fault.kind](detail)


_ERRORS: Final[dict[Kind, type[GatewayError]]] = {
    "ours": UpstreamRefused,
    "theirs": UpstreamRefused,
    "unseen": Undelivered,
    "later": UpstreamUnavailable,
    "garbled": UpstreamUnreadable,
}
