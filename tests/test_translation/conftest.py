"""What the tests of this folder share."""

import pytest

from sandbox.pki import Pki
from security.signature_key import SigningKey
from tests.test_translation.signing import Signing


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Signing:
    """A source that signs with a key of its own."""
    pki = Pki(tmp_path_factory.mktemp("pki"))
    pair = pki.registry("tax")
    return Signing(pki, SigningKey.load(pair.key, pair.certificate))
