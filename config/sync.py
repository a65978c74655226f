"""How dossier statuses are taken and handed on (đồng bộ trạng thái hồ sơ)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.sections import Section

Mode = Literal["strict", "warn", "off"]


class Source(Section):
    """What holds for one source (client id): how strictly its transitions between statuses are judged."""

    transitions: Mode | None = None


class Vocabulary(Section):
    """What each status of a source means nationally (`"1"` to `"10"`), or `""` where it is known to mean nothing."""

    codes: dict[str, str] = Field(min_length=1)
    title: str | None = None


class Sync(Section):
    """Times are seconds: `gap_wait` for a missing sequence, `registration_wait` for the registration of a dossier.

    `ahead` is how far the time of an event may lie in the future. `transitions` says how strictly the order of statuses
    is judged, for each of `sources` otherwise where that says so. `remember` is for how many days a key of a request
    is kept. `guesses` is how many look-ups a minute one address may make without authentication.
    """

    gap_wait: float = Field(default=60.0, ge=0, le=86_400)
    registration_wait: float = Field(default=259_200.0, ge=1)
    ahead: float = Field(default=300.0, ge=0, le=86_400)
    transitions: Mode = "warn"
    sources: dict[str, Source] = Field(default_factory=dict)
    remember: int = Field(default=35, ge=35, le=3_650)
    guesses: int = Field(default=30, ge=1)

    def mode(self, source: str) -> Mode:
        """How strictly transitions of this source are judged."""
        own = self.sources.get(source)
        return self.transitions if own is None or own.transitions is None else own.transitions
