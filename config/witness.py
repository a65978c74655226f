"""Where checkpoints of the log go that the operator cannot rewrite: `[witness.NAME]` (nhân chứng của nhật ký)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.sections import FilePath, HttpUrl, Section


class _Schedule(Section):
    """Times are seconds: how often a log that grew is shown, and after how long without success somebody is told."""

    every: float = Field(default=60.0, ge=1, le=86_400)
    overdue: float = Field(default=3600.0, ge=1)


class DirectoryWitness(_Schedule):
    """A directory that takes new files and keeps those it has: that nobody here can rewrite them is up to its mount."""

    kind: Literal["directory"]
    path: FilePath


class HttpWitness(_Schedule):
    """A witness that speaks C2SP tlog-witness at `url`; `key` is its vkey, `tls_ca` the CAs that its TLS may have."""

    kind: Literal["http"]
    url: HttpUrl
    key: str = Field(min_length=1, max_length=512)
    tls_ca: FilePath | None = None
    timeout: float = Field(default=10.0, gt=0, le=60)


Witness = Annotated[DirectoryWitness | HttpWitness, Field(discriminator="kind")]
WitnessName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
