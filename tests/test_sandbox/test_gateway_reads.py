"""The gateway's own way to the signing registries: the same data as the truth, the promised reason for every fault."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from adapters import DATABASES
from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from config.settings import Endpoint
from sandbox.registry import Registry
from sandbox.run import Running
from schemas.errors import GatewayError
from schemas.exchange import Answer, Caller, Credential, Exchange
from tests.test_sandbox.visitor import REGISTRIES, SIGNING, Visitor

Ask = Callable[[str, str, dict[str, Any]], Awaitable[Answer]]

_CALLER = Caller("test", "G01", Credential("secret", "1"), {})
_REASONS = {
    "unsigned": "not-covered",
    "tampered": "altered",
    "wrong-signer": "untrusted",
    "expired-cert": "expired",
    "revoked-cert": "revoked",
    "stale": "stale",
    "replayed": "replayed",
    "wrong-answer": "not-answer-to-request",
}


def _endpoint(running: Running, name: str) -> Endpoint:
    account, ours = running.accounts[name], running.pki.gateway_signing()
    return Endpoint(
        url=running.urls[name],
        username=account.username,
        secret=SecretStr(account.secret),
        params=dict(running.params[name]),
        trust=(running.pki.registries_ca,),
        crl=(running.pki.revocations(()),),
        signer=running.pki.registry(name).certificate,
        key=ours.key,
        certificate=ours.certificate,
    )


@pytest.fixture
async def ask(visitor: Visitor) -> AsyncIterator[Ask]:
    databases = {database.name: database for database in DATABASES if database.name in SIGNING}
    endpoints = {name: _endpoint(visitor.running, name) for name in databases}
    links = {name: Link(name, endpoints[name], database.logins.get(name)) for name, database in databases.items()}
    handler = dispatch(compile_codecs(databases.values(), endpoints), links)

    async def send(database: str, operation: str, body: dict[str, Any]) -> Answer:
        declared = databases[database].operation(operation)
        assert declared is not None
        exchange = Exchange(
            id="11111111-2222-3333-4444-555555555555",
            database=databases[database],
            operation=declared,
            question=declared.question.model_validate(body),
            caller=_CALLER,
            purpose="inspection",
            asked_at=datetime.now(UTC),
            deadline=asyncio.get_running_loop().time() + 20,
        )
        return await handler(exchange)

    yield send
    for link in links.values():
        await link.close()


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.name)
async def test_every_sentence_is_read_as_it_is_true(visitor: Visitor, ask: Ask, registry: Registry) -> None:
    for truth in registry.truth(visitor.running.world):
        answer = await ask(registry.name, truth.operation, dict(truth.request))
        assert answer.data == truth.answer, truth.request
        assert answer.provenance is not None


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.name)
async def test_every_case_ends_as_announced(visitor: Visitor, ask: Ask, registry: Registry) -> None:
    for case in registry.cases(visitor.running.world):
        asking = ask(registry.name, case.operation, dict(case.body))
        if case.status == 200:
            codes = {warning.code for warning in (await asking).warnings}
            assert case.code in codes or (case.code is None and not codes), case.name
        else:
            with pytest.raises(GatewayError) as caught:
                await asking
            assert (caught.value.status, caught.value.code) == (case.status, case.code), case.name


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.name)
async def test_every_signing_fault_is_caught_for_its_reason(visitor: Visitor, ask: Ask, registry: Registry) -> None:
    truth = next(registry.truth(visitor.running.world))
    await ask(registry.name, truth.operation, dict(truth.request))
    for kind, reason in _REASONS.items():
        await visitor.fault(registry.name, kind)
        with pytest.raises(GatewayError) as caught:
            await ask(registry.name, truth.operation, dict(truth.request))
        assert (caught.value.code, caught.value.reason) == ("upstream-signature-rejected", reason)
    await visitor.fault(registry.name, None)
    answer = await ask(registry.name, truth.operation, dict(truth.request))
    assert answer.data == truth.answer
