"""Signing requests as callers do (RFC 9421, RFC 9530): what tests, the sandbox and callers in Python use."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import timedelta

from cryptography.x509 import Certificate

from security.content_digest import DigestAlgorithm, content_digest
from security.http_signature import WHERE_SENT, WITH_BODY, algorithms_of
from security.signature_algorithms import PrivateKey, sign
from security.signature_base import DERIVED, HttpRequest, signature_base
from security.structured_fields import BareItem, InnerList, Item, written
from security.trust_path import fingerprint

_LABEL = "lgsp"


def key_id(certificate: Certificate) -> str:
    """The `keyid` that names a registered certificate: `sha256:` and the SHA-256 of its DER in hexadecimal."""
    return f"sha256:{fingerprint(certificate).hex()}"


def sign_request(
    request: HttpRequest,
    key: PrivateKey,
    keyid: str,
    *,
    created: int | None = None,
    lasting: timedelta = timedelta(minutes=1),
    nonce: str | None = None,
    algorithm: str | None = None,
    digest: DigestAlgorithm = "sha-256",
    also: Sequence[str] = (),
) -> dict[str, str]:
    """Give the headers to add to a request: `Content-Digest` where it has a body, `Signature-Input`, `Signature`.

    Covered is what the gateway asks for and the headers `also`. `algorithm` is a name of RFC 9421; without one the
    key's own is used and not named. `created` is now and the nonce random unless given. ValueError if the key does not
    fit the algorithm; Rejected if the request has no form that could be signed.
    """
    fitting = algorithms_of(key)
    chosen = algorithm or next(iter(fitting), "")
    if chosen not in fitting:
        raise ValueError(f"this key does not sign by {chosen or 'any algorithm of RFC 9421 that is accepted'}")
    headers: dict[str, str] = {}
    names = [*DERIVED]
    if request.body:
        names += WITH_BODY
        headers["Content-Digest"] = content_digest(request.body, digest)
    names += [name for name in (*WHERE_SENT, *also) if name in request.fields]
    made = int(time.time()) if created is None else created
    parameters: dict[str, BareItem] = {
        "created": made,
        "expires": made + int(lasting.total_seconds()),
        "nonce": nonce or secrets.token_urlsafe(16),
        "keyid": keyid,
    }
    if algorithm is not None:
        parameters["alg"] = algorithm
    covered = InnerList(tuple(Item(name, {}) for name in names), parameters)
    fields = {**request.fields, **{name.lower(): [value] for name, value in headers.items()}}
    signed = HttpRequest(request.method, request.scheme, request.authority, request.target, fields, request.body)
    value = sign(fitting[chosen], key, signature_base(signed, covered))
    headers["Signature-Input"] = f"{_LABEL}={written(covered)}"
    headers["Signature"] = f"{_LABEL}={written(Item(value, {}))}"
    return headers
