"""The portal and deployments that deliver to it, as in the tests of delivery."""

from tests.test_delivery.conftest import local, opens, portal, post, state, world

__all__ = ["local", "opens", "portal", "post", "state", "world"]
