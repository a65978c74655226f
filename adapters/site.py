"""Where a codec works: one endpoint, and what its codecs share with those of the others."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.trust_domains import NO_DOMAINS, TrustDomains
from config.settings import Endpoint
from security.signature import Replays


@dataclass(frozen=True, slots=True)
class Site:
    """The endpoint called `name` (điểm kết nối).

    Signed answers are remembered in `replays`, for None in a memory of the codec's own. Signers are believed as the
    endpoint and the trust `domains` say.
    """

    name: str
    endpoint: Endpoint
    replays: Replays | None = None
    domains: TrustDomains = NO_DOMAINS
