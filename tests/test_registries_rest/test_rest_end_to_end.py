"""The declarations against the registries: what the world says is what the gateway answers."""

import os
import subprocess
import sys
from typing import Any

import pytest

from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from sandbox.run import Running, start
from sandbox.world.world import World
from schemas.errors import GatewayError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable, UpstreamUnreadable
from tests.test_registries_rest.wiring import DATABASES, REGISTRIES, Gateway, endpoints_of

CASES = [(registry, case) for registry in REGISTRIES for case in registry.cases(World(7, 80))]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.name)
async def test_every_truth_is_answered(gateway: Any, world: World, registry: Any) -> None:
    asked = set()
    for true in registry.truth(world):
        answer = await gateway.ask(registry.name, true.operation, true.request)
        assert answer.data == true.answer, true.operation
        assert answer.provenance is None
        declared = DATABASES[registry.name].operation(true.operation)
        assert declared is not None
        # What is published as the answer's schema holds for it.
        declared.answer.model_validate(answer.data)
        asked.add(true.operation)
    assert len(asked) == {"enterprise": 2, "social-insurance": 4, "civil-status": 4}[registry.name]


@pytest.mark.parametrize(("registry", "case"), CASES, ids=[f"{r.name}-{c.operation}-{c.name}" for r, c in CASES])
async def test_every_case_is_as_published(gateway: Any, registry: Any, case: Any) -> None:
    if case.status == 200:
        answer = await gateway.ask(registry.name, case.operation, case.body)
        codes = {notice.code for notice in answer.warnings}
        assert case.code is None or case.code in codes
    else:
        with pytest.raises(GatewayError) as caught:
            await gateway.ask(registry.name, case.operation, case.body)
        assert (caught.value.status, caught.value.code) == (case.status, case.code)


@pytest.mark.parametrize(
    ("fault", "seconds", "error"),
    [
        ("down", 20, UpstreamUnavailable),
        ("error=1", 20, UpstreamUnavailable),
        ("malformed", 20, UpstreamUnreadable),
        ("drop-after-commit", 20, UpstreamUnavailable),
        ("latency=0.4s", 0.2, UpstreamTimeout),
    ],
)
async def test_every_fault_has_its_error_and_passes(
    gateway: Any, running: Running, world: World, fault: str, seconds: float, error: type[GatewayError]
) -> None:
    questions = {
        registry.name: {true.operation: true for true in registry.truth(world)}.values() for registry in REGISTRIES
    }
    for name, held in running.faults.items():
        for true in questions[name]:
            held.set(fault)
            with pytest.raises(error):
                await gateway.ask(name, true.operation, true.request, seconds=seconds)
            held.set(None)
            assert (await gateway.ask(name, true.operation, true.request)).data == true.answer


async def test_tokens_that_a_restart_forgot_are_fetched_again(
    gateway: Any, running: Running, world: World, state: Any
) -> None:
    wanted = [next(registry.truth(world)) for registry in REGISTRIES]
    wanted.append(next(true for true in REGISTRIES[1].truth(world) if true.operation == "health-card"))
    names = [*(registry.name for registry in REGISTRIES), "social-insurance"]
    for name, true in zip(names, wanted, strict=True):
        await gateway.ask(name, true.operation, true.request)
    ports = {name: int(url.rpartition(":")[2]) for name, url in running.urls.items()}
    await running.close()
    again = await start(world, state, ports=ports, registries=REGISTRIES)
    try:
        for name, true in zip(names, wanted, strict=True):
            assert (await gateway.ask(name, true.operation, true.request)).data == true.answer
    finally:
        await again.close()


async def test_wrong_credentials_are_refused(running: Running, world: World) -> None:
    endpoints = {
        name: endpoint.model_copy(update={"username": "stranger"}) for name, endpoint in endpoints_of(running).items()
    }
    logins = {name: login for database in DATABASES.values() for name, login in database.logins.items()}
    links = {name: Link(name, endpoint, logins[name]) for name, endpoint in endpoints.items()}  # type: ignore[arg-type]
    gateway = Gateway(dispatch(compile_codecs(DATABASES.values(), endpoints), links))
    for registry in REGISTRIES:
        for true in {true.operation: true for true in registry.truth(world)}.values():
            with pytest.raises(UpstreamRefused):
                await gateway.ask(registry.name, true.operation, true.request)
    for link in links.values():
        await link.close()


def test_the_truth_depends_on_seed_and_people_only() -> None:
    program = (
        "import json; from tests.test_registries_rest.wiring import REGISTRIES; from sandbox.world.world import World;"
        "print(json.dumps([[t.operation, t.request, t.answer] for r in REGISTRIES for t in r.truth(World(3, 40))]))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
