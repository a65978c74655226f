"""How dossier statuses are taken and handed on (đồng bộ trạng thái hồ sơ)."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from config.sections import Section

DESTINATION: Final = "portal"
"""Where dossiers go unless their source says otherwise."""
Mode = Literal["strict", "warn", "off"]


class Source(Section):
    """What holds for one source (client id): how strictly its transitions between statuses are judged.

    `destination` is where dossiers go that it registers: the endpoint `portal`, or one called `portal-` and a name.
    """

    transitions: Mode | None = None
    destination: str | None = Field(default=None, pattern=r"^portal(-[a-z0-9-]{1,32})?$")


class Vocabulary(Section):
    """What each status of a source means nationally (`"1"` to `"10"`), or `""` where it is known to mean nothing."""

    codes: dict[str, str] = Field(min_length=1)
    title: str | None = None


class Sync(Section):
    """Times are seconds: `gap_wait` for a missing sequence, `registration_wait` for the registration of a dossier.

    `ahead` is how far the time of an event may lie in the future. `transitions` says how strictly the order of statuses
    is judged, for each of `sources` otherwise where that says so. `remember` is for how many days a key of a request
    is kept. `guesses` is how many look-ups a minute one address may make without authentication.

    Delivery: `lease` is how long a worker that says nothing is believed to be sending; `settle` how long to wait, where
    an answer got lost, before the portal is asked what it did. `attempts` is how often an event that the portal refuses
    without saying that it always will is sent before it ends as a dead letter. A destination that fails is left alone
    for `pause` seconds, then twice as long, up to `longest_pause`. `parallel` is how many batches of one worker are
    under way at once, `poll` how often it looks for what others handed in.

    Reconciliation: the portal is asked for `reconcile_rate` dossiers a second at most; one that has not compared all of
    them after `reconcile_for` seconds ends as incomplete.
    """

    gap_wait: float = Field(default=60.0, ge=0, le=86_400)
    registration_wait: float = Field(default=259_200.0, ge=1)
    ahead: float = Field(default=300.0, ge=0, le=86_400)
    transitions: Mode = "warn"
    sources: dict[str, Source] = Field(default_factory=dict)
    remember: int = Field(default=35, ge=35, le=3_650)
    guesses: int = Field(default=30, ge=1)
    lease: float = Field(default=90.0, ge=30, le=3_600)
    settle: float = Field(default=5.0, ge=0, le=600)
    attempts: int = Field(default=8, ge=1, le=1_000)
    pause: float = Field(default=0.5, gt=0, le=60)
    longest_pause: float = Field(default=30.0, gt=0, le=3_600)
    parallel: int = Field(default=4, ge=1, le=64)
    poll: float = Field(default=0.5, gt=0, le=60)
    reconcile_rate: float = Field(default=20.0, gt=0, le=10_000)
    reconcile_for: float = Field(default=21_600.0, gt=0, le=604_800)

    def mode(self, source: str) -> Mode:
        """How strictly transitions of this source are judged."""
        own = self.sources.get(source)
        return self.transitions if own is None or own.transitions is None else own.transitions

    def destination(self, source: str) -> str:
        """Where dossiers of this source go."""
        own = self.sources.get(source)
        return DESTINATION if own is None or own.destination is None else own.destination
