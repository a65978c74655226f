"""PKCS#11 URIs (RFC 7512): which key on which token (thiết bị lưu khoá), reached through which module.

Taken are those attributes that name a token and an object on it. An attribute that nobody would look at is refused by
name, and so is `pin-value`: a PIN does not belong in a configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote_to_bytes

SCHEME = "pkcs11:"

_PATH = frozenset({"token", "serial", "manufacturer", "model", "slot-id", "object", "id", "type"})
_QUERY = frozenset({"module-path", "pin-source"})
# What RFC 7512, section 2.3, lets stand unescaped in a value of the path and of the query.
_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*")
_QUERY_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """A private key on a token; what is None was not said. `str` gives the URI without its query.

    `label` and `object_id` are `object` and `id` of the URI, `module` is the shared library of the token's maker,
    `pin_source` the file that holds the PIN.
    """

    module: Path
    token: str | None = None
    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    slot_id: int | None = None
    label: str | None = None
    object_id: bytes | None = None
    pin_source: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI that begins with `pkcs11:`; ValueError says what to write instead and repeats no value."""
        path, _, query = text.removeprefix(SCHEME).partition("?")
        said = dict(_attributes(path, ";", _PATH, _VALUE))
        asked = dict(_attributes(query, "&", _QUERY, _QUERY_VALUE))
        if said.get("type", b"private") != b"private":
            raise ValueError("type must be private: the certificate is found by the key, or named by `certificate`")
        if not said.keys() & {"token", "serial", "slot-id"}:
            raise ValueError("name the token: token=LABEL (or serial=, slot-id=)")
        if not said.keys() & {"object", "id"}:
            raise ValueError("name the key: object=LABEL or id=%01")
        if "module-path" not in asked:
            raise ValueError("name the library of the token: ?module-path=/usr/lib/softhsm/libsofthsm2.so")
        slot = _text(said, "slot-id")
        if slot is not None and not (slot.isascii() and slot.isdigit()):
            raise ValueError("slot-id is a number")
        return cls(
            _absolute(asked["module-path"], "module-path"),
            _text(said, "token"),
            _text(said, "serial"),
            _text(said, "manufacturer"),
            _text(said, "model"),
            None if slot is None else int(slot),
            _text(said, "object"),
            said.get("id"),
            _absolute(asked["pin-source"], "pin-source") if "pin-source" in asked else None,
        )

    def __str__(self) -> str:
        named = {
            "token": self.token,
            "serial": self.serial,
            "manufacturer": self.manufacturer,
            "model": self.model,
            "slot-id": None if self.slot_id is None else str(self.slot_id),
            "object": self.label,
            "id": self.object_id,
        }
        # An id is bytes, not text: each is escaped.
        parts = [
            f"{name}={''.join(f'%{byte:02X}' for byte in value) if isinstance(value, bytes) else quote(value, safe='')}"
            for name, value in named.items()
            if value is not None
        ]
        return SCHEME + ";".join(parts)


def _attributes(text: str, separator: str, known: frozenset[str], form: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise ValueError("a PIN must not stand in the configuration: use key_pin or pin-source=file:/path")
        if name not in known:
            shown = name if re.fullmatch(r"[a-z0-9_-]{1,32}", name) else "an attribute"
            raise ValueError(f"{shown} is not understood here; known are {', '.join(sorted(known))}")
        if name in seen:
            raise ValueError(f"{name} stands there twice")
        if not equals or form.fullmatch(value) is None:
            raise ValueError(f"the value of {name} holds characters that must be written as %XX")
        seen.add(name)
        yield name, unquote_to_bytes(value)


def _text(said: dict[str, bytes], name: str) -> str | None:
    value = said.get(name)
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8") from None


def _absolute(value: bytes, name: str) -> Path:
    try:
        text = value.decode().removeprefix("file:")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8") from None
    # RFC 8089: file:/path and file:///path are the same file.
    path = Path("/" + text.lstrip("/")) if text.startswith("/") else Path(text)
    if not path.is_absolute() or "\0" in text:
        raise ValueError(f"{name} must be an absolute path")
    return path
