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
            # OpenSSL's words for a certificate that it refuses: a few dozen, none of them the client's.
            verification = getattr(error, "verify_message", None)
            metrics().tls_failures.labels(reason, verification or "").inc()
            metrics().tls_failed_at.labels(reason, verification or "").set_to_current_time()
            log.warning("tls-handshake-failed", reason=reason, verification=verification)
            raise
