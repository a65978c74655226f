"""Dossiers that people file at the national portal, and call-backs to the systems of agencies (nhận hồ sơ, gọi lại)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from config.sections import FilePath, HttpUrl, Secret, Section

CallbackEvent = Literal[
    "dossier.filed", "dossier.delivered", "dossier.dead", "dossier.quarantined", "reconciliation.finished"
]
"""What a receiver may be told of."""

_PREFIX = "whsec_"
_SECRET = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)


def signing_key(secret: str) -> bytes:
    """The key that a secret stands for: `whsec_` and the base64 of 24 to 64 bytes (Standard Webhooks 1.0.0).

    Raises ValueError for anything else, without the secret in its text.
    """
    text = secret.removeprefix(_PREFIX)
    if text == secret or _SECRET.fullmatch(text) is None:
        raise ValueError(f"a secret is {_PREFIX} and base64")
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(f"a secret is {_PREFIX} and base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret has 24 to 64 bytes")
    return key


def _secret(value: SecretStr) -> SecretStr:
    signing_key(value.get_secret_value())
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _receiver(url: str) -> str:
    address = urlsplit(url)
    if address.fragment or address.hostname is None:
        raise ValueError("an address with a host and without a fragment")
    if address.scheme != "https" and not _is_loopback(address.hostname):
        raise ValueError("https, or http to this machine only")
    return url


class Inbox(Section):
    """Dossiers filed at the portal: off unless `enabled`. Times are seconds.

    `portal` is the endpoint that is asked, `every` how long after an answer with nothing new it is asked again, `page`
    how many dossiers one answer may have at most.
    """

    enabled: bool = False
    portal: str = "portal"
    every: float = Field(default=30.0, gt=0, le=86_400)
    page: int = Field(default=100, ge=1, le=200)


class Webhook(Section):
    """Where one client is called back, and how (Standard Webhooks). Times are seconds, `days` days.

    `secrets` sign, each on its own; the second is for the time of a rotation. `events` are what it is told of, nothing
    means everything. An answer counts within `timeout`. What is not taken is sent again for `days`; after a failure the
    receiver is left alone for `pause`, doubled with each further one up to `longest_pause`. `parallel` is how many
    call-backs are under way to it at once, `tls_ca` whom to believe instead of the system's authorities.
    """

    url: Annotated[HttpUrl, AfterValidator(_receiver)]
    secrets: tuple[Annotated[Secret, AfterValidator(_secret)], ...] = Field(min_length=1, max_length=2)
    events: tuple[CallbackEvent, ...] = ()
    days: float = Field(default=3.0, gt=0, le=60)
    timeout: float = Field(default=15.0, gt=0, le=60)
    pause: float = Field(default=5.0, gt=0, le=3_600)
    longest_pause: float = Field(default=3_600.0, gt=0, le=86_400)
    parallel: int = Field(default=4, ge=1, le=32)
    tls_ca: FilePath | None = None
