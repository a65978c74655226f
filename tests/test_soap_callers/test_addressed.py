"""A signed message that says to whom it is addressed is answered by that gateway only."""

import pytest

from config.settings import Server
from routes.authorities import addressed_to
from schemas.errors import SignatureRejected
from security.soap_addressed import check_addressed
from security.xml import parse

WSA = "http://www.w3.org/2005/08/addressing"
OLDER = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
OURS = addressed_to(Server(public_url="https://lgsp.example.vn", listen="127.0.0.1:8080"))


def to(address: str, namespace: str = WSA) -> tuple:
    return (parse(f'<a:To xmlns:a="{namespace}"> {address} </a:To>'.encode()),)


@pytest.mark.parametrize(
    "address",
    ["https://lgsp.example.vn/soap/population", "https://LGSP.example.vn:443/", "http://127.0.0.1:8080/soap/tax"],
)
def test_our_own_address_is_taken(address):
    check_addressed(to(address), OURS)


@pytest.mark.parametrize("namespace", [WSA, OLDER])
@pytest.mark.parametrize(
    "address",
    [
        "https://other.example.vn/soap/population",
        "https://lgsp.example.vn:8443/",
        "urn:lgsp",
        "",
        "http://[",
        f"{WSA}/anonymous",
    ],
)
def test_any_other_is_refused(address, namespace):
    with pytest.raises(SignatureRejected) as caught:
        check_addressed(to(address, namespace), OURS)
    assert caught.value.reason == "not-covered"
    assert "server.public_url" in caught.value.detail.en


def test_who_says_nothing_of_it_is_taken():
    check_addressed((parse(b'<a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing">urn:x</a:MessageID>'),), OURS)
    check_addressed((), OURS)
