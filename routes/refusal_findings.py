"""Why our own TLS face refused callers within a day, as the running gateway counted it.

Under TLS 1.3 a client only sees its connection closed, so nobody but us can tell its operator what to change.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from config.settings import Settings
from routes.findings import Finding, ok, warning
from routes.knocking import knocking

_PERIOD = timedelta(days=1)
_PATIENCE_S = 5.0
_LARGEST = 4 * 1024 * 1024
_SAMPLE = re.compile(
    r"lgsp_tls_handshake_(?P<what>failures_total|failure_timestamp_seconds)"
    r'\{reason="(?P<reason>[^"]*)",verification="(?P<verification>[^"]*)"\} (?P<value>\S+)'
)
_Key = tuple[str, str]
_SUBJECT = "server.tls"


class _Meaning(NamedTuple):
    code: str
    text: str
    step: str


_CERTIFICATE: Mapping[str, _Meaning] = {
    "unable to get local issuer certificate": _Meaning(
        "client-unknown-authority",
        "a client certificate was issued by an authority that is not in server.tls.client_ca, or its client sends no "
        "intermediate certificate",
        "put that authority (root and intermediates) into server.tls.client_ca and run `lgsp reload`, or tell the "
        "caller to send its whole chain",
    ),
    "certificate has expired": _Meaning(
        "client-expired",
        "a client certificate has expired",
        "tell the caller to renew it, then run `lgsp clients register ID --certificate FILE`",
    ),
    "certificate is not yet valid": _Meaning(
        "client-not-yet-valid", "a client certificate is not valid yet", "look at our own clock first (`timedatectl`)"
    ),
    "unsuitable certificate purpose": _Meaning(
        "client-wrong-usage",
        "a client certificate is not made for TLS clients (extended key usage without clientAuth)",
        "tell the caller to ask its authority for one with clientAuth",
    ),
}
_CERTIFICATE_OTHER = _Meaning(
    "client-certificate-refused",
    "a client certificate is refused",
    "tell the caller what is said here; `lgsp pki inspect FILE` explains a certificate",
)
_REASONS: Mapping[str, _Meaning] = {
    "alert_unknown_ca": _Meaning(
        "face-not-believed",
        "clients refuse our certificate: they do not know its authority, or an intermediate certificate is missing",
        "give callers the root of our certificate, and put its intermediates into server.tls.certificate behind it",
    ),
    "alert_certificate_unknown": _Meaning(
        "face-not-believed",
        "clients refuse our certificate, often because of its name or its authority",
        "compare the name that callers use with the certificate: `lgsp pki inspect` shows its hosts",
    ),
    "alert_bad_certificate": _Meaning(
        "face-not-believed",
        "clients refuse our certificate, often because of its name",
        "compare the name that callers use with the certificate: `lgsp pki inspect` shows its hosts",
    ),
    "alert_certificate_expired": _Meaning(
        "face-not-believed",
        "clients find our certificate expired",
        "renew server.tls.certificate and run `lgsp reload`; where it is good, the clock of the client is wrong",
    ),
    "unsupported_protocol": _Meaning(
        "client-weak-protocol",
        "clients speak only a TLS older than 1.2",
        "tell the caller to switch TLS 1.2 on (old Java, Windows Server 2008); there is no setting that allows less",
    ),
    "no_shared_cipher": _Meaning(
        "client-weak-protocol",
        "clients offer no cipher that is good enough",
        "tell the caller to renew its TLS library",
    ),
    "http_request": _Meaning(
        "client-plain-http",
        "clients speak plain http to the TLS port",
        "tell the caller to write https:// in its address",
    ),
}
_PREFIX = re.compile(r"^(tlsv1|tlsv13|sslv3)_(?=alert_)")


async def handshakes(settings: Settings) -> list[Finding]:
    """Ask the running gateway for its metrics and explain what it refused; nothing where none runs here."""
    if settings.server.tls is None:
        return []
    address = local(settings.server.admin_listen or settings.server.listen)
    if address is None:
        return []
    try:
        async with asyncio.timeout(_PATIENCE_S):
            body = await _metrics(address)
    except (TimeoutError, OSError):
        return [ok(_SUBJECT, "no gateway runs here that could tell whom it refused", "gateway-not-running")]
    found = list(explained(body, datetime.now(UTC)))
    return found or [ok(_SUBJECT, "no handshake was refused within a day", "handshakes-fine")]


def local(listen: str) -> tuple[str, int] | None:
    """Return the address on which this machine reaches what listens there, None for a port that is not known."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    loopback = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - what others listen on
    return (loopback.get(host, host), int(port)) if port.isdigit() and port != "0" else None


async def _metrics(address: tuple[str, int]) -> str:
    question = f"GET /metrics HTTP/1.1\r\nHost: {address[0]}\r\nConnection: close\r\n\r\n"
    async with knocking(address, _PATIENCE_S) as (reader, writer):
        writer.write(question.encode())
        await writer.drain()
        answer = b""
        while len(answer) < _LARGEST and (more := await reader.read(65_536)):
            answer += more
        return answer.decode("utf-8", "replace")


def explained(metrics: str, now: datetime) -> Iterator[Finding]:
    """Yield what the reasons of handshakes mean that failed within a day."""
    values: dict[str, dict[_Key, float]] = {"failures_total": {}, "failure_timestamp_seconds": {}}
    for match in _SAMPLE.finditer(metrics):
        values[match["what"]][match["reason"], match["verification"]] = float(match["value"])
    for (reason, verification), last in sorted(values["failure_timestamp_seconds"].items()):
        at = datetime.fromtimestamp(last, UTC)
        if now - at > _PERIOD:
            continue
        meaning = _meaning(reason, verification)
        if meaning is None:
            continue
        said = f" ({verification or reason.replace('_', ' ')})"
        times = f"{values['failures_total'].get((reason, verification), 0):.0f} times since it runs"
        text = f"{meaning.text}{said}: {times}, the last {at:%Y-%m-%d %H:%M} UTC"
        yield warning(
            _SUBJECT, text, f"{meaning.step}; the log has a line `tls-handshake-failed` for each", meaning.code
        )


def _meaning(reason: str, verification: str) -> _Meaning | None:
    """Return what a reason means; None for what nobody can do anything about, such as scanners that hang up."""
    if verification:
        return _CERTIFICATE.get(verification, _CERTIFICATE_OTHER)
    return _REASONS.get(_PREFIX.sub("", reason))
