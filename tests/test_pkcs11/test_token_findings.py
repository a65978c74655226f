"""What operators hear of a token without asking for it: the end of a certificate that is on it and in no file."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from config.settings import Endpoint, Settings
from routes.expiry import advice
from routes.token_findings import token_expiries, token_findings, token_look
from security.pkcs11_token import login
from tests.services import SoftHsm
from tests.test_pkcs11.conftest import Token


def endpoint(token: Token, **more: Any) -> Endpoint:
    return Endpoint(url="http://127.0.0.1:1", key=token.uri(), key_pin=SecretStr(SoftHsm.PIN), **more)


def test_the_end_of_a_certificate_on_a_token_is_told(token: Token) -> None:
    in_file = token.holds("p256")
    token.holds_certificate("p256", days=10)
    found = token_findings("endpoints.tax", endpoint(token))
    assert [(one.level, one.subject, one.code) for one in found] == [
        ("ok", "endpoints.tax.key", "token-signs"),
        ("warning", "endpoints.tax.certificate", "certificate-expires-soon"),
    ]
    assert "on the token" in str(found[1].next)
    (expiry,) = token_expiries(Settings(endpoints={"tax": endpoint(token)}))
    assert expiry.name == "endpoints.tax.certificate"
    assert timedelta(days=9) < expiry.left(datetime.now(UTC)) < timedelta(days=11)
    assert "on the token" in advice(expiry)
    # One in a file is told of with the other files.
    in_file_too = endpoint(token, certificate=in_file)
    assert [one.code for one in token_findings("endpoints.tax", in_file_too)] == ["token-signs"]
    assert list(token_expiries(Settings(endpoints={"tax": in_file_too}))) == []


def test_a_token_without_the_certificate_is_a_finding_and_no_end(token: Token) -> None:
    token.holds("p256")
    (found,) = token_findings("endpoints.tax", endpoint(token))
    assert (found.level, found.subject, found.code) == ("problem", "endpoints.tax.key", "token-silent")
    assert list(token_expiries(Settings(endpoints={"tax": endpoint(token)}))) == []


async def test_a_look_at_a_token_that_hangs_can_be_given_up(token: Token) -> None:
    token.holds("p256")
    module = login(token.uri()).module
    held, over = threading.Event(), threading.Event()

    def hang() -> None:
        with module.lock:
            held.set()
            over.wait(30)

    hanging = threading.Thread(target=hang)
    hanging.start()
    held.wait()
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await token_look("endpoints.tax", endpoint(token))
    finally:
        over.set()
        hanging.join()
    assert [one.code for one in await token_look("endpoints.tax", endpoint(token))] == ["token-silent"]
