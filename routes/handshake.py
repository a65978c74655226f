"""TLS handshakes that fail: counted and logged with the reason, which the client is not told."""

from __future__ import annotations

import ssl

import structlog

from config.metrics import metrics

log = structlog.get_logger()


class Handshake(ssl.SSLObject):
    """A TLS connection that says why its handshake failed: under TLS 1.3 the client only sees it closed."""

    def do_handshake(self) -> None:
        """Go on with the handshake; a failure is counted and logged with OpenSSL's reason before it is raised."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            reason = (error.reason or "CLOSED").lower()
            metrics().tls_failures.labels(reason).inc()
            log.warning("tls-handshake-failed", reason=reason, verification=getattr(error, "verify_message", None))
            raise
