"""`lgsp clients`: registered applications, their credentials and their grants (quản lý ứng dụng đăng ký).

Each change and its audit entry are one commit. A new secret is printed once and kept nowhere.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client_views import described, plain, summary, tell
from commands.common import AsJson, Config, duration, fail, group, operation_name, pairs, run, sentences, show, table

if TYPE_CHECKING:
    from security.administration import Change
    from security.clients import Client, StoredCredential

app = group("clients", "Registered applications, credentials and grants.")

ClientId = Annotated[str, typer.Argument(metavar="ID", help="The client's id.")]
Certificates = Annotated[list[Path] | None, typer.Option(help="PEM file for mTLS; repeatable.")]
SigningCertificates = Annotated[list[Path] | None, typer.Option(help="PEM file of who signs messages; repeatable.")]
PublicKeys = Annotated[list[Path] | None, typer.Option(help="Public JWK file for private_key_jwt; repeatable.")]
XRoadClients = Annotated[
    list[str] | None,
    typer.Option("--xroad", metavar="INSTANCE/CLASS/MEMBER/SUBSYSTEM", help="X-Road client; repeatable."),
]
Operation = Annotated[str, typer.Argument(metavar="DATABASE/OPERATION", help="For example population/person.")]


@app.command()
def add(
    client_id: ClientId,
    name: Annotated[str, typer.Option(help="What the application is called.")],
    agency: Annotated[str, typer.Option(help="Agency code (mã định danh cơ quan), for example H26.12.")],
    right: Annotated[
        list[str] | None, typer.Option(help="A right beyond look-ups: audit, audit-values, dossiers; repeatable.")
    ] = None,
    certificate: Certificates = None,
    signing_certificate: SigningCertificates = None,
    key: PublicKeys = None,
    xroad: XRoadClients = None,
    secret: Annotated[bool, typer.Option(help="Make a client secret.")] = True,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Register a client; it may do nothing until it is granted something."""
    from commands.desk import desk
    from security import administration

    held = _credentials(certificate or [], signing_certificate or [], key or [], xroad or [])

    async def work() -> Change:
        async with desk(config) as at:
            if client_id in await at.clients():
                raise administration.ChangeRefused(f"client {client_id} exists: see `lgsp clients show {client_id}`")
            made = administration.add(
                client_id, name=name, agency=agency, rights=right or (), credentials=held, secret=secret, by=at.by
            )
            await at.make(made)
            return made

    tell([run(work)], as_json)


