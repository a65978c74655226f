"""Which registered clients would be refused for their certificates, in the TLS handshake or when they sign.

Judged is what is registered; nobody is asked, since clients may be thousands.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cryptography import x509

from adapters.endpoint_trust import trusts_in_callers
from adapters.trust_domains import TrustDomains
from config.settings import ConfigurationError, Settings
from routes.certificate_facts import read, shown
from routes.findings import Finding, problem, warning
from routes.trust_findings import MEND
from security.clients import Client
from security.signature import Rejected
from security.trust import Trust
from security.trust_status import Unsettled


def accepted(clients: Sequence[Client], settings: Settings) -> Iterator[Finding]:
    """Yield which clients our TLS face would refuse in the handshake, for the authority they come from."""
    tls = settings.server.tls
    if tls is None or settings.server.trusted_proxies:
        return
    held = set(read(tls.client_ca)) if tls.client_ca is not None else set()
    for client in clients:
        known = [one for one in client.credentials if one.kind == "mtls" and one.revoked_at is None]
        if client.revoked_at is not None or not known:
            continue
        if tls.client_ca is None:
            text = "has a certificate for mTLS, but nobody is asked for one: server.tls.client_ca is not set"
            step = "name the authorities of clients in server.tls.client_ca, then restart"
            yield warning(f"client {client.client_id}", text, step, "client-ca-missing")
            continue
        for credential in known:
            if "issuer" not in credential.material:
                continue
            issuer = x509.load_der_x509_certificate(b64decode(credential.material["issuer"]))
            if issuer not in held:
                text = f"its certificates come from {shown(issuer.subject)}, which is not in server.tls.client_ca"
                step = f"append the certificate of that authority to {tls.client_ca}, then run `lgsp reload`"
                yield problem(f"client {client.client_id}", text, step, "client-unknown-authority")


def vouched(clients: Sequence[Client], settings: Settings) -> Iterator[Finding]:
    """Yield which clients' signatures would be refused since no domain of `[callers]` vouches for their certificate."""
    names = settings.callers.domains
    if not names:
        return
    try:
        trusts = trusts_in_callers(names, TrustDomains.load(settings.trust))
    except ConfigurationError as failure:
        yield problem("callers.domains", str(failure), f"{MEND}, then run `lgsp check`", "trust-unusable")
        return
    now = datetime.now(UTC)
    for client in clients:
        for credential in client.credentials:
            if client.revoked_at is not None or credential.kind != "signature" or credential.lapse(now):
                continue
            refusal = _refusal(credential.material["certificate"], trusts, now)
            if refusal is not None:
                text = f"requests that it signs are refused: {refusal}"
                step = (
                    f"ask it for a certificate of {' or '.join(names)}, then `lgsp clients register {client.client_id} "
                    "--signing-certificate FILE`; or name its trust domain in callers.domains"
                )
                yield problem(f"client {client.client_id}", text, step, "client-not-vouched")


def _refusal(certificate: str, trusts: Sequence[Trust], now: datetime) -> str | None:
    """Return why nobody vouches for a certificate; that it has to be asked about first is no refusal."""
    detail = None
    for trust in trusts:
        try:
            trust.accept(certificate, now)
        except Unsettled:
            return None
        except Rejected as refused:
            # That a domain knows the certificate and refuses it says more than that another one does not know it.
            detail = refused.detail if detail is None or refused.reason != "untrusted" else detail
        else:
            return None
    return detail
