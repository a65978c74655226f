"""One source as `lgsp doctor` looks at it: where it is, what its findings are about."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from config.settings import Endpoint


@dataclass(frozen=True, slots=True)
class Source:
    """The address of an endpoint in parts; `subject` is the name of its section."""

    subject: str
    endpoint: Endpoint
    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, name: str, endpoint: Endpoint) -> Source | None:
        """Return where an endpoint leads, None where its `url` is no address."""
        try:
            parts = urlsplit(endpoint.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        if not host or parts.scheme not in ("http", "https"):
            return None
        secure = parts.scheme == "https"
        return cls(f"endpoints.{name}", endpoint, host, port or (443 if secure else 80), secure)

    @property
    def where(self) -> str:
        """Host and port, as commands take them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
