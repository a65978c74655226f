"""An authority's server on loopback, as the tests of revocation have it."""

from tests.test_revocation.conftest import place as place
