"""Is the configuration right: what `lgsp check` looks at without asking anybody (kiểm tra cấu hình)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import ArgumentError

from adapters.contract_check import check_contracts, contract_of
from config.settings import ConfigurationError, Settings
from routes.endpoint_findings import closed, endpoint_findings
from routes.expiry import certificate_files, revocation_files
from routes.findings import Finding, ok, problem, warning
from routes.listening import tls_context
from routes.loopback import listens_on_loopback_only, sandbox_clients, sandbox_material
from routes.peers import networks
from routes.signing_findings import signing_findings
from routes.trust_findings import trust_findings
from routes.witness_findings import witness_settings
from routes.xroad_findings import also_clients, server_findings
from schemas.exchange import Database
from security.audit.assembly import log_signer
from security.audit.vault import Vault
from security.client_store import load_all
from security.keys import KeyRing, KeysUnusable
from security.security_servers import load_servers
from security.trust import load_certificates
from security.trust_revocation import read_lists
from storage.commands import status
from storage.engine import parsed
from sync.database import open_storage

Part = Callable[[Settings, Sequence[Database]], Iterator[Finding]]


def configuration(settings: Settings, databases: Sequence[Database]) -> list[Finding]:
    """Look at every part of a configuration that could be read."""
    return [finding for part in _PARTS for finding in part(settings, databases)]


def _addresses(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    server = settings.server
    alone = listens_on_loopback_only(settings)
    if server.public_url is None:
        if alone and not server.trusted_proxies:
            yield ok("server.public_url", f"none; callers on this machine use http://{server.listen}")
        else:
            yield warning(
                "server.public_url",
                "none is set, but callers come from outside: tokens and metadata would name the listening address, and "
                "requests that were signed for another gateway would be taken",
                "set server.public_url to the address that callers use",
            )
    else:
        flaw = _url_flaw(server.public_url)
        if flaw:
            yield problem("server.public_url", flaw, "write https://host[:port], without path, query or user")
        elif server.public_url.startswith("http:") and not alone:
            yield warning("server.public_url", "plain http for callers from outside", "use https, here or at the proxy")
        else:
            yield ok("server.public_url", server.public_url)
    try:
        networks(server.trusted_proxies)
    except ConfigurationError as failure:
        yield problem("server.trusted_proxies", str(failure), "mend the entry")
    if server.tls is not None:
        try:
            # What is wrong with the others' certificates is said of `xroad.servers`.
            load_servers(settings.xroad)
            servers = settings.xroad.servers
        except ConfigurationError:
            servers = ()
        try:
            tls_context(server.tls, servers)
        except ConfigurationError as failure:
            yield problem("server.tls", str(failure), "put a PEM certificate and its own key there")
        else:
            yield ok("server.tls", "certificate and key belong together")
        yield from closed("server.tls.key", server.tls.key)


def _url_flaw(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as failure:
        return f"{url} is no address: {failure}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{url} is no http or https address"
    if parts.query or parts.fragment or parts.username or parts.path.strip("/"):
        return f"{url} holds more than scheme, host and port"
    return None


def _own_keys(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    try:
        keys = KeyRing(settings.keys.directory)
        for key in keys.all():
            _ = key.secret() if key.algorithm == "AES-256" else key.private()
        log_signer(keys, settings.keys.origin)
    except KeysUnusable as failure:
        yield problem(
            "keys.directory", str(failure), "follow it, or run `lgsp keys rotate log` to make what is missing"
        )
    except ValueError as failure:
        yield problem("keys", str(failure), "mend keys.origin, or put the damaged key file back from a backup")
    else:
        yield ok("keys.directory", f"{len(keys.all())} keys in {settings.keys.directory}")
    vault = settings.keys.vault
    if not vault.exists():
        yield warning("keys.vault", f"{vault} does not exist yet", "`lgsp serve` makes it; check that this is the path")
        return
    try:
        Vault(vault)
    except OSError as failure:
        yield problem("keys.vault", str(failure), f"run `chmod 700 {vault}`")
    else:
        yield ok("keys.vault", f"{vault} is closed to others")


def _sandbox(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    alone = listens_on_loopback_only(settings)
    try:
        marked = list(sandbox_material(settings))
    except KeysUnusable:
        return
    for sentence in marked:
        subject, _, text = sentence.partition(": ")
        if alone:
            yield warning(subject, f"{text}: good on this machine only", "replace it before listening outside loopback")
        else:
            yield problem(subject, f"{text}: `lgsp serve` refuses it outside loopback", "replace it by your own")


def _files(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    for subject, path in _outside_domains(certificate_files(settings)):
        try:
            load_certificates(path)
        except OSError as failure:
            yield problem(subject, f"{path}: {failure.strerror}", "put the file there or correct the path")
        except ValueError as failure:
            text = f"{path} holds no certificates in PEM form that can be read: {failure}"
            yield problem(subject, text, "put whole certificates in PEM form there")
    for subject, path in _outside_domains(revocation_files(settings)):
        try:
            read_lists(path)
        except OSError as failure:
            yield problem(subject, f"{path}: {failure.strerror}", "put the file there or correct the path")
        except ValueError as failure:
            text = f"{path} holds no revocation lists that can be read: {failure}"
            yield problem(subject, text, "put one CRL in DER form or whole ones in PEM form there")


def _outside_domains(files: Iterator[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """Leave out the files of `[trust.NAME]` sections: `_trust` reads those, and one flaw is one finding."""
    return ((subject, path) for subject, path in files if not subject.startswith("trust."))


def _endpoints(settings: Settings, databases: Sequence[Database]) -> Iterator[Finding]:
    yield from endpoint_findings(settings, databases)


def _stores(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    try:
        url = parsed(settings.storage.url)
    except ArgumentError:
        yield problem(
            "storage.url", "is no database address", "write sqlite:///path or postgresql+asyncpg://user@host/name"
        )
    except ValueError as failure:
        yield problem("storage.url", str(failure), "write sqlite:///path or postgresql+asyncpg://user@host/name")
    else:
        yield ok("storage.url", url.render_as_string(hide_password=True))
    redis = settings.redis.url.get_secret_value()
    if redis and urlsplit(redis).scheme not in ("redis", "rediss", "unix"):
        yield problem("redis.url", "is no Redis address", "write redis://host:port/0, or leave it empty")


def _contracts(_settings: Settings, databases: Sequence[Database]) -> Iterator[Finding]:
    found = check_contracts(databases)
    for one in found:
        yield problem(
            f"contracts.{one.database}",
            f"{one.operation}: {one.place}: {one.text}",
            "put the contract file of this release back, or correct the declaration in adapters and schemas",
        )
    for database in databases:
        if any(one.database == database.name for one in found):
            continue
        files = sorted({name for operation in database.operations if (name := contract_of(operation.binding))})
        agrees = f"the declared operations agree with {', '.join(files)}"
        yield ok(f"contracts.{database.name}", agrees if files else "no contract file to compare with")


async def stored(settings: Settings) -> list[Finding]:
    """Look into the database, where there is one, for what would keep `serve` from starting."""
    found = await status(settings.storage.url, vault=settings.keys.vault)
    if found.refusal is not None:
        return [problem("storage.url", found.refusal, "do what it says, then check again")]
    storage = await open_storage(settings.storage.url)
    try:
        marked = await sandbox_clients(storage)
        both = list(also_clients(await storage.read(load_all), settings))
    finally:
        await storage.close()
    if listens_on_loopback_only(settings):
        step = "revoke it before moving"
        return [*both, *(warning("clients", f"{text}: good on this machine only", step) for text in marked)]
    step = "run `lgsp clients revoke`"
    return [*both, *(problem("clients", f"{text}: `lgsp serve` refuses it", step) for text in marked)]


def _trust(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    yield from trust_findings(settings)


def _signing(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    yield from signing_findings(settings)


def _xroad(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    yield from server_findings(settings)


def _witnesses(settings: Settings, _databases: Sequence[Database]) -> Iterator[Finding]:
    yield from witness_settings(settings)


_PARTS: tuple[Part, ...] = (
    *(_addresses, _own_keys, _sandbox, _files, _trust, _endpoints, _signing, _xroad, _witnesses, _stores, _contracts),
)
