"""What an operator looks for in two logs: the ids of X-Road beside those of the exchange, and nobody's name."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from sandbox.run import Running
from schemas.errors import GatewayError
from tests.test_carriage.carried import DOSSIER, OFFICER, reached, rest_way, soap_way
from tests.test_carriage.conftest import truths
from tests.test_xroad.double.consumer import ConsumerServer


def lines(log: Any, event: str) -> list[dict[str, Any]]:
    return [dict(line) for line in log if line["event"] == event and not line.get("login")]


@pytest.mark.parametrize(("name", "operation"), [("population", "match"), ("enterprise", "enterprise")])
async def test_each_attempt_is_logged_with_its_id(
    running: Running, server: ConsumerServer, name: str, operation: str
) -> None:
    (truth, *_) = truths(running, name, operation)
    way = soap_way(running, server) if name == "population" else rest_way(running, server, name)
    async with reached(name, way) as ask:
        with capture_logs() as log:
            await ask(name, operation, truth.request)
        assert ask.exchange is not None
        known = {"exchange": ask.exchange.id, "request_id": ""}
        request = server.calls[-1].request
        assert request is not None
        (told,) = lines(log, "xroad-asked")
        assert told == {
            "event": "xroad-asked",
            "log_level": "info",
            "endpoint": name,
            "message": request.id,
            **known,
        }
        assert OFFICER not in str(log)
        assert DOSSIER not in str(log)
        if name == "enterprise":
            (answer,) = lines(log, "xroad-answer")
            assert (answer["log_level"], answer["message"], len(answer["transaction"])) == ("info", request.id, 36)
            assert answer.items() >= known.items()
        server.misbehave("fault", "server.serverproxy.access_denied")
        with capture_logs() as log, pytest.raises(GatewayError):
            await ask(name, operation, truth.request)
        (fault,) = lines(log, "xroad-fault")
        request = server.calls[-1].request
        assert request is not None
        assert (fault["code"], fault["message"]) == ("server.serverproxy.access_denied", request.id)
        assert fault["exchange"] == ask.exchange.id


async def test_a_log_in_is_logged_too(running: Running, server: ConsumerServer) -> None:
    (truth, *_) = truths(running, "enterprise")
    async with reached("enterprise", rest_way(running, server, "enterprise")) as ask:
        with capture_logs() as log:
            await ask("enterprise", truth.operation, truth.request)
    request = server.calls[0].request
    assert request is not None
    (login,) = [line for line in log if line.get("login")]
    assert (login["event"], login["message"]) == ("xroad-asked", request.id)
