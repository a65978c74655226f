"""Where a codec works: one endpoint, and what its codecs share with those of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapters.trust_domains import NO_DOMAINS, TrustDomains
from config.settings import Endpoint
from security.signature import Replays
from security.xml import MESSAGE, Limits


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

    @property
    def limits(self) -> Limits:
        """The caps on an XML answer of this endpoint: where `max_answer` allows more bytes, more of everything."""
        times = -(-self.endpoint.max_answer // MESSAGE.size)
        if times == 1:
            return MESSAGE
        return replace(
            MESSAGE,
            size=self.endpoint.max_answer,
            elements=times * MESSAGE.elements,
            all_attributes=times * MESSAGE.all_attributes,
        )
