"""Problem details from every error of the tree, and what turns into which error."""

import json
from typing import Any

import pytest
from aiohttp import web

from routes.errors import error_of, problem
from schemas.errors import (
    CircuitOpen,
    Flaw,
    GatewayError,
    Internal,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NoRecord,
    NotFound,
    Text,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
    UpstreamSignatureRejected,
    leaves,
)

BASE = "https://lgsp.example"


def show(error: GatewayError, language: Any = "vi", request_id: str = "r/1") -> tuple[int, dict[str, str], Any]:
    status, headers, body = problem(error, request_id=request_id, language=language, base_url=BASE)
    return status, headers, json.loads(body)


@pytest.mark.parametrize("kind", list(leaves()), ids=lambda kind: kind.code)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_error_has_the_members_of_the_contract(kind: type[GatewayError], language: str) -> None:
    status, headers, document = show(kind(), language)
    assert document == {
        "type": f"{BASE}/problems/{kind.code}",
        "title": getattr(kind.title, language),
        "status": status,
        "detail": getattr(kind.title, language),
        "instance": f"{BASE}/problems/{kind.code}#r%2F1",
        "code": kind.code,
        "retryable": kind.retryable,
        "request_id": "r/1",
    }
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Content-Language"] == language
    waits = status in (409, 429, 503) and kind.retryable
    assert ("Retry-After" in headers) == waits
    assert ("WWW-Authenticate" in headers) == (status == 401)


class Proof:
    index = 7

    def as_json(self, proof: object = None) -> dict[str, object]:
        return {"log": "origin", "index": self.index}


def test_a_recorded_error_carries_exchange_and_receipt() -> None:
    error = NoRecord()
    error.exchange_id, error.receipt = "abc", Proof()
    document = show(error)[2]
    assert (document["exchange"], document["receipt"]) == ({"id": "abc"}, {"log": "origin", "index": 7})


def test_flaws_and_reasons_are_told() -> None:
    document = show(Invalid(flaws=[Flaw("/a", Text("sai", "wrong"))]), "en")[2]
    assert document["errors"] == [{"pointer": "/a", "detail": "wrong"}]
    document = show(UpstreamSignatureRejected(Text("một", "one"), reason="stale"))[2]
    assert (document["reason"], document["detail"]) == ("stale", "một")


@pytest.mark.parametrize(
    ("after", "header"), [(None, "1"), (0.0, "1"), (-3.0, "1"), (0.2, "1"), (1.01, "2"), (7, "7"), (1e12, "86400")]
)
def test_retry_after_is_whole_seconds_from_one(after: float | None, header: str) -> None:
    assert show(TooManyRequests(retry_after=after))[1]["Retry-After"] == header
    assert show(CircuitOpen(retry_after=after))[1]["Retry-After"] == header


@pytest.mark.parametrize("reason", ["expired", "unknown", "revoked"])
def test_the_challenge_says_what_is_wrong_with_the_token(reason: str) -> None:
    challenge = show(Unauthenticated(reason=reason))[1]["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="lgsp", error="invalid_token", error_description="')
    assert reason in challenge


@pytest.mark.parametrize("reason", [None, "missing"])
def test_without_a_credential_the_challenge_names_no_error(reason: str | None) -> None:
    assert show(Unauthenticated(reason=reason))[1]["WWW-Authenticate"] == 'Bearer realm="lgsp"'


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (web.HTTPNotFound(), NotFound),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), MethodNotAllowed),
        (web.HTTPRequestEntityTooLarge(1, 2), TooLarge),
        (web.HTTPUnsupportedMediaType(), UnsupportedMediaType),
        (web.HTTPBadRequest(), Malformed),
        (web.HTTPExpectationFailed(), Malformed),
        (web.HTTPInternalServerError(), Internal),
        (web.HTTPBadGateway(), Internal),
        (web.RequestPayloadError("x"), Malformed),
        (ValueError("001085012345"), Internal),
        (TimeoutError(), Internal),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_becomes_of_which_failure(failure: BaseException, kind: type[GatewayError]) -> None:
    assert type(error_of(failure)) is kind


def test_an_error_of_ours_stays_itself() -> None:
    error = NoRecord()
    assert error_of(error) is error
