"""Keys and certificates of callers who sign, made once for a session."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from security.signature_algorithms import PrivateKey
from tests.test_request_signatures.callers import Holder, holder


@pytest.fixture(scope="session")
def holders() -> dict[str, Holder]:
    keys: dict[str, PrivateKey] = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
    }
    return {name: holder(key, name) for name, key in keys.items()}


@pytest.fixture(scope="session")
def p256(holders: dict[str, Holder]) -> Holder:
    return holders["p256"]
