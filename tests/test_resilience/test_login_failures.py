"""Log-ins that fail, and token answers that are none."""

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from adapters.schemes import ClientCredentials, PasswordGrant, Scheme, TakeToken
from adapters.transport import Reply, maybe_applied
from config.settings import Endpoint
from schemas.errors import GatewayError, UpstreamRefused, UpstreamUnavailable, UpstreamUnreadable
from tests.test_resilience.token_sources import SECRET, Source, ask, linked

BEARERS = (
    b"",
    b"\xff",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"access_token":"T"}',
    b'{"access_token":"T","expires_in":null}',
    b'{"access_token":"T","expires_in":"soon"}',
    b'{"access_token":"T","expires_in":0}',
    b'{"access_token":"T","expires_in":-5}',
    b'{"access_token":"T","expires_in":NaN}',
    b'{"access_token":"T","expires_in":%b}' % (b"9" * 400),
    b'{"access_token":7,"expires_in":60}',
    b'{"access_token":"","expires_in":60}',
    b'{"access_token":"a\\r\\nX: 1","expires_in":60}',
    '{"access_token":"ệ","expires_in":60}'.encode(),
)


@pytest.mark.parametrize(
    ("scheme", "status", "body", "kind"),
    [
        *((ClientCredentials(), 200, body, UpstreamUnreadable) for body in BEARERS),
        *((PasswordGrant(), status, b'{"error":"invalid_grant"}', UpstreamRefused) for status in (400, 401, 403)),
        (ClientCredentials(), 500, b"oops " + SECRET.encode(), UpstreamUnavailable),
        (ClientCredentials(), 429, b"", UpstreamUnavailable),
        (ClientCredentials(), 302, b"", UpstreamUnreadable),
        (TakeToken(), 200, b'{"maKetQua":"401"}', UpstreamRefused),
        (TakeToken(), 200, b'{"maKetQua":"401","APIKey":null}', UpstreamRefused),
        (TakeToken(), 200, b'{"APIKey":[]}', UpstreamUnreadable),
        (TakeToken(), 200, b'{"APIKey":{"access_token":"A","expires_in":60}}', UpstreamUnreadable),
        (TakeToken(), 200, b'{"APIKey":{"access_token":"A","id_token":"a\\nb","expires_in":60}}', UpstreamUnreadable),
    ],
)
async def test_log_ins_that_fail(scheme: Scheme, status: int, body: bytes, kind: type[GatewayError]) -> None:
    source = Source(answer=lambda _: web.Response(status=status, body=body))
    async with linked(source, scheme) as link:
        with pytest.raises(kind) as caught:
            await ask(link)
        assert not source.calls
        assert not maybe_applied(caught.value)
    shown = f"{caught.value} {caught.value.detail}"
    for hidden in (SECRET, "consumer", "invalid_grant", "oops"):
        assert hidden not in shown


@given(st.binary())
def test_no_token_answer_breaks_a_scheme(body: bytes) -> None:
    endpoint = Endpoint(url="http://127.0.0.1:9")
    for scheme in (ClientCredentials(), PasswordGrant(), TakeToken()):
        steps = scheme.log_in(endpoint)
        next(steps)
        with pytest.raises((UpstreamUnreadable, UpstreamRefused)):
            steps.send(Reply(200, {}, body))
