"""Gateways under test: state directories like those of an operator, each with keys, a client, a grant and evidence."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters import DATABASES
from bench.answer import QUESTION
from bench.processes import Broken, patiently, start, tail
from config.settings import Settings, load
from sandbox.pki import Pair, Pki
from sandbox.ports import free_port
from schemas.exchange import Grant
from schemas.purposes import PURPOSES
from security import administration
from security.audit.assembly import open_log
from security.credentials import certificate_credential
from security.keys import KeyRing
from security.policy import field_paths
from security.registry import ClientRegistry
from security.signature_key import first_certificate
from sync.database import open_storage, upgrade

_START_SECONDS = 60.0
_CLIENT: Final = "bench"
_PATH: Final = "/v1/tax/taxpayer"
_ASKING: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Lgsp-Purpose": "dossier-processing",
    "Lgsp-Dossier": "000.00.00.H26-260105-0001",
    "Lgsp-Officer": "bench.officer",
}

_CONFIGURATION = """\
[server]
listen = "127.0.0.1:{port}"
workers = {workers}

[storage]
url = "sqlite:///lgsp.sqlite"

[keys]
directory = "keys"
vault = "vault"
origin = "localhost/lgsp-bench"

[tokens]
lifetime = 3600

[endpoints.tax]
url = "http://127.0.0.1:{upstream}"
params = {{ MaHeThong = "LGSP-BENCH" }}
timeout = {{ connect = 2.0, read = 8.0, total = 8.0 }}
retry = {{ attempts = 3, initial = 0.1, maximum = 1.0 }}
breaker = {{ failures = 5, window = 30.0, open_for = 5.0 }}
concurrency = 64
"""

_SIGNING = """
[signing]
key = {key}
certificate = {certificate}
"""

_SIGNED = """\
trust = [{trust}]
crl = [{crl}]
signer = {signer}
key = {key}
certificate = {certificate}
"""


@dataclass(frozen=True, slots=True)
class Signing:
    """Whose answers are believed and what signs our questions: one kind of key for both."""

    pki: Pki
    signer: Pair
    own: Pair

    def configuration(self) -> str:
        """The lines of the endpoint's section."""
        return _SIGNED.format(
            trust=json.dumps(str(self.pki.registries_ca)),
            crl=json.dumps(str(self.pki.revocations(()))),
            signer=json.dumps(str(self.signer.certificate)),
            key=json.dumps(str(self.own.key)),
            certificate=json.dumps(str(self.own.certificate)),
        )


def signings(directory: Path) -> dict[str, Signing]:
    """Return the sandbox's own authorities and keys of both kinds: `ecdsa` and `rsa`."""
    pki = Pki(directory / "pki")
    # The sandbox's gateway has no RSA key: another authority's RSA registry lends its own.
    lender = Pki(directory / "pki-lender")
    return {
        "ecdsa": Signing(pki, pki.registry("tax"), pki.gateway_signing()),
        "rsa": Signing(pki, pki.registry("population"), lender.registry("population")),
    }


@dataclass(frozen=True, slots=True)
class Deployed:
    """A gateway that could be started: its state directory, port, client secret, and key and certificate of a caller
    who signs."""

    state: Path
    port: int
    secret: str
    signer: tuple[Path, Path]


def deploy(state: Path, upstream: int, signing: Signing | None, workers: int = 1, *, soap: bool = False) -> Deployed:
    """Make everything that an operator makes before a gateway starts, with one client that may ask at any rate.

    With `soap` the gateway signs answers.
    """
    state.mkdir(mode=0o700, parents=True)
    port = free_port()
    text = _CONFIGURATION.format(port=port, upstream=upstream, workers=workers)
    path = state / "gateway.toml"
    caller = Pki(state / "pki").client(_CLIENT)
    text += signing.configuration() if signing else ""
    if soap:
        text += _SIGNING.format(key=json.dumps(str(caller.key)), certificate=json.dumps(str(caller.certificate)))
    path.write_text(text, encoding="utf-8")
    secret = asyncio.run(_prepare(load(path), caller.certificate))
    return Deployed(state, port, secret, (caller.key, caller.certificate))


async def _prepare(settings: Settings, certificate: Path) -> str:
    KeyRing.create(settings.keys.directory, sandbox=True)
    await upgrade(settings.storage.url)
    storage = await open_storage(settings.storage.url)
    try:
        log = await open_log(storage, KeyRing(settings.keys.directory), settings.keys.origin, settings.keys.vault)
        try:
            await ClientRegistry(storage).refresh()
            by = "make bench"
            held = certificate_credential(first_certificate(certificate), datetime.now(UTC), signs=True)
            added = administration.add(
                _CLIENT, name="Bộ Tư pháp (LGSP SANDBOX)", agency="G15", credentials=(held,), by=by
            )
            grant = Grant(
                "tax",
                "taxpayer",
                frozenset(PURPOSES),
                field_paths(DATABASES, "tax", "taxpayer", ("*",)),
                dossier_required=True,
                officer_required=True,
                rate=1_000_000.0,
                burst=1_000_000,
            )
            whole = replace(added.client, grants=(grant,))
            change = administration.update(None, whole, by=by, at=datetime.now(UTC), secret=added.secret)
            await log.record(change.evidence, writes=(change.write,))
        finally:
            await log.close()
    finally:
        await storage.close()
    return change.secret or ""


def serve(deployed: Deployed, stack: ExitStack, cores: Iterable[int], build: Sequence[str] = ()) -> int:
    """Start the gateway, or its bench build with these options; return the supervisor's process id once it answers."""
    module = ("bench.gateway",) if build else ("gateway", "serve")
    log = deployed.state / "gateway.log"
    command = [sys.executable, "-m", *module, "--config", str(deployed.state / "gateway.toml"), *build]
    process = start(command, stack, log, cores=cores)
    for _ in patiently(_START_SECONDS):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{deployed.port}/livez", timeout=2) as answer:
                if answer.status == 200:
                    return process.pid
        except (urllib.error.URLError, OSError):
            continue
    raise Broken(f"a gateway did not start:\n{tail(log)}")


def question(deployed: Deployed) -> bytes:
    """Return the whole HTTP request of an exchange, with a token that holds for an hour."""
    base = f"http://127.0.0.1:{deployed.port}"
    proof = base64.b64encode(f"{_CLIENT}:{deployed.secret}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    asked = urllib.request.Request(f"{base}/oauth2/token", form, {"Authorization": f"Basic {proof}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        token = json.load(answer)["access_token"]
    return http_question(deployed.port, _PATH, {"Authorization": f"Bearer {token}", **_ASKING})


def http_question(port: int, path: str, headers: dict[str, str], body: bytes = QUESTION) -> bytes:
    """Return a POST request as it goes over the wire."""
    lines = {"Host": f"127.0.0.1:{port}", **headers, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body
