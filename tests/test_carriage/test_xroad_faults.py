"""Every error code of X-Road in both spellings: who is blamed, whether it may be asked again, what the caller reads."""

import pytest

from adapters.transport import Undelivered, maybe_applied
from adapters.xroad_faults import raise_xroad_fault, xroad_fault
from schemas.errors import GatewayError, UpstreamRefused, UpstreamUnavailable, UpstreamUnreadable

# The suffixes by the error that each becomes; of Undelivered ones the source has not seen the question.
SUFFIXES: dict[type[GatewayError], str] = {
    UpstreamRefused: "access_denied unknown_member unknown_service service_type invalid_client_identifier bad_request "
    "invalid_protocol_version invalid_content_type invalid_soap_action invalid_http_method invalid_message not_found "
    "invalid_security_server invalid_body invalid_soap invalid_rest invalid_xml invalid_request missing_header "
    "missing_header_field missing_body missing_soap missing_rest duplicate_header_field inconsistent_headers "
    "mime_parsing_failed client_proxy_version_not_supported service_disabled service_missing_url service_malformed_url",
    Undelivered: "unknown_host global_conf_outdated timestamping_failed maintenance_mode",
    UpstreamUnavailable: "network_error http_error io_error internal_error database_error timestamper_failed "
    "cannot_create_signature cert_validation cannot_create_cert_path incorrect_certificate incorrect_validation_info "
    "hsm_non_operational malformed_server_conf malformed_global_conf logging_failed service_failed",
    UpstreamUnreadable: "inconsistent_response invalid_response missing_signature invalid_signature_value "
    "signature_verification",
}
TABLE = [(word, error) for error, words in SUFFIXES.items() for word in words.split()]


def old(word: str) -> str:
    """The word as it was written up to 7.7."""
    renamed = {"global_conf_outdated": "OutdatedGlobalConf", "hsm_non_operational": "HSMNonOperational"}
    return renamed.get(word) or "".join(part.capitalize() for part in word.split("_"))


def raised(code: str, trace: str = "") -> GatewayError:
    fault = xroad_fault(code)
    assert fault is not None
    with pytest.raises(GatewayError) as caught:
        raise_xroad_fault("tax", fault, trace)
    return caught.value


@pytest.mark.parametrize(
    ("side", "old_side"),
    [
        ("server.serverproxy", "Server.ServerProxy"),
        ("server.clientproxy", "Server.ClientProxy"),
        ("client", "Client"),
    ],
    ids=["provider", "ours", "client"],
)
@pytest.mark.parametrize(("word", "error"), TABLE, ids=[word for word, _ in TABLE])
def test_both_spellings_mean_the_same(word: str, error: type[GatewayError], side: str, old_side: str) -> None:
    for code in (f"{side}.{word}", f"{old_side}.{old(word)}", f" SOAP-ENV:{old_side}.{old(word)}\n"):
        failure = raised(code)
        assert type(failure) is error
        assert f"{side}.{word}" in failure.detail.en
        assert f"{side}.{word}" in failure.detail.vi
        assert maybe_applied(failure) == (error is not Undelivered)
        assert failure.retryable == issubclass(error, UpstreamUnavailable)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        # The question had been passed on: the source's answer is at fault, or may have come about.
        ("server.serverproxy.service_failed.missing_body", UpstreamUnreadable),
        ("server.clientproxy.service_failed.inconsistent_response", UpstreamUnreadable),
        ("Server.ServerProxy.ServiceFailed.InvalidContentType", UpstreamUnreadable),
        ("server.serverproxy.service_failed.unknown_host", UpstreamUnavailable),
        ("server.serverproxy.service_failed.ssl_authentication_failed", UpstreamUnavailable),
        ("server.serverproxy.service_failed.something_new", UpstreamUnavailable),
        # Logged is on both legs.
        ("server.serverproxy.logging_failed.timestamping_failed", UpstreamUnavailable),
        ("Server.ClientProxy.LoggingFailed.UnknownHost", UpstreamUnavailable),
        # Our certificate towards our own server, or that of the other server's neighbour.
        ("server.clientproxy.ssl_authentication_failed", UpstreamRefused),
        ("server.serverproxy.ssl_authentication_failed", UpstreamUnavailable),
        ("server.clientproxy.cannot_create_signature.signer.token_not_active", UpstreamUnavailable),
        ("server.serverproxy", UpstreamUnavailable),
        ("server.clientproxy.something_new", UpstreamUnavailable),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_where_it_went_wrong_counts(code: str, error: type[GatewayError]) -> None:
    assert type(raised(code)) is error


@pytest.mark.parametrize(
    "code",
    [
        "",
        "Client",
        "Server",
        "soap:Server",
        "Client.Authentication",
        "Server.Timeout",
        "env:Client.",
        "serverproxy.access_denied",
    ],
)
def test_codes_of_sources_are_not_taken_for_x_road_s(code: str) -> None:
    assert xroad_fault(code) is None


def test_words_that_are_not_known_are_not_repeated() -> None:
    failure = raised("Server.ServerProxy.ServiceFailed.001077012345", "001077012345")
    assert "001077012345" not in failure.detail.en + failure.detail.vi
    assert failure.detail.en == "X-Road on the way to tax answered server.serverproxy.service_failed"


@pytest.mark.parametrize("word", ["access_denied", "unknown_member", "invalid_client_identifier", "unknown_service"])
def test_what_our_operator_can_mend_is_said(word: str) -> None:
    failure = raised(f"server.serverproxy.{word}")
    assert "xroad." in failure.detail.en
    assert "xroad." in failure.detail.vi
