"""The only place that renders errors: problem details (RFC 9457) from a GatewayError, and who turns what into one.

`problem` is pure. `answered` makes a GatewayError of whatever a handler raises and renders it; nothing that an
unexpected exception says reaches the caller, the log has its frames under the request id.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import structlog
from aiohttp import web

from routes.context import BASE_URL, REQUEST_ID
from routes.direct import Whole
from routes.language import Language, preferred
from routes.rendering import in_language, wait_of
from routes.soap.envelopes import version_of
from routes.soap.faults import content_type, fault
from routes.soap.replies import plain_envelope
from routes.soap.wsdl import Version
from schemas.errors import (
    Flaw,
    GatewayError,
    Internal,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Text,
    TooLarge,
    TwoCallers,
    UnsupportedMediaType,
)

log = structlog.get_logger()

# RFC 6750, 3.1: without a credential no error code is given; everything wrong with a token is `invalid_token`.
_CHALLENGES = {
    "expired": "The access token expired",
    "unknown": "The access token or its client is unknown",
    "revoked": "The access token, its client or its credential was revoked",
    "malformed": "The access token cannot be read",
}
_BY_STATUS: dict[int, type[GatewayError]] = {
    404: NotFound,
    413: TooLarge,
    415: UnsupportedMediaType,
}


def problem(
    error: GatewayError, *, request_id: str, language: Language, base_url: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the problem document for `error`, in `language`.

    `exchange` and `receipt` appear where the error was recorded; `instance` is the explaining page with the request id.
    """
    kind = f"{base_url}/problems/{error.code}"
    document: dict[str, Any] = {
        "type": kind,
        "title": in_language(language, error.title),
        "status": error.status,
        "detail": in_language(language, error.detail),
        "instance": f"{kind}#{quote(request_id, safe='')}",
        "code": error.code,
        "retryable": error.retryable,
        "request_id": request_id,
    }
    if error.reason is not None:
        document["reason"] = error.reason
    if error.flaws:
        document["errors"] = [_flaw(flaw, language) for flaw in error.flaws]
    if error.exchange_id is not None:
        document["exchange"] = {"id": error.exchange_id}
    if error.receipt is not None:
        document["receipt"] = error.receipt.as_json(error.proof)
    headers = {"Content-Type": "application/problem+json", "Content-Language": language}
    if (wait := wait_of(error)) is not None:
        headers["Retry-After"] = str(wait)
    if error.status == 401:
        headers["WWW-Authenticate"] = challenge(error.reason)
    return error.status, headers, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _flaw(flaw: Flaw, language: Language) -> dict[str, str]:
    shown = {"pointer": flaw.pointer, "detail": in_language(language, flaw.detail)}
    if flaw.header is not None:
        shown["header"] = flaw.header
    if flaw.parameter is not None:
        shown["parameter"] = flaw.parameter
    return shown


def challenge(reason: str | None) -> str:
    """Return the `WWW-Authenticate` value (RFC 6750) for a refused credential."""
    realm = 'Bearer realm="lgsp"'
    if reason in (None, "missing"):
        return realm
    description = _CHALLENGES.get(reason or "", "The credential is not valid")
    return f'{realm}, error="invalid_token", error_description="{description}"'


def error_of(failure: BaseException) -> GatewayError:
    """Return the error that the caller is told when a handler ends with `failure`."""
    if isinstance(failure, GatewayError):
        return failure
    if isinstance(failure, web.HTTPException):
        if failure.status >= 500:
            return Internal()
        if isinstance(failure, web.HTTPMethodNotAllowed):
            error = MethodNotAllowed()
            error.allowed = tuple(sorted(failure.allowed_methods))
            return error
        return _BY_STATUS.get(failure.status, Malformed)()
    if isinstance(failure, web.RequestPayloadError):
        return Malformed(Text("Nội dung bị ngắt giữa chừng", "The body broke off"))
    return Internal()


def rendered(
    request: web.BaseRequest, error: GatewayError, failure: BaseException, *, request_id: str, base_url: str
) -> web.Response:
    """Return the response for `error`, as which `failure` is told; an unforeseen one is logged with its frames."""
    if isinstance(error, Internal):
        log.error("internal-error", request_id=request_id, exc_info=failure)
    language = preferred(request.headers.get("Accept-Language"))
    if is_soap(request):
        version = soap_version(request)
        status, payload = fault(error, version, request_id=request_id, language=language, base_url=base_url)
        headers = soap_headers(error, version, request.headers.get("Authorization"))
        return Whole(plain_envelope(payload, version), headers, status)
    status, headers, body = problem(error, request_id=request_id, language=language, base_url=base_url)
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    return Whole(body, headers, status)


def is_soap(request: web.BaseRequest) -> bool:
    """Tell whether a request is one whose errors are told as SOAP faults."""
    return request.method == "POST" and request.path.startswith("/soap/")


def soap_version(request: web.BaseRequest) -> Version:
    """Return the SOAP version that a request's media type says, 1.1 where it says none."""
    try:
        return version_of(request.headers.getall("Content-Type", ()))
    except UnsupportedMediaType:
        return "1.1"


def soap_headers(error: GatewayError, version: Version, authorization: str | None = None) -> dict[str, str]:
    """Return the HTTP headers of a fault; `authorization` is what the request said who asks."""
    headers = {"Content-Type": content_type(version)}
    if (wait := wait_of(error)) is not None:
        headers["Retry-After"] = str(wait)
    if error.status == 401:
        # Clients of some stacks send their password only after they were asked for it.
        # Nothing is wrong with a token that was not sent, nor with one beside the proof of another client.
        by_token = authorization is not None and authorization.lower().startswith("bearer")
        about_token = by_token and not isinstance(error, TwoCallers)
        bearer = challenge(error.reason if about_token else None)
        headers["WWW-Authenticate"] = f'Basic realm="lgsp", charset="UTF-8", {bearer}'
    return headers


def answered(request: web.Request, failure: Exception) -> tuple[GatewayError, web.Response]:
    """Return what `failure` of a request in the frame means, and its rendering."""
    error = error_of(failure)
    response = rendered(request, error, failure, request_id=request[REQUEST_ID], base_url=request.app[BASE_URL])
    return error, response
