"""What `lgsp check` finds about `[endpoints.NAME]`: is what is needed there, can it work, is it safe on the way."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from adapters import destinations
from adapters.carriage import compiled, doubt, scheme_of
from adapters.dispatch import endpoint_of
from adapters.schemes import Scheme, secret_of
from adapters.site import Site
from adapters.trust_domains import TrustDomains
from config.settings import ConfigurationError, Endpoint, Settings
from routes.findings import Finding, ok, problem, warning
from routes.loopback import is_loopback
from routes.token_findings import token_findings
from routes.trust_findings import usable_domains
from schemas.exchange import Database
from security.contracts import ContractUnusable
from security.private_files import KeyRefused, read_private

_Flaw = tuple[str, str]
"""What is wrong, and the next step."""

_MEND = "mend the section"


def endpoint_findings(settings: Settings, databases: Sequence[Database]) -> Iterator[Finding]:
    """Look at every `[endpoints.NAME]` section, and at those that are missing, without asking anybody."""
    domains = usable_domains(settings)
    needed: dict[str, list[tuple[Database, str]]] = {}
    # Where nothing is delivered to needs no section.
    reached = [
        one
        for one in destinations(settings.endpoints)
        if settings.endpoints.keys() & {endpoint_of(one, each) for each in one.operations}
    ]
    everything = (*databases, *reached)
    for database in everything:
        for operation in database.operations:
            needed.setdefault(endpoint_of(database, operation), []).append((database, operation.name))
    for name, users in needed.items():
        subject = f"endpoints.{name}"
        endpoint = settings.endpoints.get(name)
        if endpoint is None:
            wanted = ", ".join(f"{database.name}/{operation}" for database, operation in users)
            yield warning(subject, f"is missing: {wanted} is not served", f"add a section [endpoints.{name}]")
            continue
        if endpoint.domain in settings.trust and endpoint.domain not in domains:
            # What is wrong with its domain is said of that one.
            yield from _connection(subject, endpoint)
            continue
        flaws = [
            found for database, operation in users if (found := _compiled(database, operation, name, endpoint, domains))
        ]
        # Operations of one endpoint mostly fail for one reason.
        for flaw, step in dict.fromkeys(flaws):
            yield problem(subject, flaw, step)
        yield from _connection(subject, endpoint)
        yield from _carried(subject, endpoint, scheme_of(everything, name))
        if not flaws:
            doubts = {
                operation: text for database, operation in users if (text := _doubted(database, operation, endpoint))
            }
            for text in doubts.values():
                yield warning(subject, text, _UNREACHED)
            if served := [operation for _, operation in users if operation not in doubts]:
                yield ok(subject, f"serves {', '.join(served)}")
    for name in settings.endpoints.keys() - needed.keys():
        yield problem(f"endpoints.{name}", "no operation uses it", "remove the section or correct its name")


def _compiled(database: Database, operation: str, name: str, endpoint: Endpoint, domains: TrustDomains) -> _Flaw | None:
    """Return what is wrong with an operation and what to do about it."""
    declared = database.operation(operation)
    if declared is None:
        return f"{database.name}/{operation} cannot be compiled", _MEND
    try:
        compiled(database, declared, Site(name, endpoint, domains=domains))
    except ContractUnusable as failure:
        return str(failure), "put the contract file of this release back"
    except ConfigurationError as failure:
        return str(failure), _MEND
    except (OSError, ValueError) as failure:
        return f"{database.name}/{operation}: {failure}", _MEND
    return None


def _doubted(database: Database, name: str, endpoint: Endpoint) -> str | None:
    operation = database.operation(name)
    return None if operation is None else doubt(operation, endpoint)


_UNREACHED = (
    "reach the source another way for it, or try whether the servers in the field hand it on; a service that wraps the "
    "answer does not help: by no other name is it read here"
)


def _connection(subject: str, endpoint: Endpoint) -> Iterator[Finding]:
    parts = urlsplit(endpoint.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield problem(
            f"{subject}.url", f"{endpoint.url} is no http or https address", "write https://host[:port][/path]"
        )
    for setting, place in (("key", endpoint.key), ("tls_key", endpoint.tls_key)):
        if isinstance(place, Path):
            yield from closed(f"{subject}.{setting}", place)
        elif place is not None:
            yield from token_findings(subject, endpoint)
    if endpoint.tls_certificate is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(endpoint.tls_certificate, endpoint.tls_key)
        except ssl.SSLError as failure:
            reason = failure.strerror or str(failure)
            step = "put a PEM certificate there and name the key that belongs to it in tls_key"
            yield problem(f"{subject}.tls_certificate", f"cannot be used: {reason}", step)
        except OSError:
            # A file that is not there is said where files and keys are read.
            return


def _carried(subject: str, endpoint: Endpoint, scheme: Scheme | None) -> Iterator[Finding]:
    """Say where credentials and answers travel without TLS, and which log-in has half of what it needs."""
    addresses = {f"{subject}.url": endpoint.url}
    if endpoint.lgsp is not None and urlsplit(endpoint.lgsp.token).netloc:
        addresses[f"{subject}.lgsp.token"] = endpoint.lgsp.token
    for setting, address in addresses.items():
        parts = urlsplit(address)
        if parts.scheme == "http" and parts.hostname and not is_loopback(f"{parts.hostname}:0"):
            text = f"plain http to {parts.hostname}: who listens on the way reads credentials and answers"
            yield warning(setting, text, "write https://, and the authority of its certificate into tls_ca")
    # A platform without a secret is refused before.
    if scheme is not None and endpoint.lgsp is None and endpoint.username and not secret_of(endpoint):
        text = "username is set and secret is not: the log-in is done with an empty one"
        yield warning(f"{subject}.secret", text, "write secret, best as `file:PATH` or `env:NAME`")


def closed(subject: str, path: Path) -> Iterator[Finding]:
    """Say whether others may read or replace a private key: then it is everybody's."""
    try:
        read_private(path)
    except KeyRefused as refused:
        yield problem(subject, refused.text, refused.step)
