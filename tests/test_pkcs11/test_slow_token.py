"""A token that takes its time holds up those who wait for its signature, and nobody else in the process."""

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from adapters.dispatch import compile_codecs, dispatch
from adapters.login import Link
from adapters.tax import DATABASE
from config.pkcs11_uri import Pkcs11Uri
from config.settings import Endpoint
from sandbox.run import REGISTRIES, start
from sandbox.world.world import World
from schemas.exchange import Caller, Credential, Exchange
from security.pkcs11_token import Module, login
from tests.services import SoftHsm

# Should nobody let go of it, the test fails instead of waiting for ever.
LONGEST = 60.0


@dataclass
class Busy:
    """A module that works on something else until `over`; `late` if it had to stop by itself."""

    module: Module
    busy: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    late: bool = False

    def work(self) -> None:
        with self.module.lock:
            self.busy.set()
            self.late = not self.over.wait(LONGEST)


async def test_the_event_loop_goes_on_while_a_token_signs(softhsm: SoftHsm, tmp_path: Path) -> None:
    tax = next(registry for registry in REGISTRIES if registry.name == "tax")
    running = await start(World(7, 30), tmp_path, registries=(tax,))
    ours = running.pki.gateway_signing()
    softhsm.token("slow")
    softhsm.import_key("slow", ours.key, "questions", "01")
    uri = Pkcs11Uri.parse(softhsm.uri("slow", "questions"))
    endpoint = Endpoint(
        url=running.urls["tax"],
        params=dict(running.params["tax"]),
        trust=(running.pki.registries_ca,),
        signer=running.pki.registry("tax").certificate,
        key=uri,
        key_pin=SecretStr(softhsm.PIN),
        certificate=ours.certificate,
    )
    link = Link("tax", endpoint, DATABASE.logins.get("tax"))
    handler = dispatch(compile_codecs([DATABASE], {"tax": endpoint}), {"tax": link})
    operation = DATABASE.operation("taxpayer")
    assert operation is not None
    truth = next(each for each in tax.truth(running.world) if each.operation == "taxpayer")
    exchange = Exchange(
        id="11111111-2222-3333-4444-555555555555",
        database=DATABASE,
        operation=operation,
        question=operation.question.model_validate(dict(truth.request)),
        caller=Caller("test", "G01", Credential("secret", "1"), {}),
        purpose="inspection",
        asked_at=datetime.now(UTC),
        deadline=asyncio.get_running_loop().time() + 120,
    )
    device = Busy(login(uri).module)
    worker = threading.Thread(target=device.work)
    worker.start()
    device.busy.wait()
    answer = asyncio.create_task(handler(exchange))
    try:
        for _ in range(100):
            await asyncio.sleep(0)
        assert not answer.done()
    finally:
        device.over.set()
        worker.join()
    assert not device.late
    assert (await answer).data == truth.answer
    await link.close()
    await running.close()
