"""A destination that is paused or down is told to whoever looks, and makes no gateway unready."""

from sqlalchemy import Connection, insert, update

from routes.readiness import health_checks
from security.registry import ClientRegistry
from sync.tables import DESTINATIONS
from tests.test_intake.world import Desk
from tests.test_openapi.deployment import Deployment


async def test_a_destination_that_is_down_is_a_warning(desk: Desk, deployed: Deployment) -> None:
    storage, gateway = desk.world.storage, deployed.gateway
    settings = gateway.settings.model_copy(update={"endpoints": {"portal": gateway.settings.endpoints["population"]}})
    checks = health_checks(settings, storage, gateway.keys, ClientRegistry(storage))
    (delivery,) = (check for check in checks if check.name == "delivery")
    assert (await delivery.probe()).hint is None

    def set_down(connection: Connection) -> None:
        connection.execute(insert(DESTINATIONS).values(name="portal", failures=3, down_since=1_767_225_600_000))

    def pause(connection: Connection) -> None:
        connection.execute(update(DESTINATIONS).values(paused_at=1_767_225_660_000))

    await storage.write(set_down)
    found = await delivery.probe()
    assert found.ok
    assert (found.hint or "").startswith("portal is down since 2026-01-01T00:00:00")
    await storage.write(pause)
    found = await delivery.probe()
    assert found.ok
    assert (found.hint or "").startswith("portal is paused since 2026-01-01T00:01:00")
