"""Does a sharing platform give us a token: what `lgsp doctor` says about `[endpoints.NAME.lgsp]` (nền tảng LGSP).

One log-in with the credentials that questions go with, at the address where tokens are had; no question is asked.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from adapters.carriage import check_login, login_for
from adapters.login import Login
from adapters.transport import Transport
from config.settings import ConfigurationError, Endpoint
from routes.findings import Finding, ok, problem
from routes.source_findings import PATIENCE_S
from schemas.errors import GatewayError, UpstreamRefused, UpstreamUnreadable


async def platform_look(name: str, endpoint: Endpoint) -> list[Finding]:
    """Log in once; what `lgsp check` finds wrong with the section is left to it."""
    assert endpoint.lgsp is not None
    try:
        check_login(name, endpoint, None)
        scheme, address = login_for(name, endpoint, None)
        transport = Transport(name, endpoint.model_copy(update={"url": address}))
    except ConfigurationError:
        return []
    login = Login(scheme, endpoint, transport)
    subject = f"endpoints.{name}.lgsp.token"
    where = f"{address.rstrip('/')}{urlsplit(endpoint.lgsp.token).path}"
    try:
        await login.token(deadline=asyncio.get_running_loop().time() + PATIENCE_S)
    except UpstreamRefused as failure:
        step = f"ask the platform which consumer key it knows; correct {subject}, username or secret, then restart"
        return [problem(subject, f"no token at {where}: {failure.detail.en}", step, "platform-refused")]
    except UpstreamUnreadable as failure:
        step = f"correct {subject}: what answers there gives no OAuth2 tokens"
        return [problem(subject, f"no token at {where}: {failure.detail.en}", step, "platform-unreadable")]
    except GatewayError as failure:
        step = "see what is found about the connection; else ask the platform"
        return [problem(subject, f"no token at {where}: {failure.detail.en}", step, "platform-silent")]
    finally:
        await login.close()
        await transport.close()
    return [ok(subject, f"{where} gives tokens for {name}", "platform-gives")]
