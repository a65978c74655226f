"""Where checkpoints of the log go that the operator cannot rewrite: `[witness.NAME]` (nhân chứng của nhật ký)."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from config.sections import FilePath, Section

WitnessName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
_SETTINGS: Final = {"directory": ("path",), "http": ("url", "key"), "rfc3161": ("url", "anchors")}
"""What each kind needs; what only others need it does not have."""


class Witness(Section):
    """One witness. `directory`: new files in `path`, none rewritten (its mount's matter). `http`: C2SP tlog-witness.

    `rfc3161` is a time-stamp authority, whose certificate has to lead to one of `anchors`. Both are asked at `url`;
    `key` is the vkey of an HTTP witness, `tls_ca` the CAs that its TLS may have. Times are seconds: how often a log is
    shown that grew, how long an answer may take, and after how long without success somebody is told.
    """

    kind: Literal["directory", "http", "rfc3161"]
    path: FilePath | None = None
    url: str = Field(default="", pattern=r"^(https?://[^\s@]+)?$", max_length=2048)
    key: str = Field(default="", max_length=512)
    anchors: tuple[FilePath, ...] = ()
    tls_ca: FilePath | None = None
    timeout: float = Field(default=10.0, gt=0, le=60)
    every: float = Field(default=60.0, ge=1, le=86_400)
    overdue: float = Field(default=3600.0, ge=1)

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        needed = _SETTINGS[self.kind]
        for name in {name: None for names in _SETTINGS.values() for name in names}:
            if name in needed and not getattr(self, name):
                raise ValueError(f'kind = "{self.kind}" needs {name}')
            if name not in needed and getattr(self, name):
                raise ValueError(f'{name} is not read with kind = "{self.kind}"')
        return self
