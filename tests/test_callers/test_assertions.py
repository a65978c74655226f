"""Client assertions: they prove their client once, and nothing else proves anything."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from schemas.errors import Unauthenticated
from security.credentials import key_credential

ISSUER = "https://gateway.test"


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    made: dict[str, object] = {
        "iss": "ministry",
        "sub": "ministry",
        "aud": f"{ISSUER}/oauth2/token",
        "jti": str(time.perf_counter_ns()),
        "exp": now + 60,
        "iat": now,
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def assertion(key: Any, alg: str = "ES256", **changes: object) -> str:
    return jwt.encode({"alg": alg}, claims(**changes), key, algorithms=[alg])


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "RS256"])
async def test_an_assertion_proves_its_client_once(deployment: Any, alg: str) -> None:
    key: Any = RSAKey.generate_key(2048) if alg[1] == "S" and alg[0] in "PR" else ECKey.generate_key(f"P-{alg[2:]}")
    client = await deployment.add(
        secret=False, credentials=[key_credential(key.as_dict(private=False), datetime.now(UTC))]
    )
    signed = assertion(key, alg)
    found, credential = await deployment.assertions.verify(signed, "ministry")
    assert found.client_id == "ministry"
    assert credential.id == client.credentials[0].id
    with pytest.raises(Unauthenticated) as caught:
        await deployment.assertions.verify(signed, None)
    assert caught.value.reason == "replayed"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "other"}, "unknown"),
        ({"sub": "other", "iss": "other"}, "unknown"),
        ({"sub": None}, "malformed"),
        ({"sub": ["ministry"]}, "malformed"),
        ({"aud": None}, "unknown"),
        ({"aud": "https://elsewhere.test"}, "unknown"),
        ({"aud": [f"{ISSUER}/oauth2/token", "https://elsewhere.test"]}, "unknown"),
        ({"aud": []}, "unknown"),
        ({"aud": [["x"]]}, "unknown"),
        ({"aud": {"a": 1}}, "unknown"),
        ({"exp": None}, "malformed"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": 1e300}, "malformed"),
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"exp": int(time.time()) + 3600}, "malformed"),
        ({"nbf": int(time.time()) + 3600}, "malformed"),
        ({"iat": int(time.time()) + 3600}, "malformed"),
        ({"jti": None}, "malformed"),
        ({"jti": ""}, "malformed"),
        ({"jti": "x" * 300}, "malformed"),
        ({"jti": 7}, "malformed"),
    ],
)
async def test_an_assertion_that_says_something_else_is_refused(
    deployment: Any, changes: dict[str, object], why: str
) -> None:
    key = ECKey.generate_key("P-256")
    await deployment.add(credentials=[key_credential(key.as_dict(private=False), datetime.now(UTC))])
    with pytest.raises(Unauthenticated) as caught:
        await deployment.assertions.verify(assertion(key, **changes), None)
    assert caught.value.reason == why


async def test_an_assertion_by_another_key_or_algorithm_is_unknown(deployment: Any) -> None:
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    await deployment.add(credentials=[key_credential(key.as_dict(private=False), datetime.now(UTC))])
    public = base64.b64encode(key.as_pem(private=False)).decode()
    none = f"{encoded({'alg': 'none'})}.{encoded(claims())}."
    forged = assertion(OctKey.import_key(public), "HS256")
    for signed in (assertion(other), forged, none):
        with pytest.raises(Unauthenticated) as caught:
            await deployment.assertions.verify(signed, None)
        assert caught.value.reason == "unknown"
    with pytest.raises(Unauthenticated) as caught:
        await deployment.assertions.verify(assertion(key), "auditor")
    assert caught.value.reason == "unknown"
    for garbage in ("", "a", "a.b.c", "." * 9000, "é.é.é", f"{encoded({'alg': 'ES256'})}.{encoded(['x'])}.AA"):
        with pytest.raises(Unauthenticated) as caught:
            await deployment.assertions.verify(garbage, None)
        assert caught.value.reason == "malformed"


async def test_forgetting_used_assertions_waits_until_they_have_ended(deployment: Any) -> None:
    key = ECKey.generate_key("P-256")
    await deployment.add(credentials=[key_credential(key.as_dict(private=False), datetime.now(UTC))])
    first = assertion(key, jti="one", exp=int(time.time()) + 200)
    await deployment.assertions.verify(first, None)
    deployment.clock.offset = 225
    await deployment.assertions.verify(assertion(key, jti="two", exp=int(time.time()) + 400, iat=None), None)
    with pytest.raises(Unauthenticated) as caught:
        await deployment.assertions.verify(first, None)
    assert caught.value.reason == "replayed"
