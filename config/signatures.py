"""Sections about signatures between callers and the gateway: theirs over requests, ours over answers."""

from __future__ import annotations

from pydantic import SecretStr

from config.sections import FilePath, KeyPlace, Secret, Section


class Callers(Section):
    """Callers' own signatures: where `domains` are named, a registered certificate counts while one vouches for it."""

    domains: tuple[str, ...] = ()


class Signing(Section):
    """The gateway's own signature on SOAP answers to callers who sign (chữ ký của trục); without `key` there is none.

    `certificate` goes with the key, and may be left out where it lies on the token too; `key_pin` opens the token.
    """

    key: KeyPlace | None = None
    certificate: FilePath | None = None
    key_pin: Secret = SecretStr("")
