"""What `lgsp check` and `lgsp doctor` say about `[xroad]`: who is believed, and who waits for that in vain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from config.settings import ConfigurationError, Settings
from routes.certificate_facts import is_authority, purposes, shown
from routes.findings import Finding, ok, problem, warning
from security.clients import Client
from security.security_servers import load_servers

_SUBJECT = "xroad.servers"


def server_findings(settings: Settings) -> Iterator[Finding]:
    """Say which security servers are believed, and whether any could show its certificate here at all."""
    section = settings.xroad
    if not section.servers:
        yield ok(_SUBJECT, "none: X-Road headers name nobody")
        return
    if settings.server.tls is None and not settings.server.trusted_proxies:
        text = "no security server can show its certificate: there is neither server.tls nor a trusted proxy"
        yield problem(_SUBJECT, text, "set server.tls, or server.trusted_proxies where a proxy ends TLS")
    try:
        certificates = load_servers(section)
    except ConfigurationError:
        # What is wrong with the file is said where all files are read.
        return
    now = datetime.now(UTC)
    for certificate in certificates:
        who, ends = shown(certificate.subject), certificate.not_valid_after_utc
        if ends <= now:
            text = f"the certificate of {who} ended at {ends:%Y-%m-%d %H:%M} UTC: who asks through it is refused"
            yield problem(_SUBJECT, text, "put its new certificate beside it, then run `lgsp reload`")
        elif certificate.not_valid_before_utc > now:
            begins = certificate.not_valid_before_utc
            text = f"the certificate of {who} begins at {begins:%Y-%m-%d %H:%M} UTC: until then it is refused"
            yield warning(_SUBJECT, text, "wait for it, or look at the clock of this machine")
        elif (uses := purposes(certificate)) is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in uses:
            text = f"the certificate of {who} is not made for TLS clients: the handshake with it is refused"
            step = "have it issued with clientAuth in its extended key usage, or without any"
            yield problem(_SUBJECT, text, step)
        elif is_authority(certificate):
            text = f"the certificate of {who} is an authority's (CA): who connects with it is believed, nobody else"
            step = "name the one with which the security server connects; if it made this one itself, leave it"
            yield warning(_SUBJECT, text, step)
        else:
            yield ok(_SUBJECT, f"{who} is believed about who asks through it, until {ends:%Y-%m-%d %H:%M} UTC")


def also_clients(clients: Sequence[Client], settings: Settings) -> Iterator[Finding]:
    """Yield which clients are registered with the certificate of a security server."""
    try:
        servers = {one.fingerprint(SHA256()).hex(): one for one in load_servers(settings.xroad)}
    except ConfigurationError:
        return
    for client in clients:
        for held in client.credentials:
            server = servers.get(held.material.get("sha256", ""))
            if client.revoked_at is None and held.kind == "mtls" and held.revoked_at is None and server is not None:
                text = (
                    f"the certificate of {shown(server.subject)} is also that of client {client.client_id}: by it the "
                    "client is never known, but believed about who asks through it, as any client"
                )
                step = (
                    f"name the security server's own certificate, or `lgsp clients revoke {client.client_id} "
                    f"--credential {held.id}` where it is its own"
                )
                yield warning(_SUBJECT, text, step)


def waiting(clients: Sequence[Client], settings: Settings) -> Iterator[Finding]:
    """Yield which clients are registered as X-Road clients while no security server is believed."""
    if settings.xroad.servers:
        return
    now = datetime.now(UTC)
    for client in clients:
        held = [one.id for one in client.credentials if one.kind == "xroad" and one.lapse(now) is None]
        if client.revoked_at is None and held:
            text = f"is registered as {', '.join(held)}, but no security server is believed: xroad.servers is not set"
            step = "name the certificate of the security server in xroad.servers, then restart"
            yield warning(f"client {client.client_id}", text, step, "client-no-security-server")
