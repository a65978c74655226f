"""What every section of the configuration is made of: the base model, secrets, paths beside the file."""

from __future__ import annotations

import os
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from config.pkcs11_uri import SCHEME, Pkcs11Uri


class ConfigurationError(Exception):
    """The configuration cannot be used; the text says which key and what to write instead."""


def resolved(value: Any) -> Any:
    """Return what a setting of the form `env:NAME` or `file:PATH` stands for; raises ValueError."""
    if isinstance(value, str) and value.startswith("env:"):
        try:
            return os.environ[value[4:]]
        except KeyError:
            raise ValueError(f"environment variable {value[4:]} is not set") from None
    if isinstance(value, str) and value.startswith("file:"):
        try:
            return beside(Path(value[5:])).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ValueError(f"cannot read {value[5:]}: {error.strerror}") from None
    return value


BASE: ContextVar[Path] = ContextVar("base", default=Path())
"""The folder of the configuration that is being read."""


def beside(path: Path) -> Path:
    """Return a path of the configuration, which is relative to its file."""
    return BASE.get() / path


def _file(value: Any) -> Path:
    if isinstance(value, Path):
        return value
    if isinstance(value, str) and value.strip():
        return Path(value)
    # An empty one would be the folder of the configuration.
    raise ValueError("must be the name of a file, as text; leave the setting out where there is none")


def _key_place(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(SCHEME):
        return Pkcs11Uri.parse(value)
    # A table is a URI that was read already: sections are taken apart and put together again.
    return value if isinstance(value, Path | Pkcs11Uri | dict) else beside(_file(value))


Secret = Annotated[SecretStr, BeforeValidator(resolved)]
FilePath = Annotated[Path, BeforeValidator(_file), AfterValidator(beside)]
KeyPlace = Annotated[Path | Pkcs11Uri, BeforeValidator(_key_place)]
"""Where a private key is: a PEM file, or a `pkcs11:` URI (RFC 7512)."""


class Section(BaseModel):
    """Base of every section: frozen, and a key that nobody reads is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2048)]
