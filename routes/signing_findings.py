"""Can the gateway sign answers to SOAP callers who sign: what `lgsp check` says about `[signing]` (chữ ký của trục)."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509

from config.pkcs11_uri import Pkcs11Uri
from config.settings import ConfigurationError, Settings
from routes.certificate_facts import read, shown
from routes.findings import Finding, ok, problem, warning
from routes.token_findings import token_findings
from security.answer_signing import answer_key


def signing_findings(settings: Settings) -> Iterator[Finding]:
    """Load the key and say whose it is; a token is logged in to once."""
    if isinstance(settings.signing.key, Pkcs11Uri):
        yield from token_findings("signing", settings.signing)
        return
    try:
        signer = answer_key(settings.signing)
    except ConfigurationError as failure:
        yield problem("signing", str(failure), "put a PEM certificate and its own key there")
        return
    if signer is None:
        yield ok("signing", "no key: SOAP callers who sign their requests are refused")
    else:
        yield ok("signing", f"{shown(signer.certificate.subject)} signs answers to callers who sign")
        yield from _shared(settings, signer.certificate)


def _shared(settings: Settings, certificate: x509.Certificate) -> Iterator[Finding]:
    """Say which sources know the same key as that of our questions."""
    same = [
        name
        for name, endpoint in settings.endpoints.items()
        if endpoint.certificate is not None
        and any(one.public_key() == certificate.public_key() for one in read(endpoint.certificate)[:1])
    ]
    if same:
        text = f"its key also signs the questions of {', '.join(f'endpoints.{name}' for name in same)}"
        step = "give it a key of its own: who believes its answers must take no questions of it"
        yield warning("signing.key", text, step)
