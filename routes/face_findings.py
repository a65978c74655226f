"""How our own TLS face looks to callers: its certificate, and whether what runs has it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from config.settings import ConfigurationError, Settings, Tls
from routes.certificate_facts import (
    host_names,
    is_authority,
    issuer_of,
    read,
    says_where_its_issuer_is,
    self_signed,
    shown,
)
from routes.findings import Finding, ok, problem, warning
from routes.knocking import knocking
from routes.listening import tls_context
from routes.refusal_findings import handshakes, local
from routes.tls_findings import presented

_PATIENCE_S = 5.0
_NAME_DIFFERS = (62, 64)
_FOR_ANOTHER_USE = (26, 79)
# Ends are told with all other ends.
_TIMES = (9, 10)


async def face(settings: Settings) -> list[Finding]:
    """Look at `[server.tls]` as a caller does, and at what the running gateway does with it."""
    tls = settings.server.tls
    if tls is None:
        return []
    try:
        context = tls_context(tls, settings.xroad.servers)
    except ConfigurationError as failure:
        return [problem("server.tls", str(failure), "run `lgsp check`", "face-files")]
    chain = read(tls.certificate)
    found = list(_shown_to_callers(settings, tls, context, chain))
    running, refused = await asyncio.gather(_running(tls, chain), handshakes(settings))
    return [*found, *running, *refused]


def _shown_to_callers(
    settings: Settings, tls: Tls, context: ssl.SSLContext, chain: Sequence[x509.Certificate]
) -> Iterator[Finding]:
    subject, own = "server.tls.certificate", chain[0]
    host = _host(settings)
    failure = _handshake(context, chain, host)
    step = f"ask for a certificate for TLS servers that names {host or 'this host'}, and put it into {tls.certificate}"
    code = None if failure is None else failure.verify_code
    if code in _NAME_DIFFERS:
        text = f"it is made for {host_names(own)}, but callers use {host} (server.public_url): the name does not match"
        yield problem(subject, text, step, "face-name-mismatch")
    elif code in _FOR_ANOTHER_USE or is_authority(own):
        kind = "that of an authority (CA)" if is_authority(own) else "without serverAuth (extended key usage)"
        yield problem(subject, f"it is {kind}: callers refuse it", step, "face-wrong-usage")
    elif failure is not None and code not in _TIMES:
        yield problem(subject, f"callers refuse it: {failure.verify_message}", step, "face-refused")
    if says_where_its_issuer_is(own) and not self_signed(own) and issuer_of(own, chain[1:]) is None:
        text = f"{tls.certificate} holds no certificate of its issuer {shown(own.issuer)}: an intermediate is missing"
        step = "append the certificates of its intermediate authorities to that file, then run `lgsp reload`"
        yield warning(subject, text, step, "face-missing-intermediate")


def _host(settings: Settings) -> str | None:
    """Return the name that callers use, where they talk to us and not to a proxy."""
    url = settings.server.public_url
    if url is None or settings.server.trusted_proxies or not url.startswith("https:"):
        return None
    return urlsplit(url).hostname


def _handshake(
    ours: ssl.SSLContext, chain: Sequence[x509.Certificate], host: str | None
) -> ssl.SSLCertVerificationError | None:
    """Shake hands with ourselves in memory, as a caller that trusts this very chain; return its objection."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = host is not None
    # Which root callers have nobody knows here; everything else about the certificate is checked all the same.
    theirs.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    theirs.load_verify_locations(cadata="".join(one.public_bytes(Encoding.PEM).decode() for one in chain))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = ours.wrap_bio(to_server, to_client, server_side=True)
    client = theirs.wrap_bio(to_client, to_server, server_hostname=host)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as refused:
            return refused
    return None


async def _running(tls: Tls, chain: Sequence[x509.Certificate]) -> list[Finding]:
    """Compare the certificate in the file with that of the gateway that runs here."""
    address = local(tls.listen)
    if address is None:
        return []
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    where = f"{address[0]}:{address[1]}"
    try:
        async with knocking(address, _PATIENCE_S, context) as (_, writer):
            sent = presented(writer.get_extra_info("ssl_object"))
    except (TimeoutError, OSError):
        return [ok("server.tls", f"nobody answers on {where}: what runs was not looked at", "face-not-running")]
    if sent[:1] == list(chain[:1]):
        return [ok("server.tls", f"{where} shows the certificate of {tls.certificate}", "face-shown")]
    text = f"{where} shows another certificate than the one in {tls.certificate}"
    return [warning("server.tls.certificate", text, "run `lgsp reload`", "face-not-reloaded")]
