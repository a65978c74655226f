"""Does a token answer: what `lgsp check` and `lgsp doctor` say about a signing key in a device (thiết bị lưu khoá)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread

from cryptography import x509

from config.pkcs11_uri import Pkcs11Uri
from config.settings import Endpoint, Settings, Signing
from routes.certificate_facts import shown
from routes.expiry import Expiry
from routes.expiry_findings import ends
from routes.findings import Finding, ok, problem
from security.keys import SANDBOX_MARK
from security.signature_key import KeyRefused, load_signer, token_certificate


def token_expiries(settings: Settings) -> Iterator[Expiry]:
    """Yield the end of every certificate that is on a token and in no file; those that cannot be read are left out."""
    for subject, holder in with_tokens(settings):
        if isinstance(holder.key, Pkcs11Uri) and holder.certificate is None:
            with suppress(KeyRefused):
                found = token_certificate(holder.key, holder.key_pin.get_secret_value())
                yield _expiry(f"{subject}.certificate", found)


def with_tokens(settings: Settings) -> Iterator[tuple[str, Endpoint | Signing]]:
    """Yield the sections, by their names, whose key is on a token."""
    sections: dict[str, Endpoint | Signing] = {f"endpoints.{name}": one for name, one in settings.endpoints.items()}
    for name, section in (*sections.items(), ("signing", settings.signing)):
        if isinstance(section.key, Pkcs11Uri):
            yield name, section


def _expiry(name: str, found: x509.Certificate) -> Expiry:
    marked = SANDBOX_MARK in found.subject.rfc4514_string()
    since, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return Expiry("certificate", name, ends, since, sandbox=marked, paired=True)


def token_findings(subject: str, section: Endpoint | Signing) -> list[Finding]:
    """Log in to the token of a section's key, once, and let it sign something; `subject` is the section."""
    assert section.key is not None
    began = time.monotonic()
    try:
        # Loading it signs a probe, which the certificate has to verify.
        signer = load_signer(section.key, section.certificate, section.key_pin.get_secret_value())
    except KeyRefused as refused:
        return [problem(f"{subject}.key", refused.text, refused.step, "token-silent")]
    took = (time.monotonic() - began) * 1000
    named = shown(signer.certificate.subject)
    found = [ok(f"{subject}.key", f"{section.key} signed a probe for {named} in {took:.1f} ms", "token-signs")]
    if section.certificate is None:
        found += ends([_expiry(f"{subject}.certificate", signer.certificate)], datetime.now(UTC))
    return found


async def token_look(subject: str, section: Endpoint | Signing) -> list[Finding]:
    """Look beside the event loop; whoever has waited long enough may give the look up."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Finding]] = loop.create_future()

    def tell(findings: list[Finding]) -> None:
        if not found.done():
            found.set_result(findings)

    def look() -> None:
        findings = token_findings(subject, section)
        loop.call_soon_threadsafe(tell, findings)

    # Not a thread of the pool: the end of this process would wait for a module that never returns.
    Thread(target=look, daemon=True).start()
    return await found
