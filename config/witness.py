"""Where checkpoints of the log go that the operator cannot rewrite: `[witness.NAME]` (nhân chứng của nhật ký)."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from config.sections import FilePath, Section

WitnessName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
_SETTINGS: Final = {"directory": ("path",), "http": ("url", "key")}
"""What each kind needs; what another needs it does not have."""


class Witness(Section):
    """One witness. `directory`: new files in `path`, none rewritten (its mount's matter). `http`: C2SP tlog-witness.

    An HTTP witness is asked at `url`; `key` is its vkey, `tls_ca` the CAs that its TLS may have. Times are seconds: how
    often a log that grew is shown, how long an answer may take, and after how long without success somebody is told.
    """

    kind: Literal["directory", "http"]
    path: FilePath | None = None
    url: str = Field(default="", pattern=r"^(https?://[^\s@]+)?$", max_length=2048)
    key: str = Field(default="", max_length=512)
    tls_ca: FilePath | None = None
    timeout: float = Field(default=10.0, gt=0, le=60)
    every: float = Field(default=60.0, ge=1, le=86_400)
    overdue: float = Field(default=3600.0, ge=1)

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        for kind, names in _SETTINGS.items():
            for name in names:
                needed = name in _SETTINGS[self.kind]
                if needed and not getattr(self, name):
                    raise ValueError(f'kind = "{self.kind}" needs {name}')
                if not needed and getattr(self, name):
                    raise ValueError(f'{name} is read with kind = "{kind}" only')
        return self
