"""Does a token answer: what `lgsp check` and `lgsp doctor` say about a signing key in a device (thiết bị lưu khoá)."""

from __future__ import annotations

import asyncio
import time
from threading import Thread

from config.settings import Endpoint
from routes.certificate_facts import shown
from routes.findings import Finding, ok, problem
from security.signature_key import KeyRefused, load_signer


def token_finding(subject: str, endpoint: Endpoint) -> Finding:
    """Log in to the token of an endpoint's key, once, and let it sign something."""
    assert endpoint.key is not None
    began = time.monotonic()
    try:
        # Loading it signs a probe, which the certificate has to verify.
        signer = load_signer(endpoint.key, endpoint.certificate, endpoint.key_pin.get_secret_value())
    except KeyRefused as refused:
        return problem(subject, refused.text, refused.step, "token-silent")
    took = (time.monotonic() - began) * 1000
    named = shown(signer.certificate.subject)
    return ok(subject, f"{endpoint.key} signed a probe for {named} in {took:.1f} ms", "token-signs")


async def token_look(subject: str, endpoint: Endpoint) -> Finding:
    """Look beside the event loop; whoever has waited long enough may give the look up."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Finding] = loop.create_future()

    def tell(finding: Finding) -> None:
        if not found.done():
            found.set_result(finding)

    def look() -> None:
        finding = token_finding(subject, endpoint)
        loop.call_soon_threadsafe(tell, finding)

    # Not a thread of the pool: the end of this process would wait for a module that never returns.
    Thread(target=look, daemon=True).start()
    return await found