@app.command()
def register(
    client_id: ClientId,
    certificate: Certificates = None,
    signing_certificate: SigningCertificates = None,
    key: PublicKeys = None,
    xroad: XRoadClients = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give a client one more certificate, public key or X-Road client; those it has stay."""
    from commands.desk import changed
    from security import administration

    held = _credentials(certificate or [], signing_certificate or [], key or [], xroad or [])
    if not held:
        fail("name a file (--certificate, --signing-certificate or --key) or an X-Road client (--xroad)", 2)
    made = [
        changed(config, client_id, lambda client, by, one=one: administration.register(client, one, by=by))  # type: ignore[misc]
        for one in held
    ]
    tell(made, as_json)


@app.command("list")
def list_clients(config: Config = None, as_json: AsJson = False) -> None:
    """List every client."""
    found = _all(config)
    if as_json:
        show([summary(client) for client in found.values()])
    else:
        rows = [tuple(map(plain, summary(client).values())) for client in found.values()]
        table(rows, ("ID", "NAME", "AGENCY", "RIGHTS", "GRANTS", "CREDENTIALS", "REVOKED"))


@app.command("show")
def show_client(client_id: ClientId, config: Config = None, as_json: AsJson = False) -> None:
    """Show one client with credentials and grants; never a secret."""
    from security.administration import view

    found = _all(config).get(client_id)
    if found is None:
        fail(f"there is no client {client_id}: `lgsp clients list` shows those there are", 2)
    if as_json:
        show(described(found))
        return
    pairs({name: plain(value) for name, value in view(found).items()})


@app.command()
def grant(
    client_id: ClientId,
    operation: Operation,
    purpose: Annotated[list[str], typer.Option(help="A purpose that this covers; repeatable.")],
    field: Annotated[list[str], typer.Option(help="A field path that is told, * for all there are; repeatable.")],
    dossier_required: Annotated[bool, typer.Option("--dossier-required", help="Ask for Lgsp-Dossier.")] = False,
    officer_required: Annotated[bool, typer.Option("--officer-required", help="Ask for Lgsp-Officer.")] = False,
    signature_required: Annotated[bool, typer.Option("--signature-required", help="Ask for a signed request.")] = False,
    archive: Annotated[bool, typer.Option("--archive", help="Keep disclosed values, sealed.")] = False,
    provable: Annotated[
        bool, typer.Option("--provable", help="Let each field of an answer be proven without the others.")
    ] = False,
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 50.0,
    burst: Annotated[int, typer.Option(help="Requests on top of the rate.")] = 100,
    deadline_ms: Annotated[int, typer.Option(help="Bound of a whole exchange.")] = 20_000,
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339 instant; none for no end.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give a grant; one for the same operation and purposes is replaced."""
    from adapters import DATABASES
    from commands.desk import changed
    from schemas.exchange import Grant
    from security import administration
    from security.policy import field_paths

    database, name = operation_name(operation)
    try:
        fields = field_paths(DATABASES, database, name, field)
        end = _instant(expires_at)
    except ValueError as wrong:
        fail(str(wrong), 2)
    given = Grant(
        database,
        name,
        frozenset(purpose),
        fields,
        dossier_required,
        officer_required,
        signature_required,
        rate,
        burst,
        deadline_ms,
        end,
        archive,
        provable,
    )
    tell([changed(config, client_id, lambda client, by: administration.grant(client, given, by=by))], as_json)


@app.command()
def revoke(
    client_id: ClientId,
    credential: Annotated[str | None, typer.Option(help="Only this credential, with its tokens.")] = None,
    operation: Annotated[
        str | None, typer.Option(metavar="DATABASE/OPERATION", help="Only the grants of this operation.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """End a client for good, or one credential, or the grants of one operation; counts everywhere within 10 s."""
    from commands.desk import changed
    from security import administration

    if credential is not None and operation is not None:
        fail("revoke a credential or an operation, one at a time", 2)
    named = None if operation is None else operation_name(operation)
    made = changed(
        config,
        client_id,
        lambda client, by: administration.revoke(client, credential_id=credential, operation=named, by=by),
    )
    tell([made], as_json)


@app.command()
def rotate(
    client_id: ClientId,
    overlap: Annotated[str, typer.Option(help="How long the old secret works on: 7d, 12h, 0.")] = "7d",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give a client a new secret, printed once; old and new work until the overlap ends."""
    from commands.desk import changed
    from security import administration

    lasting = duration(overlap)
    tell([changed(config, client_id, lambda client, by: administration.rotate(client, lasting, by=by))], as_json)


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="TOML or JSON (where the name ends so).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make clients and grants what a file says; applied again it changes nothing."""
    import asyncio

    from adapters import DATABASES
    from commands.desk import desk
    from security.client_files import apply as planned

    done: list[Change] = []

    async def work() -> None:
        async with desk(config) as at:
            changes = planned(file, await at.clients(), DATABASES, by=at.by)
            for change in changes:
                if not dry_run:
                    await at.make(change)
                done.append(change)

    try:
        with sentences():
            asyncio.run(work())
    except typer.Exit:
        # Secrets of what was written before the failure exist nowhere else.
        if done:
            tell(done, as_json, planned=dry_run)
        raise
    tell(done, as_json, planned=dry_run)


def _credentials(
    certificates: list[Path], signing: list[Path], keys: list[Path], xroad: list[str]
) -> list[StoredCredential]:
    """Read what a client is to be known by; a file or a name that cannot be used is wrong use."""
    import json
    from datetime import UTC

    from cryptography.x509 import load_pem_x509_certificate

    from security.credentials import certificate_credential, key_credential, xroad_credential

    now = datetime.now(UTC)
    path: Path | str = Path()

    def read(one: Path) -> bytes:
        nonlocal path
        path = one
        return one.read_bytes()

    try:
        pinned = [certificate_credential(load_pem_x509_certificate(read(one)), now) for one in certificates]
        signs = [certificate_credential(load_pem_x509_certificate(read(one)), now, signs=True) for one in signing]
        public = [key_credential(json.loads(read(one)), now) for one in keys]
        named = [xroad_credential(path := one, now) for one in xroad]
    except (OSError, ValueError) as failure:
        fail(f"{path}: {failure}", 2)
    return [*pinned, *signs, *public, *named]


def _all(config: Path | None) -> dict[str, Client]:
    """Read the clients; unlike a change this needs no key and leaves no entry."""
    from config.settings import load
    from security.client_store import load_all
    from sync.database import open_storage

    async def work() -> dict[str, Client]:
        settings = load(config)
        storage = await open_storage(settings.storage.url, vault=settings.keys.vault)
        try:
            return {client.client_id: client for client in await storage.read(load_all)}
        finally:
            await storage.close()

    return run(work)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("--expires-at: an instant needs its offset, for example 2027-01-01T00:00:00+07:00")
    return found
