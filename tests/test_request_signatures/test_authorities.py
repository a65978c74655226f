"""A signature holds for the gateway that it names, whichever other one the same certificate is registered at."""

from typing import Any

import pytest

from config.settings import Server, Tls
from routes.authorities import addressed_to

WILDCARD = "0.0.0.0:8080"


def server(listen: str, tls: str | None = None, **more: Any) -> Server:
    papers = Tls(certificate="c.pem", key="k.pem", listen=tls) if tls else None
    return Server(listen=listen, tls=papers, **more)


@pytest.mark.parametrize(
    ("configured", "ours"),
    [
        (server("127.0.0.1:8080"), {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}),
        (server("localhost:80"), {"localhost", "127.0.0.1", "[::1]"}),
        (server("[::1]:8080"), {"[::1]:8080", "localhost:8080"}),
        (server("127.0.0.2:8080"), {"127.0.0.2:8080", "127.0.0.1:8080"}),
        (server("10.0.0.5:8080", "10.0.0.5:443"), {"10.0.0.5:8080", "10.0.0.5"}),
        (server("127.0.0.1:8080", "127.0.0.1:8443"), {"127.0.0.1:8080", "localhost:8443", "127.0.0.1:8443"}),
        (server("inside:8080"), {"inside:8080"}),
        (server(WILDCARD, public_url="https://LGSP.example.vn/"), {"lgsp.example.vn"}),
        (server(WILDCARD, public_url="https://lgsp.example.vn:443"), {"lgsp.example.vn"}),
        (server(WILDCARD, public_url="https://lgsp.example.vn:8443"), {"lgsp.example.vn:8443"}),
        (server("127.0.0.1:0", public_url="http://[2001:db8::1]:80"), {"[2001:db8::1]"}),
        (server(WILDCARD, public_url="https://đăng.example.vn"), {"xn--ng-ila9c.example.vn"}),
        (
            server("127.0.0.1:8080", public_url="https://lgsp.example.vn", trusted_proxies=("127.0.0.1",)),
            {"lgsp.example.vn", "127.0.0.1:8080"},
        ),
    ],
)
def test_ours_are_the_public_address_and_those_listened_on(configured: Server, ours: set[str]) -> None:
    addressed = addressed_to(configured)
    assert {authority for authority in ours if not addressed(authority)} == set()
    others = {"evil", "evil:8080", "0.0.0.0:8080", "0.0.0.0", "127.0.0.1:1", "localhost:1", "lgsp.example.vn:1", ""}
    assert {authority for authority in others if addressed(authority)} == set()


@pytest.mark.parametrize("listen", ["10.0.0.5:8080", WILDCARD, "[::]:8080", ":8080"])
@pytest.mark.parametrize("public_url", ["https://lgsp.example.vn", "lgsp.example.vn", "http://lgsp.example.vn:port"])
def test_loopback_names_are_ours_on_loopback_only(listen: str, public_url: str) -> None:
    addressed = addressed_to(server(listen, public_url=public_url))
    assert not any(map(addressed, ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "evil")))
    assert addressed("lgsp.example.vn") == (public_url == "https://lgsp.example.vn")


@pytest.mark.parametrize(
    "configured",
    [
        server(WILDCARD),
        server("[::]:8080"),
        server(":8080"),
        server("127.0.0.1:0"),
        server("127.0.0.1:8080", "0.0.0.0:8443"),
        server("127.0.0.1:8080", trusted_proxies=("127.0.0.1",)),
    ],
)
def test_where_nobody_said_how_callers_name_us_every_name_will_do(configured: Server) -> None:
    assert addressed_to(configured)("lgsp.example.vn")
