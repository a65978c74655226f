"""Which configuration is in force, told without a secret: a digest of each setting by its name (cấu hình hiệu lực).

A setting that names a file counts with the content of the file too: certificates, anchors and revocation lists change
without their names. Secrets and private keys count only as given or not given.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from config.settings import Settings

# Bytes of a digest that are kept for each setting: enough to tell a change, since nobody gains by a second value.
_KEPT: Final = 12
# What stands between user name and address in a URL.
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")
_PRIVATE: Final = frozenset({"key", "tls_key"})


def effective(settings: Settings) -> dict[str, str]:
    """Return a digest (base64) of every setting by its dotted name. Blocking: reads the files that settings name."""
    found = dict(_settings("", settings.model_dump()))
    return {name: b64encode(sha256(found[name]).digest()[:_KEPT]).decode() for name in sorted(found)}


def digest(told: Mapping[str, str]) -> str:
    """Return the SHA-256 (base64) of what `effective` gave: the same on every machine for the same configuration."""
    return b64encode(sha256(json.dumps(dict(sorted(told.items())), separators=(",", ":")).encode()).digest()).decode()


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Name the settings that differ, in order."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _settings(name: str, value: Any) -> Iterator[tuple[str, bytes]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _settings(f"{name}.{key}" if name else str(key), inner)
        return
    yield name, json.dumps(_plain(value), ensure_ascii=False).encode()
    if name.rpartition(".")[2] in _PRIVATE:
        return
    contents = [_content(path) for path in (value if isinstance(value, tuple) else (value,)) if isinstance(path, Path)]
    if any(contents):
        yield f"{name} (content)", b"".join(contents)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return bool(value.get_secret_value())
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        listed = [_plain(each) for each in value]
        return sorted(listed, key=str) if isinstance(value, set | frozenset) else listed
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1:@", value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _content(path: Path) -> bytes:
    """The digest of a file; nothing for a directory, or for what cannot be read, which is told elsewhere."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").digest()
    except OSError:
        return b""
