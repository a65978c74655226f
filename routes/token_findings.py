"""Does a token answer: what `lgsp check` and `lgsp doctor` say about a signing key in a device (thiết bị lưu khoá)."""

from __future__ import annotations

import time

from config.settings import Endpoint
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
        return problem(subject, refused.text, refused.step)
    took = (time.monotonic() - began) * 1000
    named = signer.certificate.subject.rfc4514_string()
    return ok(subject, f"{endpoint.key} signed a probe for {named} in {took:.0f} ms")
